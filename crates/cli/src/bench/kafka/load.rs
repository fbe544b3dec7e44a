//! Load and meter of the latency runs: a steady producer, and a consumer that takes the time.
//!
//! A latency is the time at which the consumer has a record less the time at which the producer
//! made it. Says `measuring` on its standard output when the warm-up is over, then the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use headwater::prelude::*;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::super::report::{Figures, rounded};
use super::BrokerArgs;

/// Partitions of the topics that are made.
const PARTITIONS: i32 = 4;
const WAIT: Duration = Duration::from_secs(10);
/// How long the meter goes on after the last record was sent.
const TAIL: Duration = Duration::from_secs(3);

/// How much load, for how long.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Rate {
    /// Records per second
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// How long is measured
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    r#for: Duration,
    /// How long before that
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    warm_up: Duration,
    /// Number of keys
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Bytes of a record
    #[arg(long, default_value_t = 200)]
    size: usize,
}

impl Rate {
    pub(super) fn seconds(&self) -> Duration {
        self.r#for
    }

    pub(super) fn to_args(&self) -> Vec<String> {
        let us = |d: Duration| format!("{}us", d.as_micros());
        [
            ("--rate", self.rate.to_string()),
            ("--for", us(self.r#for)),
            ("--warm-up", us(self.warm_up)),
            ("--keys", self.keys.to_string()),
            ("--size", self.size.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }
}

/// Options of the process that makes the load.
#[derive(Debug, clap::Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    #[arg(long)]
    to: String,
    #[arg(long)]
    from: String,
    #[arg(long)]
    committed: bool,
    #[arg(long, value_parser = humantime::parse_duration)]
    commit_interval: Option<Duration>,
    #[command(flatten)]
    rate: Rate,
}

/// An error of the client.
pub(super) fn failed(doing: &str, error: &KafkaError) -> Error {
    Error::connector(format!("kafka: cannot {doing}: {error}"))
}

/// A topic name that no other run has.
pub(super) fn fresh(name: &str) -> String {
    format!("{name}-{}-{}", std::process::id(), now_us())
}

/// Makes a topic unless it exists.
pub(super) fn make_topic(bootstrap: &str, name: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .map_err(|e| failed("make a client", &e))?;
    // The bids' timestamps are of 2023: the broker would remove them at once.
    let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(-1));
    let topic = topic.set("retention.ms", "-1");
    let options = AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT));
    let made = futures::executor::block_on(admin.create_topics([&topic], &options))
        .map_err(|e| failed(&format!("reach {bootstrap:?}"), &e))?;
    match made.into_iter().next() {
        Some(Err((name, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
            Err(Error::connector(format!("kafka: cannot make topic {name:?}: {code}")))
        }
        _ => Ok(()),
    }
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64
}

/// What the meter says.
#[derive(serde::Serialize, serde::Deserialize)]
struct Measured {
    expected: u64,
    received: u64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
}

/// Adds what the meter said.
pub(super) fn figures(figures: Figures, line: &str) -> Result<Figures> {
    let m: Measured = serde_json::from_str(line)
        .map_err(|e| Error::internal(format!("the load said {line:?}")).because(e))?;
    Ok(figures
        .add("expected", Some(m.expected))
        .add("received", Some(m.received))
        .add("p50_ms", Some(m.p50_ms))
        .add("p95_ms", Some(m.p95_ms))
        .add("p99_ms", Some(m.p99_ms))
        .add("p999_ms", Some(m.p999_ms))
        .add("max_ms", Some(m.max_ms)))
}

/// Makes the load and measures.
pub(super) fn run(args: &LoadArgs) -> Result<()> {
    let start = now_us() + 1_000_000;
    let from = start + args.rate.warm_up.as_micros() as u64;
    let to = from + args.rate.r#for.as_micros() as u64;
    let stop = Arc::new(AtomicBool::new(false));
    let meter = {
        let (bootstrap, topic) = (args.broker.bootstrap.clone(), args.from.clone());
        let (committed, stop) = (args.committed, Arc::clone(&stop));
        std::thread::spawn(move || meter(&bootstrap, &topic, committed, from..to, &stop))
    };
    let sent = produce(args, start, from, to);
    std::thread::sleep(TAIL);
    stop.store(true, Ordering::Relaxed);
    let histogram = meter.join().map_err(|_| Error::internal("the meter panicked"))??;
    sent?;
    let ms = |q| rounded(histogram.value_at_quantile(q) as f64 / 1000.0);
    let measured = Measured {
        expected: args.rate.rate * args.rate.r#for.as_secs(),
        received: histogram.len(),
        p50_ms: ms(0.5),
        p95_ms: ms(0.95),
        p99_ms: ms(0.99),
        p999_ms: ms(0.999),
        max_ms: ms(1.0),
    };
    let text = serde_json::to_string(&measured)
        .map_err(|e| Error::internal("figures have no JSON form").because(e))?;
    println!("{text}");
    Ok(())
}

fn produce(args: &LoadArgs, start: u64, from: u64, to: u64) -> Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &args.broker.bootstrap);
    config.set("linger.ms", "0").set("acks", "all").set("partitioner", "murmur2");
    config.set("socket.nagle.disable", "true").set("enable.idempotence", "true");
    if args.commit_interval.is_some() {
        config.set("transactional.id", format!("{}-load", args.to));
    }
    let producer: ThreadedProducer<DefaultProducerContext> =
        config.create().map_err(|e| failed("make a producer", &e))?;
    if args.commit_interval.is_some() {
        producer.init_transactions(WAIT).map_err(|e| failed("start transactions", &e))?;
    }
    let (mut sent, mut said, mut opened) = (0_u64, false, None::<Instant>);
    loop {
        let now = now_us();
        if now >= from && !said {
            said = true;
            println!("measuring");
        }
        if now >= to {
            break;
        }
        let due = now.saturating_sub(start) * args.rate.rate / 1_000_000;
        if sent < due && args.commit_interval.is_some() && opened.is_none() {
            producer.begin_transaction().map_err(|e| failed("begin", &e))?;
            opened = Some(Instant::now());
        }
        while sent < due {
            let key = format!("k{}", sent * 7919 % args.rate.keys);
            let mut value =
                format!("{{\"id\":{sent},\"key\":\"{key}\",\"ts\":{},\"pad\":\"", now_us());
            let pad = args.rate.size.saturating_sub(value.len() + 2).max(1);
            value.extend(std::iter::repeat_n('x', pad));
            value.push_str("\"}");
            let record = BaseRecord::to(&args.to).key(&key).payload(&value);
            producer.send(record).map_err(|(e, _)| failed("write", &e))?;
            sent += 1;
        }
        if let (Some(at), Some(interval)) = (opened, args.commit_interval)
            && at.elapsed() >= interval
        {
            while producer.in_flight_count() > 0 {
                std::thread::sleep(Duration::from_micros(50));
            }
            producer.commit_transaction(WAIT).map_err(|e| failed("commit", &e))?;
            opened = None;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    if opened.is_some() {
        producer.commit_transaction(WAIT).map_err(|e| failed("commit", &e))?;
    }
    Ok(())
}

fn meter(
    bootstrap: &str,
    topic: &str,
    committed: bool,
    measured: std::ops::Range<u64>,
    stop: &AtomicBool,
) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new_with_bounds(1, 600_000_000, 3)
        .map_err(|e| Error::internal("cannot make a histogram").because(e))?;
    let isolation = if committed { "read_committed" } else { "read_uncommitted" };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "meter")
        .set("enable.auto.commit", "false")
        .set("isolation.level", isolation)
        .set("fetch.min.bytes", "1")
        .set("fetch.queue.backoff.ms", "1")
        .create()
        .map_err(|e| failed("make a consumer", &e))?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .map_err(|e| failed("read", &e))?;
    }
    consumer.assign(&list).map_err(|e| failed("read", &e))?;
    while !stop.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let now = now_us();
        if let Some(at) = message.payload().and_then(sent_at).filter(|at| measured.contains(at)) {
            histogram.saturating_record(now.saturating_sub(at).max(1));
        }
    }
    Ok(histogram)
}

/// The digits after `"ts":`.
fn sent_at(value: &[u8]) -> Option<u64> {
    let tag = b"\"ts\":";
    let at = value.windows(tag.len()).position(|w| w == tag)? + tag.len();
    let digits = value[at..].iter().take_while(|b| b.is_ascii_digit());
    Some(digits.fold(0, |n, b| n * 10 + u64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_in_a_record() {
        assert_eq!(sent_at(br#"{"id":1,"key":"k1","ts":1763,"pad":"x"}"#), Some(1763));
        assert_eq!(sent_at(b"{}"), None);
    }
}

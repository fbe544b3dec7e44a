//! Writes the input at a steady pace, whatever happens to the broker: idempotent, acknowledged by
//! every replica, tried again until it is there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::records::{PARTITIONS, last_payment, payment};
use super::topics::failed;

/// Records that may wait for the broker; beyond it the pace is not kept.
const MOST_WAITING: i32 = 100_000;
/// How long the last records may take.
const FLUSH: Duration = Duration::from_secs(120);

#[derive(Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, SeqCst);
        }
    }
}

/// A running input.
pub struct Input {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<u64>>>,
}

impl Input {
    /// Starts to write `rate` records per second.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn start(bootstrap: &str, topic: &str, seed: u64, rate: f64) -> io::Result<Input> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "600000")
            .set("delivery.report.only.error", "true")
            .set("queue.buffering.max.messages", "2000000")
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "100");
        let failures = Failures::default();
        let producer = config.create_with_context(failures.clone()).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut pacing = Pacing {
            producer,
            failures,
            topic: topic.to_owned(),
            seed,
            rate,
            sent: 0,
            stop: Arc::clone(&stop),
        };
        let thread =
            std::thread::Builder::new().name("input".into()).spawn(move || pacing.run())?;
        Ok(Input { stop, thread: Some(thread) })
    }

    /// Writes the last records, and waits until all are acknowledged; how many there are.
    ///
    /// # Errors
    /// Not all were.
    pub fn finish(mut self) -> io::Result<u64> {
        self.stop.store(true, SeqCst);
        let thread = self.thread.take().map(JoinHandle::join);
        thread.unwrap_or(Ok(Ok(0))).map_err(|_| io::Error::other("the input panicked"))?
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

struct Pacing {
    producer: ThreadedProducer<Failures>,
    failures: Failures,
    topic: String,
    seed: u64,
    rate: f64,
    sent: u64,
    stop: Arc<AtomicBool>,
}

impl Pacing {
    fn run(&mut self) -> io::Result<u64> {
        let per_partition = self.rate / f64::from(PARTITIONS);
        let (mut since, mut before) = (Instant::now(), 0);
        while !self.stop.load(SeqCst) {
            if self.producer.in_flight_count() > MOST_WAITING {
                // What was not written meanwhile is not made up for.
                std::thread::sleep(Duration::from_millis(20));
                (since, before) = (Instant::now(), self.sent);
                continue;
            }
            let due = before + (since.elapsed().as_secs_f64() * self.rate) as u64;
            while self.sent < due {
                let (partition, seq) = self.place(self.sent);
                self.send(payment(self.seed, partition, seq, per_partition))?;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let longest = self.sent / PARTITIONS as u64 + 1;
        for _ in 0..PARTITIONS {
            let (partition, seq) = self.place(self.sent);
            self.send(last_payment(partition, seq, longest, per_partition))?;
        }
        self.producer.flush(FLUSH).map_err(failed)?;
        match self.failures.0.load(SeqCst) {
            0 => Ok(self.sent),
            n => Err(io::Error::other(format!("{n} records of the input were not written"))),
        }
    }

    /// Partition of the record of that number, and its number there.
    fn place(&self, number: u64) -> (i32, u64) {
        ((number % PARTITIONS as u64) as i32, number / PARTITIONS as u64)
    }

    fn send(&mut self, payment: super::records::Payment) -> io::Result<()> {
        let value = serde_json::to_vec(&payment)?;
        let key = payment.key.to_string();
        let record = BaseRecord::to(&self.topic).partition(payment.partition);
        let mut record = record.key(&key).payload(&value);
        while let Err((error, back)) = self.producer.send(record) {
            let KafkaError::MessageProduction(_) = error else { return Err(failed(error)) };
            std::thread::sleep(Duration::from_millis(10));
            record = back;
        }
        self.sent += 1;
        Ok(())
    }
}

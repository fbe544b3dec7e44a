//! Reading whole topics, and asking for their ends and open transactions; with a client of its own.

use std::io;
use std::time::{Duration, Instant};

use headwater_services::kafka::ApiKey;
use headwater_services::kafka::wire::{Body, Connection};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::records::PARTITIONS;

/// How long the broker may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// The request `ListTransactions`.
const LIST_TRANSACTIONS: ApiKey = ApiKey(66);
/// States of a transaction that has not ended.
const UNENDED: [&str; 3] = ["Ongoing", "PrepareCommit", "PrepareAbort"];

/// A consumer of partitions that are given to it.
///
/// # Errors
/// It cannot be made.
pub fn consumer(bootstrap: &str, isolation: &str) -> io::Result<BaseConsumer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "chaos-observer")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", isolation)
        .set("fetch.wait.max.ms", "10")
        .set("fetch.queue.backoff.ms", "5")
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100");
    config.create().map_err(failed)
}

/// All partitions of topics from the beginning.
///
/// # Errors
/// A name is not allowed.
pub fn from_beginning(topics: &[&str]) -> io::Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for topic in topics {
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::Beginning).map_err(failed)?;
        }
    }
    Ok(list)
}

/// Reads what is committed in a topic, from beginning to end.
///
/// # Errors
/// The broker is silent for too long.
pub fn read_committed(
    bootstrap: &str,
    topic: &str,
    mut take: impl FnMut(i32, i64, &[u8]),
) -> io::Result<()> {
    let consumer = consumer(bootstrap, "read_committed")?;
    consumer.assign(&from_beginning(&[topic])?).map_err(failed)?;
    let (mut ended, mut heard) = (vec![false; PARTITIONS as usize], Instant::now());
    while ended.contains(&false) {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                take(message.partition(), message.offset(), message.payload().unwrap_or_default());
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => ended[partition as usize] = true,
            Some(Err(e)) if heard.elapsed() > PATIENCE => return Err(failed(e)),
            None if heard.elapsed() > PATIENCE => {
                return Err(io::Error::other(format!("topic {topic:?}: no answer")));
            }
            Some(Err(_)) | None => {}
        }
    }
    Ok(())
}

/// Partitions of all topics whose last stable offset is not the end of the log: a transaction is
/// open there.
///
/// # Errors
/// The broker does not answer.
pub fn unstable(bootstrap: &str) -> io::Result<Vec<String>> {
    let (committed, all) =
        (consumer(bootstrap, "read_committed")?, consumer(bootstrap, "read_uncommitted")?);
    let metadata = all.fetch_metadata(None, PATIENCE).map_err(failed)?;
    let mut unstable = Vec::new();
    for topic in metadata.topics().iter().filter(|topic| !topic.name().starts_with("__")) {
        for partition in topic.partitions() {
            let (name, id) = (topic.name(), partition.id());
            let (_, stable) = committed.fetch_watermarks(name, id, PATIENCE).map_err(failed)?;
            let (_, end) = all.fetch_watermarks(name, id, PATIENCE).map_err(failed)?;
            if stable != end {
                unstable.push(format!("{name}-{id}: stable up to {stable}, ends at {end}"));
            }
        }
    }
    Ok(unstable)
}

/// Transactional ids whose transaction has not ended.
///
/// # Errors
/// The broker does not answer.
pub fn open_transactions(bootstrap: &str) -> headwater_core::Result<Vec<String>> {
    // Header and body have tagged fields; an array's length is one more than it is.
    let mut body = Body::new().raw(&[0, UNENDED.len() as u8 + 1]);
    for state in UNENDED {
        body = body.compact_string(state);
    }
    let body = body.raw(&[1, 0]);
    let mut connection = Connection::open(bootstrap, PATIENCE)?;
    let mut answer = connection.call(LIST_TRANSACTIONS, 0, &body)?;
    answer.tagged(0)?;
    let (_throttled, error) = (answer.i32()?, answer.i16()?);
    if error != 0 {
        let text = format!("cannot list transactions (kafka's error {error})");
        return Err(headwater_core::Error::connector(text));
    }
    for _unknown_state in 1..answer.varint()? {
        answer.compact_string()?;
    }
    let mut open = Vec::new();
    for _ in 1..answer.varint()? {
        let (id, _producer) = (answer.compact_string()?, answer.i64()?);
        let state = answer.compact_string()?;
        answer.tagged(0)?;
        open.push(format!("{id}: {state}"));
    }
    Ok(open)
}

pub(crate) fn failed(e: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(e)
}

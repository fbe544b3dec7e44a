//! Reads a control topic: one partition, written by one transactional producer.

use std::time::{Duration, Instant};

use headwater_core::{Error, Result};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::Cluster;
use crate::failure::{Witness, failure};
use crate::options::Scope;
use crate::producer::PATIENCE;

/// How far from the end the last value is looked for first.
const NEAR: i64 = 200;
/// How long a transaction may be without an end after its coordinator has said that it has one.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Reads committed records of partition 0 of a topic.
pub(crate) struct ControlReader {
    consumer: BaseConsumer<Witness>,
    topic: String,
}

impl ControlReader {
    pub(crate) fn open(cluster: &Cluster, topic: &str) -> Result<Self> {
        let mut config = cluster.config(Scope::Source, &[]);
        config.set("group.id", "headwater-control");
        config.set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true");
        config.set("isolation.level", "read_committed");
        config.set("auto.offset.reset", "error");
        config.set("fetch.wait.max.ms", "10");
        let consumer = config
            .create_with_context(Witness::default())
            .map_err(|e| failure("cannot make a consumer", &e))?;
        Ok(ControlReader { consumer, topic: topic.into() })
    }

    /// The first offset, and the one after the last committed record.
    pub(crate) fn bounds(&self) -> Result<(i64, i64)> {
        let known = self.consumer.fetch_watermarks(&self.topic, 0, PATIENCE);
        known.map_err(|e| failure(&format!("offsets of topic {:?}", self.topic), &e))
    }

    /// Checks that no transaction in the topic is without an end; our older ones must have ended.
    ///
    /// Brokers can lose a commit or abort marker (Kafka 4.3.0 does when it restarts amid a commit
    /// and has the only replica). Then nobody knows whether the output that belongs to it is
    /// visible, and the next commit would make it so: going on could duplicate or lose it.
    ///
    /// # Errors
    /// Kind `State` if one stays without an end.
    pub(crate) fn check_ended(&self, cluster: &Cluster) -> Result<()> {
        let doing = || format!("offsets of topic {:?}", self.topic);
        let mut config = cluster.config(Scope::Source, &[]);
        config.set("group.id", "headwater-control").set("isolation.level", "read_uncommitted");
        let all: BaseConsumer<Witness> = config
            .create_with_context(Witness::default())
            .map_err(|e| failure("cannot make a consumer", &e))?;
        let began = Instant::now();
        loop {
            let end = all.fetch_watermarks(&self.topic, 0, PATIENCE);
            let end = end.map_err(|e| failure(&doing(), &e))?.1;
            let stable = self.bounds()?.1;
            if stable >= end {
                return Ok(());
            }
            if began.elapsed() > END_PATIENCE {
                return Err(Error::state(format!(
                    "topic {:?}: the transaction at offset {stable} has no end, though its \
                     coordinator says that it has ended: whether its output is visible is not known",
                    self.topic
                ))
                .hint("a broker lost a marker: see kafka-transactions.sh find-hanging"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads from an offset to the end.
    pub(crate) fn read(
        &self,
        from: i64,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
    ) -> Result<()> {
        let doing = format!("read topic {:?}", self.topic);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, Offset::Offset(from))
            .map_err(|e| failure(&doing, &e))?;
        self.consumer.assign(&list).map_err(|e| failure(&doing, &e))?;
        let mut heard = Instant::now();
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    take(&message)?;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(e)) if heard.elapsed() > PATIENCE => return Err(failure(&doing, &e)),
                None if heard.elapsed() > PATIENCE => {
                    return Err(Error::transient(format!("kafka: {doing}: no answer")));
                }
                Some(Err(_)) | None => {}
            }
        }
    }
}

/// The last committed value of a key in a control topic.
pub(crate) fn last_value(cluster: &Cluster, topic: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
    let reader = ControlReader::open(cluster, topic)?;
    reader.check_ended(cluster)?;
    let (low, high) = reader.bounds()?;
    let mut reach = NEAR;
    loop {
        let from = (high - reach).max(low);
        let mut last = None;
        if high > low {
            reader.read(from, |message| {
                if message.key() == Some(key) {
                    last = message.payload().map(<[u8]>::to_vec);
                }
                Ok(())
            })?;
        }
        if last.is_some() || from == low {
            return Ok(last);
        }
        reach *= 10;
    }
}

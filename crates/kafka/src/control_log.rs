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

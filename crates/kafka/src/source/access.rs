//! Whether the user may read: asked before the job starts, as else it would end soon after.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use headwater_core::Result;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::Settings;
use crate::failure::{Witness, failure};
use crate::options::Scope;

/// How long each of the two is waited for in turn.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks for the group's offsets, and reads at the end of a partition of each topic.
pub(super) fn check(settings: &Settings, topics: &[String]) -> Result<()> {
    use RDKafkaErrorCode as C;
    let mut config = settings.cluster.config(Scope::Source, &settings.options);
    config.set("group.id", &settings.group);
    config.set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true");
    config.set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer<Witness> = config
        .create_with_context(Witness::default())
        .map_err(|e| failure("cannot make a consumer", &e))?;
    let group = format!("committed offsets of group {:?}", settings.group);
    let all = topics.iter().map(|topic| format!("{topic:?}")).collect::<Vec<_>>().join(", ");
    let read = format!("read topics {all}");
    let mut list = TopicPartitionList::new();
    for topic in topics {
        list.add_partition_offset(topic, 0, Offset::End).map_err(|e| failure(&read, &e))?;
    }
    consumer.assign(&list).map_err(|e| failure(&read, &e))?;
    let until = Instant::now() + settings.cluster.timeout();
    let mut left = topics.len();
    let mut readable = HashSet::new();
    // What is slow to answer here is waited for by the job.
    while Instant::now() < until {
        match consumer.poll(PAUSE) {
            // A topic that is written all the time may never be at its end.
            Some(Ok(message)) if readable.insert(message.topic().to_owned()) => {
                left = left.saturating_sub(1);
                let mut one = TopicPartitionList::new();
                one.add_partition(message.topic(), message.partition());
                consumer.pause(&one).map_err(|e| failure(&read, &e))?;
            }
            Some(Ok(_)) => {}
            Some(Err(KafkaError::PartitionEOF(_))) => left = left.saturating_sub(1),
            Some(Err(e)) => match e.rdkafka_error_code() {
                Some(C::GroupAuthorizationFailed) => return Err(failure(&group, &e)),
                Some(C::TopicAuthorizationFailed) => return Err(failure(&read, &e)),
                _ => {}
            },
            // A refusal of the group comes as an event above; this call only waits for its end.
            None if left == 0 => {
                let asked = consumer.committed_offsets(list.clone(), PAUSE);
                if asked.is_ok() {
                    break;
                }
            }
            None => {}
        }
    }
    Ok(())
}

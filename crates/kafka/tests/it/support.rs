//! Topics, producers and readers for the tests, and jobs that run until they are caught up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headwater_services::kafka::Admin;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

/// Writes `(key, value)` records, and waits until they are acknowledged.
pub fn produce(bootstrap: &str, topic: &str, records: impl IntoIterator<Item = (String, String)>) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    for (key, value) in records {
        let mut record = BaseRecord::to(topic).key(&key).payload(&value);
        while let Err((KafkaError::MessageProduction(_), back)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// Everything that a `read_committed` reader sees of a topic, by partition and offset.
pub fn committed(bootstrap: &str, topic: &str) -> Vec<(i32, i64, String, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "test")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition as i32, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut seen, mut ended) = (Vec::new(), 0);
    let until = Instant::now() + Duration::from_secs(60);
    while ended < partitions && Instant::now() < until {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(m)) => {
                let text =
                    |b: Option<&[u8]>| String::from_utf8_lossy(b.unwrap_or(b"")).into_owned();
                seen.push((m.partition(), m.offset(), text(m.key()), text(m.payload())));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(e)) => panic!("{e}"),
            None => {}
        }
    }
    assert_eq!(ended, partitions, "topic {topic:?} has no end");
    seen.sort();
    seen
}

/// The values by key, in order.
pub fn by_key(seen: &[(i32, i64, String, String)]) -> BTreeMap<String, Vec<String>> {
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, _, key, value) in seen {
        by_key.entry(key.clone()).or_default().push(value.clone());
    }
    by_key
}

/// Makes topics of 4 partitions.
pub fn topics<const N: usize>(broker: &Admin, names: [&str; N]) -> [String; N] {
    names.map(|name| broker.new_topic(name, 4).unwrap())
}

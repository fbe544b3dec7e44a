//! Topics, producers and readers for the tests, and jobs that run until they are caught up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use headwater_services::kafka::Admin;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
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
    let mut seen = Vec::new();
    for_each_committed(bootstrap, topic, |m| {
        let text = |b: Option<&[u8]>| String::from_utf8_lossy(b.unwrap_or(b"")).into_owned();
        seen.push((m.partition(), m.offset(), text(m.key()), text(m.payload())));
    });
    seen.sort();
    seen
}

fn for_each_committed(bootstrap: &str, topic: &str, mut take: impl FnMut(&BorrowedMessage<'_>)) {
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
    let mut ended = 0;
    let until = Instant::now() + Duration::from_secs(60);
    while ended < partitions && Instant::now() < until {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(m)) => take(&m),
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(e)) => panic!("{e}"),
            None => {}
        }
    }
    assert_eq!(ended, partitions, "topic {topic:?} has no end");
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

/// An admin client of the library under test's own kind.
pub fn admin(bootstrap: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap()
}

/// As retention would: removes what is before the offset.
pub fn delete_records(bootstrap: &str, topic: &str, partition: i32, before: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
    let deleted = block_on(admin(bootstrap).delete_records(&list, &AdminOptions::new())).unwrap();
    deleted.elements()[0].error().unwrap();
}

/// Deletes a topic and waits until it is gone.
pub fn delete_topic(broker: &Admin, topic: &str) {
    // An answer comes only while its client lives.
    let admin = admin(broker.bootstrap());
    let deleted = block_on(admin.delete_topics(&[topic], &AdminOptions::new()));
    deleted.unwrap().pop().unwrap().unwrap();
    wait_until("the topic is gone", || !broker.has_topic(topic).unwrap());
}

/// A producer whose transactional id nobody else has.
pub fn transactional(bootstrap: &str, topic: &str) -> BaseProducer {
    let id = format!("{topic}-producer");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("transactional.id", id);
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(WAIT).unwrap();
    producer
}

/// Sends `(key, value)` records to a partition and waits for them, within a transaction if one was
/// begun.
pub fn send(producer: &BaseProducer, topic: &str, partition: i32, values: &[&str]) {
    for value in values {
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(value);
        producer.send(record).unwrap();
    }
    producer.flush(WAIT).unwrap();
}

pub fn plain_producer(bootstrap: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("message.max.bytes", "33554432");
    config.create().unwrap()
}

/// How long anything in these tests may take.
pub const WAIT: Duration = Duration::from_secs(30);

/// Waits for something that happens on its own; fails if it does not.
#[track_caller]
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + WAIT;
    while !is() {
        assert!(Instant::now() < until, "not within {WAIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A record with everything.
pub struct Read {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Everything that a `read_committed` reader sees of a topic.
pub fn read_topic(bootstrap: &str, topic: &str) -> Vec<Read> {
    let mut seen = Vec::new();
    for_each_committed(bootstrap, topic, |m| {
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let headers = m.headers().into_iter().flat_map(Headers::iter);
        seen.push(Read {
            partition: m.partition(),
            offset: m.offset(),
            key: bytes(m.key()),
            value: bytes(m.payload()),
            headers: headers.map(|h| (h.key.to_owned(), bytes(h.value))).collect(),
        });
    });
    seen
}

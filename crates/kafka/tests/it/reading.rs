//! Where reading begins and ends, what user code gets, what is found while the job runs.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::executor::block_on;
use headwater::JobHandle;
use headwater::prelude::*;
use headwater_connect::collect::Collected;
use headwater_core::DeadLetter;
use headwater_formats::{bytes, string};
use headwater_kafka::{self as kafka, Cluster, End, KafkaRecord, KafkaSource, Start, Timestamp};
use headwater_services::kafka::Admin;
use headwater_services::kafka_or_skip;
use rdkafka::admin::{AdminOptions, NewPartitions};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::support::{WAIT, admin, plain_producer, send, transactional, wait_until};

fn config() -> Config {
    let interval = Some(Duration::from_millis(50));
    let checkpoints = CheckpointConfig { interval, ..CheckpointConfig::default() };
    Config { workers: 2, checkpoints, ..Config::default() }
}

/// Starts a job that collects what a source reads.
fn start<T: Record>(source: KafkaSource<T>) -> (JobHandle, Collected<T>, Collected<DeadLetter>) {
    let (out, letters) = (collect::<T>(), collect::<DeadLetter>());
    let mut job = Job::new("reading");
    job.source("in", source).sink("out", out.clone());
    job.dead_letters(letters.clone());
    (headwater::start(job.build().unwrap(), config()).unwrap(), out, letters)
}

/// What a source with an end reads.
fn read<T: Record>(source: KafkaSource<T>) -> Vec<T> {
    let (mut job, out, letters) = start(source);
    job.wait().unwrap();
    assert!(letters.is_empty(), "{:?}", letters.records());
    out.records()
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

/// A topic of two partitions with `a0..a9` at 1000, 1010, … and `b0..b4` at 1000, 1010, ….
fn two_partitions(broker: &Admin) -> (Cluster, String) {
    let topic = broker.new_topic("numbers", 2).unwrap();
    let producer = plain_producer(broker.bootstrap());
    for (partition, name, count) in [(0, 'a', 10), (1, 'b', 5)] {
        for n in 0..count {
            let value = format!("{name}{n}");
            let record = BaseRecord::<(), str>::to(&topic).partition(partition);
            producer.send(record.payload(&value).timestamp(1000 + 10 * n)).unwrap();
        }
    }
    producer.flush(WAIT).unwrap();
    (kafka::cluster(broker.bootstrap()), topic)
}

fn values(name: char, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| format!("{name}{n}")).collect()
}

#[test]
fn reading_begins_where_it_is_told_to() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = two_partitions(broker);
    let from = |start: Start| {
        let source = cluster.source(topic.as_str()).group(topic.as_str()).start(start);
        sorted(read(source.end(End::Latest).value(string())))
    };
    let all = [values('a', 0..10), values('b', 0..5)].concat();
    assert_eq!(from(Start::Earliest), all);
    assert_eq!(from(Start::Latest), [""; 0]);
    assert_eq!(from(Start::Timestamp(1041)), values('a', 5..10), "b ends at 1040");
    assert_eq!(from(Start::Timestamp(1040)), [values('a', 4..10), values('b', 4..5)].concat());
    assert_eq!(from(Start::Timestamp(5000)), [""; 0]);
    let offsets = Start::Offsets(vec![(topic.clone(), 0, 7)]);
    assert_eq!(from(offsets), [values('a', 7..10), values('b', 0..5)].concat());

    // The jobs above have committed the group's offsets to the end; now some of its own.
    let mut group = ClientConfig::new();
    group.set("bootstrap.servers", broker.bootstrap()).set("group.id", &topic);
    let group: BaseConsumer = group.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(8)).unwrap();
    list.add_partition_offset(&topic, 1, Offset::Offset(5)).unwrap();
    group.commit(&list, CommitMode::Sync).unwrap();
    assert_eq!(from(Start::Group), values('a', 8..10));
    let unknown = cluster.source(topic.as_str()).group(format!("{topic}-new")).start(Start::Group);
    assert_eq!(sorted(read(unknown.end(End::Latest).value(string()))), all);
}

#[test]
fn reading_ends_where_it_is_told_to() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = two_partitions(broker);
    let to = |end: End| sorted(read(cluster.source(topic.as_str()).end(end).value(string())));
    let all = [values('a', 0..10), values('b', 0..5)].concat();
    assert_eq!(to(End::Latest), all);
    assert_eq!(to(End::Timestamp(1030)), [values('a', 0..3), values('b', 0..3)].concat());
    assert_eq!(to(End::Timestamp(1045)), [values('a', 0..5), values('b', 0..5)].concat());
    assert_eq!(to(End::Timestamp(9999)), all);
    assert_eq!(to(End::Timestamp(0)), [""; 0]);
    let offsets = End::Offsets(vec![(topic.clone(), 1, 2)]);
    assert_eq!(to(offsets), [values('a', 0..10), values('b', 0..2)].concat());
    let empty = End::Offsets(vec![(topic.clone(), 1, 0), (topic.clone(), 0, 0)]);
    assert_eq!(to(empty), [""; 0]);
}

#[test]
fn an_end_is_reached_though_the_last_transaction_was_aborted() {
    let broker = kafka_or_skip!();
    let topic = broker.new_topic("aborted", 1).unwrap();
    let cluster = kafka::cluster(broker.bootstrap());
    let source = || cluster.source(topic.as_str()).end(End::Latest);
    let producer = transactional(broker.bootstrap(), &topic);
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["one", "two"]);
    producer.commit_transaction(WAIT).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["never", "ever"]);
    producer.abort_transaction(WAIT).unwrap();
    assert_eq!(read(source().value(string())), ["one", "two"]);
    assert_eq!(read(source().read_uncommitted().value(string())), ["one", "two", "never", "ever"]);

    // Only what is before an open transaction can be read, and that is the end then.
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["open"]);
    assert_eq!(read(source().value(string())), ["one", "two"]);
    producer.commit_transaction(WAIT).unwrap();
    assert_eq!(read(source().value(string())), ["one", "two", "open"]);

    // Nothing but aborted records.
    let empty = broker.new_topic("aborted", 1).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &empty, 0, &["never"]);
    producer.abort_transaction(WAIT).unwrap();
    assert_eq!(read(cluster.source(empty.as_str()).end(End::Latest).value(string())), [""; 0]);
}

#[test]
fn an_open_transaction_holds_back_what_follows_until_it_ends() {
    let broker = kafka_or_skip!();
    let topic = broker.new_topic("open", 1).unwrap();
    let cluster = kafka::cluster(broker.bootstrap());
    let producer = transactional(broker.bootstrap(), &topic);
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["held"]);
    let plain = plain_producer(broker.bootstrap());
    send(&plain, &topic, 0, &["behind"]);
    let (job, out, _) = start(cluster.source(topic.as_str()).value(string()));
    wait_until("checkpoints pass", || job.metrics().checkpoints.completed > 3);
    assert!(out.is_empty());
    producer.commit_transaction(WAIT).unwrap();
    wait_until("both are read", || out.len() == 2);
    assert_eq!(out.records(), ["held", "behind"]);
}

#[test]
fn partitions_and_topics_that_appear_are_read_from_their_beginning() {
    let broker = kafka_or_skip!();
    let first = broker.new_topic("pattern", 1).unwrap();
    let other = broker.new_topic("another", 1).unwrap();
    let cluster = kafka::cluster(broker.bootstrap());
    let producer = plain_producer(broker.bootstrap());
    send(&producer, &first, 0, &["old"]);
    send(&producer, &other, 0, &["not matched"]);
    let pattern = format!("{}(-.*)?", regex::escape(&first));
    let source = cluster.source(kafka::Topics::matching(pattern)).start(Start::Latest);
    let source = source.discovery(Duration::from_millis(100));
    let (job, out, _) = start(source.value(string()));
    wait_until("a checkpoint", || job.metrics().checkpoints.completed > 0);
    send(&producer, &first, 0, &["new"]);
    wait_until("the first is read", || out.len() == 1);

    let second = format!("{first}-second");
    broker.create_topic(&second, 2).unwrap();
    send(&producer, &second, 0, &["a"]);
    send(&producer, &second, 1, &["b"]);
    let more = NewPartitions::new(&first, 2);
    let made = admin(broker.bootstrap());
    let made = block_on(made.create_partitions([&more], &AdminOptions::new())).unwrap();
    made[0].as_ref().unwrap();
    // This producer has yet to hear of the partition.
    let late = plain_producer(broker.bootstrap());
    wait_until("the partition has a leader", || {
        let metadata = late.client().fetch_metadata(Some(&first), WAIT).unwrap();
        metadata.topics()[0].partitions().iter().filter(|p| p.leader() >= 0).count() == 2
    });
    send(&late, &first, 1, &["c"]);
    wait_until("all are read", || out.len() >= 4);
    assert_eq!(sorted(out.records()), ["a", "b", "c", "new"]);
    drop(job);
}

#[test]
fn partitions_that_appear_between_two_runs_are_read_from_their_beginning() {
    let broker = kafka_or_skip!();
    let topic = broker.new_topic("grows", 1).unwrap();
    let cluster = kafka::cluster(broker.bootstrap());
    let directory = tempfile::tempdir().unwrap();
    let out = collect::<String>();
    let run = || {
        let source = cluster.source(topic.as_str()).start(Start::Latest).value(string());
        let mut job = Job::new("grows");
        job.source("in", source).sink("out", out.clone());
        let mut config = config();
        config.checkpoints.location = Some(directory.path().display().to_string());
        headwater::start(job.build().unwrap(), config).unwrap()
    };
    let mut job = run();
    wait_until("a checkpoint", || job.metrics().checkpoints.completed > 0);
    job.stop(StopMode::Checkpoint);
    job.wait().unwrap();
    let more = NewPartitions::new(&topic, 2);
    block_on(admin(broker.bootstrap()).create_partitions([&more], &AdminOptions::new())).unwrap();
    let producer = plain_producer(broker.bootstrap());
    wait_until("the partition has a leader", || {
        let metadata = producer.client().fetch_metadata(Some(&topic), WAIT).unwrap();
        metadata.topics()[0].partitions().iter().filter(|p| p.leader() >= 0).count() == 2
    });
    send(&producer, &topic, 1, &["between"]);
    let _job = run();
    wait_until("it is read", || !out.is_empty());
    assert_eq!(out.records(), ["between"]);
}

#[test]
fn user_code_gets_all_that_kafka_knows_of_a_record() {
    let broker = kafka_or_skip!();
    let topic = broker.new_topic("whole", 3).unwrap();
    let cluster = kafka::cluster(broker.bootstrap());
    let producer = plain_producer(broker.bootstrap());
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some("abc") })
        .insert(Header { key: "trace", value: Some(&[0_u8, 255][..]) })
        .insert(Header::<&str> { key: "none", value: None });
    let record = BaseRecord::to(&topic).partition(2).key("k").payload("first").timestamp(1234);
    producer.send(record.headers(headers)).unwrap();
    // No key; then no value: a tombstone.
    let record = BaseRecord::<(), str>::to(&topic).partition(2).payload("second").timestamp(1235);
    producer.send(record).unwrap();
    producer.send(BaseRecord::<str, ()>::to(&topic).partition(2).key("k").timestamp(1236)).unwrap();
    producer.flush(WAIT).unwrap();

    let source = || cluster.source(topic.as_str()).end(End::Latest);
    let (mut job, out, letters) = start(source().records(string(), bytes()));
    job.wait().unwrap();
    let found = out.take();
    let base = KafkaRecord {
        topic: topic.clone(),
        partition: 2,
        ..KafkaRecord::new(Some("k".to_owned()), Some(b"first".to_vec()))
    };
    let bytes_of = |b: &[u8]| Some(b.to_vec());
    let headers = vec![
        ("trace".to_owned(), bytes_of(b"abc")),
        ("trace".to_owned(), bytes_of(&[0, 255])),
        ("none".to_owned(), None),
    ];
    let at = |offset, millis| KafkaRecord {
        offset,
        timestamp: Timestamp::Create(millis),
        ..base.clone()
    };
    let expected = [
        KafkaRecord { headers, ..at(0, 1234) },
        KafkaRecord { key: None, value: Some(b"second".to_vec()), ..at(1, 1235) },
        KafkaRecord { value: None, ..at(2, 1236) },
    ];
    let values: Vec<_> = found.iter().map(|r| r.value.clone()).collect();
    assert_eq!(values, expected);
    let times: Vec<i64> = found.iter().map(|r| r.time.0).collect();
    assert_eq!(times, [1234, 1235, 1236]);
    assert!(letters.is_empty());

    let some = |text: &str| Some(text.to_owned());
    assert_eq!(read(source().optional_value(string())), [some("first"), some("second"), None]);
    let (mut job, out, letters) = start(source().value(string()));
    job.wait().unwrap();
    assert_eq!(out.records(), ["first", "second"]);
    let letter = &letters.records()[0];
    assert_eq!((letter.operator.as_str(), letters.len()), ("in", 1));
    assert!(letter.reason.contains("tombstone") && letter.position.contains("offset 2"));
}

#[test]
fn checkpoints_tell_the_group_how_far_the_job_is() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = two_partitions(broker);
    let source = cluster.source(topic.as_str()).group(topic.as_str()).value(string());
    let (job, out, _) = start(source);
    let mut group = ClientConfig::new();
    group.set("bootstrap.servers", broker.bootstrap()).set("group.id", &topic);
    let group: BaseConsumer = group.create().unwrap();
    let committed = || {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&topic, 0, 1);
        let found = group.committed_offsets(list, WAIT).unwrap();
        found.elements().iter().map(|e| e.offset().to_raw().unwrap_or(-1)).collect::<Vec<_>>()
    };
    wait_until("the group is at the end", || committed() == [10, 5]);
    send(&plain_producer(broker.bootstrap()), &topic, 1, &["more", "more"]);
    wait_until("and follows", || committed() == [10, 7]);
    assert_eq!(out.len(), 17);
    let distinct: BTreeSet<String> = out.records().into_iter().collect();
    assert_eq!(distinct.len(), 16);
    drop(job);
}

//! Page views per URL in windows of five minutes, from a topic of JSON to a topic, updated every
//! second: against a real broker, stopped in the middle and gone on with from its checkpoint.
#![cfg(feature = "kafka")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headwater_runtime::{Config, RestartStrategy, StopMode};
use headwater_services::kafka_or_skip;
use headwater_sql::session::{Job, Outcome, Session, SessionOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

const PARTITIONS: i32 = 4;
/// 2024-01-01, in milliseconds.
const BEGIN: i64 = 1_704_067_200_000;

/// A view: its URL and its time, up to nine seconds out of order.
fn view(n: i64) -> (String, i64) {
    (format!("/page/{}", n * n % 11), BEGIN + n * 150 - n * 7_919 % 9_000)
}

fn text(millis: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(millis).unwrap();
    format!("{:.3}", at).trim_end_matches('Z').replace('T', " ")
}

fn produce(bootstrap: &str, topic: &str, views: impl Iterator<Item = i64>) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    for n in views {
        let (url, at) = view(n);
        let value = format!("{{\"url\":\"{url}\",\"ts\":\"{}\"}}", text(at));
        let partition = (n % i64::from(PARTITIONS)) as i32;
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&value);
        producer.send(record).map_err(|(e, _)| e).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// Everything committed of a topic: key and value, in order within a partition.
fn committed(bootstrap: &str, topic: &str) -> Vec<(serde_json::Value, serde_json::Value)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "test")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut seen, mut ended) = (Vec::new(), 0);
    let until = Instant::now() + Duration::from_secs(60);
    while ended < PARTITIONS {
        assert!(Instant::now() < until, "topic {topic} has no end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(m)) => {
                let json = |b: Option<&[u8]>| serde_json::from_slice(b.unwrap_or(b"null")).unwrap();
                seen.push((json(m.key()), json(m.payload())));
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(e)) => panic!("{e}"),
            None => {}
        }
    }
    seen
}

/// The last count of each URL and window.
fn last(seen: &[(serde_json::Value, serde_json::Value)]) -> BTreeMap<(String, String), i64> {
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap().to_owned();
    let row = |(key, value): &(serde_json::Value, serde_json::Value)| {
        let start = text(key, "window_start").trim_end_matches(".000").to_owned();
        ((text(key, "url"), start), value["views"].as_i64().unwrap())
    };
    seen.iter().map(row).collect()
}

fn expected(views: i64) -> BTreeMap<(String, String), i64> {
    let mut counts = BTreeMap::new();
    for (url, at) in (0..views).map(view) {
        let start = text(at.div_euclid(300_000) * 300_000);
        *counts.entry((url, start.trim_end_matches(".000").to_owned())).or_default() += 1;
    }
    counts
}

fn start(bootstrap: &str, from: &str, to: &str, checkpoints: &str) -> Job {
    let mut config = Config { workers: 2, restart: RestartStrategy::None, ..Config::default() };
    config.checkpoints.interval = Some(Duration::from_millis(200));
    config.checkpoints.location = Some(checkpoints.to_owned());
    let mut session = Session::new(SessionOptions { config, ..SessionOptions::default() }).unwrap();
    let text = format!(
        "SET 'pipeline.name' = '{to}';
         CREATE TABLE page_views (url STRING, ts TIMESTAMP(3),
             WATERMARK FOR ts AS ts - INTERVAL '10' SECOND)
         WITH ('connector' = 'kafka', 'topic' = '{from}', 'format' = 'json',
             'properties.bootstrap.servers' = '{bootstrap}',
             'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE views_per_url (url STRING, window_start TIMESTAMP(3), views BIGINT,
             PRIMARY KEY (url, window_start) NOT ENFORCED)
         WITH ('connector' = 'upsert-kafka', 'topic' = '{to}',
             'key.format' = 'json', 'value.format' = 'json',
             'properties.bootstrap.servers' = '{bootstrap}',
             'sink.delivery-guarantee' = 'exactly-once');
         INSERT INTO views_per_url
         SELECT url, window_start, COUNT(*) AS views
         FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(ts), INTERVAL '5' MINUTES))
         GROUP BY url, window_start, window_end
         EMIT EVERY INTERVAL '1' SECOND"
    );
    match session.execute(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, false))).pop() {
        Some(Outcome::Job(job)) => *job,
        _ => panic!("no job"),
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(90), "{what} did not come");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn page_views_per_url_are_updated_every_second_and_exact_after_a_restart() {
    let broker = kafka_or_skip!();
    let bootstrap = broker.bootstrap();
    let from = broker.new_topic("page-views", PARTITIONS).unwrap();
    let to = broker.new_topic("views-per-url", PARTITIONS).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = dir.path().to_str().unwrap();
    // Two and a half windows, then one more: the last ones stay open.
    let (half, all) = (5_000, 8_000);

    produce(bootstrap, &from, 0..half);
    let mut job = start(bootstrap, &from, &to, checkpoints);
    wait_until("the counts of the first half", || {
        assert!(!job.handle.is_ended(), "{:?}", job.wait().err());
        last(&committed(bootstrap, &to)) == expected(half)
    });
    job.handle.stop(StopMode::Now);
    job.wait().unwrap();
    drop(job);

    produce(bootstrap, &from, half..all);
    let mut job = start(bootstrap, &from, &to, checkpoints);
    wait_until("all counts", || last(&committed(bootstrap, &to)) == expected(all));
    // Nothing changes afterwards.
    std::thread::sleep(Duration::from_secs(2));
    job.handle.stop(StopMode::Now);
    job.wait().unwrap();
    let seen = committed(bootstrap, &to);
    assert_eq!(last(&seen), expected(all));
    let windows = expected(all).len();
    assert!(seen.len() > windows, "open windows were updated: {} of {windows}", seen.len());
    // Each count is given once: an update says something new.
    let mut known = BTreeMap::new();
    for (key, value) in &seen {
        let views = value["views"].as_i64().unwrap();
        let before = known.insert(key.to_string(), views).unwrap_or(0);
        assert!(before < views, "{key}: {before} became {views}");
    }
}

//! What sinks write, and the public conformance suites.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::block_on;
use headwater::prelude::*;
use headwater_connect::conformance::{at_least_once_sink_suite, source_suite};
use headwater_core::DeadLetter;
use headwater_formats::string;
use headwater_kafka::{self as kafka, Cluster, CreateTopic, KafkaRecord, KafkaSink, Timestamp};
use headwater_services::kafka_or_skip;
use rdkafka::admin::{AdminOptions, ResourceSpecifier};

use crate::support::{admin, committed, plain_producer, read_topic, send};

/// Writes these records, in a job.
fn write<T: Record>(name: &str, records: Vec<T>, sink: KafkaSink<T>) -> (Result<()>, Letters) {
    // A job of its own each time: none goes on where another has stopped.
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let letters = collect::<DeadLetter>();
    let mut job = Job::new(format!("{name}-{}", RUNS.fetch_add(1, Ordering::Relaxed)));
    job.source("in", collection(records)).sink("out", sink);
    job.dead_letters(letters.clone());
    let restart = RestartStrategy::None;
    let config = Config { workers: 1, restart, ..Config::default() };
    let mut handle = headwater::start(job.build().unwrap(), config).unwrap();
    (handle.wait().map(drop), letters)
}

type Letters = collect::Collected<DeadLetter>;

fn setup(broker: &headwater_services::kafka::Admin, partitions: i32) -> (Cluster, String) {
    (kafka::cluster(broker.bootstrap()), broker.new_topic("written", partitions).unwrap())
}

/// Java's `Utils.murmur2`.
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ data.len() as u32;
    let (chunks, rest) = data.as_chunks::<4>();
    for chunk in chunks {
        let k = u32::from_le_bytes(*chunk).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    (h ^ (h >> 15)) as i32
}

#[test]
fn keys_go_to_the_partitions_that_the_java_client_chooses() {
    // The vectors of Kafka's own UtilsTest.
    for (key, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
    }
    let broker = kafka_or_skip!();
    let (cluster, topic) = setup(broker, 7);
    let keys: Vec<String> = (0..500).map(|n| "key-".repeat(n % 5) + &n.to_string()).collect();
    let sink = cluster.sink(topic.as_str()).key(|k: &String| k.clone()).value(string());
    write(&topic, keys, sink).0.unwrap();
    let seen = committed(broker.bootstrap(), &topic);
    assert_eq!(seen.len(), 500);
    for (partition, _, key, _) in seen {
        assert_eq!(partition, (murmur2(key.as_bytes()) & 0x7fff_ffff) % 7, "{key}");
    }
}

#[test]
fn records_may_choose_topic_partition_headers_and_time() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = setup(broker, 3);
    let other = broker.new_topic("other", 1).unwrap();
    let to = other.clone();
    let sink = cluster
        .sink(topic.as_str())
        .topic(move |value: &String| value.starts_with('o').then(|| to.clone()))
        .headers(|value| vec![("first".into(), Some(value.clone().into())), ("null".into(), None)])
        .value(string());
    write(&topic, vec!["own".to_owned(), "mine".into(), "other".into()], sink).0.unwrap();
    assert_eq!(committed(broker.bootstrap(), &other).len(), 2);
    let mine = read_topic(broker.bootstrap(), &topic);
    assert_eq!((mine.len(), &mine[0].key), (1, &None));
    let headers = [("first".to_owned(), Some(b"mine".to_vec())), ("null".to_owned(), None)];
    assert_eq!(mine[0].headers, headers);

    let record = KafkaRecord {
        headers: headers.to_vec(),
        timestamp: Timestamp::Create(1_234),
        partition: 2,
        ..KafkaRecord::new(Some("k".to_owned()), Some("v".to_owned()))
    };
    let elsewhere = KafkaRecord {
        topic: other.clone(),
        ..KafkaRecord::new(None, Some("elsewhere".to_owned()))
    };
    let tombstone = KafkaRecord { partition: 1, ..KafkaRecord::new(Some("k".to_owned()), None) };
    let sink = cluster.sink(topic.as_str()).at_least_once().records(string(), string());
    write(&topic, vec![record, elsewhere, tombstone], sink).0.unwrap();
    assert_eq!(committed(broker.bootstrap(), &other).len(), 3);
    let all = read_topic(broker.bootstrap(), &topic);
    let in_two: Vec<_> = all.iter().filter(|r| r.partition == 2 && r.key.is_some()).collect();
    assert_eq!((in_two.len(), &in_two[0].headers[..]), (1, &headers[..]));
    let in_one: Vec<_> = all.iter().filter(|r| r.partition == 1 && r.value.is_none()).collect();
    assert_eq!((in_one.len(), in_one[0].key.as_deref()), (1, Some(&b"k"[..])));
}

#[test]
fn none_is_a_tombstone() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = setup(broker, 1);
    let sink = cluster.sink(topic.as_str()).key(|_: &Option<String>| "k").optional_value(string());
    write(&topic, vec![Some("v".to_owned()), None, Some(String::new())], sink).0.unwrap();
    let values: Vec<_> =
        read_topic(broker.bootstrap(), &topic).into_iter().map(|r| r.value).collect();
    assert_eq!(values, [Some(b"v".to_vec()), None, Some(Vec::new())]);
}

#[test]
fn a_topic_is_made_as_asked_and_left_alone_when_it_is_there() {
    let broker = kafka_or_skip!();
    let (cluster, base) = setup(broker, 1);
    let topic = format!("{base}-made");
    for (partitions, retention) in [(5, "1234000"), (9, "1")] {
        let config = vec![("retention.ms".to_owned(), retention.to_owned())];
        let create = CreateTopic { partitions, replication: 1, config };
        let sink = cluster.sink(topic.as_str()).create_topic(create).value(string());
        write(&topic, vec!["v".to_owned()], sink).0.unwrap();
    }
    let admin = admin(broker.bootstrap());
    let metadata = admin.inner().fetch_metadata(Some(&topic), crate::support::WAIT).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 5);
    let asked = ResourceSpecifier::Topic(&topic);
    let told = block_on(admin.describe_configs([&asked], &AdminOptions::new())).unwrap();
    let told = told.into_iter().next().unwrap().unwrap();
    assert_eq!(told.get("retention.ms").unwrap().value.as_deref(), Some("1234000"));
}

#[test]
fn too_large_a_record_follows_the_policy() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = setup(broker, 1);
    let records = || vec!["small".to_owned(), "x".repeat(1_000_001), "last".to_owned()];
    let sink = || cluster.sink::<String>(topic.as_str());
    for (sink, letters) in
        [(sink(), 1), (sink().at_least_once(), 1), (sink().on_error(BadRecordPolicy::Skip), 0)]
    {
        let (ended, found) = write(&topic, records(), sink.value(string()));
        ended.unwrap();
        let found = found.records();
        assert_eq!(found.len(), letters);
        for letter in found {
            assert!(letter.reason.contains("message.max.bytes is 1000000"), "{}", letter.reason);
            assert_eq!(letter.operator, "out");
        }
    }
    assert_eq!(committed(broker.bootstrap(), &topic).len(), 6);
    let fail = sink().at_least_once().on_error(BadRecordPolicy::Fail);
    let error = write(&topic, records(), fail.value(string())).0.unwrap_err().report();
    assert!(error.contains("\"out\"") && error.contains(&topic), "{error}");
    assert!(error.contains("message.max.bytes is 1000000"), "{error}");
    // Larger here, but not in the topic: the brokers refuse, and that ends the attempt.
    for sink in [sink(), sink().at_least_once()] {
        let sink = sink.option("message.max.bytes", "2000000").value(string());
        let larger = vec!["x".repeat(1_500_000)];
        let error = write(&topic, larger, sink).0.unwrap_err().report();
        assert!(error.contains(&topic) && error.contains("max.message.bytes"), "{error}");
    }
}

#[test]
fn the_source_keeps_its_contract() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = setup(broker, 2);
    let producer = plain_producer(broker.bootstrap());
    let values: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    send(&producer, &topic, 0, &values[..25]);
    send(&producer, &topic, 1, &values[25..]);
    let make = || {
        let source = cluster.source(topic.as_str()).end(kafka::End::Latest);
        source.value::<String>(string())
    };
    let expected: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
    source_suite(make, &expected).unwrap();
}

#[test]
fn the_at_least_once_sink_keeps_its_contract() {
    let broker = kafka_or_skip!();
    let (cluster, topic) = setup(broker, 2);
    let make = || cluster.sink(topic.as_str()).at_least_once().value(string());
    let visible = || {
        let seen = committed(broker.bootstrap(), &topic);
        seen.into_iter().map(|(_, _, _, value)| value).collect::<Vec<String>>()
    };
    at_least_once_sink_suite(make, visible, |n| n.to_string()).unwrap();
    let mut counts = BTreeMap::<String, usize>::new();
    visible().into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
    assert!(counts.values().any(|n| *n > 1), "the suite has crashed and replayed");
}

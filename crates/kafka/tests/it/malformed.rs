//! Ten thousand malformed records among good ones: nothing stops, every one is found again in the
//! dead-letter topic with its reason, and the counters add up.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use headwater::prelude::*;
use headwater_core::DeadLetter;
use headwater_formats::{Registry, json, registered_avro, string};
use headwater_kafka::{self as kafka, Cluster, CreateTopic, End, KafkaRecord};
use headwater_services::kafka_or_skip;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{Read, WAIT, admin, plain_producer, read_topic};

/// Bad records per topic.
const BAD: usize = 5_000;
/// Good records per topic.
const GOOD: usize = 10_000;
/// Time of the first record, in milliseconds; the others follow.
const FIRST: i64 = 1_700_000_000_000;
const FUTURE: i64 = 253_402_300_799_000;
const SCHEMA: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "string"}, {"name": "cents", "type": "long"}]}"#;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Order {
    id: String,
    cents: i64,
}

/// A schema registry that has schema 1 and no other; it ends with the process.
fn registry() -> Registry {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap_or_default();
            lines.map_while(|l| l.ok().filter(|l| !l.is_empty())).for_each(drop);
            let (status, body) = match first.contains("/schemas/ids/1 ") {
                true => ("200 OK", serde_json::json!({ "schema": SCHEMA }).to_string()),
                false => {
                    let message = "Schema 40403 not found";
                    let body = serde_json::json!({ "error_code": 40403, "message": message });
                    ("404 Not Found", body.to_string())
                }
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    Registry::new(url)
}

/// A topic for large records and any time.
fn topic(broker: &headwater_services::kafka::Admin, name: &str) -> String {
    // Only for a fresh name.
    let name = format!("{}-of", broker.new_topic(name, 1).unwrap());
    let new = NewTopic::new(&name, 4, TopicReplication::Fixed(1))
        .set("max.message.bytes", "33554432")
        .set("message.timestamp.after.max.ms", "9223372036854775807");
    let made = admin(broker.bootstrap());
    block_on(made.create_topics([&new], &AdminOptions::new())).unwrap().pop().unwrap().unwrap();
    name
}

/// A record to write, and what the reason must contain if it is bad.
#[derive(Default)]
struct Sent {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    time: i64,
    reason: &'static str,
}

fn avro(order: &Order, magic: u8, schema: u32) -> Vec<u8> {
    let zigzag = |n: i64, out: &mut Vec<u8>| {
        let mut left = ((n << 1) ^ (n >> 63)) as u64;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    };
    let mut bytes = vec![magic];
    bytes.extend(schema.to_be_bytes());
    zigzag(order.id.len() as i64, &mut bytes);
    bytes.extend(order.id.as_bytes());
    zigzag(order.cents, &mut bytes);
    bytes
}

fn order(n: usize) -> Order {
    Order { id: format!("order-{n}"), cents: n as i64 }
}

fn bad_json(n: usize) -> Sent {
    let key = Some(format!("bad-{n}").into_bytes());
    let with =
        |value: Vec<u8>, reason| Sent { key: key.clone(), value: Some(value), time: 0, reason };
    match n % 5 {
        _ if n < 3 => {
            let mut huge = br#"{"cents": 1, "id": ""#.to_vec();
            huge.resize(16 << 20, b'x');
            huge.extend(br#""}"#);
            with(huge, "16777216 bytes are allowed")
        }
        0 => with(format!(r#"{{"id": "bad-{n}", "cents":"#).into(), "EOF while parsing"),
        1 => with(b"{\"id\": \"\xff\xfe\", \"cents\": 1}".to_vec(), "json: "),
        2 => with("[".repeat(10_000).into(), "json: "),
        3 => Sent { key, value: None, time: 0, reason: "the value is null" },
        // Without a key nothing tells it but its place.
        _ => Sent { key: None, ..with(b"{".to_vec(), "EOF while parsing") },
    }
}

fn bad_avro(n: usize) -> Sent {
    let (key, of) = (Some(format!("bad-{n}").into_bytes()), order(n));
    let with =
        |value: Vec<u8>, reason| Sent { key: key.clone(), value: Some(value), time: 0, reason };
    match n % 4 {
        0 => with(avro(&of, 7, 1), "the first byte is 7"),
        1 => with(avro(&of, 0, 99), "Schema 40403 not found"),
        2 => with(avro(&of, 0, 1)[..7].to_vec(), "avro: "),
        _ => Sent { key: Some(b"\xff\xfe".to_vec()), ..with(avro(&of, 0, 1), "UTF-8") },
    }
}

fn write(producer: &BaseProducer, topic: &str, n: usize, sent: &Sent) {
    let number = n.to_string();
    let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition((n % 4) as i32);
    (record.key, record.payload) = (sent.key.as_deref(), sent.value.as_deref());
    record.timestamp = Some(if sent.time == 0 { FIRST + n as i64 } else { sent.time });
    if !sent.reason.is_empty() {
        let header = Header { key: "n", value: Some(&number) };
        record.headers = Some(OwnedHeaders::new().insert(header));
    }
    while let Err((_, back)) = producer.send(record) {
        producer.poll(Duration::from_millis(5));
        record = back;
    }
}

/// Writes two good records, then a bad one, and so on.
fn fill(bootstrap: &str, topic: &str, bad: fn(usize) -> Sent, good: impl Fn(usize) -> Sent) {
    let producer = plain_producer(bootstrap);
    for n in 0..BAD {
        write(&producer, topic, n, &bad(n));
        for n in 2 * n..2 * n + 2 {
            write(&producer, topic, n, &good(n));
        }
    }
    producer.flush(WAIT).unwrap();
}

fn header<'a>(read: &'a Read, name: &str) -> &'a str {
    let found = read.headers.iter().find(|(key, _)| key == name);
    let value = found.and_then(|(_, value)| value.as_deref()).unwrap_or_default();
    std::str::from_utf8(value).unwrap()
}

/// Each bad record of a topic is among the letters: whole, with its place and reason.
fn all_found(letters: &[Read], topic: &str, step: &str, bad: fn(usize) -> Sent, places: &[Read]) {
    let of_topic = letters.iter().filter(|l| header(l, "headwater.topic") == topic);
    let by_number: BTreeMap<usize, &Read> =
        of_topic.map(|l| (header(l, "n").parse().unwrap(), l)).collect();
    assert_eq!(by_number.len(), BAD, "{topic}");
    let at: BTreeMap<usize, (i32, i64)> = places
        .iter()
        .filter(|r| !header(r, "n").is_empty())
        .map(|r| (header(r, "n").parse().unwrap(), (r.partition, r.offset)))
        .collect();
    for (n, letter) in by_number {
        let sent = bad(n);
        assert!(letter.value == sent.value && letter.key == sent.key, "bad {n} of {topic}");
        let reason = header(letter, "headwater.error");
        assert!(reason.contains(sent.reason), "bad {n}: {:?} not in {reason:?}", sent.reason);
        let (partition, offset) = at[&n];
        assert_eq!(header(letter, "headwater.partition"), partition.to_string());
        assert_eq!(header(letter, "headwater.offset"), offset.to_string());
        assert_eq!(header(letter, "headwater.step"), step);
        assert_eq!(header(letter, "headwater.job"), "malformed");
    }
}

fn job(cluster: &Cluster, topics: [&str; 3]) -> (Job, [collect::Collected<Order>; 2]) {
    let [json_topic, avro_topic, letters] = topics;
    let (from_json, from_avro) = (collect::<Order>(), collect::<Order>());
    let source = |topic: &str| cluster.source(topic).end(End::Latest);
    let mut job = Job::new("malformed");
    job.source("json", source(json_topic).value(json::<Order>()))
        .filter(|order| order.cents % 10 != 0)
        .sink("json out", from_json.clone());
    let orders = source(avro_topic).records(string(), registered_avro::<Order>(&registry()));
    job.source("avro", orders)
        .event_time(
            |record: &KafkaRecord<String, Order>| record.timestamp.millis().map(EventTime),
            Watermarks::bounded(mins(10)),
        )
        .map(|record| record.value.unwrap_or(Order { id: String::new(), cents: -1 }))
        .sink("avro out", from_avro.clone());
    let create = CreateTopic { partitions: 4, ..CreateTopic::default() };
    let letters = cluster.sink::<DeadLetter>(letters).at_least_once().create_topic(create);
    job.dead_letters(letters.dead_letters());
    (job, [from_json, from_avro])
}

#[test]
fn ten_thousand_malformed_records_are_found_again() {
    let broker = kafka_or_skip!();
    let bootstrap = broker.bootstrap();
    let [json_topic, avro_topic] = ["json", "avro"].map(|name| topic(broker, name));
    let letters_topic = format!("{json_topic}-letters");
    let key = |n: usize| Some(format!("k{n}").into_bytes());
    fill(bootstrap, &json_topic, bad_json, |n| Sent {
        key: key(n).filter(|_| n % 3 > 0),
        value: Some(serde_json::to_vec(&order(n)).unwrap()),
        ..Sent::default()
    });
    // Strange times are no fault of the bytes: -1 is none, and is refused where one is needed.
    fill(bootstrap, &avro_topic, bad_avro, |n| Sent {
        key: key(n),
        value: Some(avro(&order(n), 0, 1)),
        time: match n % 100 {
            1 => -1,
            2 => FUTURE,
            _ => 0,
        },
        ..Sent::default()
    });
    let cluster = kafka::cluster(bootstrap);
    let (job, [from_json, from_avro]) = job(&cluster, [&json_topic, &avro_topic, &letters_topic]);
    let mut handle =
        headwater::start(job.build().unwrap(), Config { workers: 2, ..Config::default() }).unwrap();
    handle.wait().unwrap();

    let orders = |keep: fn(usize) -> bool| (0..GOOD).filter(move |n| keep(*n)).map(order);
    let set = |records: Vec<Order>| records.into_iter().collect::<BTreeSet<Order>>();
    assert_eq!(from_json.len(), GOOD * 9 / 10);
    assert_eq!(set(from_json.records()), orders(|n| n % 10 != 0).collect());
    assert_eq!(from_avro.len(), GOOD * 99 / 100);
    assert_eq!(set(from_avro.records()), orders(|n| n % 100 != 1).collect());

    let metrics = handle.metrics();
    for step in &metrics.operators {
        let t = step.totals;
        let gone = t.filtered + t.late + t.dead_lettered + t.dropped;
        if step.label != "sink" {
            assert_eq!(t.records_in, t.records_out + gone, "{}: {t:?}", step.name);
        }
    }
    let totals = |name: &str| metrics.operator(name).unwrap().totals;
    for source in ["json", "avro"] {
        let t = totals(source);
        assert_eq!((t.records_in, t.dead_lettered), ((GOOD + BAD) as u64, BAD as u64), "{source}");
    }
    let timeless = GOOD / 100;
    let sum = |of: fn(&headwater::OperatorTotals) -> u64| -> u64 {
        metrics.operators.iter().map(|o| of(&o.totals)).sum()
    };
    assert_eq!(sum(|t| t.dead_lettered), (2 * BAD + timeless) as u64);
    assert_eq!((sum(|t| t.future), sum(|t| t.late)), (timeless as u64, 0));

    let letters = read_topic(bootstrap, &letters_topic);
    assert_eq!(letters.len(), 2 * BAD + timeless);
    all_found(&letters, &json_topic, "json", bad_json, &read_topic(bootstrap, &json_topic));
    all_found(&letters, &avro_topic, "avro", bad_avro, &read_topic(bootstrap, &avro_topic));
    // Those without a time were decoded: what is kept of them is the record's JSON.
    let later: Vec<&Read> =
        letters.iter().filter(|l| header(l, "headwater.topic").is_empty()).collect();
    assert_eq!(later.len(), timeless);
    for letter in later {
        let kept: KafkaRecord<String, Order> =
            serde_json::from_slice(letter.value.as_deref().unwrap()).unwrap();
        assert_eq!(kept.value.unwrap().cents % 100, 1);
        assert!(header(letter, "headwater.error").contains("no event time"));
    }
}

/// The largest record and one more, through both forms of exactly once.
#[test]
fn dead_letters_are_written_exactly_once_too() {
    let broker = kafka_or_skip!();
    let bootstrap = broker.bootstrap();
    let input = topic(broker, "input");
    let producer = plain_producer(bootstrap);
    for n in 0..5 {
        write(&producer, &input, n, &bad_json(n));
    }
    producer.flush(WAIT).unwrap();
    let cluster = kafka::cluster(bootstrap);
    for form in [headwater::ExactlyOnceForm::PerSink, headwater::ExactlyOnceForm::Automatic] {
        let [output, letters] = ["out", "letters"].map(|to| format!("{input}-{to}-{form:?}"));
        let create = CreateTopic { partitions: 2, ..CreateTopic::default() };
        let mut job = Job::new(format!("letters-{input}-{form:?}"));
        job.source("in", cluster.source(input.as_str()).end(End::Latest).value(json::<Order>()))
            .sink("out", cluster.sink(&output).create_topic(create.clone()).value(json()));
        let sink = cluster.sink::<DeadLetter>(&letters).create_topic(create);
        job.dead_letters(sink.dead_letters());
        let exactly_once = headwater::ExactlyOnceConfig { form, ..Default::default() };
        let config = Config { workers: 1, exactly_once, ..Config::default() };
        headwater::start(job.build().unwrap(), config).unwrap().wait().unwrap();
        let found = read_topic(bootstrap, &letters);
        let numbers: BTreeSet<&str> = found.iter().map(|l| header(l, "n")).collect();
        assert_eq!((found.len(), numbers.len()), (5, 5), "{form:?}");
        assert!(found.iter().any(|l| l.value == bad_json(0).value), "{form:?}");
    }
}

/// What serde needs besides; keeps the imports honest.
#[test]
fn the_stand_in_for_the_registry_answers() {
    use headwater_formats::{Deserializer, Refused};
    let format = Arc::new(registered_avro::<Order>(&registry()));
    format.validate().unwrap();
    let wake = headwater_connect::Wake::none();
    for (schema, good) in [(1, true), (99, false)] {
        let bytes = avro(&order(3), 0, schema);
        crate::support::wait_until("the schema is here", || {
            format.ready(&bytes, &wake).unwrap() == headwater_formats::Readiness::Now
        });
        let read: Result<Order, Refused> = format.deserialize(&bytes);
        assert_eq!(read.is_ok(), good, "{read:?}");
    }
}

//! The record path of JSON: one Nexmark bid of 247 bytes in, four of its fields out.
//!
//! `cargo bench -p headwater-formats --bench json`
//!
//! sonic-rs was compared once on this record, without a target CPU: 1.07 times as fast to decode,
//! 1.09 times to encode. That is not worth its unsafe code on bytes from outside.

// A benchmark may panic.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_formats::{Deserializer, Serializer, json};
use serde::{Deserialize, Serialize};

const BID: &str = r#"{"auction":1017,"bidder":2043,"price":15720413,"channel":"channel-4711","url":"https://www.nexmark.com/gcfh/xqal/wjr/item.htm?query=1&channel_id=1342177280","dateTime":1767225600123,"extra":"Yk]vUzhPmISYXLLQ_MIqnTXsbYPqF[MeWzqdNHSbtQy\\[QxSgKabc"}"#;

#[derive(Clone, Serialize, Deserialize)]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    channel: String,
    url: String,
    #[serde(rename = "dateTime")]
    date_time: i64,
    extra: String,
}

#[derive(Serialize)]
struct Converted {
    auction: u64,
    bidder: u64,
    price: f64,
    #[serde(rename = "dateTime")]
    date_time: i64,
}

fn json_record(c: &mut Criterion) {
    assert_eq!(BID.len(), 247);
    let format = json::<Bid>();
    let bid = format.deserialize(BID.as_bytes()).unwrap();
    let mut group = c.benchmark_group("json");
    group.throughput(Throughput::Bytes(BID.len() as u64));
    group.bench_function("decode", |b| {
        b.iter(|| format.deserialize(black_box(BID.as_bytes())).unwrap());
    });
    group.throughput(Throughput::Elements(1));
    let out = Converted {
        auction: bid.auction,
        bidder: bid.bidder,
        price: bid.price as f64 * 0.908,
        date_time: bid.date_time,
    };
    let (to_json, mut buffer) = (json::<Converted>(), Vec::with_capacity(256));
    group.bench_function("encode", |b| {
        b.iter(|| {
            buffer.clear();
            to_json.serialize(black_box(&out), &mut buffer).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, json_record);
criterion_main!(benches);

//! The measured jobs: the same work that other engines were given.

use std::time::Duration;

use headwater::formats::json;
use headwater::kafka::{Cluster, KafkaSink, KafkaSource, SourceBuilder};
use headwater::prelude::*;
use headwater_connect::Guarantee;
use serde::{Deserialize, Serialize};

/// A bid as the topic has it; what the jobs do not use is skipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bid {
    pub(super) auction: i64,
    pub(super) bidder: i64,
    pub(super) price: i64,
    #[serde(rename = "dateTime")]
    pub(super) date_time: i64,
}

/// Bids in an auction within a window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BidCount {
    auction: i64,
    window_start: i64,
    window_end: i64,
    bids: u64,
}

/// A record of the latency load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tick {
    id: u64,
    key: String,
    /// Microseconds since 1970 at which it was sent.
    ts: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pad: String,
}

/// Sink of a job.
fn sink<T: Record>(
    cluster: &Cluster,
    topic: &str,
    guarantee: Guarantee,
    key: impl Fn(&T) -> Vec<u8> + Send + Sync + 'static,
) -> KafkaSink<T> {
    let sink = cluster.sink(topic).key(key);
    let sink = if guarantee == Guarantee::AtLeastOnce { sink.at_least_once() } else { sink };
    sink.value(json::<T>())
}

/// Every record parsed, one bid in two kept, four fields out.
pub(super) fn map<S: headwater::connectors::Source<Record = Bid>>(
    job: &mut Job,
    source: S,
    cluster: &Cluster,
    output: &str,
    guarantee: Guarantee,
) {
    job.source("bids", source)
        .filter(|bid: &Bid| bid.auction % 10 == 0)
        .sink("out", sink(cluster, output, guarantee, |bid: &Bid| bid.auction.to_string().into()));
}

/// Bids per auction in tumbling windows of 10 s, final results.
pub(super) fn window<S: headwater::connectors::Source<Record = Bid>>(
    job: &mut Job,
    source: S,
    cluster: &Cluster,
    output: &str,
    guarantee: Guarantee,
) {
    job.source("bids", source)
        .event_time(|bid: &Bid| EventTime(bid.date_time), Watermarks::ascending())
        .key_by(|bid: &Bid| bid.auction)
        .window(Tumbling::of(Duration::from_secs(10)))
        .count("counts")
        .results()
        .map(|result: WindowResult<i64, u64>| BidCount {
            auction: result.key,
            window_start: result.window.start.0,
            window_end: result.window.end.0,
            bids: result.value,
        })
        .sink(
            "out",
            sink(cluster, output, guarantee, |out: &BidCount| out.auction.to_string().into()),
        );
}

/// Every record parsed and written again.
pub(super) fn pass(
    job: &mut Job,
    source: KafkaSource<Tick>,
    cluster: &Cluster,
    output: &str,
    guarantee: Guarantee,
) {
    job.source("ticks", source)
        .map(|tick: Tick| tick)
        .sink("out", sink(cluster, output, guarantee, |tick: &Tick| tick.key.clone().into()));
}

/// A running count per key, every update out.
pub(super) fn count(
    job: &mut Job,
    source: KafkaSource<Tick>,
    cluster: &Cluster,
    output: &str,
    guarantee: Guarantee,
) {
    job.source("ticks", source)
        .key_by(|tick: &Tick| tick.key.clone())
        .process(
            "count",
            process_fn(|cx, mut tick: Tick| -> Result<()> {
                let count: &mut u64 = cx.state();
                *count += 1;
                tick.id = *count;
                cx.emit(tick);
                Ok(())
            }),
        )
        .sink("out", sink(cluster, output, guarantee, |tick: &Tick| tick.key.clone().into()));
}

/// Values as JSON.
pub(super) fn values<T: Record>(builder: SourceBuilder) -> KafkaSource<T> {
    builder.value(json::<T>())
}

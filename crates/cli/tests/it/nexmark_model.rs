//! What the Nexmark queries answer, computed from all events at once with maps and loops: no engine,
//! no SQL, nothing shared but the generator.

use std::collections::{BTreeMap, BTreeSet};

use headwater::connectors::nexmark::{Bid, Event, NexmarkConfig, NexmarkGenerator};
use serde_json::{Value, json};

/// Whether the query changes rows that it gave out.
pub fn updates(query: &str) -> bool {
    matches!(query, "q15" | "q16" | "q17" | "q18" | "q19")
}

fn bids(events: u64, rate: u64) -> Vec<Bid> {
    let config = NexmarkConfig { events_per_second: rate as f64, ..NexmarkConfig::default() };
    let generator = NexmarkGenerator::new(config).unwrap();
    let bid = |n| match generator.event(n) {
        Event::Bid(bid) => Some(bid),
        _ => None,
    };
    (0..events).filter_map(bid).collect()
}

/// Day and time of day; events begin on 14 November 2023 at 22:13:20 and last less than two days.
fn clock(millis: i64) -> (String, i64) {
    const FIRST_MIDNIGHT: i64 = 1_699_920_000_000;
    const DAY: i64 = 86_400_000;
    let since = millis - FIRST_MIDNIGHT;
    (format!("2023-11-{}", 14 + since / DAY), since % DAY)
}

fn hour_and_minute(millis: i64) -> String {
    let (_, time) = clock(millis);
    format!("{:02}:{:02}", time / 3_600_000, time / 60_000 % 60)
}

/// As JSON has it, and files of comma-separated values.
fn timestamp(millis: i64) -> String {
    let (day, time) = clock(millis);
    let seconds = format!("{}:{:02}", hour_and_minute(millis), time / 1000 % 60);
    match time % 1000 {
        0 => format!("{day} {seconds}"),
        rest => format!("{day} {seconds}.{}", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// The rows of a query's final answer.
pub fn rows(query: &str, events: u64, rate: u64) -> Vec<Value> {
    let bids = bids(events, rate);
    match query {
        "q15" => statistics(&bids, |bid| vec![("day", clock(bid.date_time.0).0.into())]),
        "q16" => channels(&bids),
        "q17" => auctions(&bids),
        "q18" => last(&bids),
        "q19" => highest(&bids),
        "q11" => sessions(&bids),
        "q12" => per_bidder(&bids),
        _ => bids.iter().filter_map(|bid| one(query, bid)).collect(),
    }
}

/// Queries that look at one bid at a time.
fn one(query: &str, bid: &Bid) -> Option<Value> {
    let price = bid.price;
    let changed = (price * 908) as f64 / 1000.0;
    let full = || whole(bid);
    Some(match query {
        "q0" => without(full(), &["channel", "url"]),
        "q1" => with(without(full(), &["channel", "url"]), "price", changed.into()),
        "q2" => {
            return bid
                .auction
                .is_multiple_of(123)
                .then(|| json!({"auction": bid.auction, "price": price}));
        }
        "q10" => {
            let time = timestamp(bid.date_time.0);
            json!(format!("{},{},{price},{time},{}", bid.auction, bid.bidder, bid.extra))
        }
        "q14" => {
            if !(price * 908 > 1_000_000_000 && price * 908 < 50_000_000_000) {
                return None;
            }
            let hour = clock(bid.date_time.0).1 / 3_600_000;
            let kind = match hour {
                8..=18 => "dayTime",
                0..=6 | 20.. => "nightTime",
                _ => "otherTime",
            };
            let row = with(without(full(), &["channel", "url"]), "price", changed.into());
            let row = with(row, "bidTimeType", kind.into());
            with(row, "c_counts", bid.extra.matches('c').count().into())
        }
        "q21" => {
            let id = match bid.channel.to_lowercase().as_str() {
                "apple" => "0",
                "google" => "1",
                "facebook" => "2",
                "baidu" => "3",
                _ => bid.url.split_once("&channel_id=")?.1.split('&').next()?,
            };
            with(without(full(), &["url", "dateTime", "extra"]), "channel_id", id.into())
        }
        "q22" => {
            let parts: Vec<&str> = bid.url.split('/').collect();
            let row = without(full(), &["url", "dateTime", "extra"]);
            let part = |at: usize| parts.get(at).copied().into();
            with(with(with(row, "dir1", part(3)), "dir2", part(4)), "dir3", part(5))
        }
        other => panic!("no model of {other}"),
    })
}

fn whole(bid: &Bid) -> Value {
    json!({
        "auction": bid.auction, "bidder": bid.bidder, "price": bid.price, "channel": bid.channel,
        "url": bid.url, "dateTime": timestamp(bid.date_time.0), "extra": bid.extra,
    })
}

fn without(mut row: Value, names: &[&str]) -> Value {
    let fields = row.as_object_mut().unwrap();
    fields.retain(|name, _| !names.contains(&name.as_str()));
    row
}

fn with(mut row: Value, name: &str, value: Value) -> Value {
    row.as_object_mut().unwrap().insert(name.to_owned(), value);
    row
}

/// 1, 2 or 3: the class of a price.
fn class(price: u64) -> u64 {
    1 + u64::from(price >= 10_000) + u64::from(price >= 1_000_000)
}

/// Columns that a query groups by, with their values.
type Keys = Vec<(&'static str, Value)>;

/// Bids, bidders and auctions, in all and per class of price, of each group.
fn statistics(bids: &[Bid], group: impl Fn(&Bid) -> Keys) -> Vec<Value> {
    let mut groups: BTreeMap<String, (Keys, Vec<&Bid>)> = BTreeMap::new();
    for bid in bids {
        let keys = group(bid);
        let entry = groups.entry(format!("{keys:?}")).or_insert_with(|| (keys, Vec::new()));
        entry.1.push(bid);
    }
    let statistics = |(keys, bids): (Keys, Vec<&Bid>)| {
        let mut row = json!({});
        for (name, value) in keys {
            row = with(row, name, value);
        }
        for of in 0..=3 {
            let name = if of == 0 { "total".to_owned() } else { format!("rank{of}") };
            let some = || bids.iter().filter(|bid| of == 0 || class(bid.price) == of);
            let bidders: BTreeSet<u64> = some().map(|bid| bid.bidder).collect();
            let auctions: BTreeSet<u64> = some().map(|bid| bid.auction).collect();
            row = with(row, &format!("{name}_bids"), some().count().into());
            row = with(row, &format!("{name}_bidders"), bidders.len().into());
            row = with(row, &format!("{name}_auctions"), auctions.len().into());
        }
        row
    };
    groups.into_values().map(statistics).collect()
}

fn channels(bids: &[Bid]) -> Vec<Value> {
    let keys = |bid: &Bid| {
        vec![("channel", bid.channel.to_string().into()), ("day", clock(bid.date_time.0).0.into())]
    };
    // Times of day ascend within a day.
    let latest_of: BTreeMap<(String, String), i64> = bids
        .iter()
        .map(|b| ((b.channel.to_string(), clock(b.date_time.0).0), b.date_time.0))
        .collect();
    let rows = statistics(bids, keys);
    let minute = |row: Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let minute = hour_and_minute(latest_of[&(text("channel"), text("day"))]);
        with(row, "minute", minute.into())
    };
    rows.into_iter().map(minute).collect()
}

fn auctions(bids: &[Bid]) -> Vec<Value> {
    let mut groups: BTreeMap<(u64, String), Vec<u64>> = BTreeMap::new();
    for bid in bids {
        groups.entry((bid.auction, clock(bid.date_time.0).0)).or_default().push(bid.price);
    }
    let row = |((auction, day), prices): ((u64, String), Vec<u64>)| {
        let of = |wanted| prices.iter().filter(|price| class(**price) == wanted).count();
        let sum: u64 = prices.iter().sum();
        json!({
            "auction": auction, "day": day, "total_bids": prices.len(),
            "rank1_bids": of(1), "rank2_bids": of(2), "rank3_bids": of(3),
            "min_price": prices.iter().min(), "max_price": prices.iter().max(),
            "avg_price": sum / prices.len() as u64, "sum_price": sum,
        })
    };
    groups.into_iter().map(row).collect()
}

fn last(bids: &[Bid]) -> Vec<Value> {
    let last: BTreeMap<(u64, u64), &Bid> =
        bids.iter().map(|b| ((b.bidder, b.auction), b)).collect();
    last.into_values().map(whole).collect()
}

fn highest(bids: &[Bid]) -> Vec<Value> {
    let mut auctions: BTreeMap<u64, Vec<&Bid>> = BTreeMap::new();
    for bid in bids {
        auctions.entry(bid.auction).or_default().push(bid);
    }
    let ten = |mut bids: Vec<&Bid>| {
        bids.sort_by_key(|bid| std::cmp::Reverse(bid.price));
        let ranked = bids.into_iter().take(10).zip(1..);
        ranked.map(|(bid, rank)| with(whole(bid), "rank_number", rank.into())).collect::<Vec<_>>()
    };
    auctions.into_values().flat_map(ten).collect()
}

/// Bids of a bidder that are no more than 10 s apart.
fn sessions(bids: &[Bid]) -> Vec<Value> {
    const GAP: i64 = 10_000;
    let mut bidders: BTreeMap<u64, Vec<(i64, i64, u64)>> = BTreeMap::new();
    for bid in bids {
        let (sessions, time) = (bidders.entry(bid.bidder).or_default(), bid.date_time.0);
        match sessions.last_mut() {
            Some((_, last, count)) if time - *last <= GAP => (*last, *count) = (time, *count + 1),
            _ => sessions.push((time, time, 1)),
        }
    }
    let rows = |(bidder, sessions): (u64, Vec<(i64, i64, u64)>)| {
        let row = move |(first, last, count): (i64, i64, u64)| {
            let (start, end) = (timestamp(first), timestamp(last + GAP));
            json!({"bidder": bidder, "bid_count": count, "starttime": start, "endtime": end})
        };
        sessions.into_iter().map(row)
    };
    bidders.into_iter().flat_map(rows).collect()
}

fn per_bidder(bids: &[Bid]) -> Vec<Value> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    bids.iter().for_each(|bid| *counts.entry(bid.bidder).or_default() += 1);
    let row = |(bidder, count)| json!({"bidder": bidder, "bid_count": count});
    counts.into_iter().map(row).collect()
}

//! The examples of the facade, against the broker, with checked output.

use std::collections::BTreeMap;

use headwater::Config;
use headwater::prelude::*;
use headwater_kafka::End;
use headwater_services::kafka_or_skip;

use crate::support::{by_key, committed, produce, topics};

#[path = "../../../headwater/examples/kafka_revenue.rs"]
mod kafka_revenue;
#[path = "../../../headwater/examples/kafka_user_events.rs"]
mod kafka_user_events;

fn run(job: Job) {
    let config = Config { workers: 2, ..Config::default() };
    headwater::start(job.build().unwrap(), config).unwrap().wait().unwrap();
}

#[test]
fn revenue_per_customer_is_right_after_every_order() {
    let broker = kafka_or_skip!();
    let [orders, revenue] = topics(broker, ["orders", "revenue"]);
    let bootstrap = broker.bootstrap();
    let order = |n: u64| (n % 17, 100 + n % 1_000);
    let lines = (0..5_000).map(|n| {
        let (customer, cents) = order(n);
        (format!("c{customer}"), format!("{{\"customer\":\"c{customer}\",\"cents\":{cents}}}"))
    });
    produce(bootstrap, &orders, lines);
    let mut job = Job::new(&orders);
    kafka_revenue::revenue(&mut job, bootstrap, [&orders, &revenue], End::Latest).unwrap();
    run(job);

    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut totals: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (customer, cents) in (0..5_000).map(order) {
        let (orders, sum) = totals.entry(customer).or_default();
        *orders += 1;
        *sum += cents;
        let line = format!("{{\"customer\":\"c{customer}\",\"orders\":{orders},\"cents\":{sum}}}");
        expected.entry(format!("c{customer}")).or_default().push(line);
    }
    assert_eq!(by_key(&committed(bootstrap, &revenue)), expected);
}

#[test]
fn events_per_user_are_counted_in_windows_of_five_minutes() {
    const WINDOW: i64 = 300_000;
    let broker = kafka_or_skip!();
    let [events, counts] = topics(broker, ["events", "counts"]);
    let bootstrap = broker.bootstrap();
    // Ten seconds apart, every third one 25 seconds back: out of order, never late.
    let event = |n: i64| {
        let back = if n % 3 == 0 { 25_000 } else { 0 };
        (format!("u{}", n % 5), 1_700_000_000_000 + n * 10_000 - back)
    };
    let lines = (0..3_000).map(|n| {
        let (user, at) = event(n);
        (user.clone(), format!("{{\"user\":\"{user}\",\"at\":{at}}}"))
    });
    produce(bootstrap, &events, lines);
    let mut job = Job::new(&events);
    kafka_user_events::user_events(&mut job, bootstrap, [&events, &counts], End::Latest).unwrap();
    run(job);

    let mut expected: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for (user, at) in (0..3_000).map(event) {
        *expected.entry((user, at - at.rem_euclid(WINDOW))).or_default() += 1;
    }
    let seen = committed(bootstrap, &counts);
    let seen: BTreeMap<(String, i64), u64> = seen
        .iter()
        .map(|(_, _, _, value)| {
            let row: kafka_user_events::EventCount = serde_json::from_str(value).unwrap();
            ((row.user, row.window_start.millis()), row.events)
        })
        .collect();
    assert_eq!(seen, expected);
}

//! For tests: runs a query on generated events, and helps to compute its rows naively.

use std::collections::{HashMap, HashSet};

use headwater::connectors::nexmark::{Auction, Bid, Event, NexmarkGenerator, Person};
use headwater::prelude::*;
use headwater::start;

use super::bid_statistics::Tally;

const EVENTS: u64 = 60_000;

/// A minute of event time: several windows, and sessions with pauses.
fn config() -> NexmarkConfig {
    NexmarkConfig { events_per_second: 1_000.0, ..NexmarkConfig::default() }
}

/// Runs `query` on one and on two workers and shows events and rows to `compare`.
pub(super) fn check<T: Record>(
    query: impl Fn(&Stream<Event>) -> Stream<T>,
    compare: impl Fn(&[Event], Vec<T>),
) {
    let generator = NexmarkGenerator::new(config()).unwrap();
    let events: Vec<Event> = (0..EVENTS).map(|n| generator.event(n)).collect();
    for workers in [1, 2] {
        let (mut job, rows) = (Job::new("query"), collect::<T>());
        let source = nexmark(config()).events(EVENTS).splits(workers);
        query(&super::events(&mut job, source)).sink("rows", rows.clone());
        let checkpoints = CheckpointConfig { interval: None, ..CheckpointConfig::default() };
        let restart = RestartStrategy::None;
        let config = Config { workers, checkpoints, restart, ..Config::default() };
        start(job.build().unwrap(), config).unwrap().wait().unwrap();
        compare(&events, rows.take().into_iter().map(|row| row.value).collect());
    }
}

/// The items in order.
pub(super) fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items
}

pub(super) fn bids(events: &[Event]) -> impl Iterator<Item = &Bid> {
    events.iter().filter_map(|event| match event {
        Event::Bid(bid) => Some(bid),
        _ => None,
    })
}

pub(super) fn auctions(events: &[Event]) -> impl Iterator<Item = &Auction> {
    events.iter().filter_map(|event| match event {
        Event::Auction(auction) => Some(&**auction),
        _ => None,
    })
}

pub(super) fn persons(events: &[Event]) -> impl Iterator<Item = &Person> {
    events.iter().filter_map(|event| match event {
        Event::Person(person) => Some(&**person),
        _ => None,
    })
}

/// The highest bid, and of those the earliest, that each auction got while it was open.
pub(super) fn best_bids(events: &[Event]) -> HashMap<u64, &Bid> {
    let auctions: HashMap<u64, &Auction> = auctions(events).map(|a| (a.id, a)).collect();
    let mut best: HashMap<u64, &Bid> = HashMap::new();
    for bid in bids(events) {
        let Some(auction) = auctions.get(&bid.auction) else { continue };
        if bid.date_time < auction.date_time || bid.date_time > auction.expires {
            continue;
        }
        let found = best.entry(bid.auction).or_insert(bid);
        if bid.price > found.price || (bid.price == found.price && bid.date_time < found.date_time)
        {
            *found = bid;
        }
    }
    best
}

/// Bids, and sets of their bidders and auctions: in all and by rank.
#[derive(Default)]
pub(super) struct Distinct {
    bids: [u64; 4],
    bidders: [HashSet<u64>; 4],
    auctions: [HashSet<u64>; 4],
}

impl Distinct {
    pub(super) fn add(&mut self, bid: &Bid) {
        let rank = 1 + usize::from(bid.price >= 10_000) + usize::from(bid.price >= 1_000_000);
        for at in [0, rank] {
            self.bids[at] += 1;
            self.bidders[at].insert(bid.bidder);
            self.auctions[at].insert(bid.auction);
        }
    }

    pub(super) fn tallies(&self) -> (Tally, Tally, Tally) {
        let tally = |n: [u64; 4]| Tally { total: n[0], low: n[1], middle: n[2], high: n[3] };
        let sizes = |sets: &[HashSet<u64>; 4]| std::array::from_fn(|i| sets[i].len() as u64);
        (tally(self.bids), tally(sizes(&self.bidders)), tally(sizes(&self.auctions)))
    }
}

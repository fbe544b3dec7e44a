//! The demo's job: bids per auction in hopping windows, and of each window the hottest ten.
//!
//! ```text
//! auction house → event time → bids → (by auction) bids per auction → (by window) hottest → screen
//! ```
//! The second window is over the results of the first: a result has the time of its window's end,
//! so all results of one window, and of no other, are in the tumbling window that ends with it.

use std::sync::mpsc::Sender;
use std::time::Duration;

use headwater::prelude::*;
use headwater::window::{count, max};
use headwater::{Topology, run::finished};
use headwater_connect::nexmark::Event;
use serde::{Deserialize, Serialize};

/// Name of the source.
pub(super) const SOURCE: &str = "auction house";
/// Name of the step that stamps events.
pub(super) const STAMP: &str = "event time";
/// Name of the step that keeps the bids among the events.
pub(super) const BIDS: &str = "bids";
/// Name of the windows per auction.
pub(super) const WINDOW: &str = "bids per auction";

/// Length of a window.
pub(super) const SIZE: Duration = secs(5);
/// Time from one window's end to the next one's.
pub(super) const SLIDE: Duration = secs(1);
/// How far events may be out of order.
const DISORDER: Duration = secs(1);
/// A restored job needs the splits that it was started with, so they do not depend on the machine.
const SPLITS: usize = 4;
/// How many auctions a window shows.
const PLACES: usize = 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PricedBid {
    auction: u64,
    price: u64,
}

/// An auction and what happened to it in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lot {
    /// Id of the auction.
    pub(super) auction: u64,
    /// Number of bids.
    pub(super) bids: u64,
    /// The highest bid, in cents.
    pub(super) top_cents: u64,
}

/// The hottest auctions of a window, most bids first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ranking {
    pub(super) window: Window,
    pub(super) lots: Vec<Lot>,
}

type PerAuction = WindowResult<u64, (u64, u64)>;

/// The job, with events of `rate` per second from `first_event_time` on; rankings go to `screen`.
///
/// # Errors
/// Of kind `Plan`, if the job does not fit together.
pub(super) fn topology(
    rate: u32,
    first_event_time: EventTime,
    screen: Sender<Ranking>,
) -> Result<Topology> {
    let mut job = Job::new("demo");
    let per_second = f64::from(rate);
    let events =
        NexmarkConfig { events_per_second: per_second, first_event_time, ..Default::default() };
    let house = nexmark(events).rate(per_second).splits(SPLITS).batch_every(millis(2));
    let bids = job
        .source(SOURCE, house)
        .event_time(Event::time, Watermarks::bounded(DISORDER))
        .named(STAMP)
        .flat_map(|event| match event {
            Event::Bid(bid) => Some(PricedBid { auction: bid.auction, price: bid.price }),
            _ => None,
        })
        .named(BIDS);
    let per_auction = bids
        .key_by(|bid| bid.auction)
        .window(Hopping::of(SIZE, SLIDE))
        .aggregate(WINDOW, (count(), max(|bid: &PricedBid| bid.price)));
    let hottest = per_auction
        .results()
        .key_by(|result| result.window)
        .window(Tumbling::of(SLIDE))
        .aggregate("hottest", Hottest);
    let show = callback(move |ranking: &Timed<Ranking>| {
        // The screen is gone only when the demo ends.
        let _ = screen.send(ranking.value.clone());
        Ok(())
    });
    hottest.results().map(|r| Ranking { window: r.key, lots: r.value }).sink("screen", show);
    finished(job)
}

/// Keeps the lots with the most bids; of equal ones the older auction.
struct Hottest;

impl Hottest {
    fn place(places: &mut Vec<Lot>, lot: Lot) {
        let rank = |lot: &Lot| (std::cmp::Reverse(lot.bids), lot.auction);
        let at = places.partition_point(|other| rank(other) < rank(&lot));
        if at < PLACES {
            places.insert(at, lot);
            places.truncate(PLACES);
        }
    }
}

impl Aggregate for Hottest {
    type In = PerAuction;
    type Acc = Vec<Lot>;
    type Out = Vec<Lot>;

    fn create(&self) -> Vec<Lot> {
        Vec::new()
    }

    fn add(&self, places: &mut Vec<Lot>, result: &Timed<PerAuction>) -> Result<()> {
        let PerAuction { key: auction, value: (bids, top_cents), .. } = result.value;
        Self::place(places, Lot { auction, bids, top_cents });
        Ok(())
    }

    fn merge(&self, places: &mut Vec<Lot>, later: &Vec<Lot>) -> Result<()> {
        later.iter().for_each(|lot| Self::place(places, lot.clone()));
        Ok(())
    }

    fn finish(&self, places: &Vec<Lot>) -> Result<Vec<Lot>> {
        Ok(places.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lots(bids: &[(u64, u64)]) -> Vec<Lot> {
        let mut places = Vec::new();
        for &(auction, bids) in bids {
            Hottest::place(&mut places, Lot { auction, bids, top_cents: 0 });
        }
        places
    }

    fn auctions(lots: &[Lot]) -> Vec<u64> {
        lots.iter().map(|lot| lot.auction).collect()
    }

    #[test]
    fn the_hottest_come_first_however_they_arrive() {
        let all: Vec<(u64, u64)> = (0..30).map(|n| (n, (n * 7) % 15)).collect();
        let expected = [2, 17, 4, 19, 6, 21, 8, 23, 10, 25];
        assert_eq!(auctions(&lots(&all)), expected);
        let (front, back) = all.split_at(11);
        let mut merged = lots(back);
        Hottest.merge(&mut merged, &lots(front)).unwrap();
        assert_eq!(auctions(&merged), expected);
    }

    #[test]
    fn the_job_fits_together() {
        let (screen, _rankings) = std::sync::mpsc::channel();
        let topology = topology(1_000, EventTime(0), screen).unwrap();
        for name in [SOURCE, STAMP, BIDS, WINDOW] {
            assert!(topology.nodes.iter().any(|node| node.name == name), "{name}");
        }
        topology.validate_connectors().unwrap();
    }
}

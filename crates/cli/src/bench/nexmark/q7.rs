//! q7: the highest bids of every 10 s.
//!
//! ```sql
//! SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra FROM bid B
//! JOIN (SELECT MAX(price) AS maxprice, window_end AS dateTime FROM TUMBLE(bid, 10 s) GROUP BY …) M
//! ON B.price = M.maxprice WHERE B.dateTime BETWEEN M.dateTime - INTERVAL '10' SECOND AND M.dateTime
//! ```
//!
//! One maximum over everything has one key. So that all workers share the work, it is taken in two
//! steps: of 64 parts of the stream, then of their maxima; a worker sends 32 records per window
//! instead of all.

use std::borrow::Cow;
use std::time::Duration;

use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

use super::highest::highest;

const SIZE: Duration = secs(10);
const PARTS: u64 = 64;

/// A bid that was the highest of its window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct HighestBid {
    pub(super) price: u64,
    pub(super) auction: u64,
    pub(super) bidder: u64,
    pub(super) date_time: EventTime,
    pub(super) extra: Cow<'static, str>,
}

pub(super) fn q7(events: &Stream<Event>) -> Stream<HighestBid> {
    events
        .flat_map(|event| match event {
            Event::Bid(bid) => Some(HighestBid {
                price: bid.price,
                auction: bid.auction,
                bidder: bid.bidder,
                date_time: bid.date_time,
                extra: bid.extra,
            }),
            _ => None,
        })
        .key_by(|bid| bid.price % PARTS)
        .window(Tumbling::of(SIZE))
        .aggregate("highest of each part", highest(|bid: &HighestBid| bid.price))
        .results()
        .flat_map(|part| part.value)
        .key_by(|_| ())
        .window(Tumbling::of(SIZE))
        .aggregate("highest of all", highest(|bid: &HighestBid| bid.price))
        .results()
        .flat_map(|window| window.value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{bids, check, sorted};
    use super::*;

    #[test]
    fn the_highest_bids_of_each_window() {
        check(q7, |events, rows| {
            let window = |at: EventTime| at.0.div_euclid(10_000);
            let mut most: BTreeMap<i64, u64> = BTreeMap::new();
            for bid in bids(events) {
                let price = most.entry(window(bid.date_time)).or_default();
                *price = bid.price.max(*price);
            }
            let highest = bids(events).filter(|b| most[&window(b.date_time)] == b.price);
            let wanted = sorted(highest.map(|b| (b.price, b.auction, b.bidder, b.date_time)));
            assert!(wanted.len() > 2);
            let rows = rows.iter().map(|b| (b.price, b.auction, b.bidder, b.date_time));
            assert_eq!(sorted(rows), wanted);
        });
    }
}

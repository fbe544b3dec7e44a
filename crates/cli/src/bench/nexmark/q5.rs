//! q5: the auctions with the most bids of the last 10 s, every 2 s.
//!
//! ```sql
//! SELECT A.auction, A.num FROM bids_per_auction_and_hop A
//! JOIN (SELECT MAX(num) AS maxn, ws, we FROM bids_per_auction_and_hop GROUP BY ws, we) M
//! ON A.ws = M.ws AND A.we = M.we AND A.num >= M.maxn
//! ```
//!
//! First a count per auction in hopping windows, then the highest counts of each window. The
//! results of a window have the time of its last millisecond, and windows end every 2 s, so
//! tumbling windows of 2 s gather the results of one hopping window, and emit when that watermark
//! has come.

use std::time::Duration;

use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

use super::highest::highest;

const SIZE: Duration = secs(10);
const SLIDE: Duration = secs(2);

/// An auction that had the most bids of a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct HotAuction {
    pub(super) window: Window,
    pub(super) auction: u64,
    pub(super) bids: u64,
}

pub(super) fn q5(events: &Stream<Event>) -> Stream<HotAuction> {
    let counts = events
        .flat_map(|event| match event {
            Event::Bid(bid) => Some(bid.auction),
            _ => None,
        })
        .key_by(|auction| *auction)
        .window(Hopping::of(SIZE, SLIDE))
        .count("bids per auction");
    counts
        .results()
        .map(|w| HotAuction { window: w.window, auction: w.key, bids: w.value })
        .key_by(|hot| hot.window.end)
        .window(Tumbling::of(SLIDE))
        .aggregate("hottest auctions", highest(|hot: &HotAuction| hot.bids))
        .results()
        .flat_map(|w| w.value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{bids, check, sorted};
    use super::*;

    #[test]
    fn the_hottest_auctions_of_each_hop() {
        check(q5, |events, rows| {
            let mut counts: BTreeMap<i64, BTreeMap<u64, u64>> = BTreeMap::new();
            for bid in bids(events) {
                let hop = bid.date_time.0.div_euclid(2_000) * 2_000;
                for start in (0..5).map(|back| hop - back * 2_000) {
                    *counts.entry(start).or_default().entry(bid.auction).or_default() += 1;
                }
            }
            let wanted = counts.into_iter().flat_map(|(start, counts)| {
                let most = counts.values().copied().max();
                let window = Window::new(EventTime(start), EventTime(start + 10_000));
                let hottest = counts.into_iter().filter(move |(_, n)| Some(*n) == most);
                hottest.map(move |(auction, bids)| HotAuction { window, auction, bids })
            });
            let wanted = sorted(wanted);
            assert!(wanted.len() > 10);
            assert_eq!(sorted(rows), wanted);
        });
    }
}

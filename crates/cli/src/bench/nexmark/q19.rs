//! q19: the ten highest bids of each auction.
//!
//! ```sql
//! SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bid)
//! WHERE rn <= 10
//! ```
//!
//! A bid that enters the ten moves those below it, so a row is emitted for its own and every lower
//! rank; a row replaces the one before of the same auction and rank. Of equal prices the earlier
//! arrival is ahead.

use headwater::connectors::nexmark::{Bid, Event};
use headwater::prelude::*;

use super::q0_to_q2::bids;

const PLACES: usize = 10;

/// A bid and its rank in its auction, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RankedBid {
    pub(super) rank: u8,
    pub(super) bid: Bid,
}

pub(super) fn q19(events: &Stream<Event>) -> Stream<RankedBid> {
    let rank = process_fn(|cx, bid: Bid| {
        let enters = |top: &Vec<Bid>| {
            top.len() < PLACES || top.last().is_some_and(|lowest| bid.price > lowest.price)
        };
        if !cx.state_ref().is_none_or(enters) {
            return Ok(());
        }
        let top: &mut Vec<Bid> = cx.state();
        let place = top.partition_point(|higher| higher.price >= bid.price);
        top.insert(place, bid);
        top.truncate(PLACES);
        let changed: Vec<Bid> = top[place..].to_vec();
        for (rank, bid) in (place as u8 + 1..).zip(changed) {
            cx.emit(RankedBid { rank, bid });
        }
        Ok(())
    });
    bids(events).key_by(|bid| bid.auction).process("top bids", rank).out()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{self, check};
    use super::*;

    #[test]
    fn auctions_end_with_their_ten_highest_prices() {
        check(q19, |events, rows| {
            let mut prices: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for bid in model::bids(events) {
                prices.entry(bid.auction).or_default().push(bid.price);
            }
            let mut wanted = BTreeMap::new();
            for (auction, mut prices) in prices {
                prices.sort_unstable_by(|a, b| b.cmp(a));
                for (rank, price) in (1..=10_u8).zip(prices) {
                    wanted.insert((auction, rank), price);
                }
            }
            let last = rows.iter().map(|row| ((row.bid.auction, row.rank), row.bid.price));
            assert_eq!(last.collect::<BTreeMap<_, _>>(), wanted);
        });
    }
}

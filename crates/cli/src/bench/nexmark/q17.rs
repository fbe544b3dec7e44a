//! q17: statistics of the bids of each auction and day.
//!
//! ```sql
//! SELECT auction, day, COUNT(*), COUNT(*) FILTER (rank 1 | 2 | 3), MIN(price), MAX(price), AVG(price),
//!   SUM(price) FROM bid GROUP BY auction, DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS day
//! ```
//!
//! A row is emitted for every bid.

use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

use super::bid_statistics::{Day, Rank, Tally};

/// The bids of an auction and day so far; replaces the row before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuctionStatistics {
    pub(super) auction: u64,
    pub(super) day: Day,
    pub(super) prices: Prices,
    pub(super) average: u64,
}

/// The prices of some bids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Prices {
    pub(super) bids: Tally,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) sum: u64,
}

impl Prices {
    fn add(&mut self, price: u64) {
        self.min = if self.bids.total == 0 { price } else { self.min.min(price) };
        self.max = self.max.max(price);
        self.sum += price;
        self.bids.count(Rank::of(price));
    }
}

/// What is needed of a bid.
#[derive(Clone, Serialize, Deserialize)]
struct AuctionBid {
    auction: u64,
    price: u64,
    day: Day,
}

pub(super) fn q17(events: &Stream<Event>) -> Stream<AuctionStatistics> {
    let count = process_fn(|cx, bid: AuctionBid| {
        let prices: &mut Prices = cx.state();
        prices.add(bid.price);
        let (prices, average) = (prices.clone(), prices.sum / prices.bids.total);
        cx.emit(AuctionStatistics { auction: bid.auction, day: bid.day, prices, average });
        Ok(())
    });
    events
        .flat_map(|event| match event {
            Event::Bid(bid) => {
                let day = Day::of(bid.date_time);
                Some(AuctionBid { auction: bid.auction, price: bid.price, day })
            }
            _ => None,
        })
        .key_by(|bid| (bid.auction, bid.day))
        .process("auctions", count)
        .out()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{bids, check};
    use super::*;

    #[test]
    fn auctions_end_with_the_prices_of_all_bids() {
        check(q17, |events, rows| {
            let mut prices: BTreeMap<(u64, Day), Vec<u64>> = BTreeMap::new();
            for bid in bids(events) {
                let key = (bid.auction, Day::of(bid.date_time));
                prices.entry(key).or_default().push(bid.price);
            }
            let last: BTreeMap<_, _> = rows.iter().map(|r| ((r.auction, r.day), r)).collect();
            assert_eq!(last.len(), prices.len());
            for (key, prices) in prices {
                let within = |low: u64, high: u64| {
                    prices.iter().filter(|p| (low..high).contains(*p)).count() as u64
                };
                let (row, sum) = (last[&key], prices.iter().sum::<u64>());
                let bids = Tally {
                    total: prices.len() as u64,
                    low: within(0, 10_000),
                    middle: within(10_000, 1_000_000),
                    high: within(1_000_000, u64::MAX),
                };
                let min = prices.iter().copied().min().unwrap();
                let max = prices.iter().copied().max().unwrap();
                assert_eq!(row.prices, Prices { bids, min, max, sum });
                assert_eq!(row.average, sum / prices.len() as u64);
            }
        });
    }
}

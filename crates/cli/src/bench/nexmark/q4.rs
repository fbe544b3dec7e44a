//! q4: the average closing price per category.
//!
//! ```sql
//! SELECT category, AVG(final) FROM
//!   (SELECT MAX(B.price) AS final, A.category FROM auction A, bid B WHERE A.id = B.auction
//!    AND B.dateTime BETWEEN A.dateTime AND A.expires GROUP BY A.id, A.category)
//! GROUP BY category
//! ```
//!
//! First, per auction, the best price so far; then, per category, the total of these prices, which
//! each better price changes by the difference. A row is emitted for every change; like the SQL,
//! the average includes auctions that are still open.

use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

use super::winning_bid::{AuctionOrBid, NewBest, Offer, Terms, WinningBid};

/// The average of the best prices of a category's auctions, in whole cents; replaces the row
/// before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CategoryAverage {
    pub(super) category: u64,
    pub(super) average: u64,
}

pub(super) fn q4(events: &Stream<Event>) -> Stream<CategoryAverage> {
    events
        .flat_map(|event| match event {
            Event::Auction(a) => Some(AuctionOrBid::Auction(Terms {
                id: a.id,
                opened: a.date_time,
                expires: a.expires,
                auction: a.category,
            })),
            Event::Bid(b) => Some(AuctionOrBid::Bid(Offer {
                auction: b.auction,
                at: b.date_time,
                price: b.price,
                bid: (),
            })),
            Event::Person(_) => None,
        })
        .key_by(AuctionOrBid::auction)
        .process("best prices", WinningBid::<u64, ()>::new())
        .key_by(|change| change.auction)
        .process("averages", Average)
        .out()
}

struct Average;

/// The sum of the best prices, and of how many auctions.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Total {
    sum: u64,
    auctions: u64,
}

impl Process for Average {
    type Key = u64;
    type In = NewBest<u64, ()>;
    type Out = CategoryAverage;
    type State = Total;

    fn process(&self, cx: &mut Cx<'_, Self>, change: NewBest<u64, ()>) -> Result<()> {
        let total = cx.state();
        total.auctions += u64::from(change.before.is_none());
        total.sum = total.sum - change.before.unwrap_or(0) + change.best.price;
        let average = total.sum / total.auctions;
        cx.emit(CategoryAverage { category: change.auction, average });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{auctions, best_bids, check};
    use super::*;

    #[test]
    fn averages_end_as_those_of_the_whole_stream() {
        check(q4, |events, rows| {
            let best = best_bids(events);
            let mut totals: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
            for auction in auctions(events) {
                if let Some(bid) = best.get(&auction.id) {
                    let (sum, count) = totals.entry(auction.category).or_default();
                    (*sum, *count) = (*sum + bid.price, *count + 1);
                }
            }
            let last: BTreeMap<u64, u64> = rows.iter().map(|r| (r.category, r.average)).collect();
            let wanted = totals.into_iter().map(|(category, (sum, n))| (category, sum / n));
            assert_eq!(last, wanted.collect());
            assert_eq!(last.len(), 5);
        });
    }
}

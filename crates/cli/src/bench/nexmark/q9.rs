//! q9: the winning bid of each auction.
//!
//! ```sql
//! SELECT … FROM (SELECT A.*, B.…, ROW_NUMBER() OVER (PARTITION BY A.id
//!   ORDER BY B.price DESC, B.dateTime ASC) AS rn FROM auction A, bid B
//!   WHERE A.id = B.auction AND B.dateTime BETWEEN A.dateTime AND A.expires)
//! WHERE rn <= 1
//! ```
//!
//! A row is emitted whenever an auction has a new best bid; it replaces the row before.

use headwater::connectors::nexmark::{Auction, Bid, Event};
use headwater::prelude::*;

use super::winning_bid::{AuctionOrBid, Offer, Terms, WinningBid};

/// An auction with its best bid so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Winner {
    pub(super) auction: Box<Auction>,
    pub(super) bid: Bid,
}

pub(super) fn q9(events: &Stream<Event>) -> Stream<Winner> {
    events
        .flat_map(|event| match event {
            Event::Auction(auction) => {
                let Auction { id, date_time: opened, expires, .. } = *auction;
                Some(AuctionOrBid::Auction(Terms { id, opened, expires, auction }))
            }
            Event::Bid(bid) => {
                let Bid { auction, date_time: at, price, .. } = bid;
                Some(AuctionOrBid::Bid(Offer { auction, at, price, bid }))
            }
            Event::Person(_) => None,
        })
        .key_by(AuctionOrBid::auction)
        .process("winning bids", WinningBid::<Box<Auction>, Bid>::new())
        .map(|new| Winner { auction: new.auction, bid: new.best.bid })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{auctions, best_bids, check};
    use super::*;

    #[test]
    fn every_auction_ends_with_its_best_bid() {
        check(q9, |events, rows| {
            let best = best_bids(events);
            let wanted = auctions(events).filter_map(|auction| {
                let bid = best.get(&auction.id)?;
                Some((auction.id, (auction.clone(), bid.price, bid.date_time)))
            });
            let wanted: BTreeMap<_, _> = wanted.collect();
            let last = rows
                .into_iter()
                .map(|row| (row.bid.auction, (*row.auction, row.bid.price, row.bid.date_time)));
            let last: BTreeMap<_, _> = last.collect();
            assert!(wanted.len() > 100);
            assert_eq!(last, wanted);
        });
    }
}

//! q20: bids with their auctions, of one category.
//!
//! ```sql
//! SELECT B.…, A.… FROM bid B JOIN auction A ON B.auction = A.id WHERE A.category = 10
//! ```
//!
//! A row is emitted as soon as bid and auction are known. State: each auction of the category, for
//! ever, as nothing in the query says when bidding is over; of others only that they are others, so
//! that their bids need not be kept; and the bids that were read before their auction.

use headwater::connectors::nexmark::{Auction, Bid, Event};
use headwater::prelude::*;

/// A bid and the auction it was made in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BidInAuction {
    pub(super) bid: Bid,
    pub(super) auction: Box<Auction>,
}

/// What the join gets.
#[derive(Clone, Serialize, Deserialize)]
enum Side {
    Bid(Bid),
    Wanted(Box<Auction>),
    Other(u64),
}

pub(super) fn q20(events: &Stream<Event>) -> Stream<BidInAuction> {
    events
        .flat_map(|event| match event {
            Event::Bid(bid) => Some(Side::Bid(bid)),
            Event::Auction(auction) if auction.category == 10 => Some(Side::Wanted(auction)),
            Event::Auction(auction) => Some(Side::Other(auction.id)),
            Event::Person(_) => None,
        })
        .key_by(|side| match side {
            Side::Bid(bid) => bid.auction,
            Side::Wanted(auction) => auction.id,
            Side::Other(id) => *id,
        })
        .process("auctions and bids", JoinBids)
        .out()
}

struct JoinBids;

/// What is known of an auction.
#[derive(Clone, Serialize, Deserialize)]
enum Known {
    /// Nothing; the bids that wait for it.
    Nothing(Vec<Bid>),
    Wanted(Box<Auction>),
    Other,
}

impl Default for Known {
    fn default() -> Self {
        Known::Nothing(Vec::new())
    }
}

impl Process for JoinBids {
    type Key = u64;
    type In = Side;
    type Out = BidInAuction;
    type State = Known;

    fn process(&self, cx: &mut Cx<'_, Self>, side: Side) -> Result<()> {
        match side {
            Side::Bid(bid) => match cx.state_ref() {
                Some(Known::Wanted(auction)) => {
                    let auction = auction.clone();
                    cx.emit(BidInAuction { bid, auction });
                }
                Some(Known::Other) => {}
                _ => {
                    if let Known::Nothing(waiting) = cx.state() {
                        waiting.push(bid);
                    }
                }
            },
            Side::Other(_) => *cx.state() = Known::Other,
            Side::Wanted(auction) => {
                let before = std::mem::replace(cx.state(), Known::Wanted(auction.clone()));
                if let Known::Nothing(waiting) = before {
                    for bid in waiting {
                        cx.emit(BidInAuction { bid, auction: auction.clone() });
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::model::{auctions, bids, check, sorted};
    use super::*;

    #[test]
    fn bids_meet_their_auctions_in_either_order() {
        check(q20, |events, rows| {
            let wanted = auctions(events).filter(|a| a.category == 10);
            let wanted: HashMap<u64, &Auction> = wanted.map(|a| (a.id, a)).collect();
            let row = |bid: &Bid, auction: &Auction| {
                (bid.auction, bid.bidder, bid.price, bid.date_time, auction.item_name.clone())
            };
            let pairs = bids(events).filter_map(|bid| Some(row(bid, wanted.get(&bid.auction)?)));
            let pairs = sorted(pairs);
            assert!(pairs.len() > 1_000);
            assert_eq!(sorted(rows.iter().map(|r| row(&r.bid, &r.auction))), pairs);
        });
    }
}

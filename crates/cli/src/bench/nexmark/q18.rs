//! q18: the last bid of each bidder in each auction.
//!
//! ```sql
//! SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) AS rn
//!   FROM bid) WHERE rn <= 1
//! ```
//!
//! A row is emitted for every bid that is not older than the last one; it replaces the row before.
//! State: the last bid of each pair, for ever; nothing in the query says when an auction is over.

use headwater::connectors::nexmark::{Bid, Event};
use headwater::prelude::*;

use super::q0_to_q2::bids;

pub(super) fn q18(events: &Stream<Event>) -> Stream<Bid> {
    let keep_last = process_fn(|cx, bid: Bid| {
        let last: &mut Option<Bid> = cx.state();
        if last.as_ref().is_none_or(|last| last.date_time <= bid.date_time) {
            *last = Some(bid.clone());
            cx.emit(bid);
        }
        Ok(())
    });
    bids(events).key_by(|bid| (bid.bidder, bid.auction)).process("last bids", keep_last).out()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{self, check};
    use super::*;

    #[test]
    fn pairs_end_with_one_of_their_last_bids() {
        check(q18, |events, rows| {
            let key = |b: &Bid| (b.bidder, b.auction);
            let mut latest = BTreeMap::new();
            for bid in model::bids(events) {
                let at = latest.entry(key(bid)).or_insert(bid.date_time);
                *at = bid.date_time.max(*at);
            }
            let last: BTreeMap<_, _> = rows.iter().map(|b| (key(b), b.date_time)).collect();
            assert_eq!(last, latest);
            assert!(latest.len() < rows.len(), "no pair has two bids");
        });
    }
}

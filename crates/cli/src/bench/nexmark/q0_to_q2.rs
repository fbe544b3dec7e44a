//! q0, q1, q2: pass through, convert, select. No state, no exchange.

use std::borrow::Cow;

use headwater::connectors::nexmark::{Bid, Event};
use headwater::prelude::*;

/// The bids among the events.
pub(super) fn bids(events: &Stream<Event>) -> Stream<Bid> {
    events.flat_map(|event| match event {
        Event::Bid(bid) => Some(bid),
        _ => None,
    })
}

/// `SELECT auction, bidder, price, dateTime, extra FROM bid`
///
/// Channel and page come along: dropping them would save memory traffic, not work.
pub(super) fn q0(events: &Stream<Event>) -> Stream<Bid> {
    bids(events)
}

/// A bid with its price in another currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ConvertedBid {
    pub(super) auction: u64,
    pub(super) bidder: u64,
    pub(super) price: f64,
    pub(super) date_time: EventTime,
    pub(super) extra: Cow<'static, str>,
}

/// `SELECT auction, bidder, 0.908 * price AS price, dateTime, extra FROM bid`
pub(super) fn q1(events: &Stream<Event>) -> Stream<ConvertedBid> {
    bids(events).map(|bid| ConvertedBid {
        auction: bid.auction,
        bidder: bid.bidder,
        price: 0.908 * bid.price as f64,
        date_time: bid.date_time,
        extra: bid.extra,
    })
}

/// `SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0`
pub(super) fn q2(events: &Stream<Event>) -> Stream<(u64, u64)> {
    events.flat_map(|event| match event {
        Event::Bid(bid) if bid.auction % 123 == 0 => Some((bid.auction, bid.price)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::model::{self, check, sorted};
    use super::*;

    #[test]
    fn bids_pass_through() {
        check(q0, |events, rows| {
            let wanted = model::bids(events).cloned();
            let key = |b: &Bid| (b.date_time, b.auction, b.bidder, b.price);
            let (mut rows, mut wanted): (Vec<_>, Vec<_>) = (rows, wanted.collect());
            rows.sort_by_key(key);
            wanted.sort_by_key(key);
            assert_eq!(rows, wanted);
        });
    }

    #[test]
    fn prices_are_converted() {
        check(q1, |events, rows| {
            let row = |auction, cents: f64| (auction, (cents * 10.0).round() as u64);
            let wanted = model::bids(events).map(|b| row(b.auction, b.price as f64 * 0.908));
            let got = rows.iter().map(|b| row(b.auction, b.price));
            assert_eq!(sorted(got), sorted(wanted));
        });
    }

    #[test]
    fn bids_in_some_auctions_are_selected() {
        check(q2, |events, rows| {
            let wanted = model::bids(events).filter(|b| b.auction % 123 == 0);
            let wanted = sorted(wanted.map(|b| (b.auction, b.price)));
            assert!(!wanted.is_empty());
            assert_eq!(sorted(rows), wanted);
        });
    }
}

//! q11 and q12: bids per bidder, in sessions of event time and in windows of processing time.
//!
//! ```sql
//! SELECT bidder, COUNT(*), window_start, window_end FROM
//!   SESSION(bid PARTITION BY bidder, dateTime, 10 s)    -- q11
//!   TUMBLE(bid, PROCTIME(), 10 s)                       -- q12
//! GROUP BY bidder, window_start, window_end
//! ```
//!
//! The windows of q12 depend on when records arrive, so its rows differ from run to run; their
//! counts add up to all bids. The end of the input ends its windows.

use std::time::Duration;

use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

const SECONDS_10: Duration = secs(10);

/// A bidder, a window, and how many bids there were in it.
pub(super) type BidderCount = WindowResult<u64, u64>;

fn by_bidder(events: &Stream<Event>) -> KeyedStream<u64, u64> {
    events
        .flat_map(|event| match event {
            Event::Bid(bid) => Some(bid.bidder),
            _ => None,
        })
        .key_by(|bidder| *bidder)
}

pub(super) fn q11(events: &Stream<Event>) -> Stream<BidderCount> {
    by_bidder(events).window(Session::of(SECONDS_10)).count("sessions").results()
}

pub(super) fn q12(events: &Stream<Event>) -> Stream<BidderCount> {
    let windows = Tumbling::of(SECONDS_10).on_processing_time();
    by_bidder(events).window(windows).count("bids per bidder").results()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{bids, check, sorted};
    use super::*;

    #[test]
    fn sessions_end_after_ten_quiet_seconds() {
        check(q11, |events, rows| {
            let mut times: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
            for bid in bids(events) {
                times.entry(bid.bidder).or_default().push(bid.date_time.0);
            }
            let mut wanted = Vec::new();
            for (bidder, mut times) in times {
                times.sort_unstable();
                for session in times.chunk_by(|a, b| b - a < 10_000) {
                    let (first, last) = (session[0], session[session.len() - 1]);
                    wanted.push((bidder, first, last + 10_000, session.len() as u64));
                }
            }
            let rows = rows.iter().map(|w| (w.key, w.window.start.0, w.window.end.0, w.value));
            assert_eq!(sorted(rows), wanted);
            assert!(wanted.windows(2).any(|pair| pair[0].0 == pair[1].0), "no second session");
        });
    }

    #[test]
    fn windows_of_processing_time_count_every_bid_once() {
        check(q12, |events, rows| {
            let (mut wanted, mut counted) = (BTreeMap::new(), BTreeMap::new());
            bids(events).for_each(|bid| *wanted.entry(bid.bidder).or_insert(0) += 1);
            rows.iter().for_each(|w| *counted.entry(w.key).or_insert(0) += w.value);
            assert_eq!(counted, wanted);
            let aligned = |w: &BidderCount| w.window.end.0 - w.window.start.0 == 10_000;
            assert!(rows.iter().all(aligned));
        });
    }
}

//! q15: statistics of the bids of each day.
//!
//! ```sql
//! SELECT day, COUNT(*), COUNT(*) FILTER (rank 1 | 2 | 3),
//!   COUNT(DISTINCT bidder), … by rank, COUNT(DISTINCT auction), … by rank
//! FROM bid GROUP BY DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS day
//! ```
//!
//! A day is one key. So that all workers share the work, each bid is counted in two parts, one of
//! 64 by its bidder and one of 64 by its auction: what is distinct in a part is distinct in the
//! whole. The parts pass on what they have counted 100 ms after the first bid since they last did,
//! as other engines do with mini-batches; each such change updates the row of the day.

use std::time::Duration;

use headwater::ProcessingTime;
use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

use super::bid_statistics::{Day, Met, Rank, Tally};

const PARTS: u64 = 64;
const PASS_ON_AFTER: Duration = millis(100);

/// The bids of a day so far; replaces the row before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DayStatistics {
    pub(super) day: Day,
    pub(super) bids: Tally,
    pub(super) bidders: Tally,
    pub(super) auctions: Tally,
}

/// What is distinct.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Kind {
    Bidder,
    Auction,
}

/// One of the two sides of a bid.
#[derive(Clone, Serialize, Deserialize)]
struct Seen {
    kind: Kind,
    id: u64,
    rank: Rank,
    day: Day,
}

/// A part of a day.
type Part = (Day, Kind, u64);

pub(super) fn q15(events: &Stream<Event>) -> Stream<DayStatistics> {
    let sum = process_fn(|cx, change: DayStatistics| {
        let row: &mut DayStatistics = cx.state();
        row.day = change.day;
        row.bids.add(&change.bids);
        row.bidders.add(&change.bidders);
        row.auctions.add(&change.auctions);
        let row = row.clone();
        cx.emit(row);
        Ok(())
    });
    events
        .flat_map(|event| {
            let sides = match event {
                Event::Bid(bid) => {
                    let (rank, day) = (Rank::of(bid.price), Day::of(bid.date_time));
                    let seen = move |kind, id| Seen { kind, id, rank, day };
                    Some([seen(Kind::Bidder, bid.bidder), seen(Kind::Auction, bid.auction)])
                }
                _ => None,
            };
            sides.into_iter().flatten()
        })
        .key_by(|seen| (seen.day, seen.kind, seen.id % PARTS))
        .process("parts of days", CountPart)
        .key_by(|change| change.day)
        .process("days", sum)
        .out()
}

/// The bidders or auctions of a part, and the ranks they were met in.
const MET: MapState<u64, Met> = MapState::new("met");

struct CountPart;

impl Process for CountPart {
    type Key = Part;
    type In = Seen;
    type Out = DayStatistics;
    /// What was counted since it was last passed on.
    type State = DayStatistics;

    fn declare(&self, states: &mut States<Self>) {
        states.map(&MET);
    }

    fn process(&self, cx: &mut Cx<'_, Self>, seen: Seen) -> Result<()> {
        let Seen { kind, id, rank, day } = seen;
        let known = cx.map(&MET).get(&id)?.is_some_and(|met| met.before(rank));
        let first = if known { None } else { Some(cx.map(&MET).or_default(&id)?.meet(rank)) };
        if kind == Kind::Auction && first.is_none() {
            return Ok(());
        }
        let change = cx.state();
        let is_new = *change == DayStatistics::default();
        change.day = day;
        let distinct = match kind {
            Kind::Bidder => {
                // Every bid has one bidder, so it is counted there.
                change.bids.count(rank);
                &mut change.bidders
            }
            Kind::Auction => &mut change.auctions,
        };
        if let Some(first) = first {
            distinct.count_first(first, rank);
        }
        if is_new {
            cx.processing_timer_after(PASS_ON_AFTER);
            cx.timer_at(EventTime::MAX);
        }
        Ok(())
    }

    fn on_timer(&self, cx: &mut Cx<'_, Self>, _at: EventTime) -> Result<()> {
        pass_on(cx);
        Ok(())
    }

    fn on_processing_timer(&self, cx: &mut Cx<'_, Self>, _at: ProcessingTime) -> Result<()> {
        pass_on(cx);
        Ok(())
    }
}

fn pass_on(cx: &mut Cx<'_, CountPart>) {
    let change = std::mem::take(cx.state());
    if change != DayStatistics::default() {
        cx.emit(change);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{Distinct, bids, check};
    use super::*;

    #[test]
    fn days_end_with_the_counts_of_all_bids() {
        check(q15, |events, rows| {
            let mut days: BTreeMap<Day, Distinct> = BTreeMap::new();
            for bid in bids(events) {
                days.entry(Day::of(bid.date_time)).or_default().add(bid);
            }
            let last: BTreeMap<Day, _> =
                rows.iter().map(|r| (r.day, (r.bids, r.bidders, r.auctions))).collect();
            assert_eq!(last, days.iter().map(|(day, counts)| (*day, counts.tallies())).collect());
        });
    }
}

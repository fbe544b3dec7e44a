//! q16: statistics of the bids of each channel and day.
//!
//! ```sql
//! SELECT channel, day, MAX(DATE_FORMAT(dateTime, 'HH:mm')), COUNT(*), … as q15 …
//! FROM bid GROUP BY channel, DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS day
//! ```
//!
//! State: the counts, and a small entry for each bidder and each auction, so a checkpoint holds
//! only those that are new. Half of the bids come from four channels. A row is emitted for every
//! bid.

use std::borrow::Cow;

use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

use super::bid_statistics::{Day, Met, Rank, Tally, minute_of_day};

/// The bids of a channel and day so far; replaces the row before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChannelStatistics {
    pub(super) channel: Cow<'static, str>,
    pub(super) day: Day,
    pub(super) counts: Counts,
}

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Minute of the day of the last bid.
    pub(super) minute: u16,
    pub(super) bids: Tally,
    pub(super) bidders: Tally,
    pub(super) auctions: Tally,
}

/// What is needed of a bid.
#[derive(Clone, Serialize, Deserialize)]
struct ChannelBid {
    channel: Cow<'static, str>,
    day: Day,
    minute: u16,
    rank: Rank,
    bidder: u64,
    auction: u64,
}

pub(super) fn q16(events: &Stream<Event>) -> Stream<ChannelStatistics> {
    events
        .flat_map(|event| match event {
            Event::Bid(bid) => Some(ChannelBid {
                channel: bid.channel,
                day: Day::of(bid.date_time),
                minute: minute_of_day(bid.date_time),
                rank: Rank::of(bid.price),
                bidder: bid.bidder,
                auction: bid.auction,
            }),
            _ => None,
        })
        .key_by(|bid| (bid.channel.clone(), bid.day))
        .process("channels", CountChannel)
        .out()
}

const BIDDERS: MapState<u64, Met> = MapState::new("bidders");
const AUCTIONS: MapState<u64, Met> = MapState::new("auctions");

struct CountChannel;

impl Process for CountChannel {
    type Key = (Cow<'static, str>, Day);
    type In = ChannelBid;
    type Out = ChannelStatistics;
    type State = Counts;

    fn declare(&self, states: &mut States<Self>) {
        states.map(&BIDDERS);
        states.map(&AUCTIONS);
    }

    fn process(&self, cx: &mut Cx<'_, Self>, bid: ChannelBid) -> Result<()> {
        let bidders = count_distinct(cx, &BIDDERS, bid.bidder, bid.rank)?;
        let auctions = count_distinct(cx, &AUCTIONS, bid.auction, bid.rank)?;
        let counts = cx.state();
        counts.minute = counts.minute.max(bid.minute);
        counts.bids.count(bid.rank);
        counts.bidders.add(&bidders);
        counts.auctions.add(&auctions);
        let counts = counts.clone();
        cx.emit(ChannelStatistics { channel: bid.channel, day: bid.day, counts });
        Ok(())
    }
}

/// What a bid adds to the distinct ones of a kind; mostly nothing, and then it changes no state.
fn count_distinct(
    cx: &mut Cx<'_, CountChannel>,
    state: &MapState<u64, Met>,
    id: u64,
    rank: Rank,
) -> Result<Tally> {
    let mut added = Tally::default();
    if !cx.map(state).get(&id)?.is_some_and(|met| met.before(rank)) {
        added.count_first(cx.map(state).or_default(&id)?.meet(rank), rank);
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::{Distinct, bids, check};
    use super::*;

    #[test]
    fn channels_end_with_the_counts_of_all_bids() {
        check(q16, |events, rows| {
            let mut wanted: BTreeMap<_, (u16, Distinct)> = BTreeMap::new();
            for bid in bids(events) {
                let key = (bid.channel.clone(), Day::of(bid.date_time));
                let (minute, counts) = wanted.entry(key).or_default();
                *minute = minute_of_day(bid.date_time).max(*minute);
                counts.add(bid);
            }
            let mut last = BTreeMap::new();
            for ChannelStatistics { channel, day, counts } in &rows {
                let Counts { minute, bids, bidders, auctions } = *counts;
                last.insert((channel.clone(), *day), (minute, (bids, bidders, auctions)));
            }
            let wanted = wanted.into_iter().map(|(key, (minute, c))| (key, (minute, c.tallies())));
            assert_eq!(last, wanted.collect());
            assert_eq!(rows.len(), bids(events).count());
        });
    }
}

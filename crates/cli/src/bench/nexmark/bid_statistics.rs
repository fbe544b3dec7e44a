//! What q15, q16 and q17 count: bids in three ranks by price, and who or what was met in each rank.

use headwater::prelude::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A day of event time, in days since 1970-01-01 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(super) struct Day(i32);

impl Day {
    /// The day of an event time.
    pub(super) fn of(time: EventTime) -> Day {
        Day(time.0.div_euclid(DAY_MS) as i32)
    }
}

/// The minute of the day of an event time, 0 to 1439.
pub(super) fn minute_of_day(time: EventTime) -> u16 {
    (time.0.rem_euclid(DAY_MS) / 60_000) as u16
}

/// Which of three ranges a price lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rank {
    /// Below 10,000.
    Low,
    /// From 10,000 to below 1,000,000.
    Middle,
    /// 1,000,000 and more.
    High,
}

impl Rank {
    /// The rank of a price.
    pub(super) fn of(price: u64) -> Rank {
        match price {
            0..10_000 => Rank::Low,
            10_000..1_000_000 => Rank::Middle,
            _ => Rank::High,
        }
    }
}

/// How many there are, in all and by rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) total: u64,
    pub(super) low: u64,
    pub(super) middle: u64,
    pub(super) high: u64,
}

impl Tally {
    /// Counts one of `rank`.
    pub(super) fn count(&mut self, rank: Rank) {
        self.total += 1;
        *self.of(rank) += 1;
    }

    /// Counts what was met for the first time.
    pub(super) fn count_first(&mut self, first: First, rank: Rank) {
        self.total += u64::from(first.ever);
        *self.of(rank) += u64::from(first.in_rank);
    }

    /// Adds another tally.
    pub(super) fn add(&mut self, other: &Tally) {
        self.total += other.total;
        self.low += other.low;
        self.middle += other.middle;
        self.high += other.high;
    }

    fn of(&mut self, rank: Rank) -> &mut u64 {
        match rank {
            Rank::Low => &mut self.low,
            Rank::Middle => &mut self.middle,
            Rank::High => &mut self.high,
        }
    }
}

/// In which ranks something was met: a bit for each. What counts distinct things keeps one per
/// thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Met(u8);

/// Whether a meeting was the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) ever: bool,
    pub(super) in_rank: bool,
}

impl Met {
    /// Whether it was met in `rank`.
    pub(super) fn before(self, rank: Rank) -> bool {
        self.0 & (1 << rank as u8) != 0
    }

    /// Notes a meeting, and says whether it was the first.
    pub(super) fn meet(&mut self, rank: Rank) -> First {
        let first = First { ever: self.0 == 0, in_rank: !self.before(rank) };
        self.0 |= 1 << rank as u8;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_things_are_counted_once_per_rank() {
        let (mut met, mut tally) = (Met::default(), Tally::default());
        for price in [1, 2, 20_000, 9_999, 1_000_000, 999_999] {
            let rank = Rank::of(price);
            let first = met.meet(rank);
            assert!(met.before(rank));
            tally.count_first(first, rank);
        }
        assert_eq!(tally, Tally { total: 1, low: 1, middle: 1, high: 1 });
        tally.count(Rank::High);
        tally.add(&tally.clone());
        assert_eq!(tally, Tally { total: 4, low: 2, middle: 2, high: 4 });
    }

    #[test]
    fn days_and_minutes() {
        assert_eq!(Day::of(EventTime(DAY_MS - 1)), Day(0));
        assert_eq!((Day::of(EventTime(DAY_MS)), Day::of(EventTime(-1))), (Day(1), Day(-1)));
        assert_eq!(minute_of_day(EventTime(DAY_MS + 61_000)), 1);
    }
}

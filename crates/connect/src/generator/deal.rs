//! How numbered records are dealt to splits, and when each of them is due.
//!
//! Record `n` belongs to split `n mod splits` and is the `n / splits`-th there, so that all splits
//! advance together, in event time too. A split is named after its index and the number of splits:
//! positions of one deal are never taken for those of another. At a rate of `r` records per second
//! record `n` is due `n / r` seconds after the start; who falls behind catches up at full speed.
//!
//! What this does not do: read a clock, or make records.

use std::time::Duration;

use headwater_core::{Error, Result};

use crate::source::{Position, SplitId};

/// The least pause between two reads of a paced split.
const MIN_PAUSE: Duration = Duration::from_micros(100);
/// The longest pause that is asked for at once.
const MAX_PAUSE_SECONDS: f64 = 3600.0;

/// Round robin over a number of splits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deal {
    pub(crate) splits: usize,
}

impl Deal {
    /// Refuses what cannot be dealt.
    pub(crate) fn validate(self, source: &str) -> Result<()> {
        if self.splits == 0 {
            return Err(Error::config(format!("{source}: splits must be at least 1, got 0"))
                .hint("one split is read by one worker; leave it out for one split"));
        }
        Ok(())
    }

    /// The names of all splits.
    pub(crate) fn ids(self) -> Vec<SplitId> {
        (0..self.splits).map(|index| self.id(index)).collect()
    }

    fn id(self, index: usize) -> SplitId {
        match self.splits {
            1 => SplitId("0".to_owned()),
            splits => SplitId(format!("{index}-of-{splits}")),
        }
    }

    /// The index that is hidden in the name of a split.
    pub(crate) fn index(self, source: &str, split: &SplitId) -> Result<u64> {
        let text = split.0.split('-').next().unwrap_or_default();
        let index = text.parse::<usize>().ok().filter(|i| *i < self.splits);
        index.filter(|i| self.id(*i) == *split).map(|i| i as u64).ok_or_else(|| {
            Error::state(format!(
                "{source}: no split \"{split}\", there are {} splits",
                self.splits
            ))
            .hint("a restored job needs the number of splits that it was started with")
        })
    }

    /// How many of the records `0..total` the split has.
    pub(crate) fn share(self, total: u64, index: u64) -> u64 {
        total.saturating_sub(index).div_ceil(self.splits as u64)
    }
}

/// Where a split of `share` records is to be read on.
pub(crate) fn start_at(
    source: &str,
    split: &SplitId,
    position: Option<&Position>,
    share: u64,
) -> Result<u64> {
    let Some(position) = position else { return Ok(0) };
    let at = position.0.parse::<u64>().map_err(|e| {
        Error::state(format!(
            "{source}: position \"{position}\" of split \"{split}\" is no record number"
        ))
        .because(e)
    })?;
    if at > share {
        return Err(Error::state(format!(
            "{source}: cannot go on at record {at} of split \"{split}\", it has {share} records"
        ))
        .hint("the source has become smaller since the checkpoint; restore with the earlier one"));
    }
    Ok(at)
}

/// A rate over all splits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) per_second: f64,
    pub(crate) batch_every: Duration,
}

impl Pace {
    /// Refuses a rate that is none.
    pub(crate) fn validate(self, source: &str) -> Result<()> {
        if self.per_second.is_finite() && self.per_second > 0.0 {
            return Ok(());
        }
        Err(Error::config(format!(
            "{source}: rate must be positive and finite, got {} records per second",
            self.per_second
        ))
        .hint("leave the rate out to read as fast as possible"))
    }

    /// How many records of split `index` are due after `elapsed`.
    pub(crate) fn due(self, elapsed: Duration, deal: Deal, index: u64) -> u64 {
        let all = (elapsed.as_secs_f64() * self.per_second) as u64;
        deal.share(all.saturating_add(1), index)
    }

    /// How long to wait until record `given` of split `index` is due.
    pub(crate) fn pause(self, elapsed: Duration, deal: Deal, index: u64, given: u64) -> Duration {
        let number = given.saturating_mul(deal.splits as u64).saturating_add(index);
        let seconds = number as f64 / self.per_second - elapsed.as_secs_f64();
        Duration::from_secs_f64(seconds.clamp(0.0, MAX_PAUSE_SECONDS))
            .max(self.batch_every)
            .max(MIN_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_names_are_known_again() {
        for splits in 1..6 {
            let deal = Deal { splits };
            for total in 0..20 {
                let shares = (0..splits as u64).map(|index| deal.share(total, index));
                assert_eq!(shares.sum::<u64>(), total);
            }
            for (index, id) in deal.ids().iter().enumerate() {
                assert_eq!(deal.index("test", id).unwrap(), index as u64);
            }
        }
        for wrong in ["", "1", "0", "2-of-2", "0-of-3", "00-of-2", "+0-of-2", "x"] {
            assert!(Deal { splits: 2 }.index("test", &SplitId(wrong.into())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_due_follows_the_clock_and_the_pause_reaches_the_next() {
        let deal = Deal { splits: 2 };
        let pace = Pace { per_second: 10.0, batch_every: Duration::from_micros(200) };
        let due = |ms| [0, 1].map(|index| pace.due(Duration::from_millis(ms), deal, index));
        assert_eq!(due(0), [1, 0]);
        assert_eq!(due(150), [1, 1]);
        assert_eq!(due(1050), [6, 5]);
        let pause = pace.pause(Duration::from_millis(150), deal, 1, 1);
        assert_eq!(pause, Duration::from_millis(150));
        assert_eq!(pace.pause(Duration::from_secs(9), deal, 1, 1), Duration::from_micros(200));
    }
}

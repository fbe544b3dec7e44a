//! How far a window operator has come, and how that survives a restore.
//!
//! After a restore the watermark starts over, but windows that had been emitted must not be emitted
//! again from whatever still comes for them. So an operator writes its watermark, with the key
//! groups it owns, into its non-keyed state, and a restored one takes for each of its key groups
//! the watermark of the worker that owned it: exact at any parallelism. Until the inputs' watermark
//! has caught up, keys are judged by these floors.

use headwater_core::codec::{decode, encode};
use headwater_core::{EventTime, KeyGroup, KeyGroupRange, Result};

/// The watermark of an operator, per key group while it matters.
pub struct Progress {
    range: KeyGroupRange,
    watermark: EventTime,
    /// By key group, from the start of `range`; empty when the watermark has passed them all.
    floors: Vec<EventTime>,
}

impl Progress {
    /// An operator that owns the key groups of `range` and has seen no watermark.
    pub fn new(range: KeyGroupRange) -> Self {
        Progress { range, watermark: EventTime::MIN, floors: Vec::new() }
    }

    /// The watermark for a key: that of the inputs, or the one before the restore if greater.
    #[inline]
    pub fn of(&self, hash: u64, inputs: EventTime) -> EventTime {
        if self.floors.is_empty() { inputs } else { inputs.max(self.floor(hash)) }
    }

    fn floor(&self, hash: u64) -> EventTime {
        let group = KeyGroup::of(hash, self.range.max_parallelism).0;
        let at = usize::from(group).wrapping_sub(usize::from(self.range.start));
        self.floors.get(at).copied().unwrap_or_default()
    }

    /// The furthest watermark before the restore that still matters.
    pub fn furthest(&self) -> EventTime {
        self.floors.iter().copied().max().unwrap_or_default()
    }

    /// Whether all keys have the watermark of the inputs.
    pub fn is_even(&self) -> bool {
        self.floors.is_empty()
    }

    /// The inputs' watermark has advanced.
    pub fn advance(&mut self, watermark: EventTime) {
        self.watermark = watermark;
        if self.floors.iter().all(|floor| *floor <= watermark) {
            self.floors = Vec::new();
        }
    }

    /// The state to keep: runs of key groups with the same watermark.
    pub fn snapshot(&self) -> Result<Vec<Vec<u8>>> {
        let mut runs: Vec<(KeyGroupRange, EventTime)> = Vec::new();
        if self.floors.is_empty() {
            runs.push((self.range, self.watermark));
        }
        for (group, floor) in (self.range.start..).zip(&self.floors) {
            let watermark = self.watermark.max(*floor);
            match runs.last_mut() {
                Some((run, same)) if *same == watermark => run.end = group + 1,
                _ => {
                    let run = KeyGroupRange { start: group, end: group + 1, ..self.range };
                    runs.push((run, watermark));
                }
            }
        }
        Ok(vec![encode(&runs)?])
    }

    /// Takes the floors of this worker's key groups from the parts of all workers.
    ///
    /// # Errors
    /// A part cannot be decoded.
    pub fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        let mut floors = vec![EventTime::MIN; self.range.len()];
        for part in parts {
            for (run, watermark) in decode::<Vec<(KeyGroupRange, EventTime)>>(part)? {
                for group in run.start.max(self.range.start)..run.end.min(self.range.end) {
                    floors[usize::from(group - self.range.start)] = watermark;
                }
            }
        }
        self.floors = floors;
        self.advance(self.watermark);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: usize, workers: usize) -> Progress {
        Progress::new(KeyGroupRange::of_worker(index, workers, 8))
    }

    /// A hash of each key group.
    fn hash(group: u64) -> u64 {
        (group * (1 << 32) / 8 + 1) << 20
    }

    #[test]
    fn key_groups_keep_their_watermark_at_any_parallelism() {
        let (mut a, mut b) = (at(0, 2), at(1, 2));
        a.advance(EventTime(10));
        b.advance(EventTime(20));
        let parts = [a.snapshot().unwrap(), b.snapshot().unwrap()].concat();
        let mut whole = at(0, 1);
        whole.restore(&parts).unwrap();
        assert_eq!(whole.of(hash(3), EventTime(5)), EventTime(10));
        assert_eq!(whole.of(hash(4), EventTime(5)), EventTime(20));
        assert_eq!(whole.of(hash(3), EventTime(15)), EventTime(15));
        // Again before the watermark has caught up with both.
        whole.advance(EventTime(12));
        let parts = whole.snapshot().unwrap();
        let mut third = at(1, 3);
        third.restore(&parts).unwrap();
        assert_eq!(third.of(hash(3), EventTime::MIN), EventTime(12));
        assert_eq!(third.of(hash(5), EventTime::MIN), EventTime(20));
        third.advance(EventTime(20));
        assert!(third.floors.is_empty());
        assert!(third.restore(&[vec![1]]).is_err());
    }
}

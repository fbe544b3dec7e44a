//! The event-time state machine of one split: progress, and active → quiet → idle → active.
//!
//! Invariant: the watermark of a split never goes back, whatever the generator says.

use std::time::Duration;

use headwater_core::{EventTime, ProcessingTime};
use serde::{Deserialize, Serialize};

/// Where a split stands in event time; this is what a checkpoint keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Greatest event time seen.
    pub max_time: EventTime,
    /// Watermark reached.
    pub watermark: EventTime,
}

/// One split of a source, as far as event time is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Where it stands.
    pub progress: Progress,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    /// Nothing to read since then; `floor` is the watermark at that moment.
    Quiet {
        since: ProcessingTime,
        floor: EventTime,
    },
    Idle,
    Ended,
}

impl Split {
    /// A split at its beginning, or where a checkpoint left it.
    pub fn new(restored: Option<Progress>) -> Self {
        let start = Progress { max_time: EventTime::MIN, watermark: EventTime::MIN };
        Split { progress: restored.unwrap_or(start), state: State::Active }
    }

    /// Raises the watermark, never above `limit`; true when `limit` held it.
    pub fn raise(&mut self, watermark: EventTime, limit: EventTime) -> bool {
        self.progress.watermark = self.progress.watermark.max(watermark.min(limit));
        watermark > limit
    }

    /// The reader has nothing to give.
    pub fn quiet(&mut self, since: ProcessingTime) {
        if self.state == State::Active {
            self.state = State::Quiet { since, floor: self.progress.watermark };
        }
    }

    /// The reader gives again.
    pub fn active(&mut self) {
        if self.state != State::Ended {
            self.state = State::Active;
        }
    }

    /// The split has ended.
    pub fn end(&mut self) {
        self.state = State::Ended;
    }

    /// Whether it takes part in the minimum.
    pub fn counts(&self) -> bool {
        !matches!(self.state, State::Idle | State::Ended)
    }

    /// Whether it has ended.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Lets time pass over a quiet split.
    pub fn tick(
        &mut self,
        now: ProcessingTime,
        idle_after: Option<Duration>,
        advance_after: Option<Duration>,
    ) {
        let State::Quiet { since, floor } = self.state else { return };
        if let Some(after) = advance_after
            && now >= since + after
            && floor != EventTime::MIN
        {
            let passed = now.0 - since.0;
            let advanced = EventTime(floor.0.saturating_add(passed));
            self.progress.watermark = self.progress.watermark.max(advanced);
        }
        if idle_after.is_some_and(|after| now >= since + after) {
            self.state = State::Idle;
        }
    }

    /// When `tick` is worth calling next.
    pub fn wake_at(
        &self,
        now: ProcessingTime,
        idle_after: Option<Duration>,
        advance_after: Option<Duration>,
    ) -> Option<ProcessingTime> {
        let State::Quiet { since, .. } = self.state else { return None };
        let advance = advance_after.map(|after| (since + after).max(ProcessingTime(now.0 + 10)));
        [idle_after.map(|after| since + after), advance].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn quiet_becomes_idle_and_active_again() {
        let mut s = Split::new(None);
        s.raise(EventTime(50), EventTime::MAX);
        s.quiet(ProcessingTime(100));
        s.tick(ProcessingTime(1_099), Some(SECOND), None);
        assert!(s.counts());
        s.quiet(ProcessingTime(1_050));
        s.tick(ProcessingTime(1_100), Some(SECOND), None);
        assert!(!s.counts(), "the first silence counts, a repeated one does not restart it");
        s.active();
        assert!(s.counts() && s.progress.watermark == EventTime(50));
        s.end();
        s.active();
        assert!(!s.counts());
    }

    #[test]
    fn the_wall_clock_moves_a_quiet_split_if_asked() {
        let mut s = Split::new(None);
        s.raise(EventTime(5_000), EventTime::MAX);
        s.quiet(ProcessingTime(0));
        s.tick(ProcessingTime(999), None, Some(SECOND));
        assert_eq!(s.progress.watermark, EventTime(5_000));
        s.tick(ProcessingTime(1_500), None, Some(SECOND));
        assert_eq!(s.progress.watermark, EventTime(6_500));
        assert!(s.raise(EventTime(9_000), EventTime(7_000)));
        assert_eq!(s.progress.watermark, EventTime(7_000));
    }

    #[test]
    fn a_split_that_saw_nothing_is_not_moved_by_the_clock() {
        let mut s = Split::new(None);
        s.quiet(ProcessingTime(0));
        s.tick(ProcessingTime(5_000), None, Some(SECOND));
        assert_eq!(s.progress.watermark, EventTime::MIN);
    }
}

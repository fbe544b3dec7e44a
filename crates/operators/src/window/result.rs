//! What a window is and what it emits.

use std::time::Duration;

use headwater_core::EventTime;
use serde::{Deserialize, Serialize};

/// A span of event time, `[start, end)`; ordered by start, then end.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Window {
    /// First instant inside.
    pub start: EventTime,
    /// First instant after.
    pub end: EventTime,
}

impl Window {
    /// The window of everything: complete only when the input has ended.
    pub const GLOBAL: Window = Window { start: EventTime::MIN, end: EventTime::MAX };

    /// The window `[start, end)`.
    pub const fn new(start: EventTime, end: EventTime) -> Self {
        Window { start, end }
    }

    /// The window of `len` milliseconds that starts at `start`, cut off at the end of time.
    pub(crate) fn at(start: i64, len: i64) -> Self {
        Window::new(EventTime(start), EventTime(start.saturating_add(len)))
    }

    /// Whether `time` lies inside.
    pub fn contains(self, time: EventTime) -> bool {
        self.start <= time && time < self.end
    }

    /// Whether the two share an instant; windows that only touch do not.
    pub fn overlaps(self, other: Window) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The least watermark that completes this window, which is also the time of its result.
    pub fn completing(self) -> EventTime {
        EventTime::completing(self.end)
    }

    /// The least watermark under which this window is gone: complete for `lateness`.
    pub fn gone_at(self, lateness: Duration) -> EventTime {
        self.completing().saturating_add(lateness)
    }

    /// Whether this window is gone under `watermark`.
    pub fn is_gone(self, watermark: EventTime, lateness: Duration) -> bool {
        watermark >= self.gone_at(lateness)
    }
}

/// The greatest (exclusive) end of the windows that `watermark` completes: the inverse of
/// [`EventTime::completing`].
pub(crate) fn complete_until(watermark: EventTime) -> EventTime {
    EventTime(watermark.0.saturating_add(1))
}

/// When a pane was emitted, seen from its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PaneTiming {
    /// Before the watermark completed the window: more is to come.
    Early,
    /// When the watermark completed the window; the only pane without triggers and lateness.
    OnTime,
    /// After that, because of a record within the allowed lateness.
    Late,
}

/// One emission of one window of one key.
///
/// - Time: a result's event time is `window.end - 1 ms`; for a global window the greatest time of a
///   record in it.
/// - Unique: `(key, window, pane)`; panes of a window are numbered from 0 in order of emission.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WindowResult<K, R> {
    /// The key.
    pub key: K,
    /// The window. Of a count window: from its least record time to just after its greatest.
    pub window: Window,
    /// What the aggregate made of the records.
    pub value: R,
    /// Number of this emission of this window, from 0.
    pub pane: u32,
    /// Why it was emitted.
    pub timing: PaneTiming,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundaries_agree() {
        let w = Window::at(10, 10);
        assert!(w.contains(EventTime(10)) && w.contains(EventTime(19)));
        assert!(!w.contains(EventTime(20)));
        assert!(!w.overlaps(Window::at(20, 1)) && w.overlaps(Window::at(19, 1)));
        assert_eq!(w.completing(), EventTime(19));
        assert_eq!(complete_until(w.completing()), w.end);
        let lateness = Duration::from_millis(5);
        assert!(!w.is_gone(EventTime(23), lateness) && w.is_gone(EventTime(24), lateness));
        assert!(Window::GLOBAL.is_gone(EventTime::MAX, lateness));
    }
}

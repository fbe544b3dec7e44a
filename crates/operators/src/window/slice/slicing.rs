//! How hopping and cumulative windows are cut into slices, and which windows a slice belongs to.
//!
//! Slices are as wide as the greatest common divisor of size and slide, so every window is a whole
//! number of them. The windows of one slice are known by their ends, which run from
//! [`Slicing::first_end`] to [`Slicing::last_end`] in steps of [`Slicing::hop`]; all ends are
//! congruent modulo the hop.

use std::time::Duration;

use headwater_core::EventTime;
use headwater_core::time::millis;
use serde::{Deserialize, Serialize};

use crate::window::assigner::align;
use crate::window::result::{Window, complete_until};

/// A part of a key's records: those of one slice that count for the windows from some end on.
///
/// All records of a slice count for all its windows, except late ones that have lost the first of
/// them: those are kept apart, as the windows they have lost may still be waiting here for the
/// watermark.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Slice {
    /// Start of the slice.
    pub start: EventTime,
    /// End of the first window that this part counts for.
    pub from: EventTime,
}

/// The geometry of the windows, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub enum Slicing {
    /// Windows of `size`, one every `slide`; slices are as wide as their divisor.
    Hopping {
        /// Size of a window.
        size: i64,
        /// Distance of their starts.
        slide: i64,
        /// Where one of the windows starts.
        offset: i64,
        /// Width of a slice.
        width: i64,
    },
    /// Windows that grow by `step` up to `size` and then start over.
    Cumulative {
        /// Size of the largest window.
        size: i64,
        /// By how much they grow.
        step: i64,
        /// Where one of the windows starts.
        offset: i64,
    },
}

impl Slicing {
    /// Hopping windows; tumbling ones when `slide` is `size`.
    pub fn hopping(size: i64, slide: i64, offset: i64) -> Self {
        Slicing::Hopping { size, slide, offset, width: gcd(size, slide) }
    }

    /// Start of the slice that `time` lies in.
    #[inline]
    pub fn slice(&self, time: i64) -> EventTime {
        EventTime(match *self {
            Slicing::Hopping { width, offset, .. } => align(time, width, offset),
            Slicing::Cumulative { step, offset, .. } => align(time, step, offset),
        })
    }

    /// Width of a slice.
    pub fn width(&self) -> i64 {
        match *self {
            Slicing::Hopping { width, .. } => width,
            Slicing::Cumulative { step, .. } => step,
        }
    }

    /// Number of slices in the largest window.
    pub fn slices(&self) -> i64 {
        match *self {
            Slicing::Hopping { size, .. } | Slicing::Cumulative { size, .. } => size / self.width(),
        }
    }

    /// Distance between the ends of consecutive windows.
    pub fn hop(&self) -> i64 {
        match *self {
            Slicing::Hopping { slide, .. } => slide,
            Slicing::Cumulative { step, .. } => step,
        }
    }

    /// End of the first window with the slice.
    pub fn first_end(&self, slice: EventTime) -> EventTime {
        EventTime(match *self {
            Slicing::Hopping { size, slide, offset, .. } => {
                align(slice.0 - size, slide, offset) + slide + size
            }
            Slicing::Cumulative { step, .. } => slice.0 + step,
        })
    }

    /// End of the last window with the slice.
    pub fn last_end(&self, slice: EventTime) -> EventTime {
        EventTime(match *self {
            Slicing::Hopping { size, slide, offset, .. } => align(slice.0, slide, offset) + size,
            Slicing::Cumulative { size, offset, .. } => align(slice.0, size, offset) + size,
        })
    }

    /// The window that ends at `end`.
    pub fn window(&self, end: EventTime) -> Window {
        let start = match *self {
            Slicing::Hopping { size, .. } => end.0 - size,
            Slicing::Cumulative { size, offset, .. } => align(end.0 - 1, size, offset),
        };
        Window::new(EventTime(start), end)
    }

    /// End of the first window with the slice, `from` at the earliest, that is not gone under
    /// `watermark`; none when all are.
    pub fn first_live_end(
        &self,
        slice: Slice,
        watermark: EventTime,
        lateness: Duration,
    ) -> Option<EventTime> {
        let first = self.first_end(slice.start).max(slice.from);
        let gone_until = complete_until(watermark).0.saturating_sub(millis(lateness));
        let end = if first.0 > gone_until {
            first
        } else {
            let hops = (gone_until - first.0) / self.hop() + 1;
            EventTime(first.0.saturating_add(hops.saturating_mul(self.hop())))
        };
        (end <= self.last_end(slice.start)).then_some(end)
    }

    /// End of the first window after the one that ends at `end` that this part counts for.
    pub fn next_end(&self, part: Slice, end: EventTime) -> Option<EventTime> {
        let next = self.first_end(part.start).max(part.from).max(EventTime(end.0 + self.hop()));
        (next <= self.last_end(part.start)).then_some(next)
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::assigner::FixedWindows;
    use headwater_core::Timed;

    fn ends(slicing: Slicing, time: i64) -> Vec<(i64, i64)> {
        let slice = slicing.slice(time);
        let mut end = slicing.first_end(slice);
        let mut found = Vec::new();
        while end <= slicing.last_end(slice) {
            let window = slicing.window(end);
            found.push((window.start.0, window.end.0));
            end = EventTime(end.0 + slicing.hop());
        }
        found
    }

    #[test]
    fn a_slice_has_the_windows_of_its_records() {
        let mut assigned = Vec::new();
        let mut check = |slicing: Slicing, windows: FixedWindows<()>| {
            for time in -40..40 {
                windows.assign(&Timed::new(EventTime(time), ()), &mut assigned).unwrap();
                let expected: Vec<_> = assigned.iter().map(|w| (w.start.0, w.end.0)).collect();
                assert_eq!(ends(slicing, time), expected, "{slicing:?} at {time}");
            }
        };
        for (size, slide, offset) in [(10, 2, 0), (10, 4, 3), (7, 7, 1), (9, 6, -4), (5, 1, 0)] {
            let windows = FixedWindows::Hopping { size, slide, offset };
            check(Slicing::hopping(size, slide, offset), windows);
        }
        for (size, step, offset) in [(9, 3, 0), (8, 8, 5), (6, 1, -2)] {
            let windows = FixedWindows::Cumulative { size, step, offset };
            check(Slicing::Cumulative { size, step, offset }, windows);
        }
    }

    #[test]
    fn gone_windows_are_skipped() {
        let slicing = Slicing::hopping(10, 2, 0);
        let part = Slice { start: EventTime(8), from: EventTime(0) };
        let live = |watermark, lateness| {
            let lateness = Duration::from_millis(lateness);
            slicing.first_live_end(part, EventTime(watermark), lateness).map(|end| end.0)
        };
        assert_eq!(live(8, 0), Some(10));
        assert_eq!(live(9, 0), Some(12));
        assert_eq!(live(9, 1), Some(10));
        assert_eq!(live(16, 0), Some(18));
        assert_eq!(live(17, 0), None);
        assert_eq!(live(17, 2), Some(18));
        assert_eq!(live(i64::MAX, 0), None);
        assert_eq!(live(i64::MIN, 5), Some(10));
        assert_eq!(slicing.next_end(part, EventTime(10)), Some(EventTime(12)));
        assert_eq!(slicing.next_end(part, EventTime(18)), None);
    }
}

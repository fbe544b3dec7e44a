//! Windows: assigned to rows, aggregated over, and run on either clock.
//!
//! A window `[start, end)` is complete when the watermark reaches `end - 1 ms`; then its rows are
//! emitted, once and for all. Rows whose windows are all complete under the watermark that they
//! were read under are late: dropped and counted. Over processing time the clock takes the
//! watermark's place, rows have the time at which they arrive, and none is late.
//!
//! - [`assign`]: adds `window_start`, `window_end`, `window_time` to each row;
//! - [`aggregate`]: TUMBLE, HOP, CUMULATE, and windows that rows carry already (cascades);
//! - [`early`]: results of windows on the way to their last one;
//! - [`session`]: runs of rows of a key with at most a gap between them.

pub mod aggregate;
pub mod assign;
pub mod early;
pub mod emit;
pub mod session;

use headwater_core::{Error, Result};
use headwater_operators::window::Slicing;

pub use aggregate::{WindowAggregate, WindowAggregateSpec, WindowedBy};
pub use assign::{AssignWindows, AssignWindowsSpec};
pub use early::{Early, EarlyAggregate};
pub use session::{SessionAggregate, SessionAggregateSpec};

/// A window function of the FROM clause, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// `TUMBLE`.
    Tumble {
        /// Size of a window.
        size: i64,
        /// Where one of them starts.
        offset: i64,
    },
    /// `HOP`.
    Hop {
        /// Distance of the starts of windows.
        slide: i64,
        /// Size of a window.
        size: i64,
        /// Where one of them starts.
        offset: i64,
    },
    /// `CUMULATE`.
    Cumulate {
        /// By how much the windows grow.
        step: i64,
        /// Size of the largest.
        size: i64,
        /// Where one of them starts.
        offset: i64,
    },
}

impl Window {
    /// How the windows are cut into slices.
    ///
    /// # Errors
    /// Of kind `Plan`: a duration is not positive, or a step does not divide its size.
    pub fn slicing(&self) -> Result<Slicing> {
        let positive = |what: &str, ms: i64| match ms {
            1.. => Ok(()),
            _ => Err(Error::plan(format!("the {what} of a window must be positive, got {ms} ms"))),
        };
        match *self {
            Window::Tumble { size, offset } => {
                positive("size", size)?;
                Ok(Slicing::hopping(size, size, offset))
            }
            Window::Hop { slide, size, offset } => {
                positive("size", size)?;
                positive("slide", slide)?;
                Ok(Slicing::hopping(size, slide, offset))
            }
            Window::Cumulate { step, size, offset } => {
                positive("size", size)?;
                positive("step", step)?;
                if size % step != 0 {
                    let message =
                        format!("CUMULATE: step {step} ms does not divide size {size} ms");
                    return Err(Error::plan(message));
                }
                Ok(Slicing::Cumulative { size, step, offset })
            }
        }
    }
}

/// By which clock windows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time in this column.
    EventTime(usize),
    /// The time on the wall.
    ProcessingTime,
}

/// A column that a window adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowColumn {
    /// `window_start`.
    Start,
    /// `window_end`.
    End,
    /// `window_time`: the last millisecond of the window, and its event time behind.
    Time,
}

impl WindowColumn {
    fn millis(self, (start, end): (i64, i64)) -> i64 {
        match self {
            WindowColumn::Start => start,
            WindowColumn::End => end,
            WindowColumn::Time => end.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests;

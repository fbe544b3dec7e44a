//! Why nothing comes out: read off two snapshots of the metrics, one from when the silence began.

use std::fmt;

use headwater::{EventTime, MetricsSnapshot};

use super::job::{SLIDE, SOURCE, WINDOW};
use crate::status::clock;

/// The first thing, in the order in which records pass, that keeps results back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The job has failed and been restarted meanwhile.
    Restarted { times: u64 },
    /// The source has given nothing.
    NoInput,
    /// A step does not take what it is given.
    Backlog { records: u64 },
    /// No record has moved the watermark yet.
    NoWatermark,
    /// No window has come to its end.
    WindowOpen { closes: EventTime, now: EventTime },
}

impl Why {
    /// What has kept results back from `then` to `now`.
    pub(super) fn of(then: &MetricsSnapshot, now: &MetricsSnapshot) -> Why {
        let input = |s: &MetricsSnapshot| s.operator(SOURCE).map_or(0, |o| o.totals.records_in);
        let backlog = now.operators.iter().map(|o| o.backlog).sum();
        let watermark = now.operator(WINDOW).map(|o| o.watermark).unwrap_or_default();
        if now.restarts > then.restarts {
            Why::Restarted { times: now.restarts - then.restarts }
        } else if input(now) == input(then) {
            Why::NoInput
        } else if backlog > 0 {
            Why::Backlog { records: backlog }
        } else if watermark == EventTime::MIN {
            Why::NoWatermark
        } else {
            Why::WindowOpen { closes: next_close(watermark), now: watermark }
        }
    }

    /// Whether it is the same reason, at another moment.
    pub(super) fn is_like(&self, other: &Why) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The least watermark above `watermark` that completes a window.
fn next_close(watermark: EventTime) -> EventTime {
    let slide = headwater_core::time::millis(SLIDE);
    let after = watermark.0.saturating_add(1);
    let end = after.saturating_sub(after.rem_euclid(slide)).saturating_add(slide);
    EventTime::completing(EventTime(end))
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Why::Restarted { times: 1 } => f.write_str("the job has failed and is restarted"),
            Why::Restarted { times } => {
                write!(f, "the job has failed and been restarted {times} times")
            }
            Why::NoInput => write!(f, "source {SOURCE:?} has given no event"),
            Why::Backlog { records } => write!(f, "{records} records wait for a slow step"),
            Why::NoWatermark => f.write_str("there is no watermark, as no event has a time yet"),
            Why::WindowOpen { closes, now } => {
                let (closes, now) = (clock(closes), clock(now));
                write!(f, "window closes at watermark {closes}, now {now}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::balance::tests::snapshot;

    #[test]
    fn the_first_reason_on_the_way_is_told() {
        let then = snapshot();
        let why = |change: &dyn Fn(&mut MetricsSnapshot)| {
            let mut now = then.clone();
            now.operators[0].totals.records_in += 1;
            change(&mut now);
            Why::of(&then, &now).to_string()
        };
        let open = "window closes at watermark 22:13:20.999, now 22:13:20.250";
        assert_eq!(why(&|_| ()), open);
        let none = "there is no watermark, as no event has a time yet";
        assert_eq!(why(&|s| s.operators[3].watermark = EventTime::MIN), none);
        let backlog = "7 records wait for a slow step";
        assert_eq!(why(&|s| s.operators[3].backlog = 7), backlog);
        let input = "source \"auction house\" has given no event";
        assert_eq!(why(&|s| s.operators[0].totals.records_in -= 1), input);
        let restarted = "the job has failed and been restarted 2 times";
        assert_eq!(why(&|s| s.restarts += 2), restarted);
    }

    #[test]
    fn a_window_closes_one_millisecond_before_its_end() {
        assert_eq!(next_close(EventTime(998)), EventTime(999));
        assert_eq!(next_close(EventTime(999)), EventTime(1_999));
        assert_eq!(next_close(EventTime(1_000)), EventTime(1_999));
        let (a, b) = (Why::WindowOpen { closes: EventTime(1), now: EventTime(0) }, Why::NoInput);
        assert!(a.is_like(&Why::WindowOpen { closes: EventTime(9), now: EventTime(8) }));
        assert!(!a.is_like(&b));
    }
}

//! Why a query gives nothing: read off two moments of its job, one from when the silence began.

use std::fmt;

use headwater::cli::units;
use headwater::{EventTime, MetricsSnapshot, OperatorSnapshotMetrics, ProcessingTime};
use headwater_sql::splits::SplitStanding;

use crate::status::clock;

/// Steps that give their rows when the watermark has passed: labels of the plan's steps.
const WAITING: &[&str] = &[
    "window-aggregate",
    "windowed-group",
    "window-top-n",
    "window-deduplicate",
    "over-aggregate",
    "sort-by-time",
];

/// The first thing, in the order in which rows pass, that keeps results back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The job has failed and been restarted meanwhile.
    Restarted { times: u64 },
    /// No source has given anything.
    NoInput { sources: Vec<String> },
    /// A step does not take what it is given.
    Backlog { records: u64 },
    /// A step waits for a watermark, and there is none yet.
    NoWatermark { held: Option<Held> },
    /// A step waits for the watermark to get further.
    Open { step: String, now: EventTime, held: Option<Held> },
    /// Rows come in and none gets through.
    Filtered { records: u64 },
}

/// The split that holds the watermark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    by: String,
    /// For how long it has given nothing, in seconds.
    quiet: Option<i64>,
}

impl Held {
    pub(super) fn of(standing: &SplitStanding, now: ProcessingTime) -> Held {
        let (table, split) = (&standing.table, &standing.split);
        let quiet = standing.quiet_since.map(|since| (now.0 - since.0).max(0) / 1_000);
        // A second without a record is nothing to tell.
        Held { by: format!("split {split} of {table}"), quiet: quiet.filter(|s| *s > 1) }
    }
}

impl Why {
    /// What has kept results back from `then` to `now`; `held` is the split that the watermark
    /// waits for.
    pub(super) fn of(then: &MetricsSnapshot, now: &MetricsSnapshot, held: Option<Held>) -> Why {
        let backlog = now.operators.iter().map(|o| o.backlog).sum();
        let waiting = now.operators.iter().find(|o| WAITING.contains(&o.label.as_str()));
        if now.restarts > then.restarts {
            Why::Restarted { times: now.restarts - then.restarts }
        } else if read(now) == read(then) && waiting.is_none_or(|_| held.is_none()) {
            Why::NoInput { sources: sources(now).map(|o| o.name.clone()).collect() }
        } else if backlog > 0 {
            Why::Backlog { records: backlog }
        } else if let Some(step) = waiting {
            match step.watermark {
                EventTime::MIN => Why::NoWatermark { held },
                at => Why::Open { step: step.label.clone(), now: at, held },
            }
        } else {
            Why::Filtered { records: read(now).saturating_sub(read(then)) }
        }
    }

    /// Whether it is the same reason, at another moment.
    pub(super) fn is_like(&self, other: &Why) -> bool {
        let held = |why: &Why| match why {
            Why::NoWatermark { held } | Why::Open { held, .. } => {
                held.as_ref().map(|h| (h.by.clone(), h.quiet.is_some()))
            }
            _ => None,
        };
        std::mem::discriminant(self) == std::mem::discriminant(other) && held(self) == held(other)
    }
}

fn sources(metrics: &MetricsSnapshot) -> impl Iterator<Item = &OperatorSnapshotMetrics> {
    metrics.operators.iter().filter(|o| o.label == "source")
}

/// Records read so far.
pub(super) fn read(metrics: &MetricsSnapshot) -> u64 {
    sources(metrics).map(|o| o.totals.records_in).sum()
}

/// The watermark where results are made, if time plays a part in them.
pub(super) fn watermark(metrics: &MetricsSnapshot) -> Option<EventTime> {
    let timed = |o: &&OperatorSnapshotMetrics| {
        o.label == "watermark" || WAITING.contains(&o.label.as_str())
    };
    metrics.operators.iter().filter(timed).map(|o| o.watermark).min()
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Restarted { times: 1 } => f.write_str("the job has failed and is restarted"),
            Why::Restarted { times } => {
                write!(f, "the job has failed and been restarted {times} times")
            }
            Why::NoInput { sources } => match &sources[..] {
                [one] => write!(f, "source {one} has given no row"),
                all => write!(f, "none of the sources {} has given a row", all.join(", ")),
            },
            Why::Backlog { records } => {
                write!(f, "{} records wait for a slow step", units::count(*records))
            }
            Why::NoWatermark { held } => {
                f.write_str("there is no watermark yet")?;
                write_held(f, held.as_ref())
            }
            Why::Open { step, now, held } => {
                let what = match step.as_str() {
                    "over-aggregate" | "sort-by-time" => "rows wait for the watermark",
                    _ => "a window closes when the watermark passes its end",
                };
                write!(f, "{what}, now {}", clock(*now))?;
                write_held(f, held.as_ref())
            }
            Why::Filtered { records } => {
                write!(f, "{} rows were read and none has got through", units::count(*records))
            }
        }
    }
}

fn write_held(f: &mut fmt::Formatter<'_>, held: Option<&Held>) -> fmt::Result {
    let Some(Held { by, quiet }) = held else { return Ok(()) };
    write!(f, ", held by {by}")?;
    match quiet {
        Some(seconds) => {
            write!(f, " (nothing read for {seconds} s; set 'scan.watermark.idle-timeout')")
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater::{CheckpointStats, OperatorTotals};

    use super::*;

    fn step(name: &str, label: &str) -> OperatorSnapshotMetrics {
        OperatorSnapshotMetrics {
            name: name.to_owned(),
            label: label.to_owned(),
            totals: OperatorTotals::default(),
            restored: 0,
            busy: Duration::ZERO,
            blocked: Duration::ZERO,
            watermark: EventTime(1_700_000_000_250),
            state_entries: 0,
            state_bytes: 0,
            backlog: 0,
            measures: Vec::new(),
        }
    }

    fn job(labels: &[&str]) -> MetricsSnapshot {
        MetricsSnapshot {
            job: "q".to_owned(),
            workers: 1,
            uptime: Duration::ZERO,
            operators: labels.iter().map(|label| step(&format!("the {label}"), label)).collect(),
            checkpoints: CheckpointStats::default(),
            restarts: 0,
            recovery: Duration::ZERO,
            in_flight: 0,
        }
    }

    fn why(labels: &[&str], held: Option<Held>, change: impl Fn(&mut MetricsSnapshot)) -> String {
        let then = job(labels);
        let mut now = then.clone();
        now.operators[0].totals.records_in += 12_345;
        change(&mut now);
        Why::of(&then, &now, held).to_string()
    }

    fn held(quiet_since: Option<i64>) -> Option<Held> {
        let standing = SplitStanding {
            table: "lines".to_owned(),
            split: "2".to_owned(),
            watermark: EventTime(5),
            quiet_since: quiet_since.map(ProcessingTime),
        };
        Some(Held::of(&standing, ProcessingTime(50_000)))
    }

    #[test]
    fn the_first_reason_on_the_way_is_told() {
        let window = ["source", "watermark", "window-aggregate"];
        let plain = ["source", "calc"];
        for (expected, told) in [
            ("the job has failed and is restarted", why(&plain, None, |now| now.restarts = 1)),
            (
                "source the source has given no row",
                why(&plain, None, |now| now.operators[0].totals.records_in = 0),
            ),
            (
                "7 records wait for a slow step",
                why(&plain, None, |now| now.operators[1].backlog = 7),
            ),
            ("12 345 rows were read and none has got through", why(&plain, None, |_| ())),
            (
                "there is no watermark yet, held by split 2 of lines",
                why(&window, held(None), |now| now.operators[2].watermark = EventTime::MIN),
            ),
            (
                "a window closes when the watermark passes its end, now 22:13:20.250, held by split \
                 2 of lines (nothing read for 40 s; set 'scan.watermark.idle-timeout')",
                why(&window, held(Some(10_000)), |_| ()),
            ),
            (
                "rows wait for the watermark, now 22:13:20.250",
                why(&["source", "sort-by-time"], None, |_| ()),
            ),
        ] {
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn another_split_is_another_reason() {
        let open = |held| Why::Open { step: "window-aggregate".into(), now: EventTime(1), held };
        assert!(open(held(None)).is_like(&open(held(None))));
        assert!(!open(held(None)).is_like(&open(held(Some(0)))));
        assert!(!open(None).is_like(&open(held(None))));
        assert!(!open(None).is_like(&Why::Filtered { records: 1 }));
    }

    #[test]
    fn only_steps_of_time_have_a_watermark() {
        assert_eq!(watermark(&job(&["source", "calc"])), None);
        let mut window = job(&["source", "watermark", "window-aggregate"]);
        window.operators[2].watermark = EventTime(7);
        assert_eq!(watermark(&window), Some(EventTime(7)));
        assert_eq!(read(&window), 0);
    }
}

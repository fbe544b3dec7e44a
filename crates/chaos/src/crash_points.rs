//! Every named crash point, one after the other: the job dies there, restarts, finishes, is
//! verified.
//!
//! Points that a first start does not meet, or meets with nothing to do, are armed in a second
//! start, after a crash between manifest and commit: then there is an epoch to commit and something
//! staged to clean up.

use std::io;
use std::path::Path;
use std::time::Duration;

use headwater_checkpoint::CRASH_POINTS;

use crate::harness::finished;
use crate::job::SINKS;
use crate::process::{JobCommand, SIGABRT};
use crate::verifier::{Verdict, verify};

/// The crash points of the runtime, around each call of a committer.
pub const RUNTIME_POINTS: [&str; 4] =
    ["commit.before-sink", "commit.after-sink", "recover.before-sink", "recover.after-sink"];

/// Calls of committers in one epoch: the file sinks, and the dead letters.
const COMMITS: u64 = SINKS.len() as u64 + 1;
/// How long a process may take to get to its crash point, or to the end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A crash point and how it is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub name: &'static str,
    /// The process dies the so-many-th time it gets there.
    pub hit: u64,
    /// Whether it is armed in a second start, after a crash.
    pub in_recovery: bool,
}

/// Between manifest and commit of the fourth epoch, before the first sink.
pub fn before_commit() -> String {
    format!("commit.before-sink:{}", 3 * COMMITS + 1)
}

/// All crash points: of checkpoints, of the file sink, of the runtime.
pub fn points() -> Vec<Point> {
    let names = CRASH_POINTS.iter().chain(headwater_files::sink::STEPS).chain(&RUNTIME_POINTS);
    names
        .map(|name| {
            let step = name.split('.').next().unwrap_or_default();
            let in_recovery =
                matches!(step, "fence" | "orphans" | "recover") || *name == "files.before-cleanup";
            let hit = match step {
                "segment" | "manifest" | "latest" => 3,
                // In the middle of the sinks of an epoch.
                "commit" => 2 * COMMITS + 3,
                "recover" => 2,
                "files" if !in_recovery => 5,
                _ => 1,
            };
            Point { name, hit, in_recovery }
        })
        .collect()
}

/// Runs the job up to the point, restarts it without, and verifies what it has written at the end.
///
/// # Errors
/// The job does not die at the point, or does not finish afterwards.
pub fn run(command: &JobCommand, point: Point, rate: f64) -> io::Result<Verdict> {
    if point.in_recovery {
        crash_at(command, &before_commit(), rate)?;
    }
    crash_at(command, &format!("{}:{}", point.name, point.hit), rate)?;
    finish(command)
}

/// Starts the job and lets it die at a crash point.
///
/// # Errors
/// It does anything else.
pub fn crash_at(command: &JobCommand, point: &str, rate: f64) -> io::Result<()> {
    let ended = command.start(Some(rate), Some(point))?.wait(PATIENCE)?;
    match ended.by_signal(SIGABRT) {
        true => Ok(()),
        false => {
            let (status, log) = (ended.status, command.log_tail());
            let text = format!("the job did not die at {point:?}, but ended ({status})\n{log}");
            Err(io::Error::other(text))
        }
    }
}

/// Starts the job, lets it finish, and verifies.
///
/// # Errors
/// It does not finish, or its output cannot be read.
pub fn finish(command: &JobCommand) -> io::Result<Verdict> {
    let ended = command.start(None, None)?.wait(PATIENCE)?;
    let report = finished(command, ended)?;
    verify(&command.workload, &command.out(), &report)
}

/// Runs all points, each in a folder of its own under `dir`; `tell` gets each verdict.
///
/// # Errors
/// Like [`run`].
pub fn run_all(
    command: &JobCommand,
    points: &[Point],
    dir: &Path,
    rate: f64,
    tell: &mut dyn FnMut(Point, &Verdict),
) -> io::Result<u64> {
    let mut faults = 0;
    for point in points {
        let dir = dir.join(point.name);
        std::fs::create_dir_all(&dir)?;
        let verdict = run(&JobCommand { dir, ..command.clone() }, *point, rate)?;
        faults += verdict.faults();
        tell(*point, &verdict);
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_at_least_two_dozen_points_and_each_is_named_once() {
        let mut names: Vec<&str> = points().iter().map(|point| point.name).collect();
        assert!(names.len() >= 24, "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), points().len());
    }
}

//! Every named crash point, one after the other, in one job: it dies there, goes on, dies at the
//! next, and at the end its output is verified.

use std::io;

use headwater_checkpoint::CRASH_POINTS;

use super::arena::{Arena, Service, Setup};
use super::job::Form;
use super::verdict::Verdict;
use crate::crash_points::RUNTIME_POINTS;
use crate::process::SIGABRT;

/// The points of the sink that commits by marker.
const PER_SINK: [&str; 8] = [
    "kafka.start.before-fence",
    "kafka.start.after-fence",
    "kafka.settle.marker-read",
    "kafka.settle.before-commit",
    "kafka.settle.after-commit",
    "kafka.commit.before-marker",
    "kafka.commit.before-commit",
    "kafka.commit.after-commit",
];
/// The points of the transactions that hold everything.
const ONE_TRANSACTION: [&str; 6] = [
    "kafka.start.before-fence",
    "kafka.start.after-fence",
    "kafka.transaction.read",
    "kafka.transaction.before-changes",
    "kafka.transaction.before-commit",
    "kafka.transaction.after-commit",
];

/// A crash point, armed by the so-many-th time that the job gets there, and the crash that has to
/// come before, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub name: &'static str,
    /// The process dies the so-many-th time it gets there.
    pub hit: u64,
    /// Where it dies before, so that there is something to recover.
    pub after: Option<&'static str>,
}

/// The points that a job of this form meets.
pub fn points(form: Form) -> Vec<Point> {
    let own = match form {
        Form::PerSink => PER_SINK.iter().chain(&RUNTIME_POINTS),
        Form::OneTransaction => ONE_TRANSACTION.iter().chain(&[]),
    };
    let points = CRASH_POINTS.iter().chain(own).map(|&name| {
        let after = match name.split('.').next().unwrap_or_default() {
            "orphans" => Some("segment.after-write:2"),
            _ if name.starts_with("kafka.settle") => Some("commit.before-sink:1"),
            _ => None,
        };
        let hit = match name {
            _ if after.is_some() => 1,
            "segment.before-write" | "segment.after-write" => 2,
            "manifest.before-write" | "manifest.after-write" => 2,
            "commit.before-sink" | "commit.after-sink" => 4,
            "recover.before-sink" | "recover.after-sink" => 2,
            _ if name.starts_with("kafka.commit") => 4,
            "kafka.transaction.before-changes" => 12,
            "kafka.transaction.before-commit" | "kafka.transaction.after-commit" => 12,
            _ => 1,
        };
        Point { name, hit, after }
    });
    points.collect()
}

/// Runs them all; `tell` gets a line per point.
///
/// # Errors
/// The job does not die at a point.
pub fn run(setup: &Setup, service: &Service, tell: &mut dyn FnMut(&str)) -> io::Result<Verdict> {
    let (admin, bootstrap) = (service.broker.admin(), service.broker.bootstrap());
    let mut arena = Arena::new(setup.clone(), &admin, bootstrap)?;
    let points = points(setup.form);
    for Point { name, hit, after } in &points {
        if let Some(before) = after {
            crash_at(&mut arena, before)?;
        }
        crash_at(&mut arena, &format!("{name}:{hit}"))?;
        tell(&format!("{name:<34} hit"));
    }
    arena.start_job(None)?;
    tell(&format!("{} crash points hit", points.len()));
    arena.finish()
}

/// Starts the job and lets it die at a crash point.
///
/// # Errors
/// It does anything else.
pub fn crash_at(arena: &mut Arena, point: &str) -> io::Result<()> {
    arena.start_job(Some(point))?;
    let ended = arena.wait_for_job()?;
    match ended.by_signal(SIGABRT) {
        true => Ok(()),
        false => {
            let (status, log) = (ended.status, arena.command.log_tail());
            let text = format!("the job did not die at {point:?}, but ended ({status})\n{log}");
            Err(io::Error::other(text))
        }
    }
}

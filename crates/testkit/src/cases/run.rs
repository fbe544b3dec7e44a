//! Runs a case: as it is written, or with crashes and other batches added.

use headwater_core::{ProcessingTime, Result};
use headwater_topology::OperatorTotals;

use super::script::{Command, Place, Script, What};
use super::{CaseJob, Send, Take};
use crate::Driver;
use crate::driver::no_such;
use crate::lines::moment;

/// How a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    AsWritten,
    /// A crash after each line.
    Crashes,
    /// A checkpoint and a crash after each line.
    CheckpointsAndCrashes,
    /// Barriers, slow snapshots and crashes anywhere, by this seed.
    Anywhere(u64),
    /// That, and other batches.
    Batches(u64),
}

impl Mode {
    pub(super) const ALL: &'static [Mode] = &[
        Mode::Crashes,
        Mode::CheckpointsAndCrashes,
        Mode::Anywhere(1),
        Mode::Anywhere(2),
        Mode::Batches(1),
        Mode::Batches(2),
        Mode::Batches(3),
        Mode::Batches(4),
    ];
    pub(super) const CRASHES: &'static [Mode] = Self::ALL.split_at(4).0;

    /// Puts what the mode adds before what went wrong.
    pub(super) fn name(self, what: &str) -> String {
        let added = match self {
            Mode::AsWritten => return what.to_owned(),
            Mode::Crashes => "with a crash after each line".to_owned(),
            Mode::CheckpointsAndCrashes => "with a checkpoint and a crash after each line".into(),
            Mode::Anywhere(seed) => format!("with barriers and crashes (seed {seed})"),
            Mode::Batches(seed) => {
                format!("with other batches, barriers and crashes (seed {seed})")
            }
        };
        format!("{added}: {what}")
    }
}

/// What was found for each expectation; or the line at which something went wrong.
pub(super) fn run(
    script: &Script,
    job: &CaseJob,
    mode: Mode,
) -> std::result::Result<Vec<Vec<String>>, (usize, String)> {
    let start = ProcessingTime(script.start.millis());
    let driver = Driver::new(&job.build, start);
    let mut driver = driver.map_err(|e| (script.job_line, e.report()))?;
    match mode {
        Mode::Anywhere(seed) => driver.set_crashes(seed),
        Mode::Batches(seed) => driver.set_chaos(seed),
        Mode::AsWritten | Mode::Crashes | Mode::CheckpointsAndCrashes => {}
    }
    let mut found = Vec::new();
    let mut failed: Option<(usize, String)> = None;
    for step in &script.steps {
        if let Command::Expect(expected) = &step.command {
            let lines = match (&expected.what, failed.take()) {
                (What::Error, failure) => Ok(failure.into_iter().map(|(_, text)| text).collect()),
                (_, Some(failure)) => return Err(failure),
                (what, None) => look(&mut driver, job, what),
            };
            found.push(lines.map_err(|e| (step.line, e.report()))?);
            continue;
        }
        if let Some(failure) = failed.take() {
            return Err(failure);
        }
        let outcome =
            act(&mut driver, job, &step.command).and_then(|()| disturb(&mut driver, mode));
        failed = outcome.err().map(|e| (step.line, e.to_string()));
    }
    match failed {
        Some(failure) => Err(failure),
        None => nothing_left(&mut driver, script, job).map(|()| found),
    }
}

fn act(driver: &mut Driver, job: &CaseJob, command: &Command) -> Result<()> {
    match command {
        Command::Send { to: Place { source, split }, records } => {
            let send: &Send = registered("source", source, &job.sources)?;
            send(driver, source, split.as_deref(), records)
        }
        Command::Bad { to: Place { source, split }, record } => {
            let bad = headwater_connect::BadRecord {
                record: record.clone().into_bytes().into(),
                position: "case".into(),
                reason: "cannot be read".into(),
            };
            driver.send_bad(source, split.as_deref(), bad)
        }
        Command::Splits { source, splits } => {
            let splits: Vec<&str> = splits.iter().map(String::as_str).collect();
            driver.add_splits(source, &splits)
        }
        Command::Watermark { source, at } => driver.watermark(source.as_deref(), *at),
        Command::Idle(Place { source, split }) => driver.quiet(source, split.as_deref()),
        Command::Advance(duration) => driver.advance(*duration),
        Command::Barrier => driver.checkpoint(),
        Command::Crash { downtime: None } => driver.crash_and_restore(),
        Command::Crash { downtime: Some(downtime) } => driver.crash_and_restore_after(*downtime),
        Command::End(None) => driver.end_all(),
        Command::End(Some(Place { source, split: None })) => driver.end(source),
        Command::End(Some(Place { source, split: Some(split) })) => driver.end_split(source, split),
        Command::Expect(_) => Ok(()),
    }
}

fn disturb(driver: &mut Driver, mode: Mode) -> Result<()> {
    match mode {
        Mode::AsWritten | Mode::Anywhere(_) | Mode::Batches(_) => Ok(()),
        Mode::Crashes => driver.crash_and_restore(),
        Mode::CheckpointsAndCrashes => {
            driver.checkpoint()?;
            driver.crash_and_restore()
        }
    }
}

fn look(driver: &mut Driver, job: &CaseJob, what: &What) -> Result<Vec<String>> {
    match what {
        What::Sink(sink) => {
            let take: &Take = registered("sink", sink, &job.sinks)?;
            take(driver, sink)
        }
        What::Totals(step) => Ok(vec![totals(&driver.totals(step)?)]),
        What::Watermark(step) => Ok(vec![moment(driver.watermark_at(step)?)]),
        What::State(step) => driver.state(step),
        What::Timers(step) => driver.timers(step),
        What::Error => Ok(Vec::new()),
    }
}

fn nothing_left(
    driver: &mut Driver,
    script: &Script,
    job: &CaseJob,
) -> std::result::Result<(), (usize, String)> {
    let last = script.steps.last().map_or(0, |step| step.line);
    for (sink, take) in &job.sinks {
        let present = driver.topology().sinks().any(|(name, _)| name == sink);
        let left = if present { take(driver, sink) } else { Ok(Vec::new()) };
        let left = left.map_err(|e| (last, e.report()))?;
        if !left.is_empty() {
            let left = left.join("\n  + ");
            return Err((last, format!("nothing expects what is left in {sink:?}\n  + {left}")));
        }
    }
    Ok(())
}

fn registered<'a, T>(
    what: &str,
    name: &str,
    all: &'a std::collections::BTreeMap<String, T>,
) -> Result<&'a T> {
    all.get(name).ok_or_else(|| {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        no_such(what, name, &names).within("the type is not registered")
    })
}

/// The counters that are not 0.
fn totals(totals: &OperatorTotals) -> String {
    let OperatorTotals { records_in, records_out, filtered, late, .. } = totals;
    let OperatorTotals { dead_lettered, dropped, future, skipped, .. } = totals;
    let all = [
        ("in", records_in),
        ("out", records_out),
        ("filtered", filtered),
        ("late", late),
        ("dead_lettered", dead_lettered),
        ("dropped", dropped),
        ("future", future),
        ("skipped", skipped),
    ];
    let some = all.iter().filter(|(_, n)| **n > 0).map(|(name, n)| format!("{name}={n}"));
    some.collect::<Vec<_>>().join(" ")
}

//! Kills the job at random moments, restarts it at once, lets it finish and verifies.
//!
//! A kill comes 50 to 1,500 ms after the process has begun to read, or, every fifth time, within
//! the first 150 ms of the process, wherever it is in its recovery then. Between two kills the
//! output is looked at as a reader would: what is visible must stay as it is.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use headwater_connect::generator::SplitMix64;

use crate::history::Snapshot;
use crate::job::{SINKS, folder};
use crate::process::{Ended, JobCommand, Milestone, Running, SIGKILL};
use crate::verifier::{Verdict, verify};

/// How long a start may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the last, undisturbed run may take.
const LAST_RUN: Duration = Duration::from_secs(1_800);
/// One kill in so many comes early.
const EARLY: u64 = 5;

/// How often and when to kill.
#[derive(Clone, Debug)]
pub struct Chaos {
    /// The job.
    pub command: JobCommand,
    /// Number of kills.
    pub kills: u64,
    /// Chooses the moments.
    pub seed: u64,
    /// Records per second until the last kill; then as fast as possible.
    pub rate: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Kills that hit a running job.
    pub kills: u64,
    /// How many of them came early.
    pub early: u64,
    /// From each restart to the first record read.
    pub to_reading: Vec<Duration>,
    /// From each restart to the first new epoch made visible.
    pub to_output: Vec<Duration>,
    /// How long it all took, without verification.
    pub took: Duration,
    /// What the verifier found.
    pub verdict: Verdict,
}

impl Chaos {
    /// Runs it; `tell` gets a line per kill.
    ///
    /// # Errors
    /// The job cannot be started, fails by itself, or finishes before the last kill.
    pub fn run(&self, tell: &mut dyn FnMut(&str)) -> io::Result<Outcome> {
        let began = Instant::now();
        let mut rng = SplitMix64::new(self.seed);
        let (mut early_kills, mut to_reading, mut to_output) = (0, Vec::new(), Vec::new());
        let mut visible = self.visible()?;
        let mut changed = Vec::new();
        let mut note = |killed: u64, ended: &Ended| {
            if killed > 0 {
                to_reading.extend(ended.reached(Milestone::Reading));
                to_output.extend(ended.reached(Milestone::Committed));
            }
        };
        for kill in 0..self.kills {
            let early = rng.below(EARLY) == 0;
            let wait = if early { rng.below(150) } else { 50 + rng.below(1_450) };
            let wait = Duration::from_millis(wait);
            let ended = self.run_and_kill(kill, early, wait)?;
            early_kills += u64::from(early);
            note(kill, &ended);
            let now = self.visible()?;
            for ((before, after), sink) in visible.iter().zip(&now).zip(SINKS) {
                let faults = after.faults_since(before);
                changed.extend(faults.into_iter().map(|fault| format!("{sink}: {fault}")));
            }
            visible = now;
            let when = if early { "after the start" } else { "into reading" };
            tell(&format!("kill {:>4}  {:>5} ms {when}", kill + 1, wait.as_millis()));
        }
        let ended = self.command.start(None, None)?.wait(LAST_RUN)?;
        note(self.kills, &ended);
        let took = began.elapsed();
        let report = finished(&self.command, ended)?;
        let mut verdict = verify(&self.command.workload, &self.command.out(), &report)?;
        verdict.changed = changed;
        let kills = self.kills;
        Ok(Outcome { kills, early: early_kills, to_reading, to_output, took, verdict })
    }

    fn run_and_kill(&self, kill: u64, early: bool, wait: Duration) -> io::Result<Ended> {
        let mut running: Running = self.command.start(Some(self.rate), None)?;
        let reads = early || running.wait_for(Milestone::Reading, PATIENCE);
        if reads {
            std::thread::sleep(wait);
        }
        let by_itself = running.has_ended()?;
        let ended = running.kill()?;
        if ended.status.success() {
            let text = format!("the job finished before kill {}: give more --records", kill + 1);
            return Err(io::Error::other(text));
        }
        if by_itself || !reads || !ended.by_signal(SIGKILL) {
            return Err(failed(&self.command, &ended));
        }
        Ok(ended)
    }

    fn visible(&self) -> io::Result<Vec<Snapshot>> {
        let out = self.command.out();
        SINKS.iter().map(|sink| Snapshot::of(&folder(&out, sink))).collect()
    }
}

/// The counters of a job that must have finished.
///
/// # Errors
/// It has not; with the end of its log.
pub fn finished(command: &JobCommand, ended: Ended) -> io::Result<crate::metrics::FinalReport> {
    match ended.report {
        Some(report) => Ok(report),
        None => Err(failed(command, &ended)),
    }
}

fn failed(command: &JobCommand, ended: &Ended) -> io::Error {
    let status = ended.status;
    io::Error::other(format!("the job failed by itself ({status})\n{}", command.log_tail()))
}

/// The value that a share of the values does not exceed.
pub(crate) fn percentile(values: &[Duration], share: f64) -> Option<Duration> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { kills, early, took, .. } = self;
        writeln!(f, "{kills} kills ({early} of them during the start) in {took:.1?}")?;
        let recoveries = [
            ("first record read again", &self.to_reading),
            ("first new output visible", &self.to_output),
        ];
        for (what, values) in recoveries {
            let show = |share| match percentile(values, share) {
                Some(value) => format!("{} ms", value.as_millis()),
                None => "-".to_owned(),
            };
            let (p50, p99, most, n) = (show(0.5), show(0.99), show(1.0), values.len());
            writeln!(f, "restart to {what:<24}  p50 {p50}  p99 {p99}  max {most}  ({n} times)")?;
        }
        write!(f, "{}", self.verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let at = |share| percentile(&values, share).map(|d| d.as_millis());
        assert_eq!((at(0.5), at(0.99), at(1.0)), (Some(100), Some(198), Some(200)));
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&values[..1], 0.99), Some(Duration::from_millis(200)));
    }
}

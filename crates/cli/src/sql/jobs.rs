//! Jobs that write into tables: how far they are while they run, and what they did.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use headwater::cli::balance::written;
use headwater::cli::{terminal, units};
use headwater::{MetricsSnapshot, Outcome, StopMode};
use headwater_sql::session::Job;
use headwater_sql::session::evolution::Evolution;
use headwater_sql::splits::SplitBoard;

use super::shell::{Failed, Flow, Shell, count_rows};
use super::silence::{Silence, fold_words};
use super::why;
use crate::inline::{columns, dim, wrap};
use crate::status::{Pace, Status, now};

/// How often the status is drawn, and the end of the job looked for.
const TICK: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A status line on the standard error, where that is a terminal; and why nothing is written.
pub(super) struct Progress {
    shown: bool,
    quiet: bool,
    colour: bool,
    pace: Pace,
    silence: Silence,
    splits: SplitBoard,
    rows: u64,
    drawn: usize,
}

impl Progress {
    pub(super) fn new(quiet: bool, splits: SplitBoard) -> Progress {
        let stderr = std::io::stderr();
        let shown = !quiet && terminal::can_redraw(&stderr);
        let colour = stderr.is_terminal() && terminal::colour(&stderr);
        let (pace, silence) = (Pace::default(), Silence::default());
        Progress { shown, quiet, colour, pace, silence, splits, rows: 0, drawn: 0 }
    }

    /// Shows how far the job is.
    pub(super) fn draw(&mut self, metrics: &MetricsSnapshot) {
        let rows = written(metrics);
        if std::mem::replace(&mut self.rows, rows) != rows {
            self.silence.ends();
        }
        let news = self.silence.lasts(&self.splits, metrics);
        let why = self.silence.sentence(rows);
        if !self.shown {
            // In a log, a line for every pause would be no news.
            if let (true, false, 0, Some(why)) = (news, self.quiet, rows, why) {
                eprintln!("{why}");
            }
            return;
        }
        let (input, output) = self.pace.rates(why::read(metrics), rows);
        let status = Status {
            rows,
            watermark: why::watermark(metrics),
            now: now(),
            input_per_second: input,
            output_per_second: output,
            checkpoints: Some(metrics.checkpoints.clone()),
        };
        let width = columns();
        let mut lines = wrap(&status.line(), width);
        lines.extend(why.map(|why| fold_words(&why, width)).unwrap_or_default());
        self.clear();
        for line in &lines {
            eprintln!("{}", dim(line, self.colour));
        }
        self.drawn = lines.len();
    }

    /// Takes the line away: what follows comes in its place.
    pub(super) fn clear(&mut self) {
        if self.drawn > 0 {
            eprint!("\x1b[{}A\r\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }
}

/// What a job that goes on from a checkpoint does with its state; empty for all others.
pub(super) fn evolution(evolution: Option<&Evolution>) -> Vec<String> {
    let Some(Evolution { kept, new, lost }) = evolution else { return Vec::new() };
    // A job that is as it was needs no list.
    if new.is_empty() && lost.is_empty() {
        return Vec::new();
    }
    let line = |what: &str, steps: &[String]| {
        (!steps.is_empty()).then(|| format!("state {what}: {}", steps.join(", ")))
    };
    let lines = [line("kept", kept), line("new", new), line("left behind", lost)];
    lines.into_iter().flatten().collect()
}

/// Runs a job of the shell to its end; Ctrl-C stops it with a checkpoint.
pub(super) fn attend(
    shell: &mut Shell,
    mut job: Job,
    started: Instant,
    text: &str,
) -> Result<Flow, Failed> {
    for warning in &job.warnings {
        shell.tell(&format!("warning: {warning}"));
    }
    for line in evolution(job.evolution.as_ref()) {
        shell.tell(&line);
    }
    if shell.draws() {
        let until = if job.bounded { "its input ends, or Ctrl-C" } else { "Ctrl-C" };
        shell.tell(&format!("(job {}: writes {} until {until})", job.name, job.sinks.join(", ")));
    }
    let mut progress = Progress::new(shell.manner.quiet, job.splits.clone());
    let (mut asked, mut drawn) = (false, Instant::now());
    while !job.handle.is_ended() {
        let over = shell.manner.live_for.is_some_and(|most| started.elapsed() >= most);
        if !asked && (over || shell.interrupts.pressed()) {
            asked = true;
            job.handle.stop(StopMode::Checkpoint);
        }
        if drawn.elapsed() >= TICK {
            progress.draw(&job.handle.metrics());
            drawn = Instant::now();
        }
        std::thread::sleep(LOOK_EVERY);
    }
    progress.clear();
    let result = job.wait();
    shell.interrupts.clear();
    match result {
        Ok(outcome) => {
            let rows = count_rows(written(&job.handle.metrics()));
            let how = match outcome {
                Outcome::Finished { .. } => "written",
                Outcome::Stopped { .. } => "written, stopped",
            };
            let took = units::duration(started.elapsed());
            shell.tell(&format!("{rows} {how} · {took}"));
            Ok(Flow::Next)
        }
        Err(error) => Err(shell.failed(&error, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_state_is_told_where_a_job_has_changed() {
        let steps = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let mut changed = Evolution { kept: steps(&["a", "b"]), ..Evolution::default() };
        assert_eq!(evolution(None), [""; 0]);
        assert_eq!(evolution(Some(&changed)), [""; 0]);
        (changed.new, changed.lost) = (steps(&["c"]), steps(&["d"]));
        let lines = ["state kept: a, b", "state new: c", "state left behind: d"];
        assert_eq!(evolution(Some(&changed)), lines);
        (changed.kept, changed.lost) = (steps(&[]), steps(&[]));
        assert_eq!(evolution(Some(&changed)), ["state new: c"]);
    }
}

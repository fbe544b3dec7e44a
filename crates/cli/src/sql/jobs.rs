//! Jobs that write into tables: how far they are while they run, and what they did.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use headwater::cli::{terminal, units};
use headwater::{MetricsSnapshot, Outcome, StopMode};
use headwater_sql::session::Job;

use super::shell::{Failed, Flow, Shell, count_rows};
use super::why;
use crate::inline::{columns, dim, wrap};
use crate::status::{Pace, Status, now};

/// How often the status is drawn, and the end of the job looked for.
const TICK: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A status line on the standard error, where that is a terminal.
pub(super) struct Progress {
    shown: bool,
    colour: bool,
    pace: Pace,
    drawn: usize,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Progress {
        let stderr = std::io::stderr();
        let shown = !quiet && terminal::can_redraw(&stderr);
        let colour = stderr.is_terminal() && terminal::colour(&stderr);
        Progress { shown, colour, pace: Pace::default(), drawn: 0 }
    }

    /// Shows how far the job is.
    pub(super) fn draw(&mut self, metrics: &MetricsSnapshot) {
        if !self.shown {
            return;
        }
        let rows = written(metrics);
        let (input, output) = self.pace.rates(why::read(metrics), rows);
        let status = Status {
            rows,
            watermark: why::watermark(metrics),
            now: now(),
            input_per_second: input,
            output_per_second: output,
            checkpoints: Some(metrics.checkpoints.clone()),
        };
        let lines = wrap(&status.line(), columns());
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

/// Rows that sinks have taken.
pub(super) fn written(metrics: &MetricsSnapshot) -> u64 {
    let sinks = metrics
        .operators
        .iter()
        .filter(|o| o.label == "sink" && o.name != headwater_topology::DEAD_LETTERS);
    sinks
        .map(|o| o.totals.records_in.saturating_sub(o.totals.dead_lettered + o.totals.dropped))
        .sum()
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
    if shell.draws() {
        let until = if job.bounded { "its input ends, or Ctrl-C" } else { "Ctrl-C" };
        shell.tell(&format!("(job {}: writes {} until {until})", job.name, job.sinks.join(", ")));
    }
    let mut progress = Progress::new(shell.manner.quiet);
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

//! `headwater demo`: an endless auction, and its hottest lots, live.
//!
//! The events are those of the Nexmark benchmark at a steady rate, stamped with the present; the
//! job ([`job`]) counts bids per auction in windows and keeps the ten hottest auctions of each.
//! They are shown as a table that is drawn in place on a terminal, as lines or JSON lines elsewhere
//! ([`screen`]). When nothing comes out for three seconds it says why ([`why`]), and at the end it
//! accounts for every event ([`balance`]).

use std::sync::mpsc;
use std::time::{Duration, Instant};

use headwater::cli::args::JobArgs;
use headwater::cli::foreground::{Ended, Foreground};
use headwater::cli::units;
use headwater::{Error, Exit, MetricsSnapshot, Result, StopMode};

mod balance;
mod frame;
mod job;
mod resume;
mod screen;
mod why;

use balance::Balance;
use job::Ranking;
use screen::{Output, Screen};
use why::Why;

use crate::status::{Pace, Status, now};

/// How often the screen is drawn.
const TICK: Duration = Duration::from_millis(200);
/// After this long without a result the demo says why.
const SILENCE: Duration = Duration::from_secs(3);

/// How the demo is run and shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  headwater demo\n  headwater demo --for 10s --output json\n  \
    headwater demo --checkpoint-dir ./state    (stop it, start it again: it goes on)")]
pub(crate) struct DemoArgs {
    /// Events per second
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// A table (lines, where it is no terminal), or one JSON object per row
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    job: JobArgs,
}

/// Runs the demo until it is stopped.
///
/// # Errors
/// What is wrong with the flags or the checkpoint directory, or the failure that ended the job.
pub(crate) fn run(args: &DemoArgs, quiet: bool) -> Result<Exit> {
    let resumed = resume::events_before(args.job.checkpoint_dir.as_deref());
    let start = resume::first_event_time(now(), resumed.unwrap_or(0), args.rate);
    let (sender, rankings) = mpsc::channel();
    let topology = job::topology(args.rate, start, sender)?;
    let foreground = Foreground::start(topology, &args.job)?;
    if !quiet {
        eprintln!("{}", foreground.headline());
        if let Some(events) = resumed {
            eprintln!("going on after {} events", units::count(events));
        }
        eprintln!(
            "stop Ctrl-C   source: generated auction (Nexmark), {} events/s\n  \
             the hottest auctions: bids and top price over {}, every {}",
            units::count(u64::from(args.rate)),
            units::duration(job::SIZE),
            units::duration(job::SLIDE),
        );
    }
    let mut demo = Demo {
        screen: Screen::new(args.output, quiet),
        silence: None,
        told: None,
        pace: Pace::default(),
    };
    let ended = demo.attend(foreground, &rankings);
    demo.conclude(ended, quiet)
}

struct Demo {
    screen: Screen,
    /// When the last result came, or the demo started, and what the metrics were then.
    silence: Option<(Instant, MetricsSnapshot)>,
    /// The reason for silence that was told last.
    told: Option<Why>,
    pace: Pace,
}

impl Demo {
    /// Shows what the job gives until it ends.
    fn attend(&mut self, mut job: Foreground, rankings: &mpsc::Receiver<Ranking>) -> Ended {
        let (mut closed, mut stopping) = (false, false);
        loop {
            let ended = job.attend(TICK);
            let before = self.screen.rows();
            for ranking in rankings.try_iter() {
                if !closed && !self.screen.ranking(ranking) {
                    // Nobody reads the results any more.
                    closed = true;
                    job.stop(StopMode::Checkpoint);
                }
            }
            if job.is_interrupted() && !stopping {
                stopping = true;
                self.screen.note("stopping with a checkpoint; Ctrl-C again ends at once");
            }
            let metrics = job.metrics();
            self.explain_silence(&metrics, self.screen.rows() > before || stopping);
            if !closed {
                let status = status(&mut self.pace, &metrics, self.screen.rows());
                closed = !self.screen.draw(&status, self.told.as_ref());
                if closed {
                    job.stop(StopMode::Checkpoint);
                }
            }
            if ended {
                let ended = job.finish();
                rankings.try_iter().for_each(|ranking| {
                    closed = closed || !self.screen.ranking(ranking);
                });
                return ended;
            }
        }
    }

    /// Notes why nothing has come out for a while, and tells it whenever the reason changes.
    fn explain_silence(&mut self, metrics: &MetricsSnapshot, result: bool) {
        if result {
            (self.silence, self.told) = (None, None);
        }
        let (since, then) = self.silence.get_or_insert_with(|| (Instant::now(), metrics.clone()));
        if since.elapsed() < SILENCE {
            return;
        }
        let why = Why::of(then, metrics);
        if self.told.as_ref().is_none_or(|told| !told.is_like(&why)) {
            self.screen.explain(&why);
        }
        self.told = Some(why);
    }

    /// Says how the job ended and where all events went.
    fn conclude(&mut self, ended: Ended, quiet: bool) -> Result<Exit> {
        self.screen.close();
        let balance = Balance::of(&ended.metrics);
        if !quiet {
            eprintln!("{}\n{balance}", ended.summary());
        }
        ended.result?;
        if balance.missing() != 0 {
            let text = format!("{} events are not accounted for: {balance}", balance.missing());
            return Err(Error::internal(text));
        }
        if !quiet {
            eprintln!(
                "next: headwater demo --checkpoint-dir ./state   headwater checkpoint ls ./state"
            );
        }
        Ok(Exit::OK)
    }
}

/// The demo at this moment.
fn status(pace: &mut Pace, metrics: &MetricsSnapshot, rows: u64) -> Status {
    let totals = |name| metrics.operator(name).map(|o| o.totals).unwrap_or_default();
    let input = totals(job::SOURCE).records_in;
    let (input, output) = pace.rates(input, totals(job::WINDOW).records_out);
    Status {
        rows,
        watermark: Some(metrics.operator(job::WINDOW).map(|o| o.watermark).unwrap_or_default()),
        now: now(),
        input_per_second: input,
        output_per_second: output,
        checkpoints: Some(metrics.checkpoints.clone()),
    }
}

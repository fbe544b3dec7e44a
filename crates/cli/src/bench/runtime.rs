//! `headwater bench runtime`: throughput, latency and cost of the engine itself.
//!
//! | case | what is measured |
//! |---|---|
//! | `chain` | records a second through map, filter, map |
//! | `count`, `count-10m` | records a second through a running count of 10,000 and of 10 million keys |
//! | `latency` | from the end of a window to its results, at 1 million records a second |
//! | `checkpoint` | a checkpoint of 1,000 changed keys among 10 million |
//! | `checkpoint-latency` | latency while a checkpoint of 500 MB is taken |
//! | `idle` | memory and CPU time of a job that has nothing to do |
//! | `startup` | from the start of the process to its first output |
//! | `generator` | the Nexmark generator alone, without an engine |

mod checkpoint;
mod cost;
mod latency;
mod paced;
mod throughput;

use std::time::Duration;

use clap::ValueEnum;
use headwater::Result;

use super::RunArgs;
use super::report::{Figures, render};

/// What is asked for when nothing is.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Options of `headwater bench runtime`.
#[derive(Debug, clap::Args)]
pub(super) struct RuntimeArgs {
    /// What to measure
    #[arg(long, value_enum)]
    case: Case,
    /// How many records [default: depends on the case]
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    #[command(flatten)]
    run: RunArgs,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// Map, filter, map
    Chain,
    /// Running count of 10,000 keys
    Count,
    /// Running count of 10 million keys
    #[value(name = "count-10m")]
    Count10m,
    /// From a window's end to its results, at 1 million records a second
    Latency,
    /// 1,000 changed keys among 10 million
    Checkpoint,
    /// Latency while 500 MB are checkpointed
    CheckpointLatency,
    /// A job that has nothing to do
    Idle,
    /// From process start to first output
    Startup,
    /// The Nexmark generator without an engine
    Generator,
    /// A job that prints its first record and stops
    #[value(hide = true)]
    FirstOutput,
}

/// Runs the case and prints the figures.
pub(super) fn run(args: &RuntimeArgs) -> Result<()> {
    let figures = Figures::default()
        .add("case", args.case.to_possible_value().map(|v| v.get_name().to_owned()))
        .add("workers", Some(args.run.workers()));
    let figures = match args.case {
        Case::Chain => throughput::chain(args, figures)?,
        Case::Count => throughput::count(args, figures, 10_000, 100_000_000)?,
        Case::Count10m => throughput::count(args, figures, 10_000_000, 50_000_000)?,
        Case::Latency => latency::windows(args, figures)?,
        Case::Checkpoint => checkpoint::few_of_many(args, figures)?,
        Case::CheckpointLatency => checkpoint::under_load(args, figures)?,
        Case::Idle => cost::idle(args, figures)?,
        Case::Startup => cost::startup(args, figures)?,
        Case::Generator => throughput::generator_alone(args, figures)?,
        Case::FirstOutput => return cost::first_output(args),
    };
    print!("{}", render(&[figures], args.run.output));
    Ok(())
}

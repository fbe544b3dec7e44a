//! `headwater bench`: measures the engine on this machine.
//!
//! ```text
//! headwater bench nexmark --query q5      a query of the Nexmark suite, in process
//! headwater bench runtime --case latency  one property of the runtime
//! headwater bench kafka drain --job map   Kafka to Kafka, with a real broker
//! ```
//!
//! Each figure is of one run in a process of its own, so that memory and CPU time are those of the
//! run.
//!
//! What this does not do: compare with other systems; docs/performance.md does.

mod kafka;
mod measure;
mod nexmark;
mod process;
mod report;
mod runtime;

use std::path::PathBuf;
use std::time::Duration;

use headwater::prelude::*;

pub(crate) use report::Output;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, clap::Subcommand)]
enum BenchCommand {
    /// Run queries of the Nexmark suite
    Nexmark(nexmark::NexmarkArgs),
    /// Measure throughput, latency and cost of the runtime
    Runtime(runtime::RuntimeArgs),
    /// Measure jobs from Kafka to Kafka, with a real broker
    Kafka(kafka::KafkaArgs),
}

/// Runs what the arguments ask for and prints the figures to stdout.
///
/// # Errors
/// When a job cannot be started or fails; nothing is printed for it.
pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    match &args.command {
        BenchCommand::Nexmark(args) => nexmark::run(args),
        BenchCommand::Runtime(args) => runtime::run(args),
        BenchCommand::Kafka(args) => kafka::run(args),
    }
}

/// How the measured job is run.
#[derive(Clone, Debug, clap::Args)]
struct RunArgs {
    /// Worker threads [default: all cores]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Time from one checkpoint to the next; "none" for one at the end only [default: 10s for
    /// nexmark, 1s for runtime]
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    checkpoint_interval: Option<Interval>,
    /// Where checkpoints go [default: a temporary directory, removed afterwards]
    #[arg(long, value_name = "DIR")]
    checkpoint_dir: Option<PathBuf>,
    /// How the figures are printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval(Option<Duration>);

fn interval(text: &str) -> std::result::Result<Interval, String> {
    match text {
        "none" => Ok(Interval(None)),
        _ => humantime::parse_duration(text).map(|d| Interval(Some(d))).map_err(|e| e.to_string()),
    }
}

impl RunArgs {
    fn workers(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    fn interval(&self, default: Duration) -> Option<Duration> {
        self.checkpoint_interval.map_or(Some(default), |interval| interval.0)
    }

    /// The configuration of a job, and the directory that is to be kept while it runs.
    fn config(&self, interval: Option<Duration>) -> Result<(Config, Option<tempfile::TempDir>)> {
        let temporary = match &self.checkpoint_dir {
            Some(_) => None,
            None => Some(temporary_directory()?),
        };
        let given = self.checkpoint_dir.as_deref();
        let directory = given.or_else(|| temporary.as_ref().map(tempfile::TempDir::path));
        let checkpoints = CheckpointConfig {
            location: directory.map(|d| d.to_string_lossy().into_owned()),
            interval,
            ..CheckpointConfig::default()
        };
        // A restart would be measured as a slow run.
        let restart = RestartStrategy::None;
        let config = Config { workers: self.workers(), checkpoints, restart, ..Config::default() };
        Ok((config, temporary))
    }
}

fn temporary_directory() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("headwater-bench-").tempdir().map_err(|e| {
        Error::config("cannot create a temporary directory for checkpoints")
            .because(e)
            .hint("name one with --checkpoint-dir, or set TMPDIR")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_duration_or_none() {
        assert_eq!(interval("10s"), Ok(Interval(Some(Duration::from_secs(10)))));
        assert_eq!(interval("none"), Ok(Interval(None)));
        assert!(interval("often").is_err());
    }

    #[test]
    fn a_temporary_checkpoint_directory_goes_with_its_guard() {
        let args = RunArgs {
            workers: Some(3),
            checkpoint_interval: None,
            checkpoint_dir: None,
            output: Output::Json,
        };
        let (config, guard) = args.config(args.interval(Duration::from_secs(1))).unwrap();
        let directory = PathBuf::from(config.checkpoints.location.unwrap());
        assert!(directory.is_dir());
        assert_eq!(
            (config.workers, config.checkpoints.interval),
            (3, Some(Duration::from_secs(1)))
        );
        drop(guard);
        assert!(!directory.exists());
    }
}

//! The Kafka job that the chaos harness kills: runs until it is told to stop on stdin.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use headwater_chaos::kafka::job::{Form, JobOptions, Topics, job};
use headwater_chaos::kafka::plants::Plant;
use headwater_chaos::metrics::{Counters, FinalReport};
use headwater_core::{Error, Result};
use headwater_runtime::{
    CheckpointConfig, Config, ExactlyOnceConfig, ExactlyOnceForm, Outcome, RestartStrategy,
    StopMode, start,
};

/// Time between two checkpoints beside the transactions.
const BASE_INTERVAL: Duration = Duration::from_secs(1);

/// The Kafka job that the chaos harness kills.
#[derive(Parser)]
struct Args {
    /// Address of the broker.
    #[arg(long)]
    bootstrap: String,
    /// Name of the job.
    #[arg(long)]
    job: String,
    /// Topic of the input.
    #[arg(long)]
    input: String,
    /// Topic of the totals.
    #[arg(long)]
    totals: String,
    /// Topic of the windows.
    #[arg(long)]
    windows: String,
    /// How output becomes visible.
    #[arg(long)]
    form: Form,
    /// Time from one epoch to the next.
    #[arg(long, value_parser = humantime::parse_duration)]
    epoch: Duration,
    /// After which the broker aborts a transaction.
    #[arg(long, value_parser = humantime::parse_duration)]
    transaction_timeout: Duration,
    /// Worker threads.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Where checkpoints are kept.
    #[arg(long)]
    checkpoint_dir: PathBuf,
    /// A fault to build in.
    #[arg(long, hide = true)]
    plant: Option<Plant>,
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}", e.report());
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let topics =
        Topics { job: args.job, input: args.input, totals: args.totals, windows: args.windows };
    let (bootstrap, transaction_timeout) = (args.bootstrap, args.transaction_timeout);
    let options = JobOptions { bootstrap, topics, transaction_timeout, plant: args.plant };
    let topology = job(&options).build()?;
    let (form, interval) = match args.form {
        Form::PerSink => (ExactlyOnceForm::PerSink, args.epoch),
        Form::OneTransaction => (ExactlyOnceForm::Automatic, BASE_INTERVAL),
    };
    let config = Config {
        workers: args.workers,
        checkpoints: CheckpointConfig {
            location: Some(args.checkpoint_dir.to_string_lossy().into_owned()),
            interval: Some(interval),
            ..CheckpointConfig::default()
        },
        exactly_once: ExactlyOnceConfig { form, commit_interval: args.epoch },
        // As long as the broker is away: nobody is there to start it again.
        restart: RestartStrategy::ExponentialBackoff {
            initial: Duration::from_millis(50),
            max: Duration::from_secs(1),
            factor: 2.0,
            attempts: u32::MAX,
        },
        ..Config::default()
    };
    let mut handle = start(topology, config)?;
    let stopper = handle.stopper();
    std::thread::spawn(move || {
        // A line, or the end: the harness is gone.
        let _ = io::stdin().lock().lines().next();
        stopper.stop(StopMode::Checkpoint);
    });
    let outcome = handle.wait()?;
    let (Outcome::Stopped { epoch } | Outcome::Finished { epoch }) = outcome;
    let mut steps = BTreeMap::new();
    for step in &handle.metrics().operators {
        let t = step.totals;
        let counters = Counters {
            records_in: t.records_in,
            records_out: t.records_out,
            filtered: t.filtered,
            late: t.late,
            dead_lettered: t.dead_lettered,
            dropped: t.dropped,
        };
        steps.insert(step.name.clone(), counters);
    }
    let report = FinalReport { epoch: epoch.0, steps };
    let line = serde_json::to_string(&report)
        .map_err(|e| Error::internal("cannot encode the report").because(e))?;
    writeln!(io::stdout(), "{line}").map_err(|e| Error::connector("cannot print").because(e))
}

//! The job that the chaos harness kills: runs to its end, telling on stderr how far it has come.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use headwater_chaos::job::{JobOptions, SOURCE, job};
use headwater_chaos::metrics::{Counters, FinalReport};
use headwater_chaos::plants::Plant;
use headwater_chaos::process::{MARK, Milestone};
use headwater_chaos::workload::Workload;
use headwater_checkpoint::{Location, restore};
use headwater_core::{Error, Result};
use headwater_runtime::{
    CheckpointConfig, Config, MetricsSnapshot, Outcome, RestartStrategy, start,
};

/// The job that the chaos harness kills.
#[derive(Parser)]
struct Args {
    /// Number of records.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Splits of the generator.
    #[arg(long, default_value_t = 4)]
    splits: u64,
    /// Chooses the records.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Records per second; without it as fast as possible.
    #[arg(long)]
    rate: Option<f64>,
    /// Worker threads.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Where checkpoints are kept.
    #[arg(long)]
    checkpoint_dir: PathBuf,
    /// Time from one checkpoint to the next.
    #[arg(long, default_value = "200ms", value_parser = humantime::parse_duration)]
    checkpoint_interval: Duration,
    /// Where the output goes.
    #[arg(long)]
    out_dir: PathBuf,
    /// A fault to build in.
    #[arg(long, hide = true)]
    plant: Option<Plant>,
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}", e.report());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let Args { records, splits, seed, .. } = *args;
    std::fs::create_dir_all(&args.out_dir)
        .map_err(|e| Error::config("cannot create the output directory").because(e))?;
    let options = JobOptions {
        workload: Workload { records, splits, seed },
        out: args.out_dir.clone(),
        rate: args.rate,
        plant: args.plant,
    };
    let config = Config {
        workers: args.workers,
        checkpoints: CheckpointConfig {
            location: Some(args.checkpoint_dir.to_string_lossy().into_owned()),
            interval: Some(args.checkpoint_interval),
            ..CheckpointConfig::default()
        },
        // The harness restarts; a failure of the job's own must not go unnoticed.
        restart: RestartStrategy::None,
        ..Config::default()
    };
    let mut handle = start(job(&options).build()?, config)?;
    let mut watch = Watch::default();
    while !handle.is_ended() {
        watch.look(&handle.metrics());
        std::thread::sleep(Duration::from_millis(2));
    }
    let outcome = handle.wait()?;
    watch.look(&handle.metrics());
    let Outcome::Finished { epoch } = outcome else {
        return Err(Error::internal("the job was stopped by nobody"));
    };
    let report = FinalReport { epoch: epoch.0, steps: counters(args, &handle.metrics())? };
    let line = serde_json::to_string(&report)
        .map_err(|e| Error::internal("cannot encode the report").because(e))?;
    writeln!(io::stdout(), "{line}").map_err(|e| Error::connector("cannot print").because(e))
}

/// Tells the harness what has been reached, each once.
#[derive(Default)]
struct Watch {
    first: Option<u64>,
    reading: bool,
    committed: bool,
}

impl Watch {
    fn look(&mut self, metrics: &MetricsSnapshot) {
        let read = metrics.operator(SOURCE).map_or(0, |source| source.totals.records_in);
        // What a restored counter starts with has not been read by this process.
        if read > 0 && !self.reading && self.first.is_some_and(|first| read > first) {
            self.reading = true;
            eprintln!("{MARK}{}", Milestone::Reading);
        }
        if read > 0 {
            self.first.get_or_insert(read);
        }
        if metrics.checkpoints.completed > 0 && !self.committed {
            self.committed = true;
            eprintln!("{MARK}{}", Milestone::Committed);
        }
    }
}

/// The counters at the end; of a job that had finished before, those in its last checkpoint.
fn counters(args: &Args, metrics: &MetricsSnapshot) -> Result<BTreeMap<String, Counters>> {
    let mut steps = BTreeMap::new();
    for step in &metrics.operators {
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
    if steps.get(SOURCE).is_some_and(|source| source.records_in > 0) || args.records == 0 {
        return Ok(steps);
    }
    let restored = restore(&Location::open_existing(&args.checkpoint_dir.to_string_lossy())?)?;
    for (key, value) in restored.manifest.iter().flat_map(|m| &m.counters) {
        let Some((step, counter)) = key.rsplit_once('/') else { continue };
        let Some(of) = steps.get_mut(step) else { continue };
        match counter {
            "records_in" => of.records_in = *value,
            "records_out" => of.records_out = *value,
            "filtered" => of.filtered = *value,
            "late" => of.late = *value,
            "dead_lettered" => of.dead_lettered = *value,
            "dropped" => of.dropped = *value,
            _ => {}
        }
    }
    Ok(steps)
}

//! Records a second through a job that reads a topic to its end.
//!
//! The clock runs from the first read to the end of the job, when the last result is visible.

use headwater::kafka::{End, cluster};
use headwater::prelude::*;

use super::super::measure::Stopwatch;
use super::super::report::{Figures, render, rounded};
use super::super::{RunArgs, process};
use super::{BrokerArgs, GuaranteeArg, jobs, load};

/// Options of `headwater bench kafka drain`.
#[derive(Debug, clap::Args)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// What the job does
    #[arg(long, value_enum, default_value_t = DrainJob::Map)]
    job: DrainJob,
    /// What it promises
    #[arg(long, value_enum, default_value_t = GuaranteeArg::AtLeastOnce)]
    guarantee: GuaranteeArg,
    /// The topic to read; `headwater bench kafka fill` writes it
    #[arg(long, default_value = "bids")]
    input: String,
    /// The topic to write [default: a new one]
    #[arg(long)]
    out: Option<String>,
    #[command(flatten)]
    exactly_once: super::latency::ExactlyOnceArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What a draining job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum DrainJob {
    /// Filter and project
    Map,
    /// Count per auction in tumbling windows of 10 s
    Window,
}

/// Runs the job and prints the figures.
pub(super) fn run(args: &DrainArgs) -> Result<()> {
    let bootstrap = &args.broker.bootstrap;
    let output = args.out.clone().unwrap_or_else(|| load::fresh("drained"));
    load::make_topic(bootstrap, &output)?;
    let interval = args.run.interval(std::time::Duration::from_secs(2));
    let (mut config, _directory) = args.run.config(interval)?;
    args.exactly_once.apply(&mut config);
    let (cluster, stopwatch) = (cluster(bootstrap), Stopwatch::default());
    let source = cluster.source(args.input.as_str()).end(End::Latest);
    let source = stopwatch.source(jobs::values::<jobs::Bid>(source));
    let mut job = Job::new(output.clone());
    let guarantee = args.guarantee.guarantee();
    match args.job {
        DrainJob::Map => jobs::map(&mut job, source, &cluster, &output, guarantee),
        DrainJob::Window => jobs::window(&mut job, source, &cluster, &output, guarantee),
    }
    let mut handle = headwater::start(job.build()?, config)?;
    handle.wait()?;
    let elapsed = stopwatch.since_first_read().unwrap_or_default();
    let metrics = handle.metrics();
    let read = metrics.operator("bids").map_or(0, |o| o.totals.records_in);
    let written = metrics.operator("out").map_or(0, |o| o.totals.records_in);
    let figures = Figures::default()
        .add("job", Some(format!("{:?}", args.job).to_lowercase()))
        .add("guarantee", Some(args.guarantee.name()))
        .add("records", Some(read))
        .add("seconds", Some(rounded(elapsed.as_secs_f64())))
        .add("records_per_second", Some((read as f64 / elapsed.as_secs_f64()).round() as u64))
        .add("cpu_seconds", process::cpu_time().map(|cpu| rounded(cpu.as_secs_f64())))
        .add("peak_rss_bytes", process::peak_rss_bytes())
        .add("output_records", Some(written))
        .add("commits", Some(metrics.checkpoints.completed))
        .add("output_topic", Some(output));
    print!("{}", render(&[figures], args.run.output));
    Ok(())
}

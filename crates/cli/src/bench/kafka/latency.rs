//! From a producer through a job to a consumer; and the same without a job.

use std::io::BufRead;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use headwater::kafka::{Start, cluster};
use headwater::prelude::*;
use headwater::{ExactlyOnceForm, StopMode};

use super::super::report::{Figures, Output, render, rounded};
use super::super::{RunArgs, process};
use super::{BrokerArgs, GuaranteeArg, jobs, load};

/// Options of `headwater bench kafka latency`.
#[derive(Debug, clap::Args)]
pub(super) struct LatencyArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// What the job does
    #[arg(long, value_enum, default_value_t = LatencyJob::Map)]
    job: LatencyJob,
    /// What it promises
    #[arg(long, value_enum, default_value_t = GuaranteeArg::AtLeastOnce)]
    guarantee: GuaranteeArg,
    /// Run the job alone, from this topic, until Ctrl-C; for a load and meter of one's own
    #[arg(long, requires = "out")]
    input: Option<String>,
    /// With --input: the topic to write
    #[arg(long, requires = "input")]
    out: Option<String>,
    #[command(flatten)]
    load: load::Rate,
    #[command(flatten)]
    exactly_once: ExactlyOnceArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// Options of `headwater bench kafka floor`.
#[derive(Debug, clap::Args)]
pub(super) struct FloorArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Time from one commit to the next; without it the producer has no transactions
    #[arg(long, value_parser = humantime::parse_duration)]
    commit_interval: Option<Duration>,
    #[command(flatten)]
    load: load::Rate,
    /// How the figures are printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// How output becomes visible exactly once.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ExactlyOnceArgs {
    /// Time from one transaction to the next, when all is in one
    #[arg(long, default_value = "10ms", value_parser = humantime::parse_duration)]
    commit_interval: Duration,
    /// Commit per sink, with a marker, after each checkpoint
    #[arg(long)]
    per_sink: bool,
}

impl ExactlyOnceArgs {
    pub(super) fn apply(&self, config: &mut Config) {
        config.exactly_once.commit_interval = self.commit_interval;
        if self.per_sink {
            config.exactly_once.form = ExactlyOnceForm::PerSink;
        }
    }
}

/// What the job of a latency run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LatencyJob {
    /// Parse and write again
    Map,
    /// Running count per key, every update out
    Count,
}

/// Runs the job under load and prints the figures.
pub(super) fn run(args: &LatencyArgs) -> Result<()> {
    let bootstrap = &args.broker.bootstrap;
    let given = args.input.is_some();
    let fresh = |topic: &Option<String>, name| topic.clone().unwrap_or_else(|| load::fresh(name));
    let (input, output) = (fresh(&args.input, "latency-in"), fresh(&args.out, "latency-out"));
    load::make_topic(bootstrap, &input)?;
    load::make_topic(bootstrap, &output)?;
    let (mut config, _directory) = args.run.config(args.run.interval(Duration::from_secs(1)))?;
    args.exactly_once.apply(&mut config);
    let cluster = cluster(bootstrap);
    let source = jobs::values(cluster.source(input.as_str()).start(Start::Latest));
    let mut job = Job::new(output.clone());
    let guarantee = args.guarantee.guarantee();
    match args.job {
        LatencyJob::Map => jobs::pass(&mut job, source, &cluster, &output, guarantee),
        LatencyJob::Count => jobs::count(&mut job, source, &cluster, &output, guarantee),
    }
    let mut handle = headwater::start(job.build()?, config)?;
    if given {
        return handle.wait().map(drop);
    }
    let committed = args.guarantee == GuaranteeArg::ExactlyOnce;
    let mut load = args.load.start(bootstrap, &input, &output, committed, None)?;
    let mut lines = lines(&mut load)?;
    // The load says when it begins to measure, and when it has.
    lines.next_line()?;
    let before = process::cpu_time();
    let measured = lines.next_line()?;
    let cpu = process::cpu_time().zip(before).map(|(after, before)| after - before);
    let rss = process::rss_bytes();
    load.wait().map_err(|e| Error::internal("the load cannot be waited for").because(e))?;
    handle.stop(StopMode::Checkpoint);
    handle.wait()?;
    let cores = cpu.map(|cpu| cpu.as_secs_f64() / args.load.seconds().as_secs_f64());
    let figures = Figures::default()
        .add("job", Some(format!("{:?}", args.job).to_lowercase()))
        .add("guarantee", Some(args.guarantee.name()))
        .add("engine_cores", cores.map(rounded))
        .add("rss_bytes", rss)
        .add("commits", Some(handle.metrics().checkpoints.completed));
    print!("{}", render(&[load::figures(figures, &measured)?], args.run.output));
    Ok(())
}

/// The load without a job: the consumer reads what the producer writes.
pub(super) fn floor(args: &FloorArgs) -> Result<()> {
    let bootstrap = &args.broker.bootstrap;
    let topic = load::fresh("floor");
    load::make_topic(bootstrap, &topic)?;
    let committed = args.commit_interval.is_some();
    let mut load = args.load.start(bootstrap, &topic, &topic, committed, args.commit_interval)?;
    let mut lines = lines(&mut load)?;
    lines.next_line()?;
    let measured = lines.next_line()?;
    load.wait().map_err(|e| Error::internal("the load cannot be waited for").because(e))?;
    let interval = args.commit_interval.map(|i| i.as_secs_f64() * 1000.0);
    let figures = Figures::default().add("job", Some("floor")).add("commit_interval_ms", interval);
    print!("{}", render(&[load::figures(figures, &measured)?], args.output));
    Ok(())
}

struct Lines<R>(R);

fn lines(load: &mut Child) -> Result<Lines<impl BufRead + use<>>> {
    let out = load.stdout.take().ok_or_else(|| Error::internal("the load has no output"))?;
    Ok(Lines(std::io::BufReader::new(out)))
}

impl<R: BufRead> Lines<R> {
    fn next_line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        match read {
            Ok(n) if n > 0 => Ok(line),
            _ => Err(Error::internal("the load ended before it had measured")),
        }
    }
}

impl load::Rate {
    /// Starts load and meter in a process of their own.
    fn start(
        &self,
        bootstrap: &str,
        input: &str,
        output: &str,
        committed: bool,
        commit_interval: Option<Duration>,
    ) -> Result<Child> {
        let program = std::env::current_exe()
            .map_err(|e| Error::internal("cannot find this program").because(e))?;
        let mut command = Command::new(program);
        command.args(["bench", "kafka", "load", "--bootstrap", bootstrap]);
        command.args(["--to", input, "--from", output]).args(self.to_args());
        if committed {
            command.arg("--committed");
        }
        if let Some(interval) = commit_interval {
            command.args(["--commit-interval", &format!("{}us", interval.as_micros())]);
        }
        command.stdout(Stdio::piped()).stdin(Stdio::null());
        command.spawn().map_err(|e| Error::internal("cannot start the load").because(e))
    }
}

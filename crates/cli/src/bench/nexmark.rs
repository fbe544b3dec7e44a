//! `headwater bench nexmark`: the queries of the Nexmark suite on the typed API, or in SQL.
//!
//! The load is the generator of `headwater-connect` inside the job: as many splits as workers,
//! event time at 100,000 events a second, watermarks 4 s behind. Each query is a function from the
//! stream of events to the stream of its rows, in a file named after it; what a query does is said
//! there.
//!
//! Where a query updates earlier rows, the rows are an update stream: a row replaces the one before
//! with the same key. Every change is emitted at once, but for q15, which says so.
//!
//! What this does not do: write the rows anywhere. They are counted and dropped.

mod bid_statistics;
mod highest;
#[cfg(test)]
mod model;
mod q0_to_q2;
mod q11_and_q12;
mod q15;
mod q16;
mod q17;
mod q18;
mod q19;
mod q20;
mod q3;
mod q4;
mod q5;
mod q7;
mod q8;
mod q9;
mod sql;
mod winning_bid;

use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use headwater::connectors::Source;
use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

use super::RunArgs;
use super::measure::{Stopwatch, measure};
use super::report::{Figures, Output, render};

/// How far watermarks are behind the greatest event time of a split.
const WATERMARK_DELAY: Duration = secs(4);
/// What is asked for when nothing is: as the other engines were measured.
const CHECKPOINT_INTERVAL: Duration = secs(10);

/// Options of `headwater bench nexmark`.
#[derive(Debug, clap::Args)]
pub(super) struct NexmarkArgs {
    /// The query, or "all": each in a process of its own
    #[arg(long, value_enum, default_value_t = Query::All)]
    query: Query,
    /// Run the published SQL text of the query instead of the one on the typed API
    #[arg(long)]
    sql: bool,
    /// How many events are generated [default: depends on the query, 3 to 20 million]
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    #[command(flatten)]
    run: RunArgs,
}

/// A query of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Query {
    /// Pass the bids through
    Q0,
    /// Convert prices to another currency
    Q1,
    /// Bids in some auctions
    Q2,
    /// Who sells in three states
    Q3,
    /// Average closing price per category
    Q4,
    /// Hottest auctions
    Q5,
    /// Highest bids of the last 10 s
    Q7,
    /// New people who sell at once
    Q8,
    /// Winning bids
    Q9,
    /// Log bids to files; with --sql only
    Q10,
    /// Sessions of bidders
    Q11,
    /// Bids per bidder by processing time
    Q12,
    /// Calculations on some bids; with --sql only
    Q14,
    /// Statistics of bids per day
    Q15,
    /// Statistics of bids per channel and day
    Q16,
    /// Statistics of bids per auction and day
    Q17,
    /// Last bid of each bidder in each auction
    Q18,
    /// Ten highest bids of each auction
    Q19,
    /// Bids with their auctions, of one category
    Q20,
    /// Channel of each bid by its address; with --sql only
    Q21,
    /// Folders of each bid's address; with --sql only
    Q22,
    /// All of these
    All,
}

impl Query {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
    }

    /// The number of events that docs/performance.md measures with.
    fn default_events(self) -> u64 {
        let millions = match self {
            Query::Q0 | Query::Q1 | Query::Q2 => 20,
            Query::Q3 | Query::Q10 | Query::Q12 => 10,
            Query::Q14 | Query::Q22 => 15,
            Query::Q4 | Query::Q15 | Query::Q18 => 5,
            Query::Q5 | Query::Q11 | Query::Q20 => 6,
            Query::Q7 | Query::Q9 | Query::Q19 => 4,
            Query::Q8 | Query::Q21 => 12,
            Query::Q16 => 3,
            Query::Q17 => 8,
            Query::All => 0,
        };
        millions * 1_000_000
    }

    /// Whether there is a form of it to run: on the typed API, or in SQL.
    fn is_here(self, sql: bool) -> bool {
        let sql_only = matches!(self, Query::Q10 | Query::Q14 | Query::Q21 | Query::Q22);
        if sql { sql::has(&self.name()) } else { !sql_only && self != Query::All }
    }

    /// Adds the query and its sink to the job that `events` is of.
    fn add(self, events: &Stream<Event>, watch: &Stopwatch) {
        match self {
            Query::Q0 => q0_to_q2::q0(events).sink("rows", watch.sink()),
            Query::Q1 => q0_to_q2::q1(events).sink("rows", watch.sink()),
            Query::Q2 => q0_to_q2::q2(events).sink("rows", watch.sink()),
            Query::Q3 => q3::q3(events).sink("rows", watch.sink()),
            Query::Q4 => q4::q4(events).sink("rows", watch.sink()),
            Query::Q5 => q5::q5(events).sink("rows", watch.sink()),
            Query::Q7 => q7::q7(events).sink("rows", watch.sink()),
            Query::Q8 => q8::q8(events).sink("rows", watch.sink()),
            Query::Q9 => q9::q9(events).sink("rows", watch.sink()),
            Query::Q11 => q11_and_q12::q11(events).sink("rows", watch.sink()),
            Query::Q12 => q11_and_q12::q12(events).sink("rows", watch.sink()),
            Query::Q15 => q15::q15(events).sink("rows", watch.sink()),
            Query::Q16 => q16::q16(events).sink("rows", watch.sink()),
            Query::Q17 => q17::q17(events).sink("rows", watch.sink()),
            Query::Q18 => q18::q18(events).sink("rows", watch.sink()),
            Query::Q19 => q19::q19(events).sink("rows", watch.sink()),
            Query::Q20 => q20::q20(events).sink("rows", watch.sink()),
            Query::Q10 | Query::Q14 | Query::Q21 | Query::Q22 | Query::All => {}
        }
    }
}

/// Runs the query, or all of them, and prints the figures.
pub(super) fn run(args: &NexmarkArgs) -> Result<()> {
    let runs = match args.query {
        Query::All => all(args)?,
        query => vec![one(query, args)?],
    };
    // With JSON the children's lines have been printed as they came.
    if args.query != Query::All || args.run.output == Output::Table {
        print!("{}", render(&runs, args.run.output));
    }
    Ok(())
}

/// One query in this process.
fn one(query: Query, args: &NexmarkArgs) -> Result<Figures> {
    if !query.is_here(args.sql) {
        let (which, other) = if args.sql { ("SQL", "leave out") } else { ("typed", "add") };
        let error = Error::user(format!("there is no {which} form of {}", query.name()));
        return Err(error.hint(format!("{other} --sql")));
    }
    let count = args.events.unwrap_or_else(|| query.default_events());
    let interval = args.run.interval(CHECKPOINT_INTERVAL);
    let (config, _directory) = args.run.config(interval)?;
    if args.sql {
        return sql::run(&query.name(), count, config);
    }
    let (watch, mut job) = (Stopwatch::default(), Job::new(format!("nexmark {}", query.name())));
    let source = nexmark(NexmarkConfig::default()).events(count).splits(config.workers);
    query.add(&events(&mut job, watch.source(source)), &watch);
    let workers = config.workers;
    let run = measure(job, config, &watch)?;
    let figures = Figures::default()
        .add("query", Some(query.name()))
        .add("events", Some(count))
        .add("workers", Some(workers));
    Ok(run.figures(figures, count, "events_per_second"))
}

/// The stream of events with event time. A row that cannot be computed would be our bug, so it
/// fails the run.
fn events(job: &mut Job, source: impl Source<Record = Event>) -> Stream<Event> {
    job.source("events", source)
        .on_error(BadRecordPolicy::Fail)
        .event_time(Event::time, Watermarks::bounded(WATERMARK_DELAY))
}

/// All queries, each in a child process, so that memory and CPU time are its own.
fn all(args: &NexmarkArgs) -> Result<Vec<Figures>> {
    let mut runs = Vec::new();
    for query in Query::value_variants().iter().filter(|q| q.is_here(args.sql)) {
        let line = child(*query, args)?;
        if args.run.output == Output::Json {
            println!("{line}");
        } else {
            eprintln!("{} done", query.name());
        }
        let broken = || Error::internal(format!("the figures of {} are unreadable", query.name()));
        runs.push(Figures::from_json(&line, FIGURES).ok_or_else(broken)?);
    }
    Ok(runs)
}

/// The names of the figures of a run, in order.
const FIGURES: &[&str] = &[
    "query",
    "events",
    "workers",
    "seconds",
    "events_per_second",
    "total_seconds",
    "cpu_seconds",
    "peak_rss_bytes",
    "output_records",
    "checkpoints",
    "checkpoint_bytes",
];

/// Runs one query in a child process and returns its line of JSON.
fn child(query: Query, args: &NexmarkArgs) -> Result<String> {
    let failed = |e: std::io::Error| Error::internal("cannot run this program again").because(e);
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["bench", "nexmark", "--output", "json", "--query", &query.name()]);
    if args.sql {
        command.arg("--sql");
    }
    command.args(["--workers", &args.run.workers().to_string()]);
    if let Some(events) = args.events {
        command.args(["--events", &events.to_string()]);
    }
    let interval = args.run.interval(CHECKPOINT_INTERVAL);
    let interval = interval.map_or_else(|| "none".into(), |d| format!("{}ms", d.as_millis()));
    command.args(["--checkpoint-interval", &interval]);
    if let Some(directory) = &args.run.checkpoint_dir {
        // A directory belongs to one job.
        command.arg("--checkpoint-dir").arg(directory.join(query.name()));
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(failed)?;
    if !output.status.success() {
        return Err(Error::user(format!("{} failed: {}", query.name(), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

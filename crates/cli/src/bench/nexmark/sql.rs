//! The published SQL texts, as `headwater run` would run them.
//!
//! The clock runs from the INSERT to the end of the job: planning, start-up and the last checkpoint
//! are within.

use std::time::Instant;

use headwater::prelude::*;
use headwater_sql::nexmark::{self, Variables};
use headwater_sql::session::{Outcome, Session, SessionOptions};

use crate::bench::measure::Measurement;
use crate::bench::report::Figures;

/// Events per second of event time: as the typed queries have it, and as other engines were run.
const RATE: u64 = 100_000;

/// Whether the query has a text.
pub(super) fn has(query: &str) -> bool {
    nexmark::queries().any(|name| name == query)
}

/// Runs a query to its end.
///
/// # Errors
/// Those of the job; it is not restarted.
pub(super) fn run(query: &str, events: u64, config: Config) -> Result<Figures> {
    let folder = crate::bench::temporary_directory()?;
    let folder = folder.path().to_string_lossy().into_owned();
    let workers = config.workers;
    let variables = Variables { events, rate: RATE, splits: workers, folder };
    let options = SessionOptions { config, allow_unbounded_state: true, ..Default::default() };
    let mut session = Session::new(options).map_err(|e| failed(&e))?;
    session.settings_mut().set("execution.runtime-mode", "streaming").map_err(|e| failed(&e))?;
    session.execute(&nexmark::tables(&variables)).map_err(|e| failed(&e))?;
    let text = nexmark::query(query, &variables);
    let text = text.ok_or_else(|| Error::internal(format!("{query} has no text")))?;
    let begin = Instant::now();
    let outcomes = session.execute(&text).map_err(|e| failed(&e))?;
    let job = outcomes.into_iter().find_map(|outcome| match outcome {
        Outcome::Job(job) => Some(job),
        _ => None,
    });
    let mut job = job.ok_or_else(|| Error::internal(format!("{query} starts no job")))?;
    job.wait().map_err(|e| failed(&e))?;
    let elapsed = begin.elapsed();
    let metrics = job.handle.metrics();
    let written = metrics.operators.iter().filter(|o| o.label == "sink");
    let written: u64 = written.map(|o| o.totals.records_in).sum();
    let run = Measurement { elapsed, total: elapsed, written, metrics };
    let figures = Figures::default()
        .add("query", Some(query))
        .add("events", Some(events))
        .add("workers", Some(workers));
    Ok(run.figures(figures, events, "events_per_second"))
}

fn failed(error: &headwater_sql::error::SqlError) -> Error {
    Error::user(error.to_string())
}

//! `headwater run FILE.sql`: one job of a file's INSERTs, in the foreground.
//!
//! All other statements are run first, in their order; the INSERTs are one statement set, so they
//! share their sources. The job's name is that of the file unless `SET 'pipeline.name'` says
//! another; with `--checkpoint-dir` it goes on from its last checkpoint when it is run again.

use std::path::Path;
use std::time::Duration;

use headwater::cli::args::JobArgs;
use headwater::cli::foreground::Foreground;
use headwater::cli::{balance, terminal};
use headwater::{Epoch, Error, Exit, Result};
use headwater_checkpoint::{Location, inspect};
use headwater_sql::error::{Location as Place, Span, SqlError};
use headwater_sql::session::settings::{CHECKPOINT_DIR, JOB_NAME};
use headwater_sql::session::{Job, Outcome, Session, SessionOptions};
use headwater_sql::syntax::{Insert, Parsed, Statement, parse};

use super::files;
use super::jobs::{Progress, evolution};
use super::output::{Mode, Printer};
use super::shell::{Failed, exit, read_file};
use super::variables::Variables;

/// How often the status is drawn.
const TICK: Duration = Duration::from_millis(200);

/// The file, and how its job is run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  headwater run job.sql\n  \
    headwater run job.sql --checkpoint-dir ./state --workers 4    (run it again: it goes on)")]
pub(crate) struct RunFileArgs {
    /// The file with the statements; INSERT INTO, or EXECUTE STATEMENT SET, makes the job
    #[arg(value_name = "FILE.sql")]
    file: String,
    #[command(flatten)]
    variables: Variables,
    /// Run the job although it holds state that could never be freed
    #[arg(long)]
    allow_unbounded_state: bool,
    #[command(flatten)]
    job: JobArgs,
}

/// Runs the file's job to its end.
///
/// # Errors
/// What is wrong with the flags or the checkpoint directory, or the failure that ended the job.
pub(crate) fn run(args: &RunFileArgs, quiet: bool) -> Result<Exit> {
    let text = match read_file(&args.file) {
        Ok(text) => text,
        Err(Failed(exit)) => return Ok(exit),
    };
    let (text, started) = match args.variables.put_into(&text) {
        Err(e) => (text, Err(e)),
        Ok(text) => {
            let started = start(args, &text, quiet);
            (text, started)
        }
    };
    let started = match started {
        Ok(started) => started,
        Err(e) => {
            let colour = terminal::colour(&std::io::stderr());
            eprintln!("{}: {}", args.file, e.render(&text, colour));
            return Ok(exit(&e));
        }
    };
    let Some(Started { job, directory, from }) = started else {
        return Err(Error::config(format!("{} has no INSERT, so there is no job", args.file))
            .hint(
                "write INSERT INTO table SELECT …; or run its queries by: headwater sql -f FILE",
            ));
    };
    if !quiet {
        for warning in &job.warnings {
            eprintln!("warning: {warning}");
        }
        if let Some(epoch) = from {
            eprintln!("going on from checkpoint {epoch}");
        }
        for line in evolution(job.evolution.as_ref()) {
            eprintln!("{line}");
        }
    }
    let flags = JobArgs { checkpoint_dir: directory, ..args.job.clone() };
    let progress = Progress::new(quiet, job.splits);
    attend(Foreground::attach(job.name, job.handle, &flags)?, progress, quiet)
}

/// A job that was started.
struct Started {
    job: Job,
    /// Where its checkpoints are, by a SET of the text or by the flags.
    directory: Option<String>,
    /// The checkpoint that it goes on from.
    from: Option<Epoch>,
}

/// Runs all statements but the INSERTs, then those as one job.
fn start(
    args: &RunFileArgs,
    text: &str,
    quiet: bool,
) -> std::result::Result<Option<Started>, SqlError> {
    let statements = parse(text)?;
    let stem = Path::new(&args.file).file_stem();
    let mut session = Session::new(SessionOptions {
        config: args.job.config(),
        allow_unbounded_state: args.allow_unbounded_state,
        ..SessionOptions::default()
    })?;
    if let Some(stem) = stem {
        session.settings_mut().set(JOB_NAME, &stem.to_string_lossy())?;
    }
    files::declare(&mut session, text)?;
    let mut set: Vec<Insert> = Vec::new();
    let mut place = 0..0;
    for parsed in statements {
        let inserts = match &parsed.statement {
            Statement::Insert(insert) => vec![insert.clone()],
            Statement::StatementSet(inserts) => inserts.clone(),
            // Its rows are written by the job, like all others.
            Statement::CreateTableAs(table, query) => {
                session.create_table_to_fill(table, query)?.into_iter().collect()
            }
            Statement::Query(_) => return Err(no_query(text, parsed.span.start)),
            _ => {
                show(session.run(&parsed)?, quiet)?;
                continue;
            }
        };
        if set.is_empty() {
            place = parsed.span;
        }
        set.extend(inserts);
    }
    if set.is_empty() {
        return Ok(None);
    }
    let directory = session.settings().get(CHECKPOINT_DIR).map(str::to_owned);
    let directory = directory.or_else(|| args.job.checkpoint_dir.clone());
    let from = newest(directory.as_deref());
    let set = Parsed { statement: Statement::StatementSet(set), span: place };
    match session.run(&set)? {
        Outcome::Job(job) => Ok(Some(Started { job: *job, directory, from })),
        _ => Err(SqlError::internal("a statement set gave no job")),
    }
}

fn no_query(text: &str, at: usize) -> SqlError {
    let before = text.get(..at).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
    let line = before.matches('\n').count() as u64 + 1;
    let place = Span::new(Place::new(line, column), Place::new(line, column + 6));
    SqlError::unsupported("a SELECT by itself in `headwater run`")
        .at(place)
        .help("its rows have nowhere to go: INSERT INTO table SELECT …")
        .help("to look at rows: headwater sql -f FILE")
}

/// Shows what a statement that is no job gave.
fn show(outcome: Outcome, quiet: bool) -> std::result::Result<(), SqlError> {
    match outcome {
        Outcome::Done(said) if !quiet && !said.is_empty() => eprintln!("{said}"),
        Outcome::Done(_) => {}
        Outcome::Text(text) => _ = terminal::print(&format!("{}\n", text.trim_end())),
        Outcome::Rows(rows) => {
            let mode =
                if terminal::can_redraw(&std::io::stdout()) { Mode::Table } else { Mode::Json };
            let mut printer = Printer::whole(mode);
            for batch in &rows.batches {
                let text = printer.print(batch).map_err(|e| SqlError::internal(e.to_string()))?;
                terminal::print(&text);
            }
        }
        Outcome::Live(_) | Outcome::Job(_) => {
            return Err(SqlError::internal("a statement that is no query has begun to run"));
        }
    }
    Ok(())
}

/// The newest checkpoint in a directory, if there is one.
fn newest(directory: Option<&str>) -> Option<Epoch> {
    let location = Location::open_existing(directory?).ok()?;
    Some(inspect::show(&location, None).ok()?.manifest.epoch)
}

fn attend(mut job: Foreground, mut progress: Progress, quiet: bool) -> Result<Exit> {
    if !quiet {
        eprintln!("{}", job.headline());
    }
    let mut told = quiet;
    while !job.attend(TICK) {
        if job.is_interrupted() && !told {
            told = true;
            progress.clear();
            eprintln!("stopping with a checkpoint; Ctrl-C again ends at once");
        }
        progress.draw(&job.metrics());
    }
    progress.clear();
    let ended = job.finish();
    if !quiet {
        eprintln!("{}", ended.summary());
        for line in balance::lines(&ended.metrics) {
            eprintln!("{line}");
        }
    }
    ended.result.map(|_| Exit::OK)
}

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
use headwater::{Error, Exit, Result};
use headwater_checkpoint::{Location, inspect};
use headwater_sql::error::{Location as Place, Span, SqlError};
use headwater_sql::session::settings::JOB_NAME;
use headwater_sql::session::{Job, Outcome, Session, SessionOptions};
use headwater_sql::syntax::{Parsed, Statement, parse};

use super::files;
use super::jobs::Progress;
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
    let (text, job) = match args.variables.put_into(&text) {
        Err(e) => (text, Err(e)),
        Ok(text) => {
            let job = start(args, &text, quiet);
            (text, job)
        }
    };
    let job = match job {
        Ok(job) => job,
        Err(e) => {
            let colour = terminal::colour(&std::io::stderr());
            eprintln!("{}: {}", args.file, e.render(&text, colour));
            return Ok(exit(&e));
        }
    };
    let Some(job) = job else {
        return Err(Error::config(format!("{} has no INSERT, so there is no job", args.file))
            .hint(
                "write INSERT INTO table SELECT …; or run its queries by: headwater sql -f FILE",
            ));
    };
    if !quiet {
        for warning in &job.warnings {
            eprintln!("warning: {warning}");
        }
    }
    attend(Foreground::attach(job.name, job.handle, &args.job)?, quiet)
}

/// Runs all statements but the INSERTs, then those as one job.
fn start(
    args: &RunFileArgs,
    text: &str,
    quiet: bool,
) -> std::result::Result<Option<Job>, SqlError> {
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
    let mut set: Option<Parsed> = None;
    for parsed in statements {
        let inserts = match parsed.statement {
            Statement::Insert(insert) => vec![insert],
            Statement::StatementSet(inserts) => inserts,
            Statement::Query(_) => return Err(no_query(text, parsed.span.start)),
            _ => {
                let outcome = session.run(&parsed)?;
                if let Some(job) = show(outcome, quiet)? {
                    return Ok(Some(job));
                }
                continue;
            }
        };
        let begun = set.get_or_insert(Parsed {
            statement: Statement::StatementSet(Vec::new()),
            span: parsed.span,
        });
        if let Statement::StatementSet(all) = &mut begun.statement {
            all.extend(inserts);
        }
    }
    if let Some(set) = set {
        if !quiet {
            tell_where_it_goes_on(args.job.checkpoint_dir.as_deref());
        }
        return show(session.run(&set)?, quiet);
    }
    Ok(None)
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

/// Shows what a statement gave, unless it is a job.
fn show(outcome: Outcome, quiet: bool) -> std::result::Result<Option<Job>, SqlError> {
    match outcome {
        Outcome::Job(job) => return Ok(Some(*job)),
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
        Outcome::Live(_) => return Err(SqlError::internal("a statement gave a live query")),
    }
    Ok(None)
}

/// Says from which checkpoint the job goes on, if there is one.
fn tell_where_it_goes_on(directory: Option<&str>) {
    let newest = directory
        .and_then(|directory| Location::open_existing(directory).ok())
        .and_then(|location| inspect::show(&location, None).ok());
    if let Some(newest) = newest {
        eprintln!("going on from checkpoint {}", newest.manifest.epoch);
    }
}

fn attend(mut job: Foreground, quiet: bool) -> Result<Exit> {
    if !quiet {
        eprintln!("{}", job.headline());
    }
    let mut progress = Progress::new(quiet);
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

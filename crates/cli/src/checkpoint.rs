//! `headwater checkpoint`: looks into a checkpoint directory without running the job.
//!
//! `ls`, `show` and `verify` only read and may be used while the job runs; `repair` writes, and
//! only when told so twice.

use headwater::cli::terminal;
use headwater::{Error, Exit, Result};
use headwater_checkpoint::{JobFile, Location, inspect, job_log};
use serde_json::Value;

mod ls;
mod show;
mod verify;

/// What to do with which directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  headwater checkpoint ls ./state\n  \
    headwater checkpoint show ./state --seq 42 --output json\n  headwater checkpoint verify ./state")]
pub(crate) struct CheckpointArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the checkpoints of a job, newest first
    #[command(after_help = "Example:\n  headwater checkpoint ls ./state")]
    Ls(Place),
    /// Show what is in a checkpoint: states, positions, totals, files
    #[command(after_help = "Example:\n  headwater checkpoint show ./state --seq 42")]
    Show {
        #[command(flatten)]
        place: Place,
        /// Number of the checkpoint, as `ls` shows it [default: the newest]
        #[arg(long, value_name = "N")]
        seq: Option<u64>,
    },
    /// Read every file that a restore could need; exit code 4 if one is damaged
    #[command(after_help = "Example:\n  headwater checkpoint verify ./state && echo whole")]
    Verify(Place),
    /// Go on from the newest checkpoint that can be read, after files were lost
    #[command(after_help = "Example:\n  headwater checkpoint repair ./state --yes")]
    Repair {
        #[command(flatten)]
        place: Place,
        /// Do it: no process runs this job, and what is lost is lost
        #[arg(long)]
        yes: bool,
    },
}

/// A checkpoint directory, and how to print what is in it.
#[derive(Debug, clap::Args)]
struct Place {
    /// The directory given as --checkpoint-dir
    #[arg(value_name = "DIR")]
    directory: String,
    /// A table for people, or JSON
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// How things are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// One JSON document
    Json,
}

/// Runs the verb.
///
/// # Errors
/// Kind `Config` if there is no checkpoint there, `State` if it is damaged, or the storage's.
pub(crate) fn run(args: &CheckpointArgs, quiet: bool) -> Result<Exit> {
    match &args.verb {
        Verb::Ls(place) => {
            let location = place.open()?;
            let all = inspect::list(&location)?;
            place.print(|| ls::table(&all), || ls::json(&location, &all));
        }
        Verb::Show { place, seq } => {
            let detail = inspect::show(&place.open()?, *seq)?;
            place.print(|| show::text(&detail), || show::json(&detail));
        }
        Verb::Verify(place) => {
            let location = place.open()?;
            let report = verify::run(&location, quiet)?;
            place.print(|| verify::text(&report), || verify::json(&report));
            verify::judge(&location, &report)?;
        }
        Verb::Repair { place, yes } => repair(place, *yes)?,
    }
    Ok(Exit::OK)
}

impl Place {
    /// Opens the directory, which must have been one of a job.
    fn open(&self) -> Result<Location> {
        let location = Location::open_existing(&self.directory)?;
        // A damaged file is no reason to refuse: that is what the verbs look for.
        let no_job = matches!(JobFile::read(&location), Ok(None));
        if no_job && location.list("manifest")?.is_empty() && location.list("segments")?.is_empty()
        {
            return Err(Error::config(format!("there is no checkpoint in \"{location}\""))
                .hint("give the directory that a job had as --checkpoint-dir"));
        }
        Ok(location)
    }

    fn print(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) {
        terminal::print(&match self.output {
            Output::Table => text(),
            Output::Json => format!("{:#}\n", json()),
        });
    }
}

fn repair(place: &Place, yes: bool) -> Result<()> {
    let location = place.open()?;
    if !yes {
        let text = format!("repairing \"{location}\" points it to the newest readable checkpoint");
        return Err(Error::config(format!("{text}, and forgets what came after"))
            .hint("make sure that no process runs this job, then say it again with --yes"));
    }
    let seq = job_log::repair(&location)?;
    let text = || format!("the job goes on from checkpoint {seq}\n");
    place.print(text, || serde_json::json!({ "seq": seq }));
    Ok(())
}

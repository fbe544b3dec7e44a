//! A command line for jobs: what [`main()`] gives a user's binary, in parts that the `headwater`
//! command uses too.
//!
//! - [`args`]: the flags, and the [`Config`](crate::Config) they make;
//! - [`foreground`]: a job that Ctrl-C, `--for` and the metrics address act on;
//! - [`signals`]: Ctrl-C; [`balance`]: where all records went; [`terminal`] and [`units`]: how
//!   things are printed.
//!
//! Rules: results go to the standard output, everything else to the standard error; an error is one
//! sentence, its causes and what to do; the exit codes are those of [`Exit`].

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};
use headwater_api::Job;
use headwater_core::Result;
use headwater_topology::Topology;

use crate::exit::Exit;
use crate::run::finished;

pub mod args;
pub mod balance;
pub mod foreground;
pub mod signals;
pub mod terminal;
pub mod units;

use args::{Cli, ExplainArgs, ExplainFormat, RunArgs, Verb};
use foreground::Foreground;

/// The `main` of a program that is one job: parses the command line, then runs the job or explains
/// it.
///
/// `name` is the job's; its checkpoints carry it, so keep it when the program is renamed. Without a
/// verb the program runs the job. Installs a logger, a panic hook and a Ctrl-C handler: the
/// first Ctrl-C stops with a checkpoint, the second ends the process.
///
/// # Examples
/// ```no_run
/// use headwater::prelude::*;
///
/// fn squares(job: &mut Job) -> Result<()> {
///     job.source("numbers", generator(|n| n).limit(10)).map(|n| n * n).sink("out", console());
///     Ok(())
/// }
///
/// fn main() -> headwater::Exit {
///     headwater::main("squares", squares) // prog | prog run --workers 2 | prog explain
/// }
/// ```
pub fn main(name: &str, topology: impl FnOnce(&mut Job) -> Result<()>) -> Exit {
    main_from(std::env::args_os(), name, topology)
}

/// [`main()`] with given arguments, the first of which is the program's path.
pub fn main_from(
    args: impl IntoIterator<Item = OsString>,
    name: &str,
    topology: impl FnOnce(&mut Job) -> Result<()>,
) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let program = program_name(args.first());
    let cli = match parse(&program, args) {
        Ok(cli) => cli,
        Err(error) => return print_usage_error(&error),
    };
    set_panic_hook();
    let run = || {
        cli.log.init()?;
        let mut job = Job::new(name);
        topology(&mut job)?;
        match &cli.verb {
            Verb::Run(run) => run_job(finished(job)?, run, cli.log.quiet),
            Verb::Explain(explain) => Ok(explain_job(&job.build()?, explain)),
        }
    };
    run().unwrap_or_else(|error| Exit::report(&error))
}

/// Prints what clap says about wrong flags, or the help that was asked for, and gives the code.
pub fn print_usage_error(error: &clap::Error) -> Exit {
    // Nothing can be done about a closed output.
    let _ = error.print();
    if error.use_stderr() { Exit::USAGE } else { Exit::OK }
}

fn program_name(path: Option<&OsString>) -> String {
    let stem = path.and_then(|path| Path::new(path).file_stem());
    stem.map_or_else(|| "job".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn parse(program: &str, args: Vec<OsString>) -> std::result::Result<Cli, clap::Error> {
    let run = format!(
        "Examples:\n  {program} run --workers 2 --checkpoint-dir ./state\n  \
         {program} run --for 10s --metrics-address 127.0.0.1:9090"
    );
    let explain =
        format!("Examples:\n  {program} explain\n  {program} explain --format dot | dot -Tsvg");
    let mut command = Cli::command()
        .name(program.to_owned())
        .bin_name(program.to_owned())
        .mut_subcommand("run", |c| c.after_help(run))
        .mut_subcommand("explain", |c| c.after_help(explain));
    let matches = command.try_get_matches_from_mut(args::with_default_verb(args))?;
    Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut command))
}

/// Prints one line for a panic. In a worker the runtime makes a failed attempt of it.
pub fn set_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("no message").replace('\n', " ");
        let at = panic.location().map(|l| format!(" at {}:{}", l.file(), l.line()));
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        eprintln!("panic in thread {name:?}{}: {text}", at.unwrap_or_default());
    }));
}

fn explain_job(topology: &Topology, args: &ExplainArgs) -> Exit {
    let text = match args.format {
        ExplainFormat::Text => topology.describe(),
        ExplainFormat::Dot => topology.describe_dot(),
    };
    terminal::print(&text);
    Exit::OK
}

fn run_job(topology: Topology, args: &RunArgs, quiet: bool) -> Result<Exit> {
    let mut job = Foreground::start(topology, &args.job)?;
    if !quiet {
        eprintln!("{}", job.headline());
    }
    let mut told = quiet;
    while !job.attend(crate::time::millis(100)) {
        if job.is_interrupted() && !told {
            told = true;
            eprintln!("stopping with a checkpoint; Ctrl-C again ends at once");
        }
    }
    let ended = job.finish();
    if !quiet {
        eprintln!("{}", ended.summary());
        for line in balance::lines(&ended.metrics) {
            eprintln!("{line}");
        }
    }
    ended.result.map(|_| Exit::OK)
}

#[cfg(test)]
mod tests {
    use headwater_connect::{blackhole::blackhole, collect::collect, collection::collection};
    use headwater_core::Error;

    use super::*;

    fn args(args: &[&str]) -> Vec<OsString> {
        ["/opt/bin/squares"].iter().chain(args).map(OsString::from).collect()
    }

    #[test]
    fn a_job_runs_without_a_verb() {
        let out = collect::<u64>();
        let sink = out.clone();
        let exit = main_from(args(&["--workers", "2", "-q"]), "squares", move |job| {
            job.source("numbers", collection(vec![1u64, 2, 3])).map(|n| n * n).sink("out", sink);
            Ok(())
        });
        assert_eq!(exit, Exit::OK);
        assert_eq!(out.sorted(), [1, 4, 9]);
    }

    #[test]
    fn what_goes_wrong_decides_the_code() {
        let two_names = |job: &mut Job| {
            let numbers = job.source("numbers", collection(vec![1u64]));
            numbers.sink("out", blackhole());
            numbers.sink("out", blackhole());
            Ok(())
        };
        assert_eq!(main_from(args(&["explain"]), "squares", two_names), Exit::USAGE);
        assert_eq!(main_from(args(&["--wrong"]), "squares", two_names), Exit::USAGE);
        assert_eq!(main_from(args(&["--help"]), "squares", two_names), Exit::OK);
        let fails = |job: &mut Job| {
            let numbers = job.source("numbers", collection(vec![1u64]));
            numbers
                .on_error(headwater_core::BadRecordPolicy::Fail)
                .try_map(|_| Err::<u64, _>(Error::user("no")))
                .sink("out", blackhole());
            Ok(())
        };
        assert_eq!(
            main_from(args(&["run", "--restart", "none", "-q"]), "squares", fails),
            Exit::FAILED
        );
        let refused = |_: &mut Job| Err(Error::connector("cannot reach \"orders\""));
        assert_eq!(main_from(args(&[]), "squares", refused), Exit::UNREACHABLE);
    }

    #[test]
    fn help_teaches_by_example_and_names_the_program() {
        let help = parse("squares", args(&["run", "--help"])).map(|_| ()).unwrap_err().to_string();
        assert!(help.contains("Usage: squares run"), "{help}");
        assert!(help.contains("squares run --workers 2 --checkpoint-dir ./state"), "{help}");
        let wrong = parse("squares", args(&["explian"])).map(|_| ()).unwrap_err().to_string();
        assert!(wrong.contains("'explain'"), "{wrong}");
    }
}

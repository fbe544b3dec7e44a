//! The `headwater` command: a demo to start with, SQL, tools for checkpoint directories,
//! measurements.
//!
//! A verb is a module with its arguments and a `run`; this file only dispatches. Results go to the
//! standard output, all else to the standard error; exit codes are those of [`headwater::Exit`].

use std::process::ExitCode;

use clap::Parser;
use headwater::cli::args::LogArgs;
use headwater::{Exit, Result};

mod bench;
mod checkpoint;
mod completions;
mod demo;
mod inline;
mod sql;
mod status;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Headwater, a stream processor.
#[derive(Debug, Parser)]
#[command(
    name = "headwater",
    version,
    after_help = "Examples:\n  headwater demo\n  headwater sql\n  headwater run job.sql\n  \
        headwater checkpoint ls ./state"
)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show a live stream of auctions at work: no input, no configuration
    Demo(demo::DemoArgs),
    /// Type SQL and see rows: over files, topics and generated tables
    Sql(sql::SqlArgs),
    /// Run the INSERTs of a file as a job
    Run(sql::run::RunFileArgs),
    /// Plan the statements of a file and run none
    Check(sql::CheckArgs),
    /// List connectors, and show the options of their tables
    Connectors(sql::connectors::ConnectorsArgs),
    /// Explain the code of an error
    Error(sql::ErrorArgs),
    /// Look into a checkpoint directory: ls, show, verify, repair
    Checkpoint(checkpoint::CheckpointArgs),
    /// Measure the engine on this machine
    Bench(bench::BenchArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
}

fn main() -> ExitCode {
    let exit = match Cli::try_parse() {
        Ok(cli) => {
            headwater::cli::set_panic_hook();
            dispatch(&cli).unwrap_or_else(|error| Exit::report(&error))
        }
        Err(error) => headwater::cli::print_usage_error(&error),
    };
    ExitCode::from(exit.code())
}

fn dispatch(cli: &Cli) -> Result<Exit> {
    cli.log.init()?;
    match &cli.command {
        Command::Demo(args) => demo::run(args, cli.log.quiet),
        Command::Sql(args) => sql::run(args, cli.log.quiet),
        Command::Run(args) => sql::run::run(args, cli.log.quiet),
        Command::Check(args) => sql::check(args, cli.log.quiet),
        Command::Connectors(args) => sql::connectors::run(args),
        Command::Error(args) => sql::explain(args),
        Command::Checkpoint(args) => checkpoint::run(args, cli.log.quiet),
        Command::Bench(args) => bench::run(args).map(|()| Exit::OK),
        Command::Completions(args) => Ok(completions::run(args)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}

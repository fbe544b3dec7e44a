//! The `headwater` command: a demo to start with, tools for checkpoint directories, measurements.
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

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Headwater, a stream processor.
#[derive(Debug, Parser)]
#[command(
    name = "headwater",
    version,
    after_help = "Examples:\n  headwater demo\n  headwater checkpoint ls ./state"
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

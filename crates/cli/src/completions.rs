//! `headwater completions SHELL`: what a shell needs to complete the command's verbs and flags.

use clap::CommandFactory;
use clap_complete::Shell;
use headwater::Exit;
use headwater::cli::terminal;

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headwater completions bash > \
    ~/.local/share/bash-completion/completions/headwater")]
pub(crate) struct CompletionsArgs {
    /// The shell to write completions for
    shell: Shell,
}

/// Prints the script for the shell.
pub(crate) fn run(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "headwater", &mut script);
    terminal::print(&String::from_utf8_lossy(&script));
    Exit::OK
}

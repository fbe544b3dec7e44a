//! The `headwater` command from outside: what it prints where, and how it exits.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]
use std::path::Path;
use std::process::{Command, Output, Stdio};

mod checkpoint;
mod demo;
mod jobs;
mod nexmark_model;
mod nexmark_sql;
#[cfg(unix)]
mod quickstart;
#[cfg(unix)]
mod shell;
mod sql;
#[cfg(unix)]
mod terminal;
mod usage;

/// The command, in a directory of its own, deaf to the environment's settings.
fn headwater(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.current_dir(directory).args(args).stdin(Stdio::null());
    for name in ["HEADWATER_LOG", "HEADWATER_WORKERS", "HEADWATER_CHECKPOINT_DIR", "CLICOLOR_FORCE"]
    {
        command.env_remove(name);
    }
    command.env_remove("HEADWATER_METRICS_ADDRESS");
    command
}

fn run(directory: &Path, args: &[&str]) -> Output {
    headwater(directory, args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The numbers of the balance line, by name; with the check that both sides are equal.
fn balance(stderr: &str) -> Vec<(String, u64)> {
    let line = stderr.lines().find(|l| l.starts_with("in ")).unwrap_or_else(|| panic!("{stderr}"));
    let term = |term: &str| {
        let at = term.find(|c: char| c.is_ascii_digit()).unwrap();
        let (name, number) = term.split_at(at);
        (name.trim().to_owned(), number.replace(' ', "").parse().unwrap())
    };
    let terms: Vec<(String, u64)> = line.split(['=', '+']).map(|t| term(t.trim())).collect();
    assert_eq!(terms[0].1, terms[1..].iter().map(|(_, n)| n).sum::<u64>(), "{line}");
    terms
}

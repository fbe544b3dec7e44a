//! The repository's one door: `cargo xtask test`, `ci`, `tidy`, `chaos`, `docs`, `bench`,
//! `services`.
//!
//! Needs nothing but Cargo and depends on no crate, so that it builds in a second. CI runs exactly
//! `cargo xtask ci`.
//!
//! What it does not do: pin a build directory; `CARGO_TARGET_DIR` holds for everything it starts.

use std::path::PathBuf;
use std::process::ExitCode;

mod chores;
mod disk;
mod process;
mod steps;
mod tidy;

const HELP: &str = "\
cargo xtask COMMAND

  test [--slow]     format, clippy, tidy, all tests and doc tests; --slow runs their long forms too
  ci                test, then the documentation and a short chaos run; what CI runs
  tidy              the rules of this repository that no other tool checks
  chaos [OPTIONS]   kills a running job again and again, then verifies its output
                    (--kills N, --crash-points, --help for the rest; --release builds it so)
  chaos kafka [OPTIONS]   the same from Kafka to Kafka, with faults of the broker
                    (--broker-kills N, --outages N, --late-commits N, --form F, --help)
  docs              builds the documentation; warnings are errors
  bench [ARGS]      `headwater bench ARGS`, built for release
  services COMMAND  what tests use when it is there: up kafka, down kafka, kill kafka, status kafka
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let root = root();
    let outcome = match (command, rest) {
        ("test", []) => steps::test(&root, false),
        ("test", [slow]) if slow == "--slow" => steps::test(&root, true),
        ("ci", []) => steps::ci(&root),
        ("tidy", []) => chores::tidy(&root),
        ("chaos", options) => chores::chaos(&root, options),
        ("docs", []) => chores::docs(&root),
        ("bench", arguments) => chores::bench(&root, arguments),
        ("services", arguments) => chores::services(&root, arguments),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprintln!("error: cannot make sense of `{}`\n\n{HELP}", args.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            if !message.is_empty() {
                eprintln!("error: {message}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The checkout: Cargo says at run time where this package is, so a shared build directory is fine.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let parent = package.and_then(|dir| dir.parent().map(PathBuf::from));
    parent.unwrap_or_else(|| PathBuf::from("."))
}

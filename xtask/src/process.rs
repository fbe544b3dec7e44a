//! Starting Cargo and other programs, and counting the tests they report.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tests that a run reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Test programs that reported.
    pub programs: u64,
}

impl Counted {
    /// Takes in one line of output: the summary of a test program counts, anything else does not.
    fn take(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let number = |what: &str| {
            let part = result.split([';', '.']).find(|part| part.trim_end().ends_with(what))?;
            part.split_whitespace().next()?.parse::<u64>().ok()
        };
        if let (Some(passed), Some(failed)) = (number(" passed"), number(" failed")) {
            self.passed += passed;
            self.failed += failed;
            self.programs += 1;
        }
    }

    /// Both together.
    pub fn and(self, other: Counted) -> Counted {
        Counted {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            programs: self.programs + other.programs,
        }
    }
}

/// `cargo ARGS`, to be run in the checkout.
pub fn cargo<S: AsRef<OsStr>>(root: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root).args(args);
    command
}

/// Where Cargo builds: `CARGO_TARGET_DIR`, or `target` in the checkout.
pub fn target_dir(root: &Path) -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    given.map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started, or it says that it failed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", show(command)))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} failed ({status})", show(command))),
    }
}

/// Runs a program to its end, passing its output on and counting the tests in it.
///
/// # Errors
/// Like [`run`]; the count is given in any case.
pub fn run_counting(command: &mut Command) -> (Counted, Result<(), String>) {
    let mut counted = Counted::default();
    let outcome = (|| {
        let spawned = command.stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|e| format!("cannot start {}: {e}", show(command)))?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                let line = line.map_err(|e| format!("cannot read the output of cargo: {e}"))?;
                counted.take(&line);
                println!("{line}");
            }
        }
        let status = child.wait().map_err(|e| format!("cannot wait for cargo: {e}"))?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("{} failed ({status})", show(command))),
        }
    })();
    (counted, outcome)
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_summaries_are_counted() {
        let mut counted = Counted::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "the test result: ok. 5 passed; 0 failed",
        ] {
            counted.take(line);
        }
        assert_eq!(counted, Counted { passed: 15, failed: 2, programs: 2 });
        assert_eq!(counted.and(counted).passed, 30);
    }

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        assert_eq!(run(&mut Command::new("true")), Ok(()));
        assert!(run(&mut Command::new("false")).unwrap_err().starts_with("false failed"));
        assert!(run(&mut Command::new("no-such-program-here")).unwrap_err().contains("start"));
        let mut echo = Command::new("echo");
        echo.arg("test result: ok. 1 passed; 0 failed; 0 ignored");
        assert_eq!(
            run_counting(&mut echo),
            (Counted { passed: 1, failed: 0, programs: 1 }, Ok(()))
        );
    }
}

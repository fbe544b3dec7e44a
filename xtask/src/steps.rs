//! `test` and `ci`: steps one after the other, all of them even when one fails, with their times.
//!
//! The last line is `N passed, N failed`, and it is there only when test programs really reported
//! their counts; when nothing could be built, Cargo's own lines stand.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Counted, cargo, run, run_counting, target_dir};
use crate::{chores, disk};

/// The variable that asks tests for their long forms.
const SLOW_VAR: &str = "HEADWATER_SLOW_TESTS";
/// Kills in the chaos run of `ci`.
const SHORT_CHAOS: [&str; 2] = ["--kills", "5"];
/// The same from Kafka to Kafka, in each form of exactly once.
const SHORT_KAFKA_CHAOS: [&str; 8] =
    ["--kills", "3", "--broker-kills", "1", "--late-commits", "1", "--rate", "4000"];

#[derive(Default)]
struct Steps {
    done: Vec<(&'static str, Duration, Result<(), String>)>,
    counted: Counted,
}

impl Steps {
    fn step(&mut self, name: &'static str, f: impl FnOnce(&mut Counted) -> Result<(), String>) {
        println!("--- {name}");
        let since = Instant::now();
        let outcome = f(&mut self.counted);
        if let Err(message) = &outcome {
            eprintln!("{name}: {message}");
        }
        self.done.push((name, since.elapsed(), outcome));
    }

    /// The table of steps and times, and the count as last line.
    fn report(&self) -> String {
        let mut text = String::from("\n");
        for (name, took, outcome) in &self.done {
            let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
            text.push_str(&format!("{name:<11} {:>8.1} s  {verdict}\n", took.as_secs_f64()));
        }
        let Counted { passed, failed, programs } = self.counted;
        if programs > 0 {
            text.push_str(&format!("{passed} passed, {failed} failed\n"));
        }
        text
    }

    fn finish(self, root: &Path) -> Result<(), String> {
        let all_well = self.done.iter().all(|(_, _, outcome)| outcome.is_ok());
        if !all_well && let Some(reason) = disk::after_failure(&target_dir(root)) {
            eprintln!("disk: {reason}");
        }
        print!("{}", self.report());
        // What failed is in the table already.
        if all_well { Ok(()) } else { Err(String::new()) }
    }
}

fn tests(root: &Path, slow: bool, steps: &mut Steps) {
    if let Some(warning) = disk::before(&target_dir(root)) {
        eprintln!("disk: {warning}");
    }
    steps.step("format", |_| run(&mut cargo(root, ["fmt", "--all", "--check"])));
    steps.step("clippy", |_| {
        let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run(&mut cargo(root, args))
    });
    steps.step("tidy", |_| chores::tidy(root));
    let counting = |args: &[&str], counted: &mut Counted| {
        let mut command = cargo(root, ["test", "--workspace", "--no-fail-fast"]);
        command.args(args);
        if slow {
            command.env(SLOW_VAR, "1");
        }
        let (more, outcome) = run_counting(&mut command);
        *counted = counted.and(more);
        outcome
    };
    steps.step("tests", |c| counting(&["--lib", "--bins", "--tests", "--examples"], c));
    steps.step("doc tests", |c| counting(&["--doc"], c));
}

/// Everything that must hold before a change is handed in.
///
/// # Errors
/// A step failed; which one is printed.
pub fn test(root: &Path, slow: bool) -> Result<(), String> {
    let mut steps = Steps::default();
    tests(root, slow, &mut steps);
    steps.finish(root)
}

/// The tests, the documentation, and a short chaos run.
///
/// # Errors
/// A step failed; which one is printed.
pub fn ci(root: &Path) -> Result<(), String> {
    let mut steps = Steps::default();
    tests(root, false, &mut steps);
    let built = steps.done.iter().all(|(name, _, outcome)| *name != "tests" || outcome.is_ok());
    steps.step("docs", |_| chores::docs(root));
    let mut chaos = |name, program, options: &[&str]| {
        steps.step(name, |_| {
            if !built {
                return Err("left out, as the tests failed".to_owned());
            }
            let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
            chores::run_chaos(root, "debug", program, &options)
        });
    };
    chaos("chaos", "chaos", &SHORT_CHAOS);
    chaos("kafka chaos", "chaos-kafka", &SHORT_KAFKA_CHAOS);
    steps.finish(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_last_line_and_only_there_when_something_was_counted() {
        let mut steps = Steps::default();
        steps.step("format", |_| Err("bad".to_owned()));
        assert!(steps.report().trim_end().ends_with("FAILED"));
        steps.step("tests", |counted| {
            *counted = Counted { passed: 7, failed: 0, programs: 2 };
            Ok(())
        });
        assert!(steps.report().ends_with("ok\n7 passed, 0 failed\n"));
        assert_eq!(steps.finish(Path::new(".")), Err(String::new()));
    }
}

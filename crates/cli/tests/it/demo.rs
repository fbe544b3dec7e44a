//! The demo without a terminal: rows, balance, Ctrl-C, and going on.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{balance, headwater, run, stderr, stdout};

#[test]
fn it_stops_after_a_while_and_accounts_for_every_event() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["demo", "--for", "2s", "--output", "json", "--rate", "2000", "--workers", "2"];
    let output = run(dir.path(), &args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.starts_with(&format!(
            "headwater {} · job demo · 2 workers",
            env!("CARGO_PKG_VERSION")
        ))
    );
    assert!(said.contains("\nstopping: checkpoint "), "{said}");
    assert!(balance(&said)[0].1 > 0, "{said}");
    for line in stdout(&output).lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(row["bids"].as_u64().unwrap() > 0, "{line}");
    }
    // All records were good, so there is no folder for others.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn start(directory: &Path, args: &[&str]) -> Child {
    let mut command = headwater(directory, args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for so many lines, then presses Ctrl-C; gives all lines, what was said, and the exit code.
#[cfg(unix)]
fn interrupt_after(lines: usize, mut demo: Child) -> (Vec<String>, String, Option<i32>) {
    let mut out = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut rows: Vec<String> = out.by_ref().take(lines).map(Result::unwrap).collect();
    let pid = demo.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    rows.extend(out.map(Result::unwrap));
    let mut said = String::new();
    demo.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (rows, said, demo.wait().unwrap().code())
}

#[cfg(unix)]
#[test]
fn rows_are_printed_until_ctrl_c_which_ends_it_well() {
    let dir = tempfile::tempdir().unwrap();
    let demo = start(dir.path(), &["demo", "--output", "json", "--rate", "2000"]);
    let (rows, said, code) = interrupt_after(20, demo);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("stopping: checkpoint "), "{said}");
    balance(&said);
    let row: serde_json::Value = serde_json::from_str(&rows[0]).unwrap();
    assert_eq!(row["place"], 1, "{row}");
    for field in ["window_start", "window_end", "auction", "bids", "top_price_cents"] {
        assert!(!row[field].is_null(), "{field} in {row}");
    }
}

#[cfg(unix)]
#[test]
fn it_goes_on_from_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["demo", "--rate", "2000", "--checkpoint-dir", "state"];
    let (rows, said, code) = interrupt_after(1, start(dir.path(), &args));
    assert_eq!(code, Some(0), "{said}");
    assert!(rows[0].contains("  place  1  auction "), "{}", rows[0]);
    let before = balance(&said)[0].1;
    let (_, said, code) = interrupt_after(1, start(dir.path(), &args));
    assert_eq!(code, Some(0), "{said}");
    let before_spaced = headwater::cli::units::count(before);
    assert!(said.contains(&format!("going on after {before_spaced} events")), "{said}");
    assert!(balance(&said)[0].1 > before, "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = start(dir.path(), &["demo", "--output", "json", "--rate", "2000"]);
    let mut out = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(out.next().unwrap().unwrap().starts_with('{'));
    drop(out);
    let mut said = String::new();
    demo.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0), "{said}");
    balance(&said);
}

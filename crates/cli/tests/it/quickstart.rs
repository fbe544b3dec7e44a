//! The README's commands do what it says they do.
//!
//! Every line of its shell blocks that begins with `headwater` is run, in one directory and in their
//! order; behind `$ headwater` in a console block stands what it prints.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{stderr, stdout};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The lines of the code blocks of a kind.
fn blocks(text: &str, kind: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.strip_prefix("```") else { continue };
        let block: Vec<String> =
            lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
        if found == kind {
            blocks.push(block);
        }
    }
    blocks
}

fn run(directory: &Path, line: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_headwater"));
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(directory).stdin(Stdio::null());
    command.env("PATH", format!("{}:{path}", program.parent().unwrap().display()));
    command.env("HOME", directory).env("HEADWATER_WORKERS", "2");
    for name in ["HEADWATER_LOG", "HEADWATER_CHECKPOINT_DIR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

#[test]
fn the_commands_of_the_readme_work() {
    let dir = tempfile::tempdir().unwrap();
    let examples = dir.path().join("examples");
    fs::create_dir(&examples).unwrap();
    for name in ["orders.csv", "revenue.sql"] {
        fs::copy(Path::new(ROOT).join("examples").join(name), examples.join(name)).unwrap();
    }
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let mut ran = 0;
    for line in blocks(&readme, "sh").iter().flatten() {
        if line.starts_with("headwater ") {
            let output = run(dir.path(), line);
            assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
            ran += 1;
        }
    }
    let mut shown = 0;
    for block in blocks(&readme, "console") {
        let mut lines = block.iter().peekable();
        while let Some(line) = lines.next() {
            let line = line.strip_prefix("$ ").unwrap_or_else(|| panic!("no command: {line}"));
            let mut expected = String::new();
            while let Some(next) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push_str(&format!("{next}\n"));
            }
            let output = run(dir.path(), line);
            assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
            assert_eq!(stdout(&output), expected, "{line}");
            shown += 1;
        }
    }
    assert!(ran >= 5 && shown >= 2, "{ran} commands and {shown} transcripts were found");
}

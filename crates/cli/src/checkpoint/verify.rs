//! `headwater checkpoint verify`: is every byte that a restore could need what was written?

use std::io::IsTerminal;

use headwater::cli::units;
use headwater::{Error, Result};
use headwater_checkpoint::Location;
use headwater_checkpoint::inspect::{self, VerifyReport};
use serde_json::{Value, json};

/// How many damaged files an error names; the report has all.
const NAMED: usize = 3;

/// Reads all files, with progress on a terminal.
///
/// # Errors
/// The storage's; damage is part of the report.
pub(super) fn run(location: &Location, quiet: bool) -> Result<VerifyReport> {
    let show = !quiet && headwater::cli::terminal::can_redraw(&std::io::stderr());
    let report = inspect::verify(location, &mut |progress| {
        if show {
            eprint!("\r\x1b[Kverifying {} of {} files", progress.done, progress.total);
        }
    });
    if show && std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    report
}

/// The report for people.
pub(super) fn text(report: &VerifyReport) -> String {
    let mut text = String::new();
    for (file, error) in &report.damaged {
        text.push_str(&format!("damaged: {file}\n  {}\n", error.report().replace('\n', "\n  ")));
    }
    if !report.orphans.is_empty() {
        let (n, what) =
            (report.orphans.len(), "belong to no checkpoint; the next start deletes them");
        text.push_str(&format!("left over: {n} files {what}\n"));
    }
    let (files, size) = (report.files, units::bytes(report.bytes));
    match report.damaged.len() {
        0 => text.push_str(&format!("whole: {files} files checked, {size} of state\n")),
        damaged => text.push_str(&format!("{damaged} of {files} files are damaged\n")),
    }
    text
}

/// The report for programs.
pub(super) fn json(report: &VerifyReport) -> Value {
    let damaged = |(file, error): &(String, Error)| json!({ "file": file, "error": error.to_string(), "help": error.hint_text() });
    json!({
        "whole": report.damaged.is_empty(),
        "files": report.files,
        "bytes": report.bytes,
        "damaged": report.damaged.iter().map(damaged).collect::<Vec<_>>(),
        "orphans": report.orphans,
    })
}

/// Refuses a damaged directory.
///
/// # Errors
/// Kind `State`, naming the first damaged files.
pub(super) fn judge(location: &Location, report: &VerifyReport) -> Result<()> {
    if report.damaged.is_empty() {
        return Ok(());
    }
    let named = report.damaged.iter().take(NAMED).map(|(file, _)| format!("\"{file}\""));
    let mut named = named.collect::<Vec<_>>().join(", ");
    if report.damaged.len() > NAMED {
        named.push_str(" and more");
    }
    let (damaged, files) = (report.damaged.len(), report.files);
    let text = format!("{damaged} of {files} files in \"{location}\" are damaged: {named}");
    Err(Error::state(text).hint(
        "put them back from a backup; a start goes on from an older checkpoint where that is safe, \
         and says which",
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn damaged_files_are_named() {
        let location = Location::memory().unwrap();
        let mut report = VerifyReport { files: 12, bytes: 52_000, ..VerifyReport::default() };
        judge(&location, &report).unwrap();
        assert_eq!(text(&report), "whole: 12 files checked, 52 kB of state\n");
        let error =
            || Error::state("segment \"a.seg\" is damaged (bytes 8..40)").hint("restore it");
        report.damaged = (0..4).map(|n| (format!("state/{n}.seg"), error())).collect();
        report.orphans = vec!["segments/9/old.seg".into()];
        expect![[r#"4 of 12 files in "memory:" are damaged: "state/0.seg", "state/1.seg", "state/2.seg" and more"#]].assert_eq(&judge(&location, &report).unwrap_err().to_string());
        report.damaged.truncate(1);
        expect![[r#"
            damaged: state/0.seg
              segment "a.seg" is damaged (bytes 8..40)
                help: restore it
            left over: 1 files belong to no checkpoint; the next start deletes them
            1 of 12 files are damaged
        "#]]
        .assert_eq(&text(&report));
        assert_eq!(json(&report)["damaged"][0]["file"], "state/0.seg");
    }
}

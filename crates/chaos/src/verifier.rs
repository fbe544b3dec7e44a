//! The verdict: reads everything that the job left behind and compares it with what was expected.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::findings::{Findings, compare};
use crate::history::read_folder;
use crate::job::{PARSE, SINKS, dead_letter_file, folder};
use crate::metrics::{self, FinalReport};
use crate::model::Expected;
use crate::rows::{Reading, SessionRow, TotalRow, WindowRow};
use crate::workload::{Line, Workload};

/// What was found, sink by sink.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// One entry per sink, the dead letters last.
    pub sinks: Vec<Findings>,
    /// What is wrong with the counters.
    pub counters: Vec<String>,
    /// What was visible and then changed.
    pub changed: Vec<String>,
    /// Late records, of windows and of sessions.
    pub late: (u64, u64),
    /// Dead letters.
    pub dead_lettered: u64,
}

impl Verdict {
    /// Number of faults of all kinds.
    pub fn faults(&self) -> u64 {
        let of_sinks: u64 = self.sinks.iter().map(Findings::faults).sum();
        of_sinks + (self.counters.len() + self.changed.len()) as u64
    }

    /// What was found in the sink of that name.
    pub fn sink(&self, name: &str) -> Option<&Findings> {
        self.sinks.iter().find(|findings| findings.sink == name)
    }

    /// Lost, duplicated and wrong rows of all sinks.
    pub fn totals(&self) -> (u64, u64, u64) {
        let sum = |of: fn(&Findings) -> u64| self.sinks.iter().map(of).sum();
        (sum(|f| f.lost), sum(|f| f.duplicated), sum(|f| f.wrong))
    }
}

/// Verifies an output folder and the counters that the job printed.
///
/// # Errors
/// A file cannot be read.
pub fn verify(workload: &Workload, out: &Path, report: &FinalReport) -> io::Result<Verdict> {
    let expected = Expected::of(workload);
    let late = (expected.late.len() as u64, expected.late_for_session);
    let counters = metrics::faults(report, &expected);
    let Expected { echo, windows, late: late_rows, totals, sessions, malformed, .. } = expected;
    let sinks = vec![
        sink(out, SINKS[0], echo, |r: &Reading| r.n)?,
        sink(out, SINKS[1], windows, |r: &WindowRow| (r.key, r.start))?,
        sink(out, SINKS[2], late_rows, |r: &Reading| r.n)?,
        sink(out, SINKS[3], totals, |r: &TotalRow| (r.key, r.at))?,
        sink(out, SINKS[4], sessions, |r: &SessionRow| (r.lane, r.key, r.start, r.end))?,
        dead_letters(workload, out, &malformed)?,
    ];
    let dead_lettered = malformed.len() as u64;
    Ok(Verdict { sinks, counters, changed: Vec::new(), late, dead_lettered })
}

fn sink<R, I>(
    out: &Path,
    name: &str,
    expected: Vec<R>,
    identity: impl Fn(&R) -> I,
) -> io::Result<Findings>
where
    R: DeserializeOwned + Ord + fmt::Debug,
    I: Ord,
{
    let read = read_folder(&folder(out, name))?;
    let mut findings = compare(name, expected, read.rows, &read.files, identity);
    findings.add_file_faults(read.faults);
    Ok(findings)
}

/// The letters, by the number of the refused record: each with the line as it was.
fn dead_letters(workload: &Workload, out: &Path, malformed: &[u64]) -> io::Result<Findings> {
    let path = dead_letter_file(out);
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let expected: Vec<(u64, String)> =
        malformed.iter().map(|n| (*n, workload.line(*n).text)).collect();
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        match letter(line) {
            Ok(line) => found.push(((line.n, line.text), 0)),
            Err(e) => faults.push(format!("dead letter {}: {e}", number + 1)),
        }
    }
    let files = [path.display().to_string()];
    let mut findings = compare("dead letters", expected, found, &files, |(n, _)| *n);
    findings.add_file_faults(faults);
    Ok(findings)
}

fn letter(line: &str) -> Result<Line, String> {
    let letter: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let text = |field: &str| letter[field].as_str().ok_or_else(|| format!("without {field:?}"));
    if text("operator")? != PARSE || text("reason")?.is_empty() {
        return Err(format!("not by {PARSE:?} or without a reason: {line}"));
    }
    serde_json::from_str(text("record")?).map_err(|e| format!("not a line of input: {e}"))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14} {:>10} {:>10} {:>8} {:>11} {:>8} {:>6}",
            "sink", "expected", "found", "lost", "duplicated", "wrong", "files"
        )?;
        for s in &self.sinks {
            write!(f, "{:<14} {:>10} {:>10} {:>8} ", s.sink, s.expected, s.found, s.lost)?;
            writeln!(f, "{:>11} {:>8} {:>6}", s.duplicated, s.wrong, s.files)?;
        }
        let (of_windows, of_sessions) = self.late;
        let letters = self.dead_lettered;
        writeln!(
            f,
            "late for windows {of_windows}, for sessions {of_sessions}; malformed {letters}"
        )?;
        for s in &self.sinks {
            for example in &s.examples {
                writeln!(f, "  {}: {example}", s.sink)?;
            }
        }
        for fault in self.counters.iter().chain(&self.changed) {
            writeln!(f, "  {fault}")?;
        }
        let (lost, duplicated, wrong) = self.totals();
        write!(f, "{lost} lost, {duplicated} duplicated, {wrong} wrong, {} faults", self.faults())
    }
}

//! Queries and their answers, as text: every file in `tests/cases`.
//!
//! Each query runs twice, through the streaming operators and on DataFusion; the streaming answer,
//! folded, must be the other one. With `HEADWATER_ACCEPT=1` new answers are written into the files.
//!
//! A file is a list of blocks, separated by empty lines; a line that begins with `#` is a comment.
//!
//! ```text
//! file NAME              a file in the case's own folder, which texts call ${DIR}
//! CONTENT
//!
//! statement              runs a statement; a job is waited for
//! SQL
//!
//! error [label|help] [streaming|batch]   the statement fails with this message; its label, or all
//!                        of its help, follow if asked for
//! SQL
//! ----
//! MESSAGE
//!
//! query [streaming|batch|ordered]   rows, sorted unless `ordered`; in both modes unless one is named
//! SQL
//! ----
//! ROWS
//!
//! changelog              rows of the streaming query as they come, with what they do
//! SQL
//! ----
//! ROWS
//!
//! text                   what a statement says: EXPLAIN, SHOW CREATE
//! SQL
//! ----
//! LINES
//!
//! output NAME            lines of the files that a job wrote into ${DIR}/NAME, sorted; without the
//!                        sink's own files
//! ----
//! LINES
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod sqllogic {
    pub mod case;
    pub mod limits;
    pub mod nexmark;
    pub mod runner;
}

use std::path::PathBuf;

use sqllogic::runner::run_file;

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let only = std::env::var("HEADWATER_CASE").ok();
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "slt"))
        // What needs a connector that may be left out of a build.
        .filter(|p| cfg!(feature = "kafka") || !p.to_string_lossy().contains("kafka"))
        .filter(|p| only.as_ref().is_none_or(|o| p.to_string_lossy().contains(o.as_str())))
        .collect();
    files.sort();
    files
}

#[test]
fn cases_have_the_answers_that_their_files_say() {
    let accept = std::env::var("HEADWATER_ACCEPT").is_ok_and(|v| v == "1");
    let mut failures = Vec::new();
    let (mut queries, mut errors) = (0, 0);
    for file in files() {
        let report = run_file(&file, accept);
        queries += report.queries;
        errors += report.errors;
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        failures.extend(report.failures.into_iter().map(|f| format!("{name}:{f}")));
    }
    println!("{queries} queries, {errors} errors");
    let shown = failures.join("\n\n");
    assert!(failures.is_empty(), "{} failures\n\n{shown}", failures.len());
}

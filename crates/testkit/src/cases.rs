//! Tests of jobs as text: what is sent, and what is expected.
//!
//! A case is a file `name.case` that names a job registered in Rust ([`CaseJob`]) and drives it:
//!
//! ```text
//! # A window closes with the watermark.
//! job tumbling_count
//!
//! send orders {"customer":"a","at":3}
//! send orders
//!   {"customer":"b","at":9}
//!   {"customer":"a","at":20}
//!
//! expect counts sorted
//! @9 {"key":"a","start":0,"n":1}
//! @9 {"key":"b","start":0,"n":1}
//! ```
//!
//! | line | does |
//! |---|---|
//! | `job NAME` | first; the registered job |
//! | `clock TIME` | where the clock starts; 1970 in cases |
//! | `variants all`, `crash`, `none` | which other ways the case is run; see below |
//! | `send SOURCE RECORD` | one record; without `RECORD`: a batch, one record per indented line |
//! | `bad SOURCE TEXT` | something the source cannot read |
//! | `splits SOURCE NAME…` | declares splits |
//! | `watermark TIME`, `watermark TIME SOURCE` | forces event time |
//! | `idle SOURCE` | the reader has nothing to give |
//! | `advance DURATION` | moves the clock: `5s`, `10ms` |
//! | `barrier` | cuts a checkpoint |
//! | `crash`, `crash after DURATION` | crashes, restores, replays |
//! | `end`, `end SOURCE` | ends all sources, one, or one split |
//! | `expect SINK`, `expect SINK sorted` | what arrived, on the lines up to a blank one |
//! | `expect totals STEP` | the counters that are not 0 |
//! | `expect watermark STEP` | the event time it has reached |
//! | `expect state STEP`, `expect timers STEP` | keyed state, one line per entry |
//! | `expect error` | the line before failed with this message |
//!
//! `SOURCE` may be `SOURCE/SPLIT`; a name with blanks is quoted. A record is JSON, or `@TIME JSON`
//! for a source that knows event times; a time is milliseconds or as in [`IntoEventTime`]. A sink
//! that is called like a word of the table (`totals`, `state`) is quoted too. Lines that start with
//! `#` are comments.
//!
//! Every case runs as it is, and then again with a crash after each line, with a checkpoint and a
//! crash after each, and with batches cut anywhere: the same lines must arrive, in any order. Case
//! files that depend on batching say `variants crash`. What a case has not taken out at its end is
//! a failure. `HEADWATER_BLESS=1` writes what was found into the files.
//!
//! [`IntoEventTime`]: crate::IntoEventTime

mod diff;
mod run;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headwater_api::Job;
use headwater_core::{DeadLetter, Error, Record, Result};
use headwater_topology::DEAD_LETTERS;

use crate::Driver;
use crate::lines::{parse_line, timed_line};
use crate::test_job::or_fail;
use run::Mode;
use script::Script;

/// Environment variable that makes expectations be rewritten.
const BLESS: &str = "HEADWATER_BLESS";

type Build = dyn Fn(&mut Job) -> Result<()>;
type Send = fn(&mut Driver, &str, Option<&str>, &[String]) -> Result<()>;
type Take = fn(&mut Driver, &str) -> Result<Vec<String>>;

/// A job that cases can name, with the types of its ends.
pub struct CaseJob {
    name: String,
    build: Box<Build>,
    sources: BTreeMap<String, Send>,
    sinks: BTreeMap<String, Take>,
}

impl CaseJob {
    /// A job that `build` builds, called `name` in cases.
    pub fn new(
        name: impl Into<String>,
        build: impl Fn(&mut Job) -> Result<()> + 'static,
    ) -> CaseJob {
        let job = CaseJob {
            name: name.into(),
            build: Box::new(build),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
        };
        job.sink::<DeadLetter>(DEAD_LETTERS)
    }

    /// Says what a source reads.
    pub fn source<T: Record>(mut self, name: &str) -> CaseJob {
        self.sources.insert(name.to_owned(), |driver, source, split, lines| {
            let records = lines.iter().map(|line| parse_line::<T>(line)).collect::<Result<_>>()?;
            driver.send(source, split, records)
        });
        self
    }

    /// Says what a sink takes.
    pub fn sink<T: Record>(mut self, name: &str) -> CaseJob {
        self.sinks.insert(name.to_owned(), |driver, sink| {
            driver.take::<T>(sink)?.iter().map(timed_line).collect()
        });
        self
    }
}

/// The jobs that case files may name.
#[derive(Default)]
pub struct Cases {
    jobs: BTreeMap<String, CaseJob>,
}

impl Cases {
    /// No jobs yet.
    pub fn new() -> Cases {
        Cases::default()
    }

    /// Registers a job.
    pub fn job(mut self, job: CaseJob) -> Cases {
        self.jobs.insert(job.name.clone(), job);
        self
    }

    /// Runs every `.case` file of a directory; returns how many there are.
    ///
    /// # Panics
    /// When a case fails, with a diff for each, or there is none.
    #[track_caller]
    pub fn run(&self, directory: impl AsRef<Path>) -> usize {
        self.run_all(directory.as_ref(), std::env::var_os(BLESS).is_some())
    }

    /// Like [`Cases::run`], but never writes into the files.
    ///
    /// # Panics
    /// As [`Cases::run`].
    #[track_caller]
    pub fn check(&self, directory: impl AsRef<Path>) -> usize {
        self.run_all(directory.as_ref(), false)
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "this crate is for tests, where this is a failure")]
    fn run_all(&self, directory: &Path, bless: bool) -> usize {
        let files = or_fail(case_files(directory));
        let failures: Vec<String> =
            files.iter().filter_map(|file| self.run_file(file, bless).err()).collect();
        if !failures.is_empty() {
            let (failed, all) = (failures.len(), files.len());
            let failures = failures.join("\n");
            panic!("{failed} of {all} cases failed; {BLESS}=1 accepts what was found\n{failures}");
        }
        assert!(!files.is_empty(), "there is no case in {}", directory.display());
        files.len()
    }

    /// Runs one file in all its variants; the error is the text to show.
    fn run_file(&self, file: &Path, bless: bool) -> std::result::Result<(), String> {
        let _named = NamedPanic(file);
        let show = |line: usize, what: String| format!("{}:{line}: {what}", file.display());
        let unreadable = |e: &dyn std::fmt::Display| show(0, format!("cannot be read: {e}"));
        let text = std::fs::read_to_string(file).map_err(|e| unreadable(&e))?;
        let script = Script::parse(&text).map_err(|(line, e)| show(line, e.report()))?;
        let job = self.jobs.get(&script.job).ok_or_else(|| {
            let known: Vec<&str> = self.jobs.keys().map(String::as_str).collect();
            show(
                script.job_line,
                format!("no job {:?}; there are: {}", script.job, known.join(", ")),
            )
        })?;
        let found = run::run(&script, job, Mode::AsWritten).map_err(|(at, e)| show(at, e))?;
        if bless {
            let blessed = script.with_expectations(&found);
            if blessed != text {
                std::fs::write(file, blessed).map_err(|e| show(0, e.to_string()))?;
            }
        } else {
            let differing = script.compare(&found);
            if let Some((line, difference)) = differing {
                return Err(show(line, difference));
            }
        }
        for mode in script.variants() {
            let other = run::run(&script, job, *mode).map_err(|(at, e)| show(at, mode.name(&e)))?;
            if let Some((line, difference)) = script.compare_sorted(&found, &other) {
                return Err(show(line, mode.name(&difference)));
            }
        }
        Ok(())
    }
}

fn case_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| {
        Error::config(format!("cannot list the cases in {}", directory.display())).because(e)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "case") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Names the case when user code panics in it.
struct NamedPanic<'a>(&'a Path);

impl Drop for NamedPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in case {}", self.0.display());
        }
    }
}

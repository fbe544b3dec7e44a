//! A file of dead letters: one JSON object per line, each letter exactly once.
//!
//! A writer keeps the lines of an epoch in memory; at its end they become the committable, so they
//! travel in the checkpoint and nothing is staged in the file system. The commit appends them.
//! Beside the file `<file>.committed` keeps, as JSON, the last epoch that was appended and the
//! length of the file after it:
//!
//! ```text
//! commit(e):  recorded epoch ≥ e → done already
//!             file longer than recorded → cut: a commit that did not come to its end
//!             append, sync, then replace the record {e, new length} atomically
//! ```
//! Invariants: when something is appended the record has the length before it, so cutting removes
//! exactly what an interrupted commit appended, however far it came and however often; a file that
//! existed before, or that somebody shortened, is appended to at its end.
//!
//! What this does not do: rotate the file, or let two jobs or another program append to it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use headwater_core::{DeadLetter, Epoch, Error, Result, Timed};
use serde::{Deserialize, Serialize};

use crate::sink::{Committable, Committer, Guarantee, Sink, WriteStatus, Writer, WriterContext};

#[cfg(test)]
mod tests;

/// The most bytes of dead letters that one worker keeps until the next checkpoint: 256 MiB.
pub const DEFAULT_MAX_EPOCH_BYTES: usize = 256 << 20;

/// Appends dead letters to a file, one JSON object per line, exactly once.
///
/// The lines have the fields of [`DeadLetter`]. A reader of the file may see the last lines of a
/// commit that is under way; after a crash in the middle of one they are cut and appended again.
///
/// # Examples
/// ```
/// use headwater_connect::dead_letters::DeadLetterFile;
///
/// let sink = DeadLetterFile::new("orders-dead-letters.jsonl");
/// # headwater_connect::Sink::validate(&sink).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct DeadLetterFile {
    path: PathBuf,
    max_epoch_bytes: usize,
}

impl DeadLetterFile {
    /// A sink to the file at `path`, which is created with the first letter; its folder must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        DeadLetterFile { path: path.into(), max_epoch_bytes: DEFAULT_MAX_EPOCH_BYTES }
    }

    /// Fails the attempt when one worker has more bytes than this between two checkpoints.
    pub fn max_epoch_bytes(mut self, bytes: usize) -> Self {
        self.max_epoch_bytes = bytes;
        self
    }

    /// Where the letters go.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Sink for DeadLetterFile {
    type Record = DeadLetter;

    fn validate(&self) -> Result<()> {
        let path = self.path.display();
        if self.path.is_dir() || self.path.file_name().is_none() {
            return Err(Error::config(format!("dead letters: \"{path}\" is not a file"))
                .hint("name a file in an existing folder"));
        }
        if !folder(&self.path).is_dir() {
            return Err(Error::config(format!("dead letters: no folder for \"{path}\""))
                .hint("create the folder first"));
        }
        Ok(())
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }

    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn Writer<DeadLetter>>> {
        let max_bytes = self.max_epoch_bytes;
        Ok(Box::new(LetterWriter { path: self.path.clone(), max_bytes, lines: Vec::new() }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(LetterCommitter { path: self.path.clone() })))
    }
}

struct LetterWriter {
    path: PathBuf,
    max_bytes: usize,
    lines: Vec<u8>,
}

impl Writer<DeadLetter> for LetterWriter {
    fn write(&mut self, records: &mut Vec<Timed<DeadLetter>>) -> Result<WriteStatus> {
        for letter in records.drain(..) {
            serde_json::to_writer(&mut self.lines, &letter.value)
                .map_err(|e| failed(&self.path, "cannot encode a letter for", e))?;
            self.lines.push(b'\n');
        }
        if self.lines.len() > self.max_bytes {
            return Err(Error::connector(format!(
                "dead letters: more than {} bytes for \"{}\" since the last checkpoint",
                self.max_bytes,
                self.path.display()
            ))
            .hint("most records are bad: see the file, or skip bad records instead"));
        }
        Ok(WriteStatus::Done)
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        let lines = std::mem::take(&mut self.lines);
        Ok(if lines.is_empty() { Vec::new() } else { vec![lines] })
    }
}

/// What is known to be in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Appended {
    /// The last epoch whose letters were appended.
    epoch: Epoch,
    /// Length of the file after that, in bytes.
    length: u64,
}

struct LetterCommitter {
    path: PathBuf,
}

impl LetterCommitter {
    fn failed(&self, what: &str, e: impl Into<std::io::Error>) -> Error {
        failed(&self.path, what, e)
    }

    fn record_path(&self) -> PathBuf {
        beside(&self.path, ".committed")
    }

    fn record(&self) -> Result<Option<Appended>> {
        let path = self.record_path();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(&path, "cannot read", e)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::connector(format!("dead letters: \"{}\" is not a record", path.display()))
                .because(e)
                .hint("if you move it away, letters of the last checkpoint may be written twice")
        })
    }

    fn set_record(&self, record: Appended) -> Result<()> {
        let (path, next) = (self.record_path(), beside(&self.path, ".committed.next"));
        let replace = || {
            let mut file = File::create(&next)?;
            file.write_all(&serde_json::to_vec(&record)?)?;
            file.sync_all()?;
            std::fs::rename(&next, &path)?;
            // Not every file system lets a folder be synced; the rename is atomic all the same.
            let _ = File::open(folder(&path)).and_then(|folder| folder.sync_all());
            Ok::<(), std::io::Error>(())
        };
        replace().map_err(|e| failed(&path, "cannot write", e))
    }

    fn open(&self) -> Result<(File, u64)> {
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        let file = file.map_err(|e| self.failed("cannot open", e))?;
        let length =
            file.metadata().map_err(|e| self.failed("cannot read the length of", e))?.len();
        Ok((file, length))
    }

    /// Cuts what an interrupted commit appended, and makes the record tell the length of the file.
    fn settle(&self, file: &File, length: u64, recorded: Option<Appended>) -> Result<Appended> {
        match recorded {
            Some(record) if record.length == length => Ok(record),
            Some(record) if record.length < length => {
                file.set_len(record.length).map_err(|e| self.failed("cannot cut", e))?;
                Ok(record)
            }
            // There before the job, or shortened since: nothing here is known to be ours to cut.
            other => {
                let epoch = other.map_or(Epoch::NONE, |record| record.epoch);
                let record = Appended { epoch, length };
                self.set_record(record)?;
                Ok(record)
            }
        }
    }
}

impl Committer for LetterCommitter {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        if committables.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let recorded = self.record()?;
        if recorded.is_some_and(|record| record.epoch >= epoch) {
            return Ok(());
        }
        let (mut file, length) = self.open()?;
        let mut record = self.settle(&file, length, recorded)?;
        for lines in committables {
            file.write_all(lines).map_err(|e| self.failed("cannot append to", e))?;
            record.length += lines.len() as u64;
        }
        file.sync_data().map_err(|e| self.failed("cannot sync", e))?;
        self.set_record(Appended { epoch, ..record })
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        self.commit(epoch, committables)?;
        let Some(recorded) = self.record()? else { return Ok(()) };
        let (file, length) = self.open()?;
        let record = self.settle(&file, length, Some(recorded))?;
        if record.epoch > epoch {
            // Restored from an earlier checkpoint, or a new job: what follows is not appended yet.
            self.set_record(Appended { epoch, ..record })?;
        }
        Ok(())
    }
}

fn failed(path: &Path, what: &str, e: impl Into<std::io::Error>) -> Error {
    Error::connector(format!("dead letters: {what} \"{}\"", path.display())).because(e.into())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

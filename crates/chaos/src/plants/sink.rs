//! Faults of a sink: what its writers write, what is committed and when, under which name.
//!
//! Parts are handled through their committables, whose JSON is a format of the file sink.

use std::fs;
use std::path::{Path, PathBuf};

use headwater_connect::{
    Committable, Committer, Guarantee, Sink, WriteStatus, Writer, WriterContext,
};
use headwater_core::{Epoch, Error, Record, Result, Timed};

use super::Plant;
use crate::job::{SINKS, folder};

/// Number of the record of an attempt that [`Plant::DropRecord`] drops, on each worker.
const DROPPED: u64 = 100;
/// The epoch that [`Plant::DuplicateEpoch`] commits twice.
const DOUBLED: Epoch = Epoch(3);
/// Epochs of an attempt in which [`Plant::ManifestBeforeData`] lags behind.
const LAGGING_EPOCHS: u32 = 6;

/// Wraps the sink of the echo; without a plant it passes everything on.
pub fn faulty_sink<S: Sink>(inner: S, out: &Path, plant: Option<Plant>) -> FaultySink<S> {
    FaultySink { inner, dir: folder(out, SINKS[0]), plant }
}

/// See [`faulty_sink`].
pub struct FaultySink<S> {
    inner: S,
    dir: PathBuf,
    plant: Option<Plant>,
}

impl<S: Sink> Sink for FaultySink<S> {
    type Record = S::Record;

    fn validate(&self) -> Result<()> {
        self.inner.validate()
    }

    fn guarantee(&self) -> Guarantee {
        self.inner.guarantee()
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<S::Record>>> {
        let (inner, dir, plant) = (self.inner.writer(cx)?, self.dir.clone(), self.plant);
        Ok(Box::new(FaultyWriter { inner, dir, plant, written: 0, epochs: 0, held: Vec::new() }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        let Some(inner) = self.inner.committer()? else { return Ok(None) };
        Ok(Some(Box::new(FaultyCommitter { inner, dir: self.dir.clone(), plant: self.plant })))
    }
}

struct FaultyWriter<T> {
    inner: Box<dyn Writer<T>>,
    dir: PathBuf,
    plant: Option<Plant>,
    written: u64,
    epochs: u32,
    held: Vec<Timed<T>>,
}

impl<T: Record> Writer<T> for FaultyWriter<T> {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        let before = self.written;
        self.written += records.len() as u64;
        match self.plant {
            Some(Plant::DropRecord) if (before..self.written).contains(&DROPPED) => {
                records.remove((DROPPED - before) as usize);
            }
            Some(Plant::ManifestBeforeData) if self.epochs < LAGGING_EPOCHS => {
                if let Some(last) = records.pop() {
                    records.splice(0..0, self.held.drain(..));
                    self.held.push(last);
                }
            }
            Some(Plant::ManifestBeforeData) => _ = records.splice(0..0, self.held.drain(..)),
            _ => {}
        }
        self.inner.write(records)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>> {
        self.epochs += 1;
        let committables = self.inner.prepare(epoch)?;
        match self.plant {
            Some(Plant::CommitBeforeManifest) => {
                publish(&self.dir, &committables)?;
                Ok(committables)
            }
            Some(Plant::ReuseFileName) => committables.iter().map(without_attempt).collect(),
            _ => Ok(committables),
        }
    }
}

struct FaultyCommitter {
    inner: Box<dyn Committer>,
    dir: PathBuf,
    plant: Option<Plant>,
}

impl FaultyCommitter {
    /// Makes way for parts whose name is taken.
    fn replace(&self, committables: &[Committable]) -> Result<()> {
        for committable in committables {
            let part = decode(committable)?;
            let staged = self.dir.join(".staging").join(text(&part, "staged")?);
            let visible = self.dir.join(text(&part, "final")?);
            if staged.exists() && visible.exists() {
                fs::remove_file(&visible).map_err(|e| cannot("remove", &visible, e))?;
            }
        }
        Ok(())
    }

    /// Copies staged parts and gives committables for the copies.
    fn double(&self, committables: &[Committable]) -> Result<Vec<Committable>> {
        let mut doubles = Vec::new();
        for committable in committables {
            let mut part = decode(committable)?;
            let staged = text(&part, "staged")?;
            let (double, staging) = (format!("double-{staged}"), self.dir.join(".staging"));
            fs::copy(staging.join(&staged), staging.join(&double))
                .map_err(|e| cannot("copy", &staging.join(&staged), e))?;
            // As if another attempt had written the same epoch.
            part["final"] = text(&part, "final")?.replace(".jsonl", "9.jsonl").into();
            part["staged"] = double.into();
            doubles.push(encode(&part)?);
        }
        Ok(doubles)
    }
}

impl Committer for FaultyCommitter {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        match self.plant {
            Some(Plant::ReuseFileName) => self.replace(committables)?,
            Some(Plant::DuplicateEpoch) if epoch == DOUBLED => {
                let doubles = self.double(committables)?;
                self.inner.commit(epoch, &doubles)?;
            }
            _ => {}
        }
        self.inner.commit(epoch, committables)
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        match self.plant {
            Some(Plant::SkipCommitOnRestore) => self.inner.recover(epoch, &[]),
            Some(Plant::KeepStaged) => self.inner.commit(epoch, committables),
            Some(Plant::ReuseFileName) => {
                self.replace(committables)?;
                self.inner.recover(epoch, committables)
            }
            _ => self.inner.recover(epoch, committables),
        }
    }
}

/// Makes parts visible, behind the committer's back.
fn publish(dir: &Path, committables: &[Committable]) -> Result<()> {
    for committable in committables {
        let part = decode(committable)?;
        let staged = dir.join(".staging").join(text(&part, "staged")?);
        let visible = dir.join(text(&part, "final")?);
        fs::rename(&staged, &visible).map_err(|e| cannot("rename", &staged, e))?;
    }
    Ok(())
}

/// Takes epoch and attempt out of the name under which a part becomes visible.
fn without_attempt(committable: &Committable) -> Result<Committable> {
    let mut part = decode(committable)?;
    let visible = text(&part, "final")?;
    let ids: Vec<&str> = visible.trim_end_matches(".jsonl").split('-').collect();
    if let [prefix, _epoch, worker, number, _attempt] = ids[..] {
        part["final"] = format!("{prefix}-{worker}-{number}.jsonl").into();
    }
    encode(&part)
}

fn decode(committable: &Committable) -> Result<serde_json::Value> {
    serde_json::from_slice(committable).map_err(|e| Error::internal("no part").because(e))
}

fn encode(part: &serde_json::Value) -> Result<Committable> {
    serde_json::to_vec(part).map_err(|e| Error::internal("no part").because(e))
}

fn text(part: &serde_json::Value, field: &str) -> Result<String> {
    let text = part[field].as_str().map(str::to_owned);
    text.ok_or_else(|| Error::internal(format!("a part without {field:?}: {part}")))
}

fn cannot(what: &str, path: &Path, e: std::io::Error) -> Error {
    Error::connector(format!("cannot {what} {}", path.display())).because(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_its_attempt() {
        let part = |name: &str| serde_json::json!({"staged": "s", "final": name});
        let stripped = without_attempt(&encode(&part("part-0000000007-1-0-12.jsonl")).unwrap());
        assert_eq!(decode(&stripped.unwrap()).unwrap(), part("part-1-0.jsonl"));
    }
}

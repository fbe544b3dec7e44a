//! One worker's writer: an open part, the parts closed since the last barrier, and the barrier.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use headwater_connect::{Committable, WriteStatus, Writer, WriterContext};
use headwater_core::{Epoch, Record, Result, Timed};

use crate::durable::{io_error, sync_dir};
use crate::sink::Target;
use crate::sink::encoder::{Encoder, Start};
use crate::sink::part::{ClosedPart, PartCommittable, PartFile, PartId};

pub(crate) struct FileWriter<T> {
    target: Arc<Target>,
    start: Start<T>,
    staging: PathBuf,
    /// Which part is opened next.
    next: PartId,
    open: Option<OpenPart<T>>,
    closed: Vec<ClosedPart>,
}

struct OpenPart<T> {
    id: PartId,
    encoder: Box<dyn Encoder<T>>,
    records: u64,
    since: Instant,
}

impl<T: Record> FileWriter<T> {
    pub(crate) fn open(target: Arc<Target>, start: Start<T>, cx: &WriterContext) -> Result<Self> {
        let staging = make_staging(&target)?;
        let next = PartId { attempt: cx.attempt, worker: cx.worker as u64, number: 0 };
        Ok(FileWriter { target, start, staging, next, open: None, closed: Vec::new() })
    }

    fn open_part(&mut self) -> Result<OpenPart<T>> {
        let id = self.next;
        self.next.number += 1;
        let name = id.staged_name(&self.target.options.prefix, &self.target.extension);
        let file = PartFile::create(self.staging.join(name))?;
        let encoder = (self.start)(&self.target, file)?;
        Ok(OpenPart { id, encoder, records: 0, since: now() })
    }

    fn close_part(&mut self) -> Result<()> {
        if let Some(OpenPart { id, encoder, records, .. }) = self.open.take() {
            let (bytes, xxh3) = encoder.finish()?.sync()?;
            self.closed.push(ClosedPart { id, records, bytes, xxh3 });
        }
        Ok(())
    }
}

/// Makes the staging directory, durably.
pub(crate) fn make_staging(target: &Target) -> Result<PathBuf> {
    let staging = target.staging();
    fs::create_dir_all(&staging).map_err(|e| io_error("create directory", &staging, e))?;
    sync_dir(&target.options.dir)?;
    if let Some(parent) = target.options.dir.parent().filter(|dir| dir.is_dir()) {
        sync_dir(parent)?;
    }
    Ok(staging)
}

impl<T: Record> Writer<T> for FileWriter<T> {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        let limit = self.target.options.roll_bytes;
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            let mut part = match self.open.take() {
                Some(part) => part,
                None => self.open_part()?,
            };
            let taken = part.encoder.write(rest, limit)?;
            part.records += taken as u64;
            rest = &rest[taken..];
            let full = part.encoder.size() >= limit;
            self.open = Some(part);
            if full {
                self.close_part()?;
            }
        }
        records.clear();
        let age = self.target.options.roll_after;
        let old =
            |part: &OpenPart<T>| age.is_some_and(|age| now().duration_since(part.since) >= age);
        if self.open.as_ref().is_some_and(old) {
            self.close_part()?;
        }
        Ok(WriteStatus::Done)
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>> {
        self.close_part()?;
        if self.closed.is_empty() {
            return Ok(Vec::new());
        }
        sync_dir(&self.staging)?;
        let (prefix, extension) = (&self.target.options.prefix, &self.target.extension);
        let committables = self.closed.drain(..).map(|part| {
            let staged = part.id.staged_name(prefix, extension);
            let visible = part.id.final_name(prefix, extension, epoch);
            PartCommittable::new(staged, visible, part.id.attempt, &part).encode()
        });
        let committables = committables.collect::<Result<Vec<_>>>()?;
        self.target.step("files.staged");
        Ok(committables)
    }
}

/// The monotonic clock, for the age of a part only: it decides how output is cut into files, never
/// what is in it, so it needs no injected clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}

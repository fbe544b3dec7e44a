//! A sink whose caller encodes: blocks of rows, each bound for a folder of the sink's directory.
//!
//! Everything else is that of [`FileSink`](crate::FileSink): staging, rolling, committing. Each
//! folder has a part of its own; a checkpoint closes them all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use headwater_connect::{Committable, Committer, WriterContext};
use headwater_core::{Epoch, Error, Result};

use crate::durable::sync_dir;
use crate::sink::committer::FileCommitter;
use crate::sink::encoder::write_failed;
use crate::sink::part::{ClosedPart, PartCommittable, PartFile, PartId};
use crate::sink::text_part::PartOutput;
use crate::sink::writer::{make_staging, now};
use crate::sink::{SinkOptions, Target};

/// How many folders a writer keeps parts of at a time; the oldest is closed for another.
const MAX_OPEN: usize = 64;

/// Some rows bound for one folder.
#[derive(Clone, Debug)]
pub struct Block<B> {
    /// Folders below the sink's directory, separated by `/`; empty: the directory itself.
    pub folder: String,
    /// Number of rows.
    pub rows: u64,
    /// The rows.
    pub data: B,
}

/// Encodes the blocks of one part.
pub trait BlockEncoder<B>: Send {
    /// Takes a block.
    ///
    /// # Errors
    /// `Data` when the format cannot hold it; the disk's errors as they come.
    fn write(&mut self, data: B) -> Result<()>;

    /// About how many bytes the part has.
    fn size(&self) -> u64;

    /// Writes what is held back.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn finish(self: Box<Self>) -> Result<PartOutput>;
}

/// Starts the encoder of a new part.
type Start<B> = Arc<dyn Fn(PartOutput) -> Result<Box<dyn BlockEncoder<B>>> + Send + Sync>;

/// A sink of blocks, exactly-once end to end; made by
/// [`SinkBuilder::blocks`](crate::SinkBuilder::blocks).
pub struct BlockSink<B> {
    target: Arc<Target>,
    start: Start<B>,
}

impl<B: Send + 'static> BlockSink<B> {
    pub(crate) fn new(options: SinkOptions, extension: &str, start: Start<B>) -> Self {
        let extension = format!("{extension}{}", options.compression.suffix());
        BlockSink { target: Arc::new(Target { options, extension, columns: None }), start }
    }

    /// Checks the configuration.
    ///
    /// # Errors
    /// `Config`, naming the path or the option.
    pub fn validate(&self) -> Result<()> {
        self.target.options.validate()
    }

    /// Opens the writer of one worker.
    ///
    /// # Errors
    /// The staging directory cannot be made.
    pub fn writer(&self, cx: &WriterContext) -> Result<BlockWriter<B>> {
        let staging = make_staging(&self.target)?;
        let next = PartId { attempt: cx.attempt, worker: cx.worker as u64, number: 0 };
        let (target, start) = (Arc::clone(&self.target), Arc::clone(&self.start));
        let (open, closed) = (BTreeMap::new(), Vec::new());
        Ok(BlockWriter { target, start, staging, next, open, closed })
    }

    /// Opens the committer of the job.
    ///
    /// # Errors
    /// The list of committed epochs cannot be read.
    pub fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(FileCommitter::open(Arc::clone(&self.target))?))
    }
}

/// Writes one worker's blocks.
pub struct BlockWriter<B> {
    target: Arc<Target>,
    start: Start<B>,
    staging: PathBuf,
    /// Which part is opened next.
    next: PartId,
    /// The open part of each folder.
    open: BTreeMap<String, OpenPart<B>>,
    closed: Vec<(String, ClosedPart)>,
}

struct OpenPart<B> {
    id: PartId,
    encoder: Box<dyn BlockEncoder<B>>,
    rows: u64,
    since: Instant,
}

impl<B: Send + 'static> BlockWriter<B> {
    /// Writes a block.
    ///
    /// # Errors
    /// A part cannot be written, or does not take the block.
    pub fn write(&mut self, block: Block<B>) -> Result<()> {
        let Block { folder, rows, data } = block;
        let valid = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\\');
        if !folder.is_empty() && !folder.split('/').all(valid) {
            return Err(Error::data(format!("{folder:?} cannot be a folder of files")));
        }
        if !self.open.contains_key(&folder) {
            self.make_room()?;
            let part = self.open_part()?;
            self.open.insert(folder.clone(), part);
        }
        let options = &self.target.options;
        let Some(part) = self.open.get_mut(&folder) else { return Ok(()) };
        part.encoder.write(data)?;
        part.rows += rows;
        let old = |age| now().duration_since(part.since) >= age;
        if part.encoder.size() >= options.roll_bytes || options.roll_after.is_some_and(old) {
            self.close_part(&folder)?;
        }
        Ok(())
    }

    /// Ends the epoch: makes what was written durable and says how to make it visible.
    ///
    /// # Errors
    /// A part cannot be finished.
    pub fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>> {
        while let Some(folder) = self.open.keys().next().cloned() {
            self.close_part(&folder)?;
        }
        if self.closed.is_empty() {
            return Ok(Vec::new());
        }
        sync_dir(&self.staging)?;
        let (prefix, extension) = (&self.target.options.prefix, &self.target.extension);
        let committables = self.closed.drain(..).map(|(folder, part)| {
            let staged = part.id.staged_name(prefix, extension);
            let name = part.id.final_name(prefix, extension, epoch);
            let visible = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            PartCommittable::new(staged, visible, part.id.attempt, &part).encode()
        });
        let committables = committables.collect::<Result<Vec<_>>>()?;
        self.target.step("files.staged");
        Ok(committables)
    }

    /// Closes the oldest part if there are too many.
    fn make_room(&mut self) -> Result<()> {
        if self.open.len() < MAX_OPEN {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, part)| part.id.number);
        match oldest.map(|(folder, _)| folder.clone()) {
            Some(folder) => self.close_part(&folder),
            None => Ok(()),
        }
    }

    fn open_part(&mut self) -> Result<OpenPart<B>> {
        let id = self.next;
        self.next.number += 1;
        let options = &self.target.options;
        let name = id.staged_name(&options.prefix, &self.target.extension);
        let file = PartFile::create(self.staging.join(name))?;
        let out = PartOutput::new(options.compression, file)
            .map_err(|e| write_failed(&options.dir, e))?;
        Ok(OpenPart { id, encoder: (self.start)(out)?, rows: 0, since: now() })
    }

    fn close_part(&mut self, folder: &str) -> Result<()> {
        if let Some((folder, part)) = self.open.remove_entry(folder) {
            let OpenPart { id, encoder, rows: records, .. } = part;
            let dir = &self.target.options.dir;
            let out = encoder.finish()?.finish().map_err(|e| write_failed(dir, e))?;
            let (bytes, xxh3) = out.sync()?;
            self.closed.push((folder, ClosedPart { id, records, bytes, xxh3 }));
        }
        Ok(())
    }
}

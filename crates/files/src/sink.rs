//! The file sink: parts that become visible, whole and exactly once, with their epoch's checkpoint.
//!
//! A worker writes to `DIR/.staging/PREFIX-ATTEMPT-WORKER-N.EXT.inprogress`. At a barrier the part
//! is closed and synced, and a committable with its size and hash goes into the checkpoint. Once
//! that is durable the committer renames the part to `DIR/PREFIX-EPOCH-WORKER-N-ATTEMPT.EXT` and
//! notes the epoch in `DIR/.staging/PREFIX.committed`. Recovery renames what is still staged for
//! the restored epoch and deletes every other staged part of this prefix.
//!
//! Invariants: a name holds its attempt and is never used twice; a visible part is complete and
//! never changes; the committer never replaces an existing file.
//!
//! What it does not do: merge small parts. A part never spans two checkpoints, so short checkpoint
//! intervals make many small files.
//!
//! Source: the two-phase commit of Flink's `FileSink`, with the marker of committed epochs added,
//! so that readers may take parts away as soon as they see them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use headwater_connect::{Committer, Guarantee, Sink, Writer, WriterContext};
use headwater_core::{Error, Record, Result};

use crate::compression::Compression;
use crate::durable;

mod blocks;
mod committer;
mod encoder;
mod ledger;
mod parquet_part;
mod part;
mod text_part;
mod writer;

pub use blocks::{Block, BlockEncoder, BlockSink, BlockWriter};
use committer::FileCommitter;
use encoder::Start;
use parquet_part::Columns;
pub(crate) use part::IN_PROGRESS;
pub use text_part::PartOutput;
use writer::FileWriter;

/// The steps at which a hook is called, in the order they happen; for crash tests.
#[doc(hidden)]
pub const STEPS: &[&str] =
    &["files.staged", "files.before-rename", "files.after-rename", "files.before-cleanup"];

/// Starts a file sink that writes to a directory, which is made if it does not exist.
///
/// # Examples
/// ```
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Count { word: String, n: u64 }
/// use headwater_files::{Compression, sink};
///
/// let out = sink("out/counts").compression(Compression::Zstd).json::<Count>();
/// # let _ = out;
/// ```
pub fn sink(dir: impl Into<PathBuf>) -> SinkBuilder {
    SinkBuilder {
        options: SinkOptions {
            dir: dir.into(),
            prefix: "part".into(),
            compression: Compression::None,
            roll_bytes: 128 << 20,
            roll_after: None,
            schema: None,
            marker: None,
            step: None,
        },
    }
}

/// Options of a file sink; ends with the choice of a format.
#[derive(Clone)]
#[must_use = "a sink is made by its format: .json(), .csv() or .parquet()"]
pub struct SinkBuilder {
    options: SinkOptions,
}

#[derive(Clone)]
pub(crate) struct SinkOptions {
    dir: PathBuf,
    prefix: String,
    compression: Compression,
    roll_bytes: u64,
    roll_after: Option<Duration>,
    schema: Option<SchemaRef>,
    /// Name of the file that says that a folder has got parts.
    marker: Option<String>,
    step: Option<fn(&'static str)>,
}

impl SinkOptions {
    /// Checks what all formats have in common.
    fn validate(&self) -> Result<()> {
        let SinkOptions { dir, prefix, roll_bytes, .. } = self;
        if *roll_bytes == 0 {
            return Err(Error::config("roll_bytes must be positive, got 0")
                .hint("leave it out for 128 MiB"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if prefix.is_empty() || prefix.starts_with('_') || !prefix.chars().all(plain) {
            return Err(Error::config(format!("{prefix:?} cannot be the prefix of file names"))
                .hint("use letters, digits, - and _, and do not start with _"));
        }
        match existing_ancestor(dir) {
            Some(found) if !found.is_dir() => {
                Err(Error::config(format!("cannot write to {dir:?}: {found:?} is a file"))
                    .hint("the sink's path must be a directory, or not exist yet"))
            }
            _ => Ok(()),
        }
    }
}

impl SinkBuilder {
    /// What the names of parts start with. Default: `part`.
    ///
    /// Sinks that share a directory need prefixes of their own.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Compresses JSON and CSV parts as a whole, and the pages of Parquet parts (Zstd only; without
    /// this they are Snappy). Default: none.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.options.compression = compression;
        self
    }

    /// Closes a part that has reached this many bytes. Default: 128 MiB.
    ///
    /// Every checkpoint closes the part too. A part can exceed the size by what its encoder holds
    /// back (one row, a compressor's window, a Parquet batch of up to 1 MiB).
    pub fn roll_bytes(mut self, bytes: u64) -> Self {
        self.options.roll_bytes = bytes;
        self
    }

    /// Closes a part that has been open this long, on the machine's monotonic clock, at the next
    /// write. Default: only checkpoints and size close a part.
    ///
    /// A closed part becomes visible with its checkpoint, not before.
    pub fn roll_after(mut self, age: Duration) -> Self {
        self.options.roll_after = Some(age);
        self
    }

    /// The columns of Parquet parts. Fields it does not name are left out.
    ///
    /// Default: traced from the type; a type that cannot be traced has the columns found in its
    /// first rows, part by part. Integers become timestamps if the schema says so, in its unit.
    pub fn schema(mut self, schema: SchemaRef) -> Self {
        self.options.schema = Some(schema);
        self
    }

    /// Puts an empty file of this name beside parts that have become visible, such as `_SUCCESS`.
    pub fn marker(mut self, name: impl Into<String>) -> Self {
        self.options.marker = Some(name.into());
        self
    }

    /// Calls `hook` at each of [`STEPS`].
    #[doc(hidden)]
    pub fn on_step(mut self, hook: fn(&'static str)) -> Self {
        self.options.step = Some(hook);
        self
    }

    /// Writes JSON, one value per line; extension `.jsonl`.
    pub fn json<T: Record>(self) -> FileSink<T> {
        FileSink::new(self.options, "jsonl", None, text_part::start_json::<T>)
    }

    /// Writes CSV (RFC 4180) with a header row in every part; extension `.csv`.
    ///
    /// Rows must be flat: structs of scalars and options, or tuples, which get no header.
    pub fn csv<T: Record>(self) -> FileSink<T> {
        FileSink::new(self.options, "csv", None, text_part::start_csv::<T>)
    }

    /// Writes blocks that `start`'s encoders encode, into folders that the blocks name. Each part
    /// is compressed as a whole, if there is a compression.
    pub fn blocks<B: Send + 'static>(
        self,
        extension: &str,
        start: impl Fn(PartOutput) -> Result<Box<dyn BlockEncoder<B>>> + Send + Sync + 'static,
    ) -> BlockSink<B> {
        BlockSink::new(self.options, extension, Arc::new(start))
    }

    /// Writes Parquet; extension `.parquet`.
    ///
    /// Rows go through their JSON form: a field is the column that its JSON value is. All columns
    /// are nullable; not-a-number is null.
    pub fn parquet<T: Record>(self) -> FileSink<T> {
        let columns = Columns::of::<T>(self.options.schema.clone());
        FileSink::new(self.options, "parquet", Some(columns), parquet_part::start::<T>)
    }
}

/// A sink of `T`s to files, exactly-once end to end; made by [`sink()`].
///
/// # Errors
/// A disk that is full or away gives a `Transient` error that names the path; a row that the format
/// cannot hold gives a `Data` error; a part that has vanished or changed between checkpoint and
/// commit gives a `Connector` error that names the part and its epoch.
pub struct FileSink<T> {
    target: Arc<Target>,
    start: Start<T>,
}

/// What writers and committer share.
pub(crate) struct Target {
    options: SinkOptions,
    /// Extension of parts, with that of their compression.
    extension: String,
    /// The columns, for Parquet.
    columns: Option<Columns>,
}

impl Target {
    pub(crate) fn staging(&self) -> PathBuf {
        self.options.dir.join(".staging")
    }

    pub(crate) fn step(&self, name: &'static str) {
        if let Some(hook) = self.options.step {
            hook(name);
        }
    }
}

impl<T: Record> FileSink<T> {
    fn new(
        options: SinkOptions,
        format: &str,
        columns: Option<Columns>,
        start: Start<T>,
    ) -> FileSink<T> {
        let suffix = if columns.is_some() { "" } else { options.compression.suffix() };
        let extension = format!("{format}{suffix}");
        FileSink { target: Arc::new(Target { options, extension, columns }), start }
    }
}

impl<T: Record> Sink for FileSink<T> {
    type Record = T;

    fn validate(&self) -> Result<()> {
        if let Some(columns) = &self.target.columns {
            if self.target.options.compression == Compression::Gzip {
                return Err(Error::config("Parquet parts cannot be gzip-compressed")
                    .hint("use Compression::Zstd, or none for Snappy"));
            }
            columns.check(std::any::type_name::<T>())?;
        }
        self.target.options.validate()
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<T>>> {
        Ok(Box::new(FileWriter::open(Arc::clone(&self.target), self.start, cx)?))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(FileCommitter::open(Arc::clone(&self.target))?)))
    }
}

/// The error of a [`BlockEncoder`] whose part cannot be written: of the right kind, and with what to
/// do about it.
pub fn write_error(e: std::io::Error) -> Error {
    durable::io_error("write", Path::new("a part"), e)
}

fn existing_ancestor(path: &Path) -> Option<&Path> {
    path.ancestors().find(|p| p.symlink_metadata().is_ok())
}

//! The file source: a split per file, a position per record.
//!
//! Splits are files, named by their path below the base directory and ordered by name. Hidden
//! files, files whose names start with `_`, and unfinished parts of our own sink are no splits. A
//! position is the byte offset (of the decompressed bytes) and the line, or row group and row for
//! Parquet.
//!
//! Invariants: one `read` call takes at most about 1 MiB of input and the room in its buffer;
//! memory per reader is bounded by `max_record_bytes`, whatever the file holds.
//!
//! What it does not do: notice that a file it has read grows or changes. A watched directory should
//! get its files by rename, as our sink does it; until then give them a name that starts with `_`
//! or `.`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headwater_connect::{Discovery, Position, Reader, Source, SplitId, Wake};
use headwater_core::{Error, Record, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

mod csv_rows;
mod ended;
mod input;
mod json_lines;
mod listing;
mod parquet_rows;
mod raw_records;
mod text;

use listing::Listing;
pub use raw_records::{CsvDialect, Framing, RawRecord};

/// Bytes of input that one `read` call may take.
const READ_BYTES: usize = 1 << 20;

/// Starts a file source.
///
/// `path` is a file, a directory (read with its subdirectories) or a pattern with `*` and `?` in
/// its last component. Files that end in `.gz` or `.zst` are decompressed.
///
/// # Examples
/// ```
/// let lines = headwater_files::source("/var/log/app/*.log.gz").lines();
/// # let _ = lines;
/// ```
pub fn source(path: impl Into<PathBuf>) -> SourceBuilder {
    SourceBuilder {
        options: SourceOptions {
            path: path.into(),
            watch: None,
            max_record_bytes: 16 << 20,
            delimiter: b',',
            header: true,
            framing: Framing::Lines,
        },
    }
}

/// Options of a file source; ends with the choice of a format.
#[derive(Clone, Debug)]
#[must_use = "a source is made by its format: .json(), .csv(), .parquet() or .lines()"]
pub struct SourceBuilder {
    options: SourceOptions,
}

#[derive(Clone, Debug)]
pub(crate) struct SourceOptions {
    path: PathBuf,
    watch: Option<Duration>,
    max_record_bytes: usize,
    delimiter: u8,
    header: bool,
    framing: Framing,
}

impl SourceBuilder {
    /// Looks for new files at this interval and never ends; for a directory or a pattern.
    ///
    /// Default: the files that exist at the start are all.
    pub fn watch(mut self, interval: Duration) -> Self {
        self.options.watch = Some(interval);
        self
    }

    /// The longest record, in bytes of decompressed text; longer ones are refused. Default: 16 MiB.
    ///
    /// Of a refused record only the first 1 MiB is ever held in memory. Not for Parquet.
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.options.max_record_bytes = bytes;
        self
    }

    /// What separates the fields of a CSV row. Default: a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.options.delimiter = delimiter;
        self
    }

    /// CSV files have no header row; fields are taken in the order of `T`'s fields.
    pub fn without_header(mut self) -> Self {
        self.options.header = false;
        self
    }

    /// Reads JSON, one value per line; blank lines are skipped, malformed ones refused.
    pub fn json<T: Record>(self) -> FileSource<T> {
        FileSource::new(self.options, json_lines::open_json::<T>)
    }

    /// Reads CSV rows (RFC 4180) into `T` by column name; malformed rows are refused.
    ///
    /// The first row of every file is its header, unless [`without_header`](Self::without_header).
    pub fn csv<T: Record>(self) -> FileSource<T> {
        FileSource::new(self.options, csv_rows::open::<T>)
    }

    /// Reads Parquet rows into `T`, through their JSON form.
    ///
    /// Numbers, text, booleans, lists, structs and maps are what they look like; binary columns are
    /// hexadecimal text. A timestamp column is RFC 3339 text, or milliseconds since 1970 when `T`
    /// has an integer there. A row that does not fit `T` is refused.
    pub fn parquet<T: Record>(self) -> FileSource<T> {
        FileSource::new(self.options, parquet_rows::open::<T>)
    }

    /// Reads records of text as they stand there, for callers that decode them by themselves.
    pub fn raw(mut self, framing: Framing) -> FileSource<RawRecord> {
        self.options.framing = framing;
        FileSource::new(self.options, raw_records::open)
    }

    /// Reads lines of UTF-8 text, without their line ends.
    pub fn lines(self) -> FileSource<String> {
        FileSource::new(self.options, json_lines::open_lines)
    }
}

type Open<T> = fn(&SourceOptions, &Path, Option<&Position>) -> Result<Box<dyn Reader<T>>>;

/// A source of `T`s in files; made by [`source()`].
///
/// # Errors
/// A file that is gone or shorter than a restored position, and a compressed stream or Parquet file
/// that is broken, end the attempt with an error that names the file and the place.
pub struct FileSource<T> {
    options: Arc<SourceOptions>,
    listing: Listing,
    open: Open<T>,
}

impl<T> FileSource<T> {
    fn new(options: SourceOptions, open: Open<T>) -> Self {
        let listing = Listing::new(options.path.clone());
        FileSource { options: Arc::new(options), listing, open }
    }

    /// The path of a split's file, for callers that read it by themselves.
    ///
    /// # Errors
    /// `State` when the split is no file of this source.
    pub fn path_of(&self, split: &SplitId) -> Result<PathBuf> {
        self.listing.path_of(&split.0)
    }
}

impl<T: Record> Source for FileSource<T> {
    type Record = T;

    fn validate(&self) -> Result<()> {
        if self.options.max_record_bytes == 0 {
            return Err(Error::config("max_record_bytes must be positive, got 0")
                .hint("leave it out for 16 MiB"));
        }
        self.listing.validate(self.options.watch.is_some())
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(self.listing.files()?.into_iter().map(SplitId).collect())
    }

    fn discovery(&self) -> Discovery {
        self.options.watch.map_or(Discovery::Once, Discovery::Every)
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<T>>> {
        let path = self.listing.path_of(&split.0)?;
        (self.open)(&self.options, &path, position)
    }
}

/// The error for a file that no longer has what a position says was read.
pub(crate) fn shrank(path: &Path, position: &str, has: &str) -> Error {
    Error::connector(format!("file {path:?} was read up to {position}, but now has {has}"))
        .hint("put the original file back; a file must not change while a job reads it")
}

fn parse_position<P: DeserializeOwned>(path: &Path, position: &Position) -> Result<P> {
    serde_json::from_str(&position.0).map_err(|e| {
        Error::state(format!("cannot restore file {path:?} at position {:?}", position.0))
            .because(e)
            .hint("the checkpoint was written by another kind of source or format")
    })
}

fn show_position<P: Serialize>(position: &P) -> Position {
    // Plain structs of integers always serialize.
    Position(serde_json::to_string(position).unwrap_or_default())
}

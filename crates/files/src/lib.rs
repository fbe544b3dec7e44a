//! File source and exactly-once file sink: JSON lines, CSV and Parquet.
//!
//! [`source()`] reads a file, a directory or a pattern; every file is a split, and its position is
//! a byte offset (a row for Parquet), so a restored reader goes on at the very next record.
//! [`sink()`] writes parts that appear, complete and under their final name, once the checkpoint of
//! their epoch is durable.
//!
//! Reading order: [`compression`] → [`source`](mod@source) → [`sink`](mod@sink).
//!
//! What it does not do: tail files that grow (a file is read to the end it has when the reader gets
//! there), append to parts, or read from object stores.
//!
//! # Examples
//! ```
//! # #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! # struct Order { id: u64 }
//! use std::time::Duration;
//! use headwater_files as files;
//!
//! let orders = files::source("in/*.jsonl.gz").watch(Duration::from_secs(1)).json::<Order>();
//! let out = files::sink("out").roll_bytes(64 << 20).parquet::<Order>();
//! # let _ = (orders, out);
//! ```

pub mod compression;
pub mod sink;
pub mod source;

mod durable;
mod row_schema;

pub use compression::Compression;
pub use sink::{Block, BlockEncoder, BlockSink, FileSink, PartOutput, SinkBuilder, sink};
pub use source::{CsvDialect, FileSource, Framing, RawRecord, SourceBuilder, source};

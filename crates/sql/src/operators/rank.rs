//! ROW_NUMBER with a bound: Top-N and deduplication.
//!
//! - [`top_n`]: the first rows of each key, of input that only adds, with updates; or per window,
//!   emitted once when the window is complete;
//! - [`top_n_changes`]: the same of input that takes rows back, for which all rows are kept;
//! - [`deduplicate`]: the first or the last row of each key by time.

pub mod deduplicate;
mod differences;
mod ranking;
pub mod top_n;
pub mod top_n_changes;

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::keys::sort::SortColumn;

pub use deduplicate::{Deduplicate, DeduplicateSpec, Keep};
pub use top_n::TopN;
pub use top_n_changes::TopNOfChanges;

/// What a Top-N computes.
#[derive(Clone, Debug)]
pub struct TopNSpec {
    /// Columns of the input.
    pub input: SchemaRef,
    /// PARTITION BY.
    pub keys: Vec<usize>,
    /// ORDER BY; rows that compare equal rank by arrival, or by their values where the input takes
    /// rows back.
    pub order: Vec<SortColumn>,
    /// The first rank that is wanted, from 1 on.
    pub from: u64,
    /// The last rank that is wanted.
    pub to: u64,
    /// Whether the rank is a column, the last of the output, a BIGINT.
    pub emit_rank: bool,
    /// The columns of the input, and the rank.
    pub output: SchemaRef,
    /// Whether somebody behind wants the row as it was before an update.
    pub emit_update_before: bool,
    /// Time to live of a key after its last change.
    pub ttl: Option<Duration>,
    /// The end of the window that a row is in: the window must be part of the keys. Then results
    /// are emitted once, when the window is complete.
    pub window_end: Option<usize>,
}

/// A row as bytes, shared between the state and what is about to be emitted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowBytes(pub(super) Arc<[u8]>);

impl RowBytes {
    pub(super) fn new(bytes: &[u8]) -> Self {
        RowBytes(Arc::from(bytes))
    }
}

impl Serialize for RowBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for RowBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = crate::keys::RowKey::deserialize(deserializer)?;
        Ok(RowBytes::new(key.bytes()))
    }
}

#[cfg(test)]
mod tests;

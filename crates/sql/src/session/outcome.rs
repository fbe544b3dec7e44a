//! What a statement gives.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_runtime::{JobHandle, Outcome as Ended};

use super::evolution::Evolution;
use super::live::LiveQuery;
use crate::error::SqlResult;
use crate::splits::SplitBoard;

/// What a statement gives.
pub enum Outcome {
    /// It is done: a sentence that says what.
    Done(String),
    /// Rows, all of them.
    Rows(RowSet),
    /// Text to read: a plan, a statement.
    Text(String),
    /// Rows as they come.
    Live(Box<LiveQuery>),
    /// A job that runs.
    Job(Box<Job>),
}

/// Rows, all of them.
#[derive(Clone, Debug)]
pub struct RowSet {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// What the reader should know: records that could not be read.
    pub warnings: Vec<String>,
}

impl RowSet {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A running job. Dropping it stops the job at once.
pub struct Job {
    /// Its name.
    pub name: String,
    /// The tables it writes.
    pub sinks: Vec<String>,
    /// Whether it ends by itself.
    pub bounded: bool,
    /// What the reader should know.
    pub warnings: Vec<String>,
    /// What becomes of the state that it goes on from; none: it begins without.
    pub evolution: Option<Evolution>,
    /// Where the splits of its tables stand.
    pub splits: SplitBoard,
    /// Controls it.
    pub handle: JobHandle,
}

impl Job {
    /// Waits for the job to end.
    ///
    /// # Errors
    /// What it failed with.
    pub fn wait(&mut self) -> SqlResult<Ended> {
        Ok(self.handle.wait()?)
    }
}

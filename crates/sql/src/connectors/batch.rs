//! Bounded tables for DataFusion: read by the readers that a streaming job uses.
//!
//! Splits are read one after the other, in their order. A changelog is folded first: what was taken
//! back is not there. Records that cannot be read follow the table's policy as in a job: they fail
//! the query, or are counted.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use headwater_connect::{BadRecord, ReadStatus, SplitId, Wake};
use headwater_core::{BadRecordPolicy, Error, ProcessingTime, Result, SplitTag};
use headwater_topology::erased::{AnyReader, AnySource};

use super::{ChangelogMode, ConnectorContext, TableSource};
use crate::catalog::Table;
use crate::error::SqlError;
use crate::rows::{Chunk, Rows};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 8192;

/// A time by which all generated rows are due: a batch query keeps to no rate.
const LONG_AFTER: Duration = Duration::from_secs(u32::MAX as u64);

type Refuse = dyn Fn(&str, BadRecordPolicy, Vec<BadRecord>) -> bool + Send + Sync;

/// Who is told of the records that a query cannot read, by table, and says whether it goes on; an
/// extension of the query's configuration.
pub(crate) struct Refusals(pub(crate) Box<Refuse>);

/// A bounded table.
pub fn provider(table: Table, source: TableSource, cx: ConnectorContext) -> Arc<dyn TableProvider> {
    Arc::new(BoundedTable { table, source, cx })
}

struct BoundedTable {
    table: Table,
    /// With all columns.
    source: TableSource,
    cx: ConnectorContext,
}

impl fmt::Debug for BoundedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoundedTable({})", self.table.name)
    }
}

#[async_trait]
impl TableProvider for BoundedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.source.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let append = self.source.changelog == ChangelogMode::Append;
        // A changelog is folded by whole rows, so all columns are read.
        let (source, left) = match projection {
            Some(projection) if append => {
                let wanted = Arc::new(self.source.schema.project(projection)?);
                (super::source(&self.table, Some(&wanted), &self.cx)?, None)
            }
            other => (self.source.clone(), other),
        };
        let schema = Arc::clone(&source.schema);
        let (table, now) = (self.table.name.clone(), self.cx.now);
        let reading = Reading { table, source, now };
        let partitions: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(reading)];
        Ok(Arc::new(StreamingTableExec::try_new(schema, partitions, left, None, false, limit)?))
    }
}

/// Reads all splits.
struct Reading {
    table: String,
    source: TableSource,
    now: ProcessingTime,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table)
    }
}

impl PartitionStream for Reading {
    fn schema(&self) -> &SchemaRef {
        &self.source.schema
    }

    fn execute(&self, cx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.source.schema);
        let splits = Splits {
            source: Arc::clone(&self.source.source),
            table: self.table.clone(),
            policy: self.source.bad_records,
            refusals: cx.session_config().get_extension(),
            left: None,
            reader: None,
            now: self.now,
        };
        let failed = |e: Error| DataFusionError::from(SqlError::from(e));
        if self.source.changelog == ChangelogMode::Append {
            let batches = splits.map(move |chunk| chunk.map(|chunk| chunk.data).map_err(failed));
            let stream = futures::stream::iter(batches);
            return Box::pin(RecordBatchStreamAdapter::new(schema, stream));
        }
        let folded = fold(splits, &schema, &self.source.changelog).map_err(failed);
        let stream = futures::stream::iter([folded]);
        Box::pin(RecordBatchStreamAdapter::new(schema, stream))
    }
}

/// The chunks of all splits, one split after the other.
struct Splits {
    source: Arc<dyn AnySource>,
    table: String,
    policy: BadRecordPolicy,
    refusals: Option<Arc<Refusals>>,
    /// The splits that were not opened yet; none before the first.
    left: Option<std::vec::IntoIter<SplitId>>,
    reader: Option<Box<dyn AnyReader>>,
    now: ProcessingTime,
}

impl Splits {
    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        loop {
            let Some(reader) = &mut self.reader else {
                let left = match &mut self.left {
                    Some(left) => left,
                    None => {
                        self.source.validate()?;
                        self.left.insert(self.source.splits()?.into_iter())
                    }
                };
                let Some(split) = left.next() else { return Ok(None) };
                self.reader = Some(self.source.open(&split, None, Wake::none())?);
                continue;
            };
            let given = reader.read(BATCH_ROWS, LONG_AFTER, self.now, SplitTag::NONE)?;
            match given.status {
                ReadStatus::End => self.reader = None,
                ReadStatus::After(pause) => std::thread::sleep(pause),
                ReadStatus::Idle => std::thread::sleep(Duration::from_millis(1)),
                ReadStatus::Ready => {}
            }
            if let (BadRecordPolicy::Fail, Some(bad)) = (self.policy, given.bad.first()) {
                return Err(Error::data(format!(
                    "table {} has a record that cannot be read, {}: {}",
                    self.table, bad.position, bad.reason
                )));
            }
            if let Some(refusals) = self.refusals.as_ref().filter(|_| !given.bad.is_empty())
                && !refusals.0(&self.table, self.policy, given.bad)
            {
                return Ok(None);
            }
            let mut chunks = Rows::of(given.batch);
            if let Some(chunk) = chunks.pop() {
                debug_assert!(chunks.is_empty(), "a reader gives one chunk at a time");
                return Ok(Some(chunk));
            }
        }
    }
}

impl Iterator for Splits {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}

/// The rows that are there in the end, in the order in which they came.
fn fold(splits: Splits, schema: &SchemaRef, changelog: &ChangelogMode) -> Result<RecordBatch> {
    let failed = |e| Error::internal("cannot fold a changelog").because(e);
    let key: Vec<usize> = match changelog {
        ChangelogMode::Upsert(key) => key.clone(),
        _ => (0..schema.fields().len()).collect(),
    };
    let upsert = matches!(changelog, ChangelogMode::Upsert(_));
    let sort = key.iter().map(|i| SortField::new(schema.field(*i).data_type().clone()));
    let converter = RowConverter::new(sort.collect()).map_err(failed)?;
    // For each key the rows that are there, by chunk and place; the last may be taken back.
    let mut there: HashMap<OwnedRow, Vec<(usize, usize)>> = HashMap::new();
    let mut chunks = Vec::new();
    for chunk in splits {
        let chunk = chunk?;
        let columns: Vec<_> = key.iter().map(|i| Arc::clone(chunk.data.column(*i))).collect();
        let rows = converter.convert_columns(&columns).map_err(failed)?;
        for row in 0..chunk.len() {
            let places = there.entry(rows.row(row).owned()).or_default();
            match (chunk.kind(row).adds(), upsert) {
                (true, false) => places.push((chunks.len(), row)),
                (true, true) => *places = vec![(chunks.len(), row)],
                (false, true) => places.clear(),
                (false, false) => {
                    places.pop();
                }
            }
        }
        chunks.push(chunk.data);
    }
    let mut places: Vec<(usize, usize)> = there.into_values().flatten().collect();
    places.sort_unstable();
    let parts: Vec<RecordBatch> =
        places.into_iter().map(|(chunk, row)| chunks[chunk].slice(row, 1)).collect();
    concat_batches(schema, &parts).map_err(failed)
}

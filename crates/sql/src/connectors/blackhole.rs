//! Counts rows and drops them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_connect::{
    AttemptContext, BadRecord, Committer, Guarantee, Measure, TransactionLog, WriteStatus,
    WriterContext,
};
use headwater_core::{BadRecordPolicy, Batch, Epoch, Result};
use headwater_topology::erased::{AnySink, AnyWriter};

use super::options::Options;
use super::{ChangelogMode, Connector, TableSink};
use crate::error::SqlResult;

/// The connector's name.
pub const NAME: &str = "blackhole";

/// The connector.
pub const CONNECTOR: Connector = Connector {
    name: NAME,
    help: "drops rows, for measuring",
    reads: false,
    writes: true,
    options: &[],
    formats: &[],
};

/// The sink of a table.
pub fn sink(options: &Options<'_>) -> SqlResult<TableSink> {
    let table = options.table();
    let schema = Arc::new(table.schema.project(&table.written_columns())?);
    Ok(TableSink {
        sink: Arc::new(Blackhole::default()),
        schema,
        accepts: ChangelogMode::WithoutBefore,
    })
}

/// The sink; clones share the count.
#[derive(Clone, Default)]
pub struct Blackhole {
    count: Arc<AtomicU64>,
}

impl Blackhole {
    /// How many rows all workers have written so far, replayed ones included.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl AnySink for Blackhole {
    fn validate(&self) -> Result<()> {
        Ok(())
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }
    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn AnyWriter>> {
        Ok(Box::new(self.clone()))
    }
    fn begin_attempt(&self, _cx: &AttemptContext) -> Result<()> {
        Ok(())
    }
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
    fn transaction_log(&self, _job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        Ok(None)
    }
}

impl AnyWriter for Blackhole {
    fn push(&mut self, batch: Batch) {
        self.count.fetch_add(batch.len() as u64, Ordering::Relaxed);
    }
    fn write(&mut self) -> Result<WriteStatus> {
        Ok(WriteStatus::Done)
    }
    fn queued(&self) -> usize {
        0
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (BadRecordPolicy::default(), Vec::new())
    }
}

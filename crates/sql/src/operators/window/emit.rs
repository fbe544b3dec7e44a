//! The results of windows, put together to chunks.

use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::Result;
use headwater_operators::OperatorContext;
use headwater_operators::operator::OUT;

use super::WindowColumn;
use crate::keys::{RowCodec, RowKey};
use crate::operators::aggregate::Aggregates;
use crate::operators::aggregate::state::Groups;
use crate::operators::chunks::{CHUNK_ROWS, record_batch, timestamps};
use crate::rows::Chunk;

/// Gathers results: keys, aggregates, bounds.
pub(super) struct Emitter {
    codec: RowCodec,
    columns: Vec<WindowColumn>,
    output: SchemaRef,
    keys: Vec<RowKey>,
    bounds: Vec<(i64, i64)>,
    /// The states of the windows gathered.
    pub(super) groups: Groups,
}

impl Emitter {
    pub(super) fn new(
        codec: RowCodec,
        aggregates: &Aggregates,
        columns: Vec<WindowColumn>,
        output: SchemaRef,
    ) -> Self {
        let groups = Groups::new(aggregates.width(), aggregates.blob_width());
        Emitter { codec, columns, output, keys: Vec::new(), bounds: Vec::new(), groups }
    }

    /// Adds the window whose state is the last of `groups`, and emits when there are many.
    pub(super) fn push(
        &mut self,
        key: RowKey,
        bounds: (i64, i64),
        aggregates: &Aggregates,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        self.keys.push(key);
        self.bounds.push(bounds);
        if self.keys.len() >= CHUNK_ROWS { self.flush(aggregates, cx) } else { Ok(()) }
    }

    /// Emits what is gathered.
    pub(super) fn flush(
        &mut self,
        aggregates: &Aggregates,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let mut output = self.codec.decode(self.keys.iter().map(RowKey::bytes))?;
        output.extend(aggregates.finish(&self.groups)?);
        for column in &self.columns {
            let data_type = self.output.field(output.len()).data_type();
            output.push(timestamps(data_type, self.bounds.iter().map(|b| column.millis(*b)))?);
        }
        let data = record_batch(&self.output, output, self.keys.len())?;
        self.keys.clear();
        self.bounds.clear();
        self.groups.clear();
        cx.emit_batch(OUT, Chunk::inserts(data).into());
        Ok(())
    }
}

//! The window table functions by themselves: `window_start`, `window_end`, `window_time` for each
//! row.
//!
//! A row that is in several windows (HOP, CUMULATE) is emitted once for each. Late rows are passed
//! on: whoever aggregates them decides. No state; SESSION needs some and is only aggregated over.

use std::sync::Arc;

use datafusion::arrow::array::UInt32Array;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::{Batch, EventTime, Result};
use headwater_operators::operator::OUT;
use headwater_operators::window::Slicing;
use headwater_operators::{Operator, OperatorContext, Port};

use super::{Clock, Window, WindowColumn};
use crate::operators::chunks::{arrow_error, event_millis, record_batch, timestamps};
use crate::rows::{Chunk, Rows};

/// Which windows are assigned.
#[derive(Clone, Debug)]
pub struct AssignWindowsSpec {
    /// The windows.
    pub window: Window,
    /// By which clock.
    pub clock: Clock,
    /// The columns that are added, in order.
    pub columns: Vec<WindowColumn>,
    /// The columns of the input, and those added.
    pub output: SchemaRef,
}

/// See the module.
///
/// - Time: rows keep their place in time; watermarks pass.
/// - State: none.
/// - Errors: of kind `Data`, the time of a row is NULL.
pub struct AssignWindows {
    spec: AssignWindowsSpec,
    slicing: Slicing,
}

impl AssignWindows {
    /// The operator.
    ///
    /// # Errors
    /// Of kind `Plan`: the windows are not possible.
    pub fn new(spec: AssignWindowsSpec) -> Result<Self> {
        Ok(AssignWindows { slicing: spec.window.slicing()?, spec })
    }

    fn assign(&self, chunk: Chunk, cx: &OperatorContext) -> Result<Chunk> {
        let times = match self.spec.clock {
            Clock::EventTime(column) => event_millis(&chunk.data, column)?.into_owned(),
            Clock::ProcessingTime => vec![cx.now().0; chunk.len()],
        };
        let mut rows: Vec<u32> = Vec::with_capacity(times.len());
        let mut bounds: Vec<(i64, i64)> = Vec::with_capacity(times.len());
        for (row, time) in times.into_iter().enumerate() {
            let slice = self.slicing.slice(time);
            let (mut end, last) = (self.slicing.first_end(slice), self.slicing.last_end(slice));
            while end <= last {
                let window = self.slicing.window(end);
                rows.push(row as u32);
                bounds.push((window.start.0, window.end.0));
                end = EventTime(end.0 + self.slicing.hop());
            }
        }
        let one_each = rows.len() == chunk.len() && self.slicing.slices() == 1;
        let chunk = match one_each {
            true => chunk,
            false => chunk.take(&UInt32Array::from(rows)).map_err(arrow_error)?,
        };
        let mut columns = chunk.data.columns().to_vec();
        for column in &self.spec.columns {
            let data_type = self.spec.output.field(columns.len()).data_type();
            columns.push(timestamps(data_type, bounds.iter().map(|b| column.millis(*b)))?);
        }
        let data = record_batch(&Arc::clone(&self.spec.output), columns, chunk.len())?;
        Ok(chunk.with_data(data))
    }
}

impl Operator for AssignWindows {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let split = batch.split();
        let mut out = Batch::default();
        for chunk in Rows::of(batch) {
            let chunk = self.assign(chunk, cx)?;
            Rows::push_to(&mut out, chunk);
        }
        cx.emit_batch(OUT, out.with_split(split));
        Ok(())
    }
}

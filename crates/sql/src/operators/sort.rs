//! `ORDER BY rowtime, …`: rows wait for the watermark and leave in order.
//!
//! Runs on one worker. Rows that the watermark has passed already are late: dropped and counted.
//! Rows that compare equal leave in order of arrival.

use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::{Batch, Epoch, EventTime, KeyGroup, Result};
use headwater_operators::operator::OUT;
use headwater_operators::window::progress::Progress;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{StateTable, Table};

use super::chunks::{CHUNK_ROWS, coalesce, event_millis, record_batch};
use super::rank::RowBytes;
use crate::keys::sort::{SortCodec, SortColumn};
use crate::keys::{RowCodec, RowKey};
use crate::rows::Chunk;

/// See the module.
///
/// - Time: a row leaves once the watermark has reached it.
/// - State: the rows that wait.
/// - Errors: of kind `Data`, the time of a row is NULL.
pub struct SortByTime {
    schema: SchemaRef,
    rowtime: usize,
    rows: RowCodec,
    sort: SortCodec,
    /// By time in milliseconds, sort key and arrival.
    waiting: Table<RowKey, (EventTime, RowKey, u64), RowBytes>,
    arrived: u64,
    progress: Progress,
    /// Whether this worker owns the only key, and so the rows.
    owns_all: bool,
}

impl SortByTime {
    /// Sorts rows of `schema` by the time in `rowtime`, ascending, and then by `then`.
    ///
    /// # Errors
    /// Of kind `Plan`: a column is of a type that is not supported.
    pub fn new(
        init: &OperatorInit,
        schema: SchemaRef,
        rowtime: usize,
        then: Vec<SortColumn>,
    ) -> Result<Self> {
        // Within a millisecond the time attribute itself comes first.
        let time = SortColumn { column: rowtime, descending: false, nulls_first: false };
        let by = std::iter::once(time).chain(then).collect();
        Ok(SortByTime {
            rows: RowCodec::of_schema(&schema)?,
            sort: SortCodec::new(&schema, by)?,
            waiting: Table::new("waiting", init.key_groups),
            arrived: 0,
            owns_all: init
                .key_groups
                .contains(KeyGroup::of(RowKey::default().hash(), init.key_groups.max_parallelism)),
            progress: Progress::new(init.key_groups),
            schema,
            rowtime,
        })
    }

    fn emit(&self, rows: &[RowBytes], cx: &mut OperatorContext) -> Result<()> {
        let columns = self.rows.decode(rows.iter().map(|row| &*row.0))?;
        let data = record_batch(&self.schema, columns, rows.len())?;
        cx.emit_batch(OUT, Chunk::inserts(data).into());
        Ok(())
    }
}

impl Operator for SortByTime {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let Some(chunk) = coalesce(batch)? else { return Ok(()) };
        let times = event_millis(&chunk.data, self.rowtime)?;
        let sorts = self.sort.encode(chunk.data.columns(), chunk.len())?;
        let rows = self.rows.encode(chunk.data.columns(), chunk.len())?;
        let key = RowKey::default();
        let hash = key.hash();
        let current = self.progress.of(hash, cx.watermark());
        for row in 0..chunk.len() {
            let time = EventTime(times[row]);
            if time.is_late(chunk.watermark(row, current)) {
                cx.counts.late += 1;
                continue;
            }
            let ns = (time, RowKey::new(sorts.row(row)), self.arrived);
            self.waiting.insert(hash, &key, &ns, RowBytes::new(rows.row(row)))?;
            self.arrived += 1;
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        if !self.owns_all {
            return Ok(());
        }
        let key = RowKey::default();
        let hash = key.hash();
        loop {
            let due = self.waiting.of_key(hash, &key);
            let due = due.take_while(|((time, ..), _)| time.is_late(watermark)).take(CHUNK_ROWS);
            let (due, rows): (Vec<_>, Vec<_>) =
                due.map(|(ns, row)| (ns.clone(), row.clone())).unzip();
            if rows.is_empty() {
                break;
            }
            for ns in &due {
                self.waiting.remove(hash, &key, ns)?;
            }
            self.emit(&rows, cx)?;
        }
        self.progress.advance(watermark);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.waiting]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        let last = self.waiting.iter().map(|(_, _, (_, _, arrived), _)| *arrived).max();
        self.arrived = last.map_or(0, |last| last + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::testing::{Driver, chunk, init, int, schema, time};

    #[test]
    fn rows_leave_in_order_once_the_watermark_has_reached_them() {
        let input = schema(&[time("t"), int("v")]);
        let for_operator = std::sync::Arc::clone(&input);
        let mut driver = Driver::new(move || {
            let then = vec![SortColumn { column: 1, descending: true, nulls_first: false }];
            SortByTime::new(&init(), std::sync::Arc::clone(&for_operator), 0, then).unwrap()
        });
        assert!(
            driver.send(chunk(&input, "+I 5 1 | +I 3 2 | +I 5 9 | +I 3 2 | +I 9 0")).is_empty()
        );
        driver.restart();
        assert_eq!(driver.watermark(3), ["+I 3 2", "+I 3 2"]);
        driver.restart();
        // Late under the watermark before the restart; and under that of its split.
        driver.send(chunk(&input, "+I 3 7 | +I 7 4 | +I 6 6 @6"));
        assert_eq!(driver.cx.counts.late, 2);
        assert_eq!(driver.watermark(i64::MAX), ["+I 5 9", "+I 5 1", "+I 7 4", "+I 9 0"]);
    }
}

//! Changelogs made to fit: completed, thinned out, or keyed anew for a sink.
//!
//! - [`Normalize`]: a stream of upserts and deletes by key becomes a full changelog;
//! - [`DropUpdateBefore`]: leaves `-U` out, for those who know rows by key;
//! - [`UpsertMaterialize`]: a changelog whose own key is not that of the sink becomes upserts by
//!   the
//!   sink's key, whatever order the changes of that key come in.

use std::time::Duration;

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::{Batch, ProcessingTime, Result, RowKind};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{StateTable, Table};

use super::chunks::{Changes, arrow_error, coalesce, columns, record_batch};
use super::rank::RowBytes;
use super::ttl::Ttl;
use crate::keys::{RowCodec, RowKey};
use crate::rows::{Chunk, Rows, kind_code};

/// Leaves update-before rows out. No state.
#[derive(Debug, Default)]
pub struct DropUpdateBefore;

impl DropUpdateBefore {
    /// The operator.
    pub fn new() -> Self {
        DropUpdateBefore
    }
}

impl Operator for DropUpdateBefore {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let split = batch.split();
        let before = kind_code(RowKind::UpdateBefore);
        let mut out = Batch::default();
        for chunk in Rows::of(batch) {
            let kept = match &chunk.kinds {
                Some(kinds) if kinds.values().contains(&before) => {
                    let keep = kinds.values().iter().map(|kind| *kind != before);
                    let keep = BooleanArray::from(keep.collect::<Vec<_>>());
                    chunk.filter(&keep).map_err(arrow_error)?
                }
                _ => chunk,
            };
            if !kept.is_empty() {
                Rows::push_to(&mut out, kept);
            }
        }
        cx.emit_batch(OUT, out.with_split(split));
        Ok(())
    }
}

/// Rows as bytes with what they do, about to be emitted.
#[derive(Default)]
struct Emission {
    changes: Changes,
    rows: Vec<RowBytes>,
}

impl Emission {
    fn push(&mut self, kind: RowKind, row: RowBytes) {
        self.changes.push(kind, self.rows.len());
        self.rows.push(row);
    }

    fn emit(self, codec: &RowCodec, schema: &SchemaRef, cx: &mut OperatorContext) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let columns = codec.decode(self.rows.iter().map(|row| &*row.0))?;
        let data = record_batch(schema, columns, self.rows.len())?;
        let chunk = Chunk { data, kinds: self.changes.kinds(), read_at: None };
        cx.emit_batch(OUT, chunk.into());
        Ok(())
    }
}

/// What [`Normalize`] and [`UpsertMaterialize`] need to know.
#[derive(Clone, Debug)]
pub struct KeyedRowsSpec {
    /// Columns of the input and of the output.
    pub schema: SchemaRef,
    /// The key.
    pub keys: Vec<usize>,
    /// Whether somebody behind wants the row as it was before an update.
    pub emit_update_before: bool,
    /// Time to live of a key after its last change.
    pub ttl: Option<Duration>,
}

type ByKey<V> = Table<RowKey, (), V>;

/// The common part: a value per key, the codecs, and the time to live.
struct Keyed<V> {
    spec: KeyedRowsSpec,
    keys: RowCodec,
    rows: RowCodec,
    table: ByKey<V>,
    ttl: Option<Ttl>,
}

impl<V: headwater_core::Record> Keyed<V> {
    fn new(init: &OperatorInit, spec: KeyedRowsSpec) -> Result<Self> {
        Ok(Keyed {
            keys: RowCodec::of_columns(&spec.schema, &spec.keys)?,
            rows: RowCodec::of_schema(&spec.schema)?,
            table: Table::new("rows", init.key_groups),
            ttl: spec.ttl.map(|ttl| Ttl::new(ttl, init.key_groups)),
            spec,
        })
    }

    /// Calls `each` for every row with its key and bytes, in order.
    fn each(
        &mut self,
        chunk: &Chunk,
        now: ProcessingTime,
        mut each: impl FnMut(&mut ByKey<V>, u64, &RowKey, RowKind, RowBytes) -> Result<()>,
    ) -> Result<()> {
        let keys = self.keys.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
        let rows = self.rows.encode(chunk.data.columns(), chunk.len())?;
        for row in 0..chunk.len() {
            let (hash, key) = (keys.hash(row), RowKey::new(keys.row(row)));
            let bytes = RowBytes::new(rows.row(row));
            each(&mut self.table, hash, &key, chunk.kind(row), bytes)?;
            if let Some(ttl) = &mut self.ttl {
                ttl.touch(hash, &key, now)?;
            }
        }
        Ok(())
    }

    fn expire(&mut self, now: ProcessingTime) -> Result<()> {
        let Some(ttl) = &mut self.ttl else { return Ok(()) };
        while let Some((hash, key)) = ttl.pop_due(now)? {
            self.table.remove(hash, &key, &())?;
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        let mut tables: Vec<&mut dyn StateTable> = vec![&mut self.table];
        tables.extend(self.ttl.as_mut().map(Ttl::table));
        tables
    }
}

/// Completes a stream of upserts: an insert of a known key is an update of what is there, and a
/// delete takes back the row as it was, whatever the delete itself says.
///
/// - Time: watermarks pass.
/// - State: one row per key, freed when it is deleted or after the time to live.
pub struct Normalize(Keyed<RowBytes>);

impl Normalize {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: a column is of a type that is not supported.
    pub fn new(init: &OperatorInit, spec: KeyedRowsSpec) -> Result<Self> {
        Ok(Normalize(Keyed::new(init, spec)?))
    }
}

impl Operator for Normalize {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let Some(chunk) = coalesce(batch)? else { return Ok(()) };
        let mut out = Emission::default();
        let before = self.0.spec.emit_update_before;
        let lives = self.0.ttl.is_some();
        self.0.each(&chunk, cx.now(), |table, hash, key, kind, row| {
            match kind {
                // What was there is known.
                RowKind::UpdateBefore => {}
                RowKind::Delete => {
                    if let Some(old) = table.remove(hash, key, &())? {
                        out.push(RowKind::Delete, old);
                    }
                }
                RowKind::Insert | RowKind::UpdateAfter => {
                    let mut created = false;
                    let first = || {
                        created = true;
                        row.clone()
                    };
                    let (_, kept) = table.get_or_insert_with(hash, key, &(), first)?;
                    if created {
                        out.push(RowKind::Insert, row);
                    } else if *kept != row || lives {
                        let old = std::mem::replace(kept, row.clone());
                        if before {
                            out.push(RowKind::UpdateBefore, old);
                        }
                        out.push(RowKind::UpdateAfter, row);
                    }
                }
            }
            Ok(())
        })?;
        out.emit(&self.0.rows, &self.0.spec.schema, cx)
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.0.ttl.as_ref()?.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.0.expire(cx.now())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        self.0.tables()
    }

    fn restored(&mut self) -> Result<()> {
        self.0.ttl.iter_mut().for_each(Ttl::restored);
        Ok(())
    }
}

/// Keeps the rows of each key of the sink, and shows the one that was added last.
///
/// - Time: watermarks pass.
/// - State: the rows of each key that are not taken back; freed after the time to live.
pub struct UpsertMaterialize(Keyed<Vec<RowBytes>>);

impl UpsertMaterialize {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: a column is of a type that is not supported.
    pub fn new(init: &OperatorInit, spec: KeyedRowsSpec) -> Result<Self> {
        Ok(UpsertMaterialize(Keyed::new(init, spec)?))
    }
}

impl Operator for UpsertMaterialize {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let Some(chunk) = coalesce(batch)? else { return Ok(()) };
        let mut out = Emission::default();
        let before = self.0.spec.emit_update_before;
        self.0.each(&chunk, cx.now(), |table, hash, key, kind, row| {
            let (slot, rows) = table.get_or_insert_with(hash, key, &(), Vec::new)?;
            let shown = rows.last().cloned();
            if kind.adds() {
                rows.push(row);
            } else if let Some(at) = rows.iter().rposition(|r| *r == row) {
                rows.remove(at);
            }
            match (shown, rows.last().cloned()) {
                (None, Some(new)) => out.push(RowKind::Insert, new),
                (Some(old), None) => out.push(RowKind::Delete, old),
                (Some(old), Some(new)) if old != new => {
                    if before {
                        out.push(RowKind::UpdateBefore, old);
                    }
                    out.push(RowKind::UpdateAfter, new);
                }
                _ => {}
            }
            if rows.is_empty() {
                table.remove_at(slot, &())?;
            }
            Ok(())
        })?;
        out.emit(&self.0.rows, &self.0.spec.schema, cx)
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.0.ttl.as_ref()?.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.0.expire(cx.now())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        self.0.tables()
    }

    fn restored(&mut self) -> Result<()> {
        self.0.ttl.iter_mut().for_each(Ttl::restored);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::testing::{Driver, chunk, init, int, schema, text};

    fn spec(before: bool) -> KeyedRowsSpec {
        let schema = schema(&[int("k"), text("v")]);
        KeyedRowsSpec { schema, keys: vec![0], emit_update_before: before, ttl: None }
    }

    #[test]
    fn upserts_become_a_full_changelog() {
        let schema = spec(true).schema;
        let mut driver = Driver::new(|| Normalize::new(&init(), spec(true)).unwrap());
        let out = driver.send(chunk(&schema, "+I 1 a | +U 1 b | +I 2 x | +U 2 x"));
        assert_eq!(out, ["+I 1 a", "-U 1 a", "+U 1 b", "+I 2 x"]);
        driver.restart();
        let out = driver.send(chunk(&schema, "-D 1 NULL | -D 3 NULL | -U 2 x | +U 2 y | +I 1 c"));
        assert_eq!(out, ["-D 1 b", "-U 2 x", "+U 2 y", "+I 1 c"]);
    }

    #[test]
    fn time_to_live_forgets_keys() {
        let schema = spec(true).schema;
        let with_ttl = || KeyedRowsSpec { ttl: Some(Duration::from_secs(1)), ..spec(false) };
        let mut driver = Driver::new(move || Normalize::new(&init(), with_ttl()).unwrap());
        driver.send(chunk(&schema, "+I 1 a"));
        driver.clock(900);
        assert_eq!(driver.send(chunk(&schema, "+I 1 b")), ["+U 1 b"]);
        driver.restart();
        driver.clock(1_500);
        assert_eq!(driver.send(chunk(&schema, "+I 1 c")), ["+U 1 c"]);
        driver.clock(2_600);
        assert_eq!(driver.send(chunk(&schema, "+I 1 d")), ["+I 1 d"]);
    }

    #[test]
    fn the_row_added_last_is_shown_in_any_order_of_changes() {
        let schema = spec(true).schema;
        let mut driver = Driver::new(|| UpsertMaterialize::new(&init(), spec(true)).unwrap());
        // The update of another key's row comes before the row is taken back here.
        let out = driver.send(chunk(&schema, "+I 1 a | +U 1 b | -U 1 a"));
        assert_eq!(out, ["+I 1 a", "-U 1 a", "+U 1 b"]);
        driver.restart();
        let out = driver.send(chunk(&schema, "+I 1 c | -D 1 c | -D 1 b | -D 1 b"));
        assert_eq!(out, ["-U 1 b", "+U 1 c", "-U 1 c", "+U 1 b", "-D 1 b"]);
        assert!(driver.operator.tables()[0].is_empty());
    }

    #[test]
    fn update_before_is_dropped() {
        let schema = spec(true).schema;
        let mut driver = Driver::new(DropUpdateBefore::new);
        let out = driver.send(chunk(&schema, "+I 1 a | -U 1 a | +U 1 b | -D 1 b"));
        assert_eq!(out, ["+I 1 a", "+U 1 b", "-D 1 b"]);
        assert!(driver.send(chunk(&schema, "-U 1 a")).is_empty());
    }
}

//! How rows get to the worker that works on them.

use std::sync::Arc;

use datafusion::arrow::array::UInt32Array;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::{Batch, KeyGroup, Result};
use headwater_operators::key_by::Partitioner;
use headwater_topology::node::PartitionerFactory;

use super::chunks::columns;
use crate::keys::{RowCodec, RowKey};
use crate::rows::{Chunk, Rows};

/// Rows with equal values in `columns` go to the same worker: the one that owns their key group.
///
/// The same columns in the same order, of the same types, make the keys of the operator behind it.
///
/// # Errors
/// Of kind `Plan`: a column's type cannot be a key.
pub fn by_key(
    columns: Vec<usize>,
    schema: &SchemaRef,
    max_parallelism: u16,
) -> Result<PartitionerFactory> {
    let codec = RowCodec::of_columns(schema, &columns)?;
    Ok(Arc::new(move |_| {
        let (columns, codec) = (columns.clone(), codec.clone());
        Box::new(ByKey { columns, codec, max_parallelism })
    }))
}

/// Chunks go to the workers in turn.
pub fn rebalance() -> PartitionerFactory {
    Arc::new(|worker| Box::new(Rebalance { next: worker }))
}

/// All rows go to one worker: the one that owns the key group of the empty key, which is what
/// operators without keys use.
pub fn single(max_parallelism: u16) -> PartitionerFactory {
    let group = KeyGroup::of(RowKey::default().hash(), max_parallelism);
    Arc::new(move |_| Box::new(Single { group, max_parallelism }))
}

struct ByKey {
    columns: Vec<usize>,
    codec: RowCodec,
    max_parallelism: u16,
}

impl ByKey {
    /// The rows of each worker.
    fn rows(&self, chunk: &Chunk, workers: usize) -> Result<Vec<Vec<u32>>> {
        let keys = self.codec.encode(&columns(&chunk.data, &self.columns), chunk.len())?;
        let expected = chunk.len() / workers + chunk.len() / (4 * workers) + 8;
        let mut rows: Vec<Vec<u32>> = (0..workers).map(|_| Vec::with_capacity(expected)).collect();
        for row in 0..chunk.len() {
            let group = KeyGroup::of(keys.hash(row), self.max_parallelism);
            rows[group.worker(workers, self.max_parallelism)].push(row as u32);
        }
        Ok(rows)
    }
}

impl Partitioner for ByKey {
    #[expect(clippy::panic, reason = "columns of another type are a broken invariant")]
    fn partition(&mut self, batch: Batch, targets: &mut [Batch]) {
        for chunk in Rows::of(batch) {
            if let [only] = targets {
                Rows::push_to(only, chunk);
                continue;
            }
            let rows = match self.rows(&chunk, targets.len()) {
                Ok(rows) => rows,
                Err(e) => panic!("{}", e.report()),
            };
            for (target, rows) in targets.iter_mut().zip(rows) {
                if rows.len() == chunk.len() {
                    Rows::push_to(target, chunk.clone());
                } else if !rows.is_empty() {
                    match chunk.take(&UInt32Array::from(rows)) {
                        Ok(part) => Rows::push_to(target, part),
                        Err(e) => panic!("cannot take rows of a chunk: {e}"),
                    }
                }
            }
        }
    }
}

struct Rebalance {
    next: usize,
}

impl Partitioner for Rebalance {
    fn partition(&mut self, batch: Batch, targets: &mut [Batch]) {
        for chunk in Rows::of(batch) {
            let target = self.next % targets.len();
            self.next = target + 1;
            Rows::push_to(&mut targets[target], chunk);
        }
    }
}

struct Single {
    group: KeyGroup,
    max_parallelism: u16,
}

impl Partitioner for Single {
    fn partition(&mut self, batch: Batch, targets: &mut [Batch]) {
        let target = self.group.worker(targets.len(), self.max_parallelism);
        Rows::of(batch).into_iter().for_each(|chunk| Rows::push_to(&mut targets[target], chunk));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::testing::{chunk, int, lines, schema, text};

    fn split(factory: &PartitionerFactory, chunks: &[Chunk], workers: usize) -> Vec<Vec<String>> {
        let mut targets: Vec<Batch> = (0..workers).map(|_| Batch::default()).collect();
        let mut partitioner = factory(0);
        for chunk in chunks {
            partitioner.partition(chunk.clone().into(), &mut targets);
        }
        targets.into_iter().map(|b| Rows::of(b).iter().flat_map(lines).collect()).collect()
    }

    #[test]
    fn rows_of_a_key_meet_at_the_owner_of_its_group() {
        let input = schema(&[int("v"), text("k")]);
        let rows: Vec<String> = (0..100).map(|v| format!("+I {v} k{}", v % 7)).collect();
        let whole = chunk(&input, &rows.join(" | "));
        let factory = by_key(vec![1], &input, 128).unwrap();
        assert_eq!(split(&factory, std::slice::from_ref(&whole), 1), std::slice::from_ref(&rows));
        let targets = split(&factory, std::slice::from_ref(&whole), 3);
        assert_eq!(targets.iter().map(Vec::len).sum::<usize>(), 100);
        let codec = RowCodec::of_columns(&input, &[1]).unwrap();
        for k in 0..7 {
            let key: datafusion::arrow::array::ArrayRef =
                Arc::new(datafusion::arrow::array::StringArray::from(vec![format!("k{k}")]));
            let hash = codec.encode(&[key], 1).unwrap().hash(0);
            let owner = KeyGroup::of(hash, 128).worker(3, 128);
            let here = targets[owner].iter().filter(|r| r.ends_with(&format!("k{k}"))).count();
            assert!(here >= 14, "{k}: {here}");
        }
    }

    #[test]
    fn rebalance_takes_turns_and_single_names_one() {
        let input = schema(&[int("v")]);
        let chunks: Vec<Chunk> = (0..4).map(|v| chunk(&input, &format!("+I {v}"))).collect();
        assert_eq!(split(&rebalance(), &chunks, 2), [["+I 0", "+I 2"], ["+I 1", "+I 3"]]);
        let at = split(&single(128), &chunks, 3).iter().position(|t| t.len() == 4);
        assert_eq!(at, Some(KeyGroup::of(RowKey::default().hash(), 128).worker(3, 128)));
    }
}

//! What changes from one ranking to the next.

use std::sync::Arc;

use datafusion::arrow::array::Int64Array;
use headwater_core::{Result, RowKind};

use super::TopNSpec;
use crate::keys::RowCodec;
use crate::operators::chunks::{Changes, record_batch};
use crate::rows::Chunk;

/// A row in a ranking; rows of equal identity are the same row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ranked<'a> {
    pub(super) identity: u64,
    pub(super) row: &'a [u8],
}

/// Changes of rankings, about to be emitted.
#[derive(Default)]
pub(super) struct Differences {
    changes: Changes,
    /// The rows one after the other, and where each ends.
    rows: Vec<u8>,
    ends: Vec<usize>,
    ranks: Vec<i64>,
}

impl Differences {
    fn push(&mut self, kind: RowKind, rank: usize, row: &Ranked<'_>) {
        self.changes.push(kind, self.ends.len());
        self.rows.extend_from_slice(row.row);
        self.ends.push(self.rows.len());
        self.ranks.push(rank as i64);
    }

    /// Adds what happens between two rankings of a key, each from rank 1 on.
    pub(super) fn add(&mut self, spec: &TopNSpec, before: &[Ranked<'_>], after: &[Ranked<'_>]) {
        let first = usize::try_from(spec.from.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = usize::try_from(spec.to).unwrap_or(usize::MAX);
        let wanted = |ranking: &[Ranked<'_>]| first.min(ranking.len())..last.min(ranking.len());
        let (before, after) = (&before[wanted(before)], &after[wanted(after)]);
        if !spec.emit_rank {
            let same =
                |row: &Ranked<'_>, of: &[Ranked<'_>]| of.iter().any(|r| r.identity == row.identity);
            for row in before.iter().filter(|row| !same(row, after)) {
                self.push(RowKind::Delete, 0, row);
            }
            for row in after.iter().filter(|row| !same(row, before)) {
                self.push(RowKind::Insert, 0, row);
            }
            return;
        }
        for at in 0..before.len().max(after.len()) {
            let rank = first + at + 1;
            match (before.get(at), after.get(at)) {
                (Some(old), Some(new)) if old.identity != new.identity => {
                    if spec.emit_update_before {
                        self.push(RowKind::UpdateBefore, rank, old);
                    }
                    self.push(RowKind::UpdateAfter, rank, new);
                }
                (None, Some(new)) => self.push(RowKind::Insert, rank, new),
                (Some(old), None) => self.push(RowKind::Delete, rank, old),
                _ => {}
            }
        }
    }

    /// Number of changes.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Takes the changes as a chunk; none if there is none.
    pub(super) fn take(&mut self, spec: &TopNSpec, codec: &RowCodec) -> Result<Option<Chunk>> {
        if self.ends.is_empty() {
            return Ok(None);
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let rows = starts.zip(&self.ends).map(|(start, end)| &self.rows[start..*end]);
        let mut columns = codec.decode(rows)?;
        let ranks = std::mem::take(&mut self.ranks);
        if spec.emit_rank {
            columns.push(Arc::new(Int64Array::from(ranks)));
        }
        let data = record_batch(&spec.output, columns, self.ends.len())?;
        let kinds = self.changes.kinds();
        *self = Differences::default();
        Ok(Some(Chunk { data, kinds, read_at: None }))
    }
}

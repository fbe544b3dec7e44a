//! The rows of a ranking as one byte string: there are millions of rankings, and memory is dear.
//!
//! ```text
//! ranking = row*, in order of rank
//! row     = identity, a varint · sort key: its length, a varint, and its bytes · row: the same
//! ```

use std::borrow::Cow;
use std::ops::Range;

use headwater_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::differences::Ranked;
use crate::keys::{Encoded, RowKey, put_varint, take_varint};

/// The ranking of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ranking {
    /// Number of rows that ever entered it: the identity of the next.
    entered: u64,
    /// End of the window, if there is one.
    pub(super) window_end: i64,
    rows: RowKey,
}

impl Ranking {
    /// An empty one.
    pub(super) fn of_window(window_end: i64) -> Self {
        Ranking { window_end, ..Ranking::default() }
    }

    fn places(&self) -> Result<Vec<Place>> {
        let bytes = self.rows.bytes();
        let mut rest = bytes;
        let mut places = Vec::new();
        while !rest.is_empty() {
            let place = take_place(bytes.len(), &mut rest);
            places.push(place.ok_or_else(|| Error::state("the rows of a ranking are cut off"))?);
        }
        Ok(places)
    }

    /// Its rows from rank 1 on.
    ///
    /// # Errors
    /// Of kind `State`: the bytes are no ranking.
    pub(super) fn ranked(&self) -> Result<Vec<Ranked<'_>>> {
        let bytes = self.rows.bytes();
        let ranked = |place: Place| Ranked { identity: place.identity, row: &bytes[place.row] };
        Ok(self.places()?.into_iter().map(ranked).collect())
    }
}

/// A row of a ranking, where its bytes are.
struct Place {
    identity: u64,
    sort: Range<usize>,
    row: Range<usize>,
}

fn take_place(end: usize, rest: &mut &[u8]) -> Option<Place> {
    let identity = take_varint(rest)?;
    let mut take = || {
        let len = usize::try_from(take_varint(rest)?).ok()?;
        let start = end - rest.len();
        *rest = rest.get(len..)?;
        Some(start..start + len)
    };
    Some(Place { identity, sort: take()?, row: take()? })
}

/// A ranking that rows of a batch enter.
pub(super) struct Change<'a> {
    before: Cow<'a, Ranking>,
    entered: u64,
    rows: Vec<Entry>,
    is_changed: bool,
}

enum Entry {
    /// Was there before.
    Known(Place),
    /// A row of the batch, with its identity.
    New(u64, usize),
}

impl<'a> Change<'a> {
    /// No change yet.
    ///
    /// # Errors
    /// Of kind `State`: the bytes are no ranking.
    pub(super) fn of(before: Cow<'a, Ranking>) -> Result<Self> {
        let rows = before.places()?.into_iter().map(Entry::Known).collect();
        Ok(Change { entered: before.entered, before, rows, is_changed: false })
    }

    /// Puts a row where it ranks, if it does: behind those that compare equal, as they came first.
    pub(super) fn rank(&mut self, sorts: &Encoded, row: usize, capacity: usize) {
        let sort = sorts.row(row);
        let is_before = |entry: &Entry| match entry {
            Entry::Known(place) => &self.before.rows.bytes()[place.sort.clone()] <= sort,
            Entry::New(_, row) => sorts.row(*row) <= sort,
        };
        if self.rows.len() >= capacity && self.rows.last().is_some_and(is_before) {
            return;
        }
        let at = self.rows.partition_point(is_before);
        self.rows.insert(at, Entry::New(self.entered, row));
        self.rows.truncate(capacity);
        self.entered += 1;
        self.is_changed = true;
    }

    /// The rows of the batch that are in the ranking now, in order.
    pub(super) fn new_rows(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().filter_map(|entry| match entry {
            Entry::New(_, row) => Some(*row as u32),
            Entry::Known(_) => None,
        })
    }

    /// The ranking before.
    pub(super) fn before(&self) -> &Ranking {
        &self.before
    }

    /// The ranking after, if it is another. `rows` gives the bytes of [`Change::new_rows`] one after
    /// the other; `scratch` is for this.
    pub(super) fn after<'r>(
        &self,
        sorts: &Encoded,
        mut rows: impl FnMut() -> &'r [u8],
        scratch: &mut Vec<u8>,
    ) -> Option<Ranking> {
        if !self.is_changed {
            return None;
        }
        scratch.clear();
        let mut put = |identity: u64, sort: &[u8], row: &[u8]| {
            put_varint(identity, scratch);
            for bytes in [sort, row] {
                put_varint(bytes.len() as u64, scratch);
                scratch.extend_from_slice(bytes);
            }
        };
        let before = self.before.rows.bytes();
        for entry in &self.rows {
            match entry {
                Entry::Known(at) => {
                    put(at.identity, &before[at.sort.clone()], &before[at.row.clone()]);
                }
                Entry::New(identity, row) => put(*identity, sorts.row(*row), rows()),
            }
        }
        let (entered, window_end) = (self.entered, self.before.window_end);
        Some(Ranking { entered, window_end, rows: RowKey::new(scratch) })
    }
}

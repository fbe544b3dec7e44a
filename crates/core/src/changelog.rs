//! Changelog rows: records that say how a table changes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a changelog row does to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// The row is new: `+I`.
    Insert,
    /// The row as it was before an update, taken back: `-U`.
    UpdateBefore,
    /// The row as it is after an update: `+U`.
    UpdateAfter,
    /// The row is gone: `-D`.
    Delete,
}

impl RowKind {
    /// Whether the row is there from now on; otherwise it is taken back.
    pub const fn adds(self) -> bool {
        matches!(self, RowKind::Insert | RowKind::UpdateAfter)
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RowKind::Insert => "+I",
            RowKind::UpdateBefore => "-U",
            RowKind::UpdateAfter => "+U",
            RowKind::Delete => "-D",
        })
    }
}

/// One changelog row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Change<T> {
    /// What it does.
    pub kind: RowKind,
    /// The row.
    pub row: T,
}

impl<T> Change<T> {
    /// A changelog row.
    pub const fn new(kind: RowKind, row: T) -> Self {
        Change { kind, row }
    }
}

/// What one message of a database's change stream says: both sides of an update are together.
///
/// As an iterator it is the one or two [`Change`]s that it stands for, so
/// `flat_map(|event| event)` makes a stream of changelog rows of it.
///
/// # Examples
/// ```
/// use headwater_core::ChangeEvent;
///
/// let rows = ChangeEvent::Update { before: 1, after: 2 }.into_iter();
/// let rows: Vec<_> = rows.map(|change| (change.kind.to_string(), change.row)).collect();
/// assert_eq!(rows, [("-U".to_owned(), 1), ("+U".to_owned(), 2)]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeEvent<T> {
    /// A new row, or one found when the table was first read.
    Insert(T),
    /// A row changed.
    Update {
        /// As it was.
        before: T,
        /// As it is.
        after: T,
    },
    /// A row is gone; this is what it was.
    Delete(T),
}

impl<T> IntoIterator for ChangeEvent<T> {
    type Item = Change<T>;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Change<T>>, 2>>;

    fn into_iter(self) -> Self::IntoIter {
        let one = |kind, row| [Some(Change::new(kind, row)), None];
        let changes = match self {
            ChangeEvent::Insert(row) => one(RowKind::Insert, row),
            ChangeEvent::Delete(row) => one(RowKind::Delete, row),
            ChangeEvent::Update { before, after } => [
                Some(Change::new(RowKind::UpdateBefore, before)),
                Some(Change::new(RowKind::UpdateAfter, after)),
            ],
        };
        changes.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_rows_they_stand_for() {
        let rows = |event: ChangeEvent<u8>| {
            event.into_iter().map(|c| (c.kind, c.kind.adds(), c.row)).collect::<Vec<_>>()
        };
        assert_eq!(rows(ChangeEvent::Insert(1)), [(RowKind::Insert, true, 1)]);
        assert_eq!(rows(ChangeEvent::Delete(1)), [(RowKind::Delete, false, 1)]);
        let update = ChangeEvent::Update { before: 1, after: 2 };
        let expected = [(RowKind::UpdateBefore, false, 1), (RowKind::UpdateAfter, true, 2)];
        assert_eq!(rows(update), expected);
    }
}

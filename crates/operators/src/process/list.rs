//! A named list per key: one small entry per element.
//!
//! Element `i` is the entry in namespace `i`, without gaps. So a long list is never encoded as a
//! lump: a checkpoint holds the elements pushed since the last one. The length is not stored but
//! found by a search, as the elements of a key are numbered from 0.

use std::marker::PhantomData;

use headwater_core::{Key, Record, Result};

use crate::process::Entry;
use crate::process::entry::Access;
use crate::process::value::access;

/// Handle of a list per key; a constant.
///
/// # Examples
/// ```
/// use headwater_operators::process::ListState;
/// const ITEMS: ListState<String> = ListState::new("items");
/// // in `declare`: states.list(&ITEMS);
/// // in `process`: cx.list(&ITEMS).push(item)?;
/// ```
pub struct ListState<T> {
    pub(crate) name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> ListState<T> {
    /// A handle of the list called `name`; the name is what checkpoints know it by.
    pub const fn new(name: &'static str) -> Self {
        ListState { name, of: PhantomData }
    }
}

/// One key's list. Every operation fails when the state was not declared.
#[must_use]
pub struct ListView<'c, K, T>(pub(crate) Access<'c, K, u64, T>);

impl<'c, K: Key, T: Record> ListView<'c, K, T> {
    /// Appends an element; takes time with the logarithm of the length.
    ///
    /// # Errors
    /// When the state was not declared; this holds for all operations.
    pub fn push(&mut self, element: T) -> Result<()> {
        let entry = access(&mut self.0)?;
        let end = length(entry);
        entry.insert(&end, element)
    }

    /// Appends elements.
    pub fn extend(&mut self, elements: impl IntoIterator<Item = T>) -> Result<()> {
        let entry = access(&mut self.0)?;
        for (at, element) in (length(entry)..).zip(elements) {
            entry.insert(&at, element)?;
        }
        Ok(())
    }

    /// The elements in the order they were pushed.
    pub fn iter(self) -> Result<impl Iterator<Item = &'c T>> {
        Ok(self.0?.into_iter().map(|(_, element)| element))
    }

    /// The element at `index`.
    pub fn get(self, index: u64) -> Result<Option<&'c T>> {
        Ok(self.0?.get(&index))
    }

    /// The element at `index` for a change.
    pub fn get_mut(&mut self, index: u64) -> Result<Option<&mut T>> {
        access(&mut self.0)?.get_mut(&index)
    }

    /// Removes and returns the last element.
    pub fn pop(&mut self) -> Result<Option<T>> {
        let entry = access(&mut self.0)?;
        match length(entry) {
            0 => Ok(None),
            1 => {
                let last = entry.remove(&0)?;
                entry.clear()?;
                Ok(last)
            }
            length => entry.remove(&(length - 1)),
        }
    }

    /// Number of elements.
    pub fn len(&mut self) -> Result<u64> {
        access(&mut self.0).map(|entry| length(entry))
    }

    /// Whether there is no element.
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(access(&mut self.0)?.peek(&0).is_none())
    }

    /// Removes all elements.
    pub fn clear(&mut self) -> Result<()> {
        access(&mut self.0)?.clear()
    }
}

/// The number of elements: doubles until one is missing, then halves the gap.
fn length<K: Key, T: Record>(entry: &Entry<'_, K, u64, T>) -> u64 {
    let Some(slot) = entry.table.find(entry.moment.hash, entry.moment.key) else { return 0 };
    let present = |index: u64| entry.table.get_at(slot, &index).is_some();
    if !present(0) {
        return 0;
    }
    let (mut last, mut end) = (0, 1);
    while present(end) {
        (last, end) = (end, end * 2);
    }
    while end - last > 1 {
        let middle = last + (end - last) / 2;
        if present(middle) {
            last = middle;
        } else {
            end = middle;
        }
    }
    end
}

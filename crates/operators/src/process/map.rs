//! A named map per key: one small entry per map key.
//!
//! A map with a million rows is a million entries: a checkpoint holds the rows that changed.

use std::marker::PhantomData;

use headwater_core::{Key, Record, Result};

use crate::process::entry::Access;
use crate::process::value::access;

/// Handle of a map per key; a constant.
///
/// # Examples
/// ```
/// use headwater_operators::process::MapState;
/// const SEEN: MapState<String, u64> = MapState::new("seen");
/// // in `declare`: states.map(&SEEN);
/// // in `process`: if cx.map(&SEEN).contains(&id)? { return Ok(()) }
/// ```
pub struct MapState<MK, V> {
    pub(crate) name: &'static str,
    of: PhantomData<fn() -> (MK, V)>,
}

impl<MK, V> MapState<MK, V> {
    /// A handle of the map called `name`; the name is what checkpoints know it by.
    pub const fn new(name: &'static str) -> Self {
        MapState { name, of: PhantomData }
    }
}

/// One key's map. Every operation fails when the state was not declared.
#[must_use]
pub struct MapView<'c, K, MK, V>(pub(crate) Access<'c, K, MK, V>);

impl<'c, K: Key, MK: Record + Ord, V: Record> MapView<'c, K, MK, V> {
    /// The value of `map_key`.
    ///
    /// # Errors
    /// When the state was not declared; this holds for all operations.
    pub fn get(self, map_key: &MK) -> Result<Option<&'c V>> {
        Ok(self.0?.get(map_key))
    }

    /// Whether `map_key` has a value.
    pub fn contains(&mut self, map_key: &MK) -> Result<bool> {
        Ok(access(&mut self.0)?.peek(map_key).is_some())
    }

    /// Sets the value of `map_key`.
    pub fn insert(&mut self, map_key: MK, value: V) -> Result<()> {
        access(&mut self.0)?.insert(&map_key, value)
    }

    /// The value of `map_key` for a change; created by `Default` when there is none.
    pub fn or_default(&mut self, map_key: &MK) -> Result<&mut V>
    where
        V: Default,
    {
        access(&mut self.0)?.change(map_key, V::default)
    }

    /// Removes and returns the value of `map_key`.
    pub fn remove(&mut self, map_key: &MK) -> Result<Option<V>> {
        access(&mut self.0)?.remove(map_key)
    }

    /// The rows, ordered by map key.
    pub fn iter(self) -> Result<impl Iterator<Item = (&'c MK, &'c V)>> {
        Ok(self.0?.into_iter())
    }

    /// Number of rows; counts them.
    pub fn len(&mut self) -> Result<usize> {
        Ok(access(&mut self.0)?.iter().count())
    }

    /// Whether there is no row.
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(access(&mut self.0)?.iter().next().is_none())
    }

    /// Removes all rows.
    pub fn clear(&mut self) -> Result<()> {
        access(&mut self.0)?.clear()
    }
}

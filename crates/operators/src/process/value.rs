//! A named value per key, beside the function's own state.

use std::marker::PhantomData;

use headwater_core::{Key, Record, Result};

use crate::process::entry::Access;

/// Handle of a further value per key; a constant.
///
/// # Examples
/// ```
/// use headwater_operators::process::ValueState;
/// const TOTAL: ValueState<u64> = ValueState::new("total");
/// // in `declare`: states.value(&TOTAL);
/// // in `process`: *cx.value(&TOTAL).or_default()? += 1;
/// ```
pub struct ValueState<T> {
    pub(crate) name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> ValueState<T> {
    /// A handle of the value called `name`; the name is what checkpoints know it by.
    pub const fn new(name: &'static str) -> Self {
        ValueState { name, of: PhantomData }
    }
}

/// One key's value. Every operation fails when the state was not declared.
#[must_use]
pub struct ValueView<'c, K, T>(pub(crate) Access<'c, K, (), T>);

impl<'c, K: Key, T: Record> ValueView<'c, K, T> {
    /// The value, if there is one.
    ///
    /// # Errors
    /// When the state was not declared; this holds for all operations.
    pub fn get(self) -> Result<Option<&'c T>> {
        Ok(self.0?.get(&()))
    }

    /// Sets the value.
    pub fn set(&mut self, value: T) -> Result<()> {
        access(&mut self.0)?.insert(&(), value)
    }

    /// The value for a change; created by `Default` when there is none.
    pub fn or_default(&mut self) -> Result<&mut T>
    where
        T: Default,
    {
        access(&mut self.0)?.change(&(), T::default)
    }

    /// Changes the value by `change`; created by `Default` when there is none.
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R>
    where
        T: Default,
    {
        Ok(change(self.or_default()?))
    }

    /// Removes and returns the value.
    pub fn take(&mut self) -> Result<Option<T>> {
        let entry = access(&mut self.0)?;
        let taken = entry.remove(&())?;
        entry.clear()?;
        Ok(taken)
    }

    /// Removes the value.
    pub fn clear(&mut self) -> Result<()> {
        access(&mut self.0)?.clear()
    }
}

/// The entry in a view, or the error that there is none.
pub(crate) fn access<E>(entry: &mut Result<E, crate::process::Missing>) -> Result<&mut E> {
    entry.as_mut().map_err(|missing| (*missing).into())
}

//! A named value per key that further values are folded into.

use headwater_core::{Key, Record, Result};

use crate::process::entry::Access;
use crate::process::value::access;

/// Handle of a reduced value per key; a constant.
///
/// # Examples
/// ```
/// use headwater_operators::process::ReducingState;
/// const SUM: ReducingState<u64> = ReducingState::new("sum", |sum, n| *sum += n);
/// // in `declare`: states.reducing(&SUM);
/// // in `process`: cx.reducing(&SUM).add(payment.amount)?;
/// ```
pub struct ReducingState<T> {
    pub(crate) name: &'static str,
    pub(crate) reduce: fn(&mut T, T),
}

impl<T> ReducingState<T> {
    /// A handle of the value called `name`; `reduce` folds its second argument into the first.
    pub const fn new(name: &'static str, reduce: fn(&mut T, T)) -> Self {
        ReducingState { name, reduce }
    }
}

/// One key's reduced value. Every operation fails when the state was not declared.
#[must_use]
pub struct ReducingView<'c, K, T> {
    pub(crate) entry: Access<'c, K, (), T>,
    pub(crate) reduce: fn(&mut T, T),
}

impl<'c, K: Key, T: Record> ReducingView<'c, K, T> {
    /// Folds `value` in; the first value is stored as it is.
    ///
    /// # Errors
    /// When the state was not declared; this holds for all operations.
    pub fn add(&mut self, value: T) -> Result<()> {
        let entry = access(&mut self.entry)?;
        match entry.get_mut(&())? {
            Some(stored) => (self.reduce)(stored, value),
            None => entry.insert(&(), value)?,
        }
        Ok(())
    }

    /// The reduced value, if anything was added.
    pub fn get(self) -> Result<Option<&'c T>> {
        Ok(self.entry?.get(&()))
    }

    /// Removes the value.
    pub fn clear(&mut self) -> Result<()> {
        access(&mut self.entry)?.clear()
    }
}

//! One key's part of one declared state: what the views of all kinds are made of.
//!
//! A view is made without a `Result`, so that access reads `cx.value(&TOTAL).get()?`; that a state
//! was not declared, or with another type, comes out of every operation on the view.

use headwater_core::{Error, EventTime, Key, ProcessingTime, Record, Result};
use headwater_state::Table;

use crate::process::ttl::Ttl;

/// The key, and when it is: of a record or of a timer.
pub(crate) struct Moment<'a, K> {
    pub(crate) hash: u64,
    pub(crate) key: &'a K,
    pub(crate) time: EventTime,
    pub(crate) late_by: u32,
    pub(crate) watermark: EventTime,
    pub(crate) now: ProcessingTime,
}

impl<K> Clone for Moment<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Moment<'_, K> {}

/// A state was used that is not there.
#[derive(Clone, Copy)]
pub(crate) struct Missing {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    /// Whether the name is declared, but with other types.
    pub(crate) declared: bool,
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Error {
        let Missing { name, kind, declared } = missing;
        if declared {
            return Error::plan(format!(
                "{kind} state {name:?} is declared with another kind or type than it is used with"
            ))
            .hint("declare and use it by one and the same constant");
        }
        Error::plan(format!("{kind} state {name:?} is used, but not declared"))
            .hint(format!("add `states.{kind}(&..)` with its constant to `Process::declare`"))
    }
}

/// What a view holds.
pub(crate) type Access<'c, K, N, V> = Result<Entry<'c, K, N, V>, Missing>;

/// The entries of one key in one table; touches the time to live on every change.
pub(crate) struct Entry<'c, K, N, V> {
    pub(crate) table: &'c mut Table<K, N, V>,
    pub(crate) ttl: Option<&'c mut Ttl<K>>,
    pub(crate) moment: Moment<'c, K>,
}

impl<'c, K: Key, N: Record + Ord, V: Record> Entry<'c, K, N, V> {
    pub(crate) fn peek(&self, ns: &N) -> Option<&V> {
        self.table.get(self.moment.hash, self.moment.key, ns)
    }

    pub(crate) fn get(self, ns: &N) -> Option<&'c V> {
        let table: &'c Table<K, N, V> = self.table;
        table.get(self.moment.hash, self.moment.key, ns)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&N, &V)> {
        self.table.of_key(self.moment.hash, self.moment.key)
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = (&'c N, &'c V)> {
        let table: &'c Table<K, N, V> = self.table;
        table.of_key(self.moment.hash, self.moment.key)
    }

    pub(crate) fn change(&mut self, ns: &N, default: impl FnOnce() -> V) -> Result<&mut V> {
        self.touch()?;
        let Moment { hash, key, .. } = self.moment;
        Ok(self.table.get_or_insert_with(hash, key, ns, default)?.1)
    }

    pub(crate) fn get_mut(&mut self, ns: &N) -> Result<Option<&mut V>> {
        let Moment { hash, key, .. } = self.moment;
        let found = self.table.get_mut(hash, key, ns)?;
        if let (Some(_), Some(ttl)) = (&found, &mut self.ttl) {
            ttl.touch(&self.moment)?;
        }
        Ok(found)
    }

    pub(crate) fn insert(&mut self, ns: &N, value: V) -> Result<()> {
        self.touch()?;
        self.table.insert(self.moment.hash, self.moment.key, ns, value)?;
        Ok(())
    }

    pub(crate) fn remove(&mut self, ns: &N) -> Result<Option<V>> {
        self.table.remove(self.moment.hash, self.moment.key, ns)
    }

    /// Removes all entries of the key, and with them its expiry.
    pub(crate) fn clear(&mut self) -> Result<()> {
        let Moment { hash, key, .. } = self.moment;
        clear(self.table, hash, key)?;
        match &mut self.ttl {
            Some(ttl) => ttl.forget(hash, key),
            None => Ok(()),
        }
    }

    fn touch(&mut self) -> Result<()> {
        match &mut self.ttl {
            Some(ttl) => ttl.touch(&self.moment),
            None => Ok(()),
        }
    }
}

/// Removes every entry of one key.
pub(crate) fn clear<K: Key, N: Record + Ord, V: Record>(
    table: &mut Table<K, N, V>,
    hash: u64,
    key: &K,
) -> Result<()> {
    let spaces: Vec<N> = table.of_key(hash, key).map(|(ns, _)| ns.clone()).collect();
    for ns in &spaces {
        table.remove(hash, key, ns)?;
    }
    Ok(())
}

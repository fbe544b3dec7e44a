//! Keyed state: typed in memory, owned by key group, with change tracking for checkpoints.
//!
//! Everything keyed (values, lists, maps, windows, timers) is a [`Table`] of `(key, namespace) →
//! value`. A table knows which entries changed in which epoch, so a checkpoint encodes only those,
//! and it encodes them bit by bit while processing goes on (copy on write). The unit of residency
//! is one `(key, namespace)`: a map state with a million rows is a million small entries.
//!
//! Reading order: [`table`] → [`timers`] → [`spaces`] (how a key's namespaces are held).
//!
//! Absent by design: no clock, no I/O, no thread. A disk backend implements [`StateTable`].

mod group;
mod spaces;
pub mod table;
pub mod timers;

pub use table::{Slot, StateTable, Table, TableInfo};
pub use timers::Timers;

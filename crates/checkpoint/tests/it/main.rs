//! The crate from the outside: whole checkpoint directories, written by the API, then damaged,
//! fenced, retired, merged, killed and read back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

mod common;
mod crash;
mod damage;
mod fencing;
mod golden;
mod inspection;
mod merging;
mod retention;
mod stores;

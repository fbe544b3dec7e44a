//! Flow control and event time while something stands still: a sink that takes nothing, a split
//! that is behind, a source that has nothing to say.
//!
//! Nothing is timed: a stall lasts until the test has seen what it wants and ends it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

#[path = "flow/alignment.rs"]
mod alignment;
#[path = "flow/idle.rs"]
mod idle;
#[path = "flow/stall.rs"]
mod stall;
#[path = "support/support.rs"]
mod support;

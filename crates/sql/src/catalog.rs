//! The tables, views and functions that statements name.
//!
//! Invariants: names are case-sensitive; tables and views share their names; a table's columns,
//! key and watermark are checked when it is created, its options when it is first used.

mod table;

pub use table::*;

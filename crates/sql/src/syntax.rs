//! The text: Flink SQL's dialect, read by our own parser of statements around sqlparser's parser
//! of queries.
//!
//! Invariants: queries and expressions are sqlparser's, in one normal form (see [`normalize`] and
//! [`tvf`]); what is not supported is refused by name, never left out silently; whatever the text
//! is, the answer comes in time that grows linearly with it and with a bounded stack (see
//! [`limits`]).

mod statement;

pub use statement::*;


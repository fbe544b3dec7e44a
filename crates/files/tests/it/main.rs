//! The file source and sink from outside: what is read, what resumes, what survives a crash.

// Helpers of tests may panic as tests do; clippy knows that only of `#[test]` functions.
#![allow(clippy::unwrap_used)]

mod crashes;
mod messages;
mod parquet;
mod resume;
mod sink;
mod source;
mod support;

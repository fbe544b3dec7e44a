//! Formats from the outside: what they take, what they refuse and why, and that no bytes break them.

// Helpers of tests may panic as tests do; clippy knows that only of `#[test]` functions.
#![allow(clippy::unwrap_used)]

mod avro;
mod csv;
mod debezium;
mod hostile;
mod json;
#[cfg(feature = "protobuf")]
mod protobuf;
#[cfg(all(feature = "protobuf", feature = "registry"))]
mod registered_protobuf;
#[cfg(feature = "registry")]
mod registry;
#[cfg(feature = "registry")]
mod stand_in;
mod text;

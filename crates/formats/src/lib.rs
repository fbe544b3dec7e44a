//! Bytes to records and back: the layer that every connector uses for what its messages hold.
//!
//! A [`Deserializer`] turns the bytes of one message into one record, a [`Serializer`] turns a
//! record into bytes. A connector finds where messages begin and end, reads and writes them, and
//! keeps positions; a format looks at one message only.
//!
//! Invariants:
//! - Any bytes may come: a decoder refuses them with a reason, it never panics, and what it
//!   allocates is bounded by the message's size times a constant (see [`Limits`]).
//! - Nothing here blocks between `validate` and the end of the job. What must be fetched is fetched
//!   in the background, and `ready` says whether it has come.
//!
//! What it does not do: tell an absent message (a tombstone) from an empty one, which is the
//! connector's business, or split one message into several records.
//!
//! Reading order: [`contract`] → [`limits`] → [`json`](mod@json) → the other formats.
//!
//! # Examples
//! ```
//! use headwater_formats::{self as formats, Deserializer, Serializer};
//!
//! #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
//! struct Order {
//!     id: u64,
//! }
//!
//! let json = formats::json::<Order>();
//! let order = json.deserialize(br#"{"id": 7}"#).unwrap();
//! let mut bytes = Vec::new();
//! json.serialize(&order, &mut bytes).unwrap();
//! assert_eq!(bytes, br#"{"id":7}"#);
//!
//! let refused = json.deserialize(br#"{"id" 7}"#).unwrap_err();
//! assert_eq!(refused.to_string(), "json: expected `:` at line 1 column 7");
//! ```

pub mod avro;
pub mod bytes;
pub mod contract;
pub mod csv;
pub mod debezium;
pub mod json;
pub mod limits;
#[cfg(feature = "protobuf")]
pub mod protobuf;
#[cfg(feature = "registry")]
pub mod registry;
pub mod string;

#[cfg(feature = "registry")]
mod wire;

pub use avro::{Avro, avro};
#[cfg(feature = "registry")]
pub use avro::{RegisteredAvro, registered_avro};
pub use bytes::{Bytes, bytes};
pub use contract::{Deserializer, Readiness, Refused, Serializer};
pub use csv::{Csv, csv};
pub use debezium::{DebeziumJson, debezium_json};
pub use json::{Json, json};
pub use limits::Limits;
#[cfg(feature = "protobuf")]
pub use protobuf::{Protobuf, ProtobufJson, protobuf, protobuf_json};
#[cfg(all(feature = "protobuf", feature = "registry"))]
pub use protobuf::{
    RegisteredProtobuf, RegisteredProtobufJson, registered_protobuf, registered_protobuf_json,
};
#[cfg(feature = "registry")]
pub use registry::{Registration, Registry};
pub use string::{Utf8, string};

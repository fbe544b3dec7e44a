//! Protocol Buffers: messages of `prost` types, or of any schema as JSON values.
//!
//! `prost` decodes types that a build script generated or that derive `prost::Message`; its own
//! limit of 100 levels bounds nesting. [`protobuf_json`] needs no types: it compiles the text of a
//! `.proto` file with `protox` and decodes by reflection. Such a value may take some three hundred
//! times its message's size in memory, so a lower limit than the default may be wise.
//!
//! Values follow the canonical JSON mapping, except that fields have the names of the `.proto` file
//! and 64-bit integers are numbers. Fields with their default are left out. `google.protobuf.Any`
//! is not supported: Any within Any is bounded by nothing.
//!
//! Source: the Protocol Buffers encoding and JSON mapping; Confluent's wire format.

use std::marker::PhantomData;

use headwater_core::Result;
use prost::Message;

use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;

mod dynamic;
mod schema;

#[cfg(feature = "registry")]
mod indexes;
#[cfg(feature = "registry")]
mod registered;
#[cfg(feature = "registry")]
mod registered_json;

pub use dynamic::{ProtobufJson, protobuf_json};
#[cfg(feature = "registry")]
pub use registered::{RegisteredProtobuf, registered_protobuf};
#[cfg(feature = "registry")]
pub use registered_json::{RegisteredProtobufJson, registered_protobuf_json};

const FORMAT: &str = "protobuf";

/// Messages of a `prost` type, without any header.
///
/// # Examples
/// ```
/// use headwater_formats::{self as formats, Deserializer, Serializer};
///
/// #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
/// struct Order {
///     #[prost(uint64, tag = "1")]
///     id: u64,
/// }
///
/// let (format, mut bytes) = (formats::protobuf::<Order>(), Vec::new());
/// format.serialize(&Order { id: 7 }, &mut bytes).unwrap();
/// assert_eq!(bytes, [0x08, 7]);
/// assert_eq!(format.deserialize(&bytes), Ok(Order { id: 7 }));
/// ```
pub fn protobuf<M>() -> Protobuf<M> {
    Protobuf { limits: Limits::default(), of: PhantomData }
}

/// See [`protobuf()`].
#[derive(Debug)]
pub struct Protobuf<M> {
    limits: Limits,
    of: PhantomData<fn() -> M>,
}

impl<M> Protobuf<M> {
    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl<M: Message + Default + 'static> Deserializer<M> for Protobuf<M> {
    fn deserialize(&self, bytes: &[u8]) -> Result<M, Refused> {
        self.limits.check(FORMAT, bytes)?;
        decode(bytes)
    }
}

impl<M: Message + 'static> Serializer<M> for Protobuf<M> {
    fn serialize(&self, value: &M, out: &mut Vec<u8>) -> Result<()> {
        value.encode_raw(out);
        Ok(())
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Refused> {
    M::decode(bytes).map_err(|e| Refused::new(format!("{FORMAT}: {e}")))
}

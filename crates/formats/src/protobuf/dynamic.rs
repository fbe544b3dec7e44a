//! Messages of a given schema as JSON values.

use headwater_core::{Error, Result};
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use super::FORMAT;
use super::schema::Schema;
use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;

/// Messages as JSON values, all of one type of this `.proto` file, without any header.
///
/// # Examples
/// ```
/// use headwater_formats::{self as formats, Deserializer};
/// use serde_json::json;
///
/// let proto = r#"syntax = "proto3"; package shop; message Order { uint64 order_id = 1; }"#;
/// let format = formats::protobuf_json(proto, "shop.Order");
/// assert_eq!(format.deserialize(&[0x08, 7]), Ok(json!({"order_id": 7})));
/// ```
pub fn protobuf_json(schema: &str, message: &str) -> ProtobufJson {
    let limits = Limits::default();
    let message =
        Schema::compile(schema, limits.schema_bytes).and_then(|compiled| compiled.message(message));
    ProtobufJson { message, limits }
}

/// See [`protobuf_json()`].
#[derive(Debug)]
pub struct ProtobufJson {
    message: Result<MessageDescriptor, String>,
    limits: Limits,
}

impl ProtobufJson {
    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn check(&self) -> Result<()> {
        self.message.as_ref().map(drop).map_err(invalid)
    }
}

impl Deserializer<Value> for ProtobufJson {
    fn validate(&self) -> Result<()> {
        self.check()
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Value, Refused> {
        self.limits.check(FORMAT, bytes)?;
        match &self.message {
            Ok(message) => decode(message, bytes),
            Err(reason) => Err(Refused::new(format!("{FORMAT}: {reason}"))),
        }
    }
}

impl Serializer<Value> for ProtobufJson {
    fn validate(&self) -> Result<()> {
        self.check()
    }

    fn serialize(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        encode(self.message.as_ref().map_err(invalid)?, value, out)
    }
}

pub(super) fn invalid(reason: &String) -> Error {
    Error::config(format!("{FORMAT}: {reason}")).hint("check the .proto file")
}

/// Decodes a message of this type.
pub(super) fn decode(message: &MessageDescriptor, bytes: &[u8]) -> Result<Value, Refused> {
    let options =
        SerializeOptions::new().stringify_64_bit_integers(false).use_proto_field_name(true);
    let decoded = DynamicMessage::decode(message.clone(), bytes)
        .map_err(|e| Refused::new(format!("{FORMAT}: {e}")))?;
    decoded
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|e| Refused::new(format!("{FORMAT}: {e}")))
}

/// Appends a value as a message of this type.
pub(super) fn encode(message: &MessageDescriptor, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let encoded = DynamicMessage::deserialize(message.clone(), value)
        .map_err(|e| Error::data(format!("{FORMAT}: {e}")))?;
    encoded.encode_raw(out);
    Ok(())
}

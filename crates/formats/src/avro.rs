//! Avro: records of any serde type, by a schema that is given or that a registry has.
//!
//! Data is decoded straight into the type, following a plan compiled once per schema; a reader's
//! schema, if there is one, is resolved into that plan. Without one the type itself is the reader's:
//! fields are matched by name, numbers widened, missing fields are serde defaults.
//!
//! `apache-avro` is the library of the field and the oracle of this module's tests. It is not used
//! to decode: with version 0.22 a message of five bytes (a count of nulls) took 380 MB, a megabyte
//! of a recursive type overflowed the stack, and its path straight into types resolves no schemas
//! and takes no unsigned 64-bit integers.
//!
//! Limits: an array may hold 65,536 items that take no bytes; decimals have 16 bytes at most.
//!
//! What it does not do: object container files, single-object encoding, schemas that refer to
//! others.
//!
//! Reading order: `schema` → `plan` → `input` → `decode` → `encode`.
//!
//! Source: the Avro specification, 1.12.

use std::marker::PhantomData;

use headwater_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;
use plan::Plan;
use schema::Schema;

mod decimal;
mod decode;
mod encode;
mod input;
mod plan;
#[cfg(feature = "registry")]
mod registered;
mod schema;

#[cfg(feature = "registry")]
pub use registered::{RegisteredAvro, registered_avro};

const FORMAT: &str = "avro";

/// Avro records of any serde type, all written with this schema, without any header.
///
/// # Examples
/// ```
/// use headwater_formats::{self as formats, Deserializer, Serializer};
///
/// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
/// struct Order {
///     id: u64,
///     note: Option<String>,
/// }
///
/// let format = formats::avro::<Order>(
///     r#"{"type": "record", "name": "Order", "fields": [
///         {"name": "id", "type": "long"},
///         {"name": "note", "type": ["null", "string"], "default": null}
///     ]}"#,
/// );
/// let (order, mut bytes) = (Order { id: 7, note: Some("soon".into()) }, Vec::new());
/// format.serialize(&order, &mut bytes).unwrap();
/// assert_eq!(bytes, b"\x0e\x02\x08soon");
/// assert_eq!(format.deserialize(&bytes), Ok(order));
/// ```
pub fn avro<T>(schema: &str) -> Avro<T> {
    let limits = Limits::default();
    let schema = Schema::parse(schema, limits.schema_bytes);
    let plan = schema.as_ref().map_err(Clone::clone).and_then(|schema| Plan::new(schema, None));
    Avro { schema, plan, limits, of: PhantomData }
}

/// See [`avro()`].
#[derive(Debug)]
pub struct Avro<T> {
    schema: Result<Schema, String>,
    plan: Result<Plan, String>,
    limits: Limits,
    of: PhantomData<fn() -> T>,
}

impl<T> Avro<T> {
    /// Reads as this schema wants it what was written with the other.
    pub fn reader_schema(mut self, schema: &str) -> Self {
        let reader = Schema::parse(schema, self.limits.schema_bytes);
        let writer = self.schema.as_ref().map_err(Clone::clone);
        self.plan = writer.and_then(|writer| Plan::new(writer, Some(&reader?)));
        self
    }

    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<T> for Avro<T> {
    fn validate(&self) -> Result<()> {
        self.plan.as_ref().map(drop).map_err(invalid)
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T, Refused> {
        self.limits.check(FORMAT, bytes)?;
        let refused = |reason: &String| Refused::new(format!("{FORMAT}: {reason}"));
        let plan = self.plan.as_ref().map_err(refused)?;
        decode::decode(plan, bytes, self.limits.nesting).map_err(|e| refused(&e))
    }
}

impl<T: Serialize + 'static> Serializer<T> for Avro<T> {
    fn validate(&self) -> Result<()> {
        self.schema.as_ref().map(drop).map_err(invalid)
    }

    fn serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        let schema = self.schema.as_ref().map_err(invalid)?;
        encode::encode(schema, value, out).map_err(|e| Error::data(format!("{FORMAT}: {e}")))
    }
}

fn invalid(reason: &String) -> Error {
    Error::config(format!("{FORMAT}: {reason}")).hint("see the Avro specification on schemas")
}

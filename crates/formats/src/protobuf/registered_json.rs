//! Messages of any schema of a registry as JSON values.

use headwater_core::{Result, Wake};
use serde_json::Value;

use super::registered::Writer;
use super::schema::Schema;
use super::{FORMAT, dynamic, indexes};
use crate::contract::{Deserializer, Readiness, Refused, Serializer};
use crate::limits::Limits;
use crate::registry::{Compiled, Language, Registration, Registry};
use crate::wire;

/// Messages as JSON values, each with its schema's id and its index in it in front.
///
/// Reads whatever schemas the registry has. Writing needs
/// [`subject`](RegisteredProtobufJson::subject).
pub fn registered_protobuf_json(registry: &Registry) -> RegisteredProtobufJson {
    let schemas = Compiled::new(FORMAT, registry.clone(), |schema| match schema.language {
        // The registry's client has checked its length.
        Language::Protobuf => Schema::compile(&schema.text, usize::MAX),
        language => Err(format!("it is in {language}, not in Protobuf")),
    });
    RegisteredProtobufJson { schemas, writer: None, limits: Limits::default() }
}

/// See [`registered_protobuf_json()`].
pub struct RegisteredProtobufJson {
    schemas: Compiled<Schema>,
    writer: Option<Writer>,
    limits: Limits,
}

impl RegisteredProtobufJson {
    /// Writes as this message (by its full name) of this `.proto` file, which is registered under
    /// the subject unless it is there.
    pub fn subject(mut self, name: &str, schema: &str, message: &str) -> Self {
        let registry = self.schemas.registry();
        self.writer = Some(Writer::new(registry, name, schema, message, &self.limits));
        self
    }

    /// Registers the schema of [`subject`](Self::subject), or wants it to be there.
    pub fn registration(mut self, registration: Registration) -> Self {
        let registry = self.schemas.registry();
        self.writer = self.writer.map(|writer| writer.registered_by(registry, registration));
        self
    }

    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Deserializer<Value> for RegisteredProtobufJson {
    fn validate(&self) -> Result<()> {
        self.schemas.registry().check_reading()
    }

    fn ready(&self, bytes: &[u8], wake: &Wake) -> Result<Readiness> {
        match wire::split(FORMAT, bytes) {
            Ok((id, _)) => self.schemas.ready(id, wake),
            Err(_) => Ok(Readiness::Now),
        }
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Value, Refused> {
        self.limits.check(FORMAT, bytes)?;
        let (id, record) = wire::split(FORMAT, bytes)?;
        let schema = self.schemas.get(id)?;
        let (path, record) = indexes::split(record)?;
        match schema.message_at(&path) {
            Some(message) => dynamic::decode(&message, record),
            None => Err(Refused::new(format!("{FORMAT}: no message {path:?} in schema {id}"))),
        }
    }
}

impl Serializer<Value> for RegisteredProtobufJson {
    fn validate(&self) -> Result<()> {
        Writer::of(self.writer.as_ref())?.validate()
    }

    fn ready(&self, wake: &Wake) -> Result<Readiness> {
        Writer::of(self.writer.as_ref())?.ready(wake)
    }

    fn serialize(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        let writer = Writer::of(self.writer.as_ref())?;
        writer.begin(out)?;
        dynamic::encode(writer.message()?, value, out)
    }
}

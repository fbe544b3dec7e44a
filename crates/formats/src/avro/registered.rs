//! Avro through a schema registry: every message names the schema that it was written with.

use std::marker::PhantomData;
use std::sync::Arc;

use headwater_core::{Error, Result, Wake};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::plan::Plan;
use super::schema::Schema;
use super::{FORMAT, decode, encode, invalid};
use crate::contract::{Deserializer, Readiness, Refused, Serializer};
use crate::limits::Limits;
use crate::registry::{Compiled, Language, Registration, Registry, Subject};
use crate::wire;

/// Avro records of any serde type, each with its schema's id in front.
///
/// Reads whatever schemas the registry has. Writing needs
/// [`subject`](RegisteredAvro::subject).
///
/// # Examples
/// ```
/// use headwater_formats::{self as formats, Registry};
///
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Order { id: u64 }
/// let registry = Registry::new("http://registry.example:8081");
/// let input = formats::registered_avro::<Order>(&registry);
/// let output = formats::registered_avro::<Order>(&registry).subject(
///     "orders-value",
///     r#"{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}"#,
/// );
/// # let _ = (input, output);
/// ```
pub fn registered_avro<T>(registry: &Registry) -> RegisteredAvro<T> {
    RegisteredAvro {
        schemas: compiled(registry, None),
        reader: None,
        writer: None,
        limits: Limits::default(),
        of: PhantomData,
    }
}

/// See [`registered_avro()`].
pub struct RegisteredAvro<T> {
    schemas: Compiled<Plan>,
    reader: Option<Arc<Result<Schema, String>>>,
    writer: Option<Writer>,
    limits: Limits,
    of: PhantomData<fn() -> T>,
}

struct Writer {
    schema: Result<Schema, String>,
    name: String,
    text: String,
    subject: Subject,
}

fn compiled(registry: &Registry, reader: Option<Arc<Result<Schema, String>>>) -> Compiled<Plan> {
    Compiled::new(FORMAT, registry.clone(), move |schema| {
        if schema.language != Language::Avro {
            return Err(format!("it is in {}, not in Avro", schema.language));
        }
        // The registry's client has checked its length.
        let writer = Schema::parse(&schema.text, usize::MAX)?;
        match reader.as_deref() {
            None => Plan::new(&writer, None),
            Some(Ok(reader)) => Plan::new(&writer, Some(reader)),
            Some(Err(e)) => Err(e.clone()),
        }
    })
}

impl<T> RegisteredAvro<T> {
    /// Reads as this schema wants it what was written with others.
    pub fn reader_schema(mut self, schema: &str) -> Self {
        let reader = Arc::new(Schema::parse(schema, self.limits.schema_bytes));
        self.schemas = compiled(self.schemas.registry(), Some(Arc::clone(&reader)));
        self.reader = Some(reader);
        self
    }

    /// Writes with this schema, which is registered under the subject unless it is there. By
    /// convention the subject of a topic's values is `TOPIC-value`, of its keys `TOPIC-key`.
    pub fn subject(mut self, name: &str, schema: &str) -> Self {
        self.writer = Some(Writer {
            schema: Schema::parse(schema, self.limits.schema_bytes),
            name: name.to_owned(),
            text: schema.to_owned(),
            subject: self.find(Registration::Register, name, schema),
        });
        self
    }

    /// Registers the schema of [`subject`](Self::subject), or wants it to be there.
    pub fn registration(mut self, registration: Registration) -> Self {
        if let Some(mut writer) = self.writer.take() {
            writer.subject = self.find(registration, &writer.name, &writer.text);
            self.writer = Some(writer);
        }
        self
    }

    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn find(&self, registration: Registration, subject: &str, schema: &str) -> Subject {
        let question = registration.question(subject, Language::Avro, schema);
        Subject::new(self.schemas.registry().clone(), question)
    }

    fn writer(&self) -> Result<(&Schema, &Subject)> {
        let writer = self.writer.as_ref().ok_or_else(|| {
            Error::config("avro: no subject to write under").hint("call subject(name, schema)")
        })?;
        Ok((writer.schema.as_ref().map_err(invalid)?, &writer.subject))
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<T> for RegisteredAvro<T> {
    fn validate(&self) -> Result<()> {
        if let Some(Err(reason)) = self.reader.as_deref() {
            return Err(invalid(reason));
        }
        self.schemas.registry().check_reading()
    }

    fn ready(&self, bytes: &[u8], wake: &Wake) -> Result<Readiness> {
        match wire::split(FORMAT, bytes) {
            Ok((id, _)) => self.schemas.ready(id, wake),
            Err(_) => Ok(Readiness::Now),
        }
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T, Refused> {
        self.limits.check(FORMAT, bytes)?;
        let (id, record) = wire::split(FORMAT, bytes)?;
        let plan = self.schemas.get(id)?;
        decode::decode(&plan, record, self.limits.nesting)
            .map_err(|e| Refused::new(format!("{FORMAT}: {e} (schema {id})")))
    }
}

impl<T: Serialize + 'static> Serializer<T> for RegisteredAvro<T> {
    fn validate(&self) -> Result<()> {
        self.writer()?.1.validate()
    }

    fn ready(&self, wake: &Wake) -> Result<Readiness> {
        self.writer()?.1.ready(wake)
    }

    fn serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        let (schema, subject) = self.writer()?;
        wire::begin(subject.get()?.id, out);
        encode::encode(schema, value, out).map_err(|e| Error::data(format!("{FORMAT}: {e}")))
    }
}

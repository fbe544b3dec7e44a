//! `prost` types through a schema registry, and what writing needs with or without types.

use std::marker::PhantomData;

use headwater_core::{Error, Result, Wake};
use prost::Message;
use prost_reflect::MessageDescriptor;

use super::dynamic::invalid;
use super::schema::Schema;
use super::{FORMAT, decode, indexes};
use crate::contract::{Deserializer, Readiness, Refused, Serializer};
use crate::limits::Limits;
use crate::registry::{Language, Registration, Registry, Subject};
use crate::wire;

/// Messages of a `prost` type, each with its schema's id and its index in it in front.
///
/// Reading asks the registry nothing: `prost` takes what it knows of any version of a schema. Which
/// message of its schema a record is, is not looked at, so all must be of this type. Writing needs
/// [`subject`](RegisteredProtobuf::subject).
pub fn registered_protobuf<M>(registry: &Registry) -> RegisteredProtobuf<M> {
    RegisteredProtobuf {
        registry: registry.clone(),
        writer: None,
        limits: Limits::default(),
        of: PhantomData,
    }
}

/// See [`registered_protobuf()`].
pub struct RegisteredProtobuf<M> {
    registry: Registry,
    writer: Option<Writer>,
    limits: Limits,
    of: PhantomData<fn() -> M>,
}

impl<M> RegisteredProtobuf<M> {
    /// Writes as this message (by its full name) of this `.proto` file, which is registered under
    /// the subject unless it is there.
    pub fn subject(mut self, name: &str, schema: &str, message: &str) -> Self {
        self.writer = Some(Writer::new(&self.registry, name, schema, message, &self.limits));
        self
    }

    /// Registers the schema of [`subject`](Self::subject), or wants it to be there.
    pub fn registration(mut self, registration: Registration) -> Self {
        self.writer = self.writer.map(|writer| writer.registered_by(&self.registry, registration));
        self
    }

    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl<M: Message + Default + 'static> Deserializer<M> for RegisteredProtobuf<M> {
    fn deserialize(&self, bytes: &[u8]) -> Result<M, Refused> {
        self.limits.check(FORMAT, bytes)?;
        let (_, record) = wire::split(FORMAT, bytes)?;
        let (_, record) = indexes::split(record)?;
        decode(record)
    }
}

impl<M: Message + 'static> Serializer<M> for RegisteredProtobuf<M> {
    fn validate(&self) -> Result<()> {
        Writer::of(self.writer.as_ref())?.validate()
    }

    fn ready(&self, wake: &Wake) -> Result<Readiness> {
        Writer::of(self.writer.as_ref())?.ready(wake)
    }

    fn serialize(&self, value: &M, out: &mut Vec<u8>) -> Result<()> {
        Writer::of(self.writer.as_ref())?.begin(out)?;
        value.encode_raw(out);
        Ok(())
    }
}

/// What a serializer knows of its schema.
pub(super) struct Writer {
    name: String,
    text: String,
    /// The message and the path to it.
    message: Result<(MessageDescriptor, Vec<usize>), String>,
    subject: Subject,
}

impl Writer {
    pub(super) fn new(
        registry: &Registry,
        name: &str,
        text: &str,
        message: &str,
        limits: &Limits,
    ) -> Self {
        let message = Schema::compile(text, limits.schema_bytes).and_then(|schema| {
            let message = schema.message(message)?;
            let path = schema.path_to(&message);
            Ok((message, path))
        });
        let question = Registration::Register.question(name, Language::Protobuf, text);
        Writer {
            name: name.to_owned(),
            text: text.to_owned(),
            message,
            subject: Subject::new(registry.clone(), question),
        }
    }

    pub(super) fn registered_by(self, registry: &Registry, registration: Registration) -> Self {
        let question = registration.question(&self.name, Language::Protobuf, &self.text);
        Writer { subject: Subject::new(registry.clone(), question), ..self }
    }

    /// The writer, if there is one.
    pub(super) fn of(writer: Option<&Writer>) -> Result<&Writer> {
        writer.ok_or_else(|| {
            Error::config("protobuf: no subject to write under")
                .hint("call subject(name, schema, message)")
        })
    }

    pub(super) fn validate(&self) -> Result<()> {
        self.message()?;
        self.subject.validate()
    }

    pub(super) fn ready(&self, wake: &Wake) -> Result<Readiness> {
        self.message()?;
        self.subject.ready(wake)
    }

    pub(super) fn message(&self) -> Result<&MessageDescriptor> {
        self.message.as_ref().map(|(message, _)| message).map_err(invalid)
    }

    /// Writes what comes before the message.
    pub(super) fn begin(&self, out: &mut Vec<u8>) -> Result<()> {
        let (_, path) = self.message.as_ref().map_err(invalid)?;
        wire::begin(self.subject.get()?.id, out);
        indexes::begin(path, out);
        Ok(())
    }
}

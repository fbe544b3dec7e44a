//! Debezium's JSON change events: `{"before": …, "after": …, "op": "c" | "r" | "u" | "d"}`.
//!
//! The envelope may be wrapped in `{"schema": …, "payload": …}`, as Kafka Connect does with schemas
//! enabled; the schema is skipped. `source`, `ts_ms` and `transaction` are skipped too: a stream
//! takes its event time from a column. A message that changes no row (`"op": "t"`, a truncated
//! table, or `"m"`, a message of the database's log) is refused.
//!
//! Source: the Debezium documentation, "change events"; Flink's `debezium-json`, whose reading of
//! the operations and writing of single rows this follows.

use std::marker::PhantomData;

use headwater_core::{Change, ChangeEvent, Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;

/// Change events of rows of any serde type.
///
/// Reads [`ChangeEvent`]s. Writes [`ChangeEvent`]s as they were, and single [`Change`]s as inserts
/// (`+I`, `+U`) and deletes (`-U`, `-D`), since one row alone is no update.
///
/// # Errors
/// An update without `before` is refused, because what it replaces cannot be taken back; Postgres
/// sends it only for tables with `REPLICA IDENTITY FULL`.
///
/// # Examples
/// ```
/// use headwater_core::ChangeEvent;
/// use headwater_formats::{self as formats, Deserializer};
///
/// #[derive(serde::Deserialize, PartialEq, Debug)]
/// struct Customer {
///     id: u64,
/// }
///
/// let format = formats::debezium_json::<Customer>();
/// let event = format.deserialize(br#"{"before":null,"after":{"id":7},"op":"c","ts_ms":1}"#);
/// assert_eq!(event, Ok(ChangeEvent::Insert(Customer { id: 7 })));
/// ```
pub fn debezium_json<T>() -> DebeziumJson<T> {
    DebeziumJson { limits: Limits::default(), of: PhantomData }
}

/// See [`debezium_json()`].
#[derive(Debug)]
pub struct DebeziumJson<T> {
    limits: Limits,
    of: PhantomData<fn() -> T>,
}

impl<T> DebeziumJson<T> {
    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// A message: an envelope, or one wrapped in `payload`.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>", expecting = "a change event")]
struct Message<T> {
    #[serde(default = "none")]
    before: Option<T>,
    #[serde(default = "none")]
    after: Option<T>,
    op: Option<Op>,
    #[serde(default = "none")]
    payload: Option<Envelope<T>>,
}

#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>", expecting = "a change event")]
struct Envelope<T> {
    #[serde(default = "none")]
    before: Option<T>,
    #[serde(default = "none")]
    after: Option<T>,
    op: Op,
}

/// Unlike `Default`, asks nothing of `T`.
fn none<T>() -> Option<T> {
    None
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Op {
    #[serde(rename = "c")]
    Create,
    #[serde(rename = "r")]
    Read,
    #[serde(rename = "u")]
    Update,
    #[serde(rename = "d")]
    Delete,
    #[serde(rename = "t")]
    Truncate,
    #[serde(rename = "m")]
    Message,
}

fn event<T>(envelope: Envelope<T>) -> Result<ChangeEvent<T>, &'static str> {
    match (envelope.op, envelope.before, envelope.after) {
        (Op::Create | Op::Read, _, Some(row)) => Ok(ChangeEvent::Insert(row)),
        (Op::Update, Some(before), Some(after)) => Ok(ChangeEvent::Update { before, after }),
        (Op::Delete, Some(row), _) => Ok(ChangeEvent::Delete(row)),
        (Op::Create | Op::Read | Op::Update, _, None) => Err("`after` is missing"),
        (Op::Update | Op::Delete, None, _) => {
            Err("`before` is missing; Postgres sends it with REPLICA IDENTITY FULL")
        }
        (Op::Truncate, ..) => Err("the table was truncated, which changes no single row"),
        (Op::Message, ..) => Err("a message of the database's log, which changes no row"),
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<ChangeEvent<T>> for DebeziumJson<T> {
    fn deserialize(&self, bytes: &[u8]) -> Result<ChangeEvent<T>, Refused> {
        const FORMAT: &str = "debezium-json";
        self.limits.check(FORMAT, bytes)?;
        let message: Message<T> =
            serde_json::from_slice(bytes).map_err(|e| Refused::new(format!("{FORMAT}: {e}")))?;
        let envelope = match (message.payload, message.op) {
            (Some(envelope), _) => Ok(envelope),
            (None, Some(op)) => Ok(Envelope { before: message.before, after: message.after, op }),
            (None, None) => Err("neither `op` nor `payload`: is it a change event?"),
        };
        envelope.and_then(event).map_err(|e| Refused::new(format!("{FORMAT}: {e}")))
    }
}

#[derive(Serialize)]
struct Written<'a, T> {
    before: Option<&'a T>,
    after: Option<&'a T>,
    op: Op,
}

impl<T: Serialize> Written<'_, T> {
    fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, self).map_err(|e| Error::data(format!("debezium-json: {e}")))
    }
}

impl<T: Serialize + 'static> Serializer<ChangeEvent<T>> for DebeziumJson<T> {
    fn serialize(&self, value: &ChangeEvent<T>, out: &mut Vec<u8>) -> Result<()> {
        let (before, after, op) = match value {
            ChangeEvent::Insert(row) => (None, Some(row), Op::Create),
            ChangeEvent::Update { before, after } => (Some(before), Some(after), Op::Update),
            ChangeEvent::Delete(row) => (Some(row), None, Op::Delete),
        };
        Written { before, after, op }.write(out)
    }
}

impl<T: Serialize + 'static> Serializer<Change<T>> for DebeziumJson<T> {
    fn serialize(&self, value: &Change<T>, out: &mut Vec<u8>) -> Result<()> {
        let row = Some(&value.row);
        let written = match value.kind.adds() {
            true => Written { before: None, after: row, op: Op::Create },
            false => Written { before: row, after: None, op: Op::Delete },
        };
        written.write(out)
    }
}

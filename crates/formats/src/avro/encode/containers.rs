//! Arrays, maps, bytes that come one by one, and records.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::super::decode::Error;
use super::super::schema::{Field, Node, NodeId, Schema};
use super::{Encoder, bytes, long};

/// Keys of maps, and names of fields that come as keys.
static TEXT: LazyLock<Schema> = LazyLock::new(|| Schema { nodes: vec![Node::String], root: 0 });
static BYTE: LazyLock<Schema> = LazyLock::new(|| Schema { nodes: vec![Node::Int], root: 0 });

/// What items are written as.
pub(super) enum Items {
    /// A block of values of this type.
    Block(NodeId),
    /// Bytes, or exactly so many: what `Vec<u8>` and `[u8; N]` are without `serde_bytes`.
    Bytes(Option<usize>),
}

/// The items of an array or map, written as one block when all are there.
pub(super) struct ItemsEncoder<'a> {
    pub(super) schema: &'a Schema,
    pub(super) items: Items,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) count: i64,
    pub(super) encoded: Vec<u8>,
}

impl ItemsEncoder<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.count += 1;
        let (schema, out) = (self.schema, &mut self.encoded);
        match self.items {
            Items::Block(node) => value.serialize(Encoder { schema, node, out }),
            Items::Bytes(_) => {
                let begin = out.len();
                value.serialize(Encoder { schema: &BYTE, node: 0, out })?;
                // A byte as an int is its double, in two bytes at most.
                let zigzag = match out[begin..] {
                    [low] => u16::from(low),
                    [low, high] => u16::from(low & 0x7f) | u16::from(high) << 7,
                    _ => u16::MAX,
                };
                out.truncate(begin);
                let byte = u8::try_from(zigzag / 2).ok().filter(|_| zigzag % 2 == 0);
                out.push(byte.ok_or_else(|| Error("a number that is no byte".into()))?);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(), Error> {
        match self.items {
            Items::Block(_) => {
                if self.count > 0 {
                    long(self.count, self.out);
                    self.out.extend_from_slice(&self.encoded);
                }
                self.out.push(0);
            }
            Items::Bytes(None) => bytes(&self.encoded, self.out),
            Items::Bytes(Some(size)) if size == self.encoded.len() => {
                self.out.extend_from_slice(&self.encoded);
            }
            Items::Bytes(Some(size)) => {
                return Err(Error(format!("{} bytes for a fixed of {size}", self.encoded.len())));
            }
        }
        Ok(())
    }
}

/// A map, or a record whose fields come as keys and values.
pub(super) enum MapEncoder<'a> {
    Map(ItemsEncoder<'a>),
    /// With the key that waits for its value.
    Record(RecordEncoder<'a>, String),
}

impl SerializeMap for MapEncoder<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match self {
            MapEncoder::Map(items) => {
                items.count += 1;
                key.serialize(Encoder { schema: &TEXT, node: 0, out: &mut items.encoded })
            }
            MapEncoder::Record(_, name) => {
                let mut encoded = Vec::new();
                key.serialize(Encoder { schema: &TEXT, node: 0, out: &mut encoded })?;
                // The text stands behind its length.
                let begin = encoded.iter().position(|byte| byte & 0x80 == 0).map_or(0, |at| at + 1);
                *name = String::from_utf8_lossy(&encoded[begin..]).into_owned();
                Ok(())
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        match self {
            MapEncoder::Map(items) => {
                // The key has been counted.
                items.count -= 1;
                items.add(value)
            }
            MapEncoder::Record(record, name) => record.add(name, value),
        }
    }

    fn end(self) -> Result<(), Error> {
        match self {
            MapEncoder::Map(items) => items.finish(),
            MapEncoder::Record(record, _) => record.finish(),
        }
    }
}

/// The fields of a record, put into the schema's order.
pub(super) struct RecordEncoder<'a> {
    pub(super) schema: &'a Schema,
    pub(super) fields: &'a [Field],
    pub(super) out: &'a mut Vec<u8>,
    /// The field whose bytes come next.
    pub(super) next: usize,
    /// Encoded fields that come later, by index.
    pub(super) early: BTreeMap<usize, Vec<u8>>,
}

impl RecordEncoder<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        let expected = self.fields.get(self.next).is_some_and(|field| field.name == name);
        let at = match expected {
            true => self.next,
            false => {
                let at = self.fields.iter().position(|field| field.name == name);
                at.ok_or_else(|| Error(format!("field {name:?} is not in the schema")))?
            }
        };
        let schema = self.schema;
        let encode = |out: &mut Vec<u8>| {
            let node = self.fields[at].node;
            let encoded = value.serialize(Encoder { schema, node, out });
            encoded.map_err(|e| Error(format!("field {name:?}: {}", e.0)))
        };
        if at != self.next {
            let mut encoded = Vec::new();
            encode(&mut encoded)?;
            self.early.insert(at, encoded);
            return Ok(());
        }
        encode(self.out)?;
        self.next += 1;
        while let Some(encoded) = self.early.remove(&self.next) {
            self.out.extend_from_slice(&encoded);
            self.next += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        // Adding a field may write those behind it.
        while let Some(field) = self.fields.get(self.next) {
            match &field.default {
                Some(default) => self.add(&field.name, default)?,
                None => {
                    let absent = self.add(&field.name, &());
                    absent.map_err(|_| Error(format!("field {:?} is missing", field.name)))?;
                }
            }
        }
        Ok(())
    }
}

macro_rules! sequences {
    ($($trait:ident :: $add:ident),*) => {$(
        impl $trait for ItemsEncoder<'_> {
            type Ok = ();
            type Error = Error;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.add(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )*};
}

sequences! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}

macro_rules! records {
    ($($trait:ident),*) => {$(
        impl $trait for RecordEncoder<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.add(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )*};
}

records! { SerializeStruct, SerializeStructVariant }

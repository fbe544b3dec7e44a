//! Encodes serde types as a schema says.
//!
//! The mirror image of decoding: options and enums choose the branch of a union, other values take
//! the first branch that holds them exactly, or else the first that holds them at all. Fields of a
//! record may come in any order; those that do not come have their default, or are null.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{self, Serializer};

use super::decimal;
use super::decode::Error;
use super::schema::{Node, NodeId, Schema};
use containers::{Items, ItemsEncoder, MapEncoder, RecordEncoder};

mod containers;

impl ser::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Error(message.to_string())
    }
}

/// Appends the encoded value.
pub(super) fn encode<T: Serialize>(
    schema: &Schema,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    value.serialize(Encoder { schema, node: schema.root, out }).map_err(|e| e.0)
}

fn long(value: i64, out: &mut Vec<u8>) {
    let mut bits = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while bits > 0x7f {
        out.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

fn bytes(value: &[u8], out: &mut Vec<u8>) {
    // A vector is never longer than that.
    long(i64::try_from(value.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(value);
}

struct Encoder<'a> {
    schema: &'a Schema,
    node: NodeId,
    out: &'a mut Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn node(&self) -> &'a Node {
        self.schema.node(self.node)
    }

    fn misfit<T>(&self, what: impl std::fmt::Display) -> Result<T, Error> {
        Err(Error(format!("{what} where the schema has {}", self.schema.branch_name(self.node))))
    }

    /// The first branch that `fits`, tried in order, with its index written; the encoder itself
    /// when there is no union.
    fn branch(mut self, fits: &[&dyn Fn(&Node) -> bool]) -> Self {
        let Node::Union(branches) = self.node() else { return self };
        let find = |fits: &&dyn Fn(&Node) -> bool| {
            branches.iter().position(|branch| fits(self.schema.node(*branch)))
        };
        if let Some(index) = fits.iter().find_map(find) {
            // A schema has fewer branches than that.
            long(i64::try_from(index).unwrap_or(i64::MAX), self.out);
            self.node = branches[index];
        }
        self
    }

    /// The branch of this name; the encoder itself when there is no union.
    fn named(mut self, name: &str) -> Result<Self, Error> {
        let Node::Union(branches) = self.node() else { return Ok(self) };
        let found = branches.iter().position(|branch| self.schema.branch_name(*branch) == name);
        let Some(index) = found else { return self.misfit(format!("variant {name:?}")) };
        long(i64::try_from(index).unwrap_or(i64::MAX), self.out);
        self.node = branches[index];
        Ok(self)
    }

    fn integer(self, value: i128) -> Result<(), Error> {
        let is_int = i32::try_from(value).is_ok();
        let this = self.branch(&[
            &|node| matches!(node, Node::Long) || (matches!(node, Node::Int) && is_int),
            &|node| matches!(node, Node::Double | Node::Float | Node::Decimal(..)),
        ]);
        let too_large = || Error(format!("{value} is too large for its type"));
        match this.node() {
            Node::Int => {
                long(i32::try_from(value).map_err(|_| too_large())?.into(), this.out);
            }
            Node::Long => long(i64::try_from(value).map_err(|_| too_large())?, this.out),
            Node::Float => this.out.extend_from_slice(&(value as f32).to_le_bytes()),
            Node::Double => this.out.extend_from_slice(&(value as f64).to_le_bytes()),
            Node::Decimal(..) => return this.decimal(&value.to_string()),
            _ => return this.misfit(format!("integer {value}")),
        }
        Ok(())
    }

    fn float(self, value: f64, is_single: bool) -> Result<(), Error> {
        let this = self.branch(&[
            &|node| matches!((node, is_single), (Node::Float, true) | (Node::Double, false)),
            &|node| matches!(node, Node::Double | Node::Float),
        ]);
        match this.node() {
            Node::Float => this.out.extend_from_slice(&(value as f32).to_le_bytes()),
            Node::Double => this.out.extend_from_slice(&value.to_le_bytes()),
            _ => return this.misfit(format!("float {value}")),
        }
        Ok(())
    }

    fn decimal(self, text: &str) -> Result<(), Error> {
        let Node::Decimal(fixed, scale) = self.node() else {
            return self.misfit(format!("{text:?}"));
        };
        let size = fixed.as_ref().map(|(_, size)| *size);
        let value = decimal::from_text(text, size, *scale)?;
        match size {
            Some(_) => self.out.extend_from_slice(&value),
            None => bytes(&value, self.out),
        }
        Ok(())
    }

    fn raw(self, value: &[u8]) -> Result<(), Error> {
        let this = self.branch(&[
            &|node| matches!(node, Node::Bytes),
            &|node| matches!(node, Node::Fixed(_, size) if *size == value.len()),
        ]);
        match this.node() {
            Node::Bytes => bytes(value, this.out),
            Node::Fixed(_, size) if *size == value.len() => this.out.extend_from_slice(value),
            _ => return this.misfit(format!("{} bytes", value.len())),
        }
        Ok(())
    }

    /// Text for bytes is Avro's JSON encoding: one character per byte.
    fn text_as_bytes(self, value: &str) -> Result<(), Error> {
        let value: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
        match value {
            Ok(value) => self.raw(&value),
            Err(_) => self.misfit("text that is no bytes"),
        }
    }

    fn fields(self) -> Result<RecordEncoder<'a>, Error> {
        let Node::Record { fields, .. } = self.node() else { return self.misfit("a struct") };
        let Encoder { schema, out, .. } = self;
        Ok(RecordEncoder { schema, fields, out, next: 0, early: BTreeMap::new() })
    }

    fn items(self, is_map: bool) -> Result<ItemsEncoder<'a>, Error> {
        let items = match (self.node(), is_map) {
            (Node::Array(node), false) | (Node::Map(node), true) => Items::Block(*node),
            (Node::Bytes, false) => Items::Bytes(None),
            (Node::Fixed(_, size), false) => Items::Bytes(Some(*size)),
            _ => return self.misfit(if is_map { "a map" } else { "a sequence" }),
        };
        let Encoder { schema, out, .. } = self;
        Ok(ItemsEncoder { schema, items, out, count: 0, encoded: Vec::new() })
    }
}

const ARRAYS: &dyn Fn(&Node) -> bool = &|node| matches!(node, Node::Array(_));
const BYTES: &dyn Fn(&Node) -> bool = &|node| matches!(node, Node::Bytes | Node::Fixed(..));
const MAPS: &dyn Fn(&Node) -> bool = &|node| matches!(node, Node::Map(_));
const RECORDS: &dyn Fn(&Node) -> bool = &|node| matches!(node, Node::Record { .. });
const NULLS: &dyn Fn(&Node) -> bool = &|node| matches!(node, Node::Null);

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = ItemsEncoder<'a>;
    type SerializeTuple = ItemsEncoder<'a>;
    type SerializeTupleStruct = ItemsEncoder<'a>;
    type SerializeTupleVariant = ItemsEncoder<'a>;
    type SerializeMap = MapEncoder<'a>;
    type SerializeStruct = RecordEncoder<'a>;
    type SerializeStructVariant = RecordEncoder<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        let this = self.branch(&[&|node| matches!(node, Node::Boolean)]);
        match this.node() {
            Node::Boolean => this.out.push(value.into()),
            _ => return this.misfit("a boolean"),
        }
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.integer(value.into())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.float(value.into(), true)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.float(value, false)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        let position = |symbols: &[String]| symbols.iter().position(|symbol| symbol == value);
        let this = self.branch(&[
            &|node| matches!(node, Node::Enum { symbols, .. } if position(symbols).is_some()),
            &|node| matches!(node, Node::String),
            &|node| matches!(node, Node::Decimal(..)),
            BYTES,
        ]);
        match this.node() {
            Node::String => bytes(value.as_bytes(), this.out),
            Node::Enum { symbols, .. } => match position(symbols) {
                Some(index) => long(i64::try_from(index).unwrap_or(i64::MAX), this.out),
                None => return this.misfit(format!("symbol {value:?}")),
            },
            Node::Decimal(..) => return this.decimal(value),
            Node::Bytes | Node::Fixed(..) => return this.text_as_bytes(value),
            _ => return this.misfit("text"),
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.raw(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        let this = self.branch(&[NULLS]);
        match this.node() {
            Node::Null => Ok(()),
            _ => this.misfit("null"),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self.named(variant)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<ItemsEncoder<'a>, Error> {
        self.branch(&[ARRAYS, BYTES]).items(false)
    }

    fn serialize_tuple(self, len: usize) -> Result<ItemsEncoder<'a>, Error> {
        let this = self.branch(&[
            ARRAYS,
            &|node| matches!(node, Node::Fixed(_, size) if *size == len),
            BYTES,
        ]);
        this.items(false)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<ItemsEncoder<'a>, Error> {
        self.serialize_tuple(len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ItemsEncoder<'a>, Error> {
        self.named(variant)?.items(false)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<MapEncoder<'a>, Error> {
        let this = self.branch(&[MAPS, RECORDS]);
        match this.node() {
            Node::Record { .. } => Ok(MapEncoder::Record(this.fields()?, String::new())),
            _ => Ok(MapEncoder::Map(this.items(true)?)),
        }
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<RecordEncoder<'a>, Error> {
        let named =
            |node: &Node| matches!(node, Node::Record { name: record, .. } if record.name == name);
        self.branch(&[&named, RECORDS]).fields()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<RecordEncoder<'a>, Error> {
        self.named(variant)?.fields()
    }
}

//! Rows as bytes: the stable form of keys and rows in keyed state.
//!
//! A [`RowCodec`] turns the values of some columns into one byte string per row, and back. Two rows
//! have equal bytes exactly when their values are equal as SQL groups them: NULL equals NULL,
//! `-0.0` equals `0.0`, every NaN equals every other. The same bytes decide the key group, so the
//! form is part of every checkpoint and is pinned by golden tests.
//!
//! ```text
//! row    = nulls value*            nulls: one bit per column, set for NULL, lowest bit first
//! value  = bool 1 byte · integer, date, time, timestamp: zigzag varint · float: bits, low
//!          byte first
//!        · decimal: zigzag varint of 128 bits, or 32 bytes · interval: fields, little-endian
//!        · text, bytes: varint length, bytes · list, map: varint length, then per element a byte
//!          (1: NULL) and the value · struct: a row
//! ```
//! NULL has no value bytes. The form is not ordered; what must compare goes through [`sort`].

mod decode;
mod encode;
pub mod sort;
pub mod words;

pub(crate) use decode::take_varint;
pub(crate) use encode::put_varint;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use headwater_core::key_group::hash_key;
use headwater_core::{Error, Result};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64;

/// Version of the form above.
pub const ROW_FORMAT: u32 = 1;

/// The longest key that needs no memory of its own.
const SHORT: usize = 22;

/// The bytes of one row; the type of keys in tables.
#[derive(Clone)]
pub struct RowKey(Form);

/// 24 bytes either way.
#[derive(Clone)]
enum Form {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

impl RowKey {
    /// A key of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let mut short = [0; SHORT];
        RowKey(match short.get_mut(..bytes.len()) {
            Some(to) => {
                to.copy_from_slice(bytes);
                Form::Short(bytes.len() as u8, short)
            }
            None => Form::Long(bytes.into()),
        })
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Form::Long(bytes) => bytes,
        }
    }

    /// The key's hash, which places it in a key group.
    pub fn hash(&self) -> u64 {
        hash_row(self.bytes())
    }
}

impl Default for RowKey {
    fn default() -> Self {
        RowKey::new(&[])
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RowKey").field(&self.bytes()).finish()
    }
}

impl PartialEq for RowKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for RowKey {}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Hash for RowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl Borrow<[u8]> for RowKey {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

impl Serialize for RowKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes())
    }
}

impl<'de> Deserialize<'de> for RowKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Bytes)
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = RowKey;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(RowKey::new(bytes))
    }
}

/// The hash of a row's bytes: [`hash_key`] of the [`RowKey`] they make.
pub fn hash_row(bytes: &[u8]) -> u64 {
    let mut stack = [0u8; 64];
    match (bytes.len(), stack.get_mut(1..=bytes.len())) {
        (len @ ..64, Some(to)) => {
            to.copy_from_slice(bytes);
            stack[0] = len as u8;
            xxh3_64(&stack[..=len])
        }
        _ => hash_key(&RowKey::new(bytes)),
    }
}

/// Encodes and decodes rows of some column types.
#[derive(Clone, Debug)]
pub struct RowCodec {
    types: Vec<DataType>,
}

impl RowCodec {
    /// A codec for columns of these types.
    ///
    /// # Errors
    /// Of kind `Plan`: values of one of the types cannot be kept in state.
    pub fn new(types: Vec<DataType>) -> Result<Self> {
        match types.iter().find(|t| !is_supported(t)) {
            Some(t) => {
                let message = format!("values of type {t} cannot be a key or kept in state");
                Err(Error::plan(message).hint("cast the column to another type"))
            }
            None => Ok(RowCodec { types }),
        }
    }

    /// A codec for some columns of a schema.
    ///
    /// # Errors
    /// As [`RowCodec::new`].
    pub fn of_columns(schema: &SchemaRef, columns: &[usize]) -> Result<Self> {
        RowCodec::new(columns.iter().map(|c| schema.field(*c).data_type().clone()).collect())
    }

    /// A codec for all columns of a schema.
    ///
    /// # Errors
    /// As [`RowCodec::new`].
    pub fn of_schema(schema: &SchemaRef) -> Result<Self> {
        RowCodec::new(schema.fields().iter().map(|f| f.data_type().clone()).collect())
    }

    /// The types of the columns.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Encodes `rows` rows of these columns, in the codec's order.
    ///
    /// # Errors
    /// A column is of another type.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<Encoded> {
        let mut encoded = Encoded::with_capacity(rows, 8 + 12 * columns.len());
        encode::encode(&self.types, columns, 0..rows, &mut encoded)?;
        Ok(encoded)
    }

    /// Encodes these rows of the columns, in this order.
    ///
    /// # Errors
    /// A column is of another type.
    pub fn encode_rows(&self, columns: &[ArrayRef], rows: &[u32]) -> Result<Encoded> {
        let mut encoded = Encoded::with_capacity(rows.len(), 8 + 12 * columns.len());
        let rows = rows.iter().map(|row| *row as usize);
        encode::encode(&self.types, columns, rows, &mut encoded)?;
        Ok(encoded)
    }

    /// Decodes rows to columns.
    ///
    /// # Errors
    /// The bytes are not of this codec.
    pub fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        decode::decode(&self.types, rows)
    }
}

fn is_supported(data_type: &DataType) -> bool {
    use DataType::*;
    match data_type {
        Null | Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => true,
        Float32 | Float64 | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => true,
        Duration(_) | Interval(_) | Decimal128(..) | Decimal256(..) => true,
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => true,
        List(field) => is_supported(field.data_type()),
        Map(entries, _) => is_supported(entries.data_type()),
        Struct(fields) => fields.iter().all(|f| is_supported(f.data_type())),
        _ => false,
    }
}

/// The rows of a chunk as bytes.
#[derive(Debug, Default)]
pub struct Encoded {
    /// Before each row is one byte for its length, so that short rows hash without a copy.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Encoded {
    fn with_capacity(rows: usize, width: usize) -> Self {
        Encoded { bytes: Vec::with_capacity(rows * width), ends: Vec::with_capacity(rows) }
    }

    fn start_row(&mut self) -> &mut Vec<u8> {
        self.bytes.push(0);
        &mut self.bytes
    }

    fn end_row(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        let len = self.bytes.len() - start - 1;
        self.bytes[start] = if len < 0x80 { len as u8 } else { u8::MAX };
        self.ends.push(self.bytes.len());
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    #[inline]
    fn start(&self, row: usize) -> usize {
        if row == 0 { 0 } else { self.ends[row - 1] }
    }

    /// The bytes of a row.
    #[inline]
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.start(row) + 1..self.ends[row]]
    }

    /// The hash of a row: [`hash_row`] of its bytes.
    #[inline]
    pub fn hash(&self, row: usize) -> u64 {
        let with_len = &self.bytes[self.start(row)..self.ends[row]];
        if with_len[0] < 0x80 { xxh3_64(with_len) } else { hash_row(&with_len[1..]) }
    }

    /// The hash of every row.
    pub fn hashes(&self) -> Vec<u64> {
        (0..self.len()).map(|row| self.hash(row)).collect()
    }
}

#[cfg(test)]
mod tests;

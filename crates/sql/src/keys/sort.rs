//! Rows as bytes that compare like the rows: sort keys.
//!
//! ```text
//! column = null-or-not value      null-or-not: NULL first 0, value 1, NULL last 2
//! value  = integer: big-endian, sign flipped · float: the same of its total order
//!        · text, bytes: 00 → 00 FF, ended by 00 00 · boolean: 1 byte
//! ```
//! The value bytes of a descending column are inverted. Part of checkpoints, pinned by tests.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, SchemaRef};
use headwater_core::{Error, Result};

use super::{Encoded, words};

/// A column to sort by, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortColumn {
    /// Number of the column.
    pub column: usize,
    /// Greatest first.
    pub descending: bool,
    /// NULLs before everything else; otherwise after.
    pub nulls_first: bool,
}

/// Encodes sort keys.
#[derive(Clone, Debug)]
pub struct SortCodec {
    columns: Vec<SortColumn>,
}

impl SortCodec {
    /// A codec for rows of `schema`.
    ///
    /// # Errors
    /// Of kind `Plan`: a column is of a type without an order.
    pub fn new(schema: &SchemaRef, columns: Vec<SortColumn>) -> Result<Self> {
        for by in &columns {
            let field = schema.field(by.column);
            if !is_ordered(field.data_type()) {
                let (name, data_type) = (field.name(), field.data_type());
                let message = format!("cannot order by column {name:?} of type {data_type}");
                return Err(Error::plan(message));
            }
        }
        Ok(SortCodec { columns })
    }

    /// The columns.
    pub fn columns(&self) -> &[SortColumn] {
        &self.columns
    }

    /// Encodes the sort keys of all rows; `columns` are those of the schema.
    ///
    /// # Errors
    /// Of kind `Internal`: a column is of another type than the schema said.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<Encoded> {
        let mut out = Encoded::with_capacity(rows, 10 * self.columns.len() + 1);
        let by = self.columns.iter().map(|by| Ok((Values::new(&columns[by.column])?, *by)));
        let by = by.collect::<Result<Vec<_>>>()?;
        for row in 0..rows {
            let bytes = out.start_row();
            for (values, by) in &by {
                if values.array.is_null(row) {
                    bytes.push(if by.nulls_first { 0 } else { 2 });
                    continue;
                }
                bytes.push(1);
                let start = bytes.len();
                values.put(row, bytes);
                if by.descending {
                    bytes[start..].iter_mut().for_each(|b| *b = !*b);
                }
            }
            out.end_row();
        }
        Ok(out)
    }
}

/// Whether values of the type can be sorted by.
pub fn is_ordered(data_type: &DataType) -> bool {
    use DataType::*;
    let bytes =
        matches!(data_type, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView);
    words::is_word(data_type) || bytes || matches!(data_type, Decimal128(..))
}

struct Values<'a> {
    array: &'a ArrayRef,
    words: Option<std::borrow::Cow<'a, [i64]>>,
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self> {
        if !is_ordered(array.data_type()) {
            return Err(Error::internal(format!("{} has no order", array.data_type())));
        }
        Ok(Values { array, words: words::ordered(array) })
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) {
        if let Some(words) = &self.words {
            out.extend((words[row] ^ i64::MIN).to_be_bytes());
            return;
        }
        match self.array.data_type() {
            DataType::Utf8 => escape(self.array.as_string::<i32>().value(row).as_bytes(), out),
            DataType::LargeUtf8 => escape(self.array.as_string::<i64>().value(row).as_bytes(), out),
            DataType::Utf8View => escape(self.array.as_string_view().value(row).as_bytes(), out),
            DataType::Binary => escape(self.array.as_binary::<i32>().value(row), out),
            DataType::LargeBinary => escape(self.array.as_binary::<i64>().value(row), out),
            DataType::BinaryView => escape(self.array.as_binary_view().value(row), out),
            _ => {
                let value = self.array.as_primitive::<Decimal128Type>().value(row);
                out.extend((value ^ i128::MIN).to_be_bytes());
            }
        }
    }
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend([0, 0]);
}

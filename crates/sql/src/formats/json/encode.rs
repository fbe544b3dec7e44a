//! From rows to objects.

use std::io::Write;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;

use super::super::cells::{Cells, Values};
use super::super::text::{write_base64, write_date, write_decimal, write_time, write_timestamp};
use super::Json;

/// Writes the rows of a batch.
pub struct Rows<'a> {
    options: Json,
    columns: Vec<(&'a str, Cells<'a>)>,
}

impl<'a> Rows<'a> {
    /// The rows of a batch.
    ///
    /// # Errors
    /// The name and type of a column that JSON cannot carry.
    pub fn new(options: Json, data: &'a RecordBatch) -> Result<Self, (String, DataType)> {
        let schema = data.schema_ref();
        let columns = schema.fields().iter().zip(data.columns()).map(|(field, column)| {
            let cells = Cells::new(column).map_err(|refused| (field.name().clone(), refused))?;
            Ok((field.name().as_str(), cells))
        });
        Ok(Rows { options, columns: columns.collect::<Result<_, _>>()? })
    }

    /// Writes a row as an object.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        object(&self.options, &self.columns, row, out);
    }
}

fn object(options: &Json, columns: &[(&str, Cells<'_>)], row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    for (name, cells) in columns {
        if options.ignore_null_fields && cells.is_null(row) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        text(out, name);
        out.push(b':');
        value(options, cells, row, out);
    }
    out.push(b'}');
}

/// Writes a cell.
fn value(options: &Json, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
    if cells.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match &cells.values {
        Values::Nothing => {}
        Values::Bool(values) => {
            out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
        }
        Values::I8(values) => integer(out, values[row].into()),
        Values::I16(values) => integer(out, values[row].into()),
        Values::I32(values) => integer(out, values[row].into()),
        Values::I64(values) => integer(out, values[row]),
        Values::U64(values) => put(out, format_args!("{}", values[row])),
        Values::F32(values) => float(out, f64::from(values.value(row)), values.value(row)),
        Values::F64(values) => float(out, values.value(row), values.value(row)),
        Values::Text(values) => text(out, values.value(row)),
        Values::Date(values) if options.numeric => integer(out, values[row].into()),
        Values::Time32(_, values) if options.numeric => integer(out, values[row].into()),
        Values::Time64(_, values) if options.numeric => integer(out, values[row]),
        Values::Timestamp(_, _, values) if options.numeric => integer(out, values[row]),
        // A decimal is a text there.
        Values::Decimal(scale, values) if options.numeric => {
            in_quotes(out, |out| write_decimal(out, values.value(row), *scale));
        }
        Values::Decimal(scale, values) => write_decimal(out, values.value(row), *scale),
        Values::Date(values) => in_quotes(out, |out| write_date(out, values[row].into())),
        Values::Time32(unit, values) => {
            in_quotes(out, |out| write_time(out, values[row].into(), *unit));
        }
        Values::Time64(unit, values) => in_quotes(out, |out| write_time(out, values[row], *unit)),
        Values::Timestamp(unit, zoned, values) => in_quotes(out, |out| {
            write_timestamp(out, values[row], *unit, *zoned, options.timestamps);
        }),
        Values::Bytes(values) => in_quotes(out, |out| write_base64(out, values.value(row))),
        Values::List(offsets, items) => {
            out.push(b'[');
            for (i, item) in range(offsets, row).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                value(options, items, item, out);
            }
            out.push(b']');
        }
        Values::Map(offsets, keys, values) => {
            out.push(b'{');
            for (i, entry) in range(offsets, row).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                key(options, keys, entry, out);
                out.push(b':');
                value(options, values, entry, out);
            }
            out.push(b'}');
        }
        Values::Row(columns) => object(options, columns, row, out),
    }
}

/// Writes a cell as the key of an object: what is no text is put in quotes.
fn key(options: &Json, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
    let start = out.len();
    value(options, cells, row, out);
    if out.get(start) != Some(&b'"') {
        let plain = out.split_off(start);
        match std::str::from_utf8(&plain) {
            Ok(plain) => text(out, plain),
            Err(_) => out.extend_from_slice(b"\"\""),
        }
    }
}

/// The cells of a list or map.
pub(crate) fn range(
    offsets: &datafusion::arrow::buffer::OffsetBuffer<i32>,
    row: usize,
) -> std::ops::Range<usize> {
    let at = |i: usize| usize::try_from(offsets[i]).unwrap_or(0);
    at(row)..at(row + 1)
}

fn in_quotes(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

pub(crate) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Nothing written to memory fails.
    let _ = out.write_fmt(text);
}

pub(crate) fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a float so that it is read as it was; what is no number stands in quotes.
fn float(out: &mut Vec<u8>, wide: f64, value: impl std::fmt::Debug) {
    if wide.is_finite() {
        put(out, format_args!("{value:?}"));
    } else {
        in_quotes(out, |out| put(out, format_args!("{value:?}")));
    }
}

/// Writes a text in quotes.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        if escape.is_empty() {
            put(out, format_args!("\\u{byte:04x}"));
        } else {
            out.extend_from_slice(escape);
        }
        plain = at + 1;
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

//! Columns to rows of bytes.

use std::borrow::Cow;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Decimal256Array,
    IntervalDayTimeArray, IntervalMonthDayNanoArray, LargeBinaryArray, LargeStringArray,
    StringArray, StringViewArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::*;
use headwater_core::{Error, Result};

use super::{Encoded, words};

/// The values of a column, ready to be read row by row.
enum Values<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int(Cow<'a, [i64]>),
    F32(&'a [f32]),
    F64(&'a [f64]),
    D128(&'a [i128]),
    D256(&'a Decimal256Array),
    DayTime(&'a IntervalDayTimeArray),
    MonthDayNano(&'a IntervalMonthDayNanoArray),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
    List(&'a OffsetBuffer<i32>, Box<Column<'a>>),
    Struct(Vec<Column<'a>>),
}

pub(super) struct Column<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Column<'a> {
    fn new(array: &'a dyn Array) -> Result<Self> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(Column { values: Values::new(array)?, nulls })
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.is_some_and(|n| n.is_null(row))
    }
}

impl<'a> Values<'a> {
    fn new(array: &'a dyn Array) -> Result<Self> {
        if let Some(ints) = words::ints(array) {
            return Ok(Values::Int(ints));
        }
        Ok(match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Float32 => Values::F32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Values::F64(array.as_primitive::<Float64Type>().values()),
            DataType::Decimal128(..) => {
                Values::D128(array.as_primitive::<Decimal128Type>().values())
            }
            DataType::Decimal256(..) => Values::D256(array.as_primitive()),
            DataType::Interval(IntervalUnit::DayTime) => Values::DayTime(array.as_primitive()),
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                Values::MonthDayNano(array.as_primitive())
            }
            DataType::Utf8 => Values::Utf8(array.as_string()),
            DataType::LargeUtf8 => Values::LargeUtf8(array.as_string()),
            DataType::Utf8View => Values::Utf8View(array.as_string_view()),
            DataType::Binary => Values::Binary(array.as_binary()),
            DataType::LargeBinary => Values::LargeBinary(array.as_binary()),
            DataType::BinaryView => Values::BinaryView(array.as_binary_view()),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Values::List(list.offsets(), Box::new(Column::new(list.values())?))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                Values::List(map.offsets(), Box::new(Column::new(map.entries())?))
            }
            DataType::Struct(_) => {
                let columns = array.as_struct().columns();
                Values::Struct(columns.iter().map(|c| Column::new(c)).collect::<Result<_>>()?)
            }
            other => {
                let message = format!("values of type {other} cannot be a key or kept in state");
                return Err(Error::internal(message));
            }
        })
    }

    /// Appends the value of a row that is not NULL.
    #[inline]
    fn put(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Values::Int(values) => put_int(values[row], out),
            Values::Utf8(values) => put_bytes(values.value(row).as_bytes(), out),
            Values::D128(values) => put_wide(values[row], out),
            Values::F64(values) => out.extend(canonical(values[row]).to_le_bytes()),
            Values::F32(values) => {
                out.extend((canonical(f64::from(values[row])) as f32).to_le_bytes());
            }
            Values::Bool(values) => out.push(u8::from(values.value(row))),
            other => other.put_rare(row, out),
        }
    }

    #[inline(never)]
    fn put_rare(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Values::D256(values) => out.extend(values.value(row).to_le_bytes()),
            Values::DayTime(values) => {
                let value = values.value(row);
                out.extend(value.days.to_le_bytes());
                out.extend(value.milliseconds.to_le_bytes());
            }
            Values::MonthDayNano(values) => {
                let value = values.value(row);
                out.extend(value.months.to_le_bytes());
                out.extend(value.days.to_le_bytes());
                out.extend(value.nanoseconds.to_le_bytes());
            }
            Values::LargeUtf8(values) => put_bytes(values.value(row).as_bytes(), out),
            Values::Utf8View(values) => put_bytes(values.value(row).as_bytes(), out),
            Values::Binary(values) => put_bytes(values.value(row), out),
            Values::LargeBinary(values) => put_bytes(values.value(row), out),
            Values::BinaryView(values) => put_bytes(values.value(row), out),
            Values::List(offsets, elements) => {
                let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                put_varint((end - start) as u64, out);
                for element in start..end {
                    let is_null = elements.is_null(element);
                    out.push(u8::from(is_null));
                    if !is_null {
                        elements.values.put(element, out);
                    }
                }
            }
            Values::Struct(columns) => put_row(columns, row, out),
            _ => {}
        }
    }
}

pub(super) fn encode(
    types: &[DataType],
    arrays: &[ArrayRef],
    rows: impl Iterator<Item = usize>,
    out: &mut Encoded,
) -> Result<()> {
    if let Some((expected, found)) =
        types.iter().zip(arrays).find(|(expected, found)| *expected != found.data_type())
    {
        let found = found.data_type();
        return Err(Error::internal(format!("expected a column of {expected}, got {found}")));
    }
    let columns = arrays.iter().map(|a| Column::new(a)).collect::<Result<Vec<_>>>()?;
    // What keys mostly are goes without a decision per value.
    let no_nulls = columns.iter().all(|column| column.nulls.is_none());
    let values: Vec<&Values<'_>> = columns.iter().map(|column| &column.values).collect();
    match *values.as_slice() {
        [Values::Int(a)] if no_nulls => each_row(rows, out, |row, out| {
            put_int(a[row], out);
        }),
        [Values::Int(a), Values::Int(b)] if no_nulls => each_row(rows, out, |row, out| {
            put_int(a[row], out);
            put_int(b[row], out);
        }),
        [Values::Int(a), Values::Utf8(b)] if no_nulls => each_row(rows, out, |row, out| {
            put_int(a[row], out);
            put_bytes(b.value(row).as_bytes(), out);
        }),
        [Values::Utf8(a)] if no_nulls => each_row(rows, out, |row, out| {
            put_bytes(a.value(row).as_bytes(), out);
        }),
        _ => {
            for row in rows {
                put_row(&columns, row, out.start_row());
                out.end_row();
            }
        }
    }
    Ok(())
}

/// Rows without a NULL.
#[inline(always)]
fn each_row(
    rows: impl Iterator<Item = usize>,
    out: &mut Encoded,
    put: impl Fn(usize, &mut Vec<u8>),
) {
    for row in rows {
        let bytes = out.start_row();
        bytes.push(0);
        put(row, bytes);
        out.end_row();
    }
}

#[inline]
fn put_row(columns: &[Column<'_>], row: usize, out: &mut Vec<u8>) {
    for eight in columns.chunks(8) {
        let bits = eight.iter().enumerate();
        out.push(bits.fold(0, |all, (bit, column)| all | u8::from(column.is_null(row)) << bit));
    }
    for column in columns {
        if !column.is_null(row) {
            column.values.put(row, out);
        }
    }
}

/// The representative of the floats that SQL groups with this one.
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

#[inline]
fn put_int(value: i64, out: &mut Vec<u8>) {
    put_varint(((value << 1) ^ (value >> 63)) as u64, out);
}

/// Seven bits a byte, the lowest first.
#[inline]
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    if value < 0x80 {
        return out.push(value as u8);
    }
    let mut bytes = [0; 10];
    let mut end = out.len();
    for byte in &mut bytes {
        end += 1;
        *byte = value as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    // All ten at once are faster than one by one.
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

fn put_wide(value: i128, out: &mut Vec<u8>) {
    let mut value = ((value << 1) ^ (value >> 127)) as u128;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

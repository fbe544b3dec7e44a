//! Rows of bytes to columns.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array, Float32Array,
    Float64Array, IntervalDayTimeArray, IntervalMonthDayNanoArray, ListArray, MapArray, NullArray,
    StringArray, StructArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::*;
use datafusion::arrow::error::ArrowError;
use headwater_core::{Error, Result};

use super::words;

/// The values of one column so far.
enum Values {
    Null,
    Bool(Vec<bool>),
    Int(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    D128(Vec<i128>),
    D256(Vec<i256>),
    DayTime(Vec<IntervalDayTime>),
    MonthDayNano(Vec<IntervalMonthDayNano>),
    Bytes(Vec<u8>, Vec<i32>),
    List(Vec<i32>, Box<Column>),
    Struct(Vec<Column>),
}

struct Column {
    data_type: DataType,
    values: Values,
    /// Whether each row has a value.
    valid: Vec<bool>,
}

impl Column {
    fn new(data_type: &DataType) -> Self {
        let values = match data_type {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(Vec::new()),
            DataType::Float32 => Values::F32(Vec::new()),
            DataType::Float64 => Values::F64(Vec::new()),
            DataType::Decimal128(..) => Values::D128(Vec::new()),
            DataType::Decimal256(..) => Values::D256(Vec::new()),
            DataType::Interval(IntervalUnit::DayTime) => Values::DayTime(Vec::new()),
            DataType::Interval(IntervalUnit::MonthDayNano) => Values::MonthDayNano(Vec::new()),
            DataType::List(field) => {
                Values::List(vec![0], Box::new(Column::new(field.data_type())))
            }
            DataType::Map(entries, _) => {
                Values::List(vec![0], Box::new(Column::new(entries.data_type())))
            }
            DataType::Struct(fields) => {
                Values::Struct(fields.iter().map(|f| Column::new(f.data_type())).collect())
            }
            other if words::is_int(other) => Values::Int(Vec::new()),
            _ => Values::Bytes(Vec::new(), vec![0]),
        };
        Column { data_type: data_type.clone(), values, valid: Vec::new() }
    }

    fn push_null(&mut self) {
        self.valid.push(false);
        match &mut self.values {
            Values::Null => {}
            Values::Bool(values) => values.push(false),
            Values::Int(values) => values.push(0),
            Values::F32(values) => values.push(0.0),
            Values::F64(values) => values.push(0.0),
            Values::D128(values) => values.push(0),
            Values::D256(values) => values.push(i256::ZERO),
            Values::DayTime(values) => values.push(IntervalDayTime::ZERO),
            Values::MonthDayNano(values) => values.push(IntervalMonthDayNano::ZERO),
            Values::Bytes(_, offsets) | Values::List(offsets, _) => {
                offsets.push(offsets.last().copied().unwrap_or(0));
            }
            Values::Struct(columns) => columns.iter_mut().for_each(Column::push_null),
        }
    }

    fn push(&mut self, from: &mut &[u8]) -> Option<()> {
        self.valid.push(true);
        match &mut self.values {
            Values::Null => {}
            Values::Bool(values) => values.push(take::<1>(from)? != [0]),
            Values::Int(values) => values.push(take_int(from)?),
            Values::F32(values) => values.push(f32::from_le_bytes(take(from)?)),
            Values::F64(values) => values.push(f64::from_le_bytes(take(from)?)),
            Values::D128(values) => values.push(take_wide(from)?),
            Values::D256(values) => values.push(i256::from_le_bytes(take(from)?)),
            Values::DayTime(values) => {
                let days = i32::from_le_bytes(take(from)?);
                values.push(IntervalDayTime::new(days, i32::from_le_bytes(take(from)?)));
            }
            Values::MonthDayNano(values) => {
                let months = i32::from_le_bytes(take(from)?);
                let days = i32::from_le_bytes(take(from)?);
                let nanos = i64::from_le_bytes(take(from)?);
                values.push(IntervalMonthDayNano::new(months, days, nanos));
            }
            Values::Bytes(bytes, offsets) => {
                let len = take_varint(from)? as usize;
                let (value, rest) = from.split_at_checked(len)?;
                *from = rest;
                bytes.extend_from_slice(value);
                offsets.push(i32::try_from(bytes.len()).ok()?);
            }
            Values::List(offsets, elements) => {
                for _ in 0..take_varint(from)? {
                    match take::<1>(from)? {
                        [0] => elements.push(from)?,
                        _ => elements.push_null(),
                    }
                }
                offsets.push(i32::try_from(elements.valid.len()).ok()?);
            }
            Values::Struct(columns) => push_row(columns, from)?,
        }
        Some(())
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let rows = self.valid.len();
        let all_valid = self.valid.iter().all(|v| *v);
        let nulls = (!all_valid).then(|| NullBuffer::from(self.valid));
        let offsets = |o: Vec<i32>| OffsetBuffer::new(ScalarBuffer::from(o));
        Ok(match self.values {
            Values::Null => Arc::new(NullArray::new(rows)),
            Values::Bool(values) => Arc::new(BooleanArray::new(values.into(), nulls)),
            Values::Int(values) => words::of_ints(&self.data_type, values.into_iter(), nulls)
                .map_err(|e| ArrowError::InvalidArgumentError(e.to_string()))?,
            Values::F32(values) => Arc::new(Float32Array::try_new(values.into(), nulls)?),
            Values::F64(values) => Arc::new(Float64Array::try_new(values.into(), nulls)?),
            Values::D128(values) => Arc::new(
                Decimal128Array::try_new(values.into(), nulls)?.with_data_type(self.data_type),
            ),
            Values::D256(values) => Arc::new(
                Decimal256Array::try_new(values.into(), nulls)?.with_data_type(self.data_type),
            ),
            Values::DayTime(values) => {
                Arc::new(IntervalDayTimeArray::try_new(values.into(), nulls)?)
            }
            Values::MonthDayNano(values) => {
                Arc::new(IntervalMonthDayNanoArray::try_new(values.into(), nulls)?)
            }
            Values::Bytes(bytes, ends) => {
                finish_bytes(&self.data_type, bytes, offsets(ends), nulls)?
            }
            Values::List(ends, elements) => {
                let elements = elements.finish()?;
                match self.data_type {
                    DataType::Map(field, sorted) => {
                        let entries = elements.as_any().downcast_ref::<StructArray>();
                        let entries = entries.ok_or_else(|| {
                            ArrowError::SchemaError("entries of a map are no struct".into())
                        })?;
                        let (ends, entries) = (offsets(ends), entries.clone());
                        Arc::new(MapArray::try_new(field, ends, entries, nulls, sorted)?)
                    }
                    DataType::List(field) => {
                        Arc::new(ListArray::try_new(field, offsets(ends), elements, nulls)?)
                    }
                    other => return Err(ArrowError::SchemaError(format!("{other} is no list"))),
                }
            }
            Values::Struct(columns) => {
                let DataType::Struct(fields) = self.data_type else {
                    return Err(ArrowError::SchemaError("a struct of another type".into()));
                };
                if fields.is_empty() {
                    return Ok(Arc::new(StructArray::new_empty_fields(rows, nulls)));
                }
                let arrays = columns.into_iter().map(Column::finish);
                let arrays = arrays.collect::<Result<Vec<_>, ArrowError>>()?;
                Arc::new(StructArray::try_new(fields, arrays, nulls)?)
            }
        })
    }
}

fn finish_bytes(
    data_type: &DataType,
    bytes: Vec<u8>,
    offsets: OffsetBuffer<i32>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    let array: ArrayRef = match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Arc::new(StringArray::try_new(offsets, bytes.into(), nulls)?)
        }
        _ => Arc::new(BinaryArray::try_new(offsets, bytes.into(), nulls)?),
    };
    if array.data_type() == data_type { Ok(array) } else { cast(&array, data_type) }
}

pub(super) fn decode<'a>(
    types: &[DataType],
    rows: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<ArrayRef>> {
    let mut columns: Vec<Column> = types.iter().map(Column::new).collect();
    for mut row in rows {
        let read = push_row(&mut columns, &mut row);
        if read.is_none() || !row.is_empty() {
            return Err(Error::state(format!("bytes of a row do not fit the columns {types:?}")));
        }
    }
    let finish = |c: Column| {
        c.finish().map_err(|e| Error::state("cannot decode rows of the state").because(e))
    };
    columns.into_iter().map(finish).collect()
}

fn push_row(columns: &mut [Column], from: &mut &[u8]) -> Option<()> {
    let (nulls, rest) = from.split_at_checked(columns.len().div_ceil(8))?;
    *from = rest;
    for (i, column) in columns.iter_mut().enumerate() {
        if nulls[i / 8] & (1 << (i % 8)) != 0 {
            column.push_null();
        } else {
            column.push(from)?;
        }
    }
    Some(())
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*bytes)
}

/// What [`put_varint`](super::put_varint) has put; none if it is cut off or no number of 64 bits.
#[inline]
pub(crate) fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0u32);
    loop {
        let [byte] = take::<1>(from)?;
        let bits = u64::from(byte & 0x7f);
        value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

fn take_int(from: &mut &[u8]) -> Option<i64> {
    let value = take_varint(from)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn take_wide(from: &mut &[u8]) -> Option<i128> {
    let value = take_unsigned(from)?;
    Some((value >> 1) as i128 ^ -((value & 1) as i128))
}

fn take_unsigned(from: &mut &[u8]) -> Option<u128> {
    let (mut value, mut shift) = (0u128, 0u32);
    loop {
        let [byte] = take::<1>(from)?;
        value |= u128::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

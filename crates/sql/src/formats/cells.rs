//! Columns ready to be read a cell at a time, for formats that write rows.
//!
//! A column's type is looked at once per batch; each cell costs a match.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Float32Array,
    Float64Array, StringArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use super::json::encode::{integer, put};
use super::text::{TimestampStandard, write_date, write_decimal, write_time, write_timestamp};

/// The cells of a column.
pub struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    /// The values.
    pub values: Values<'a>,
}

/// Values by their type; where a cell is null there is some value.
pub enum Values<'a> {
    /// Nothing but nulls.
    Nothing,
    /// BOOLEAN.
    Bool(&'a BooleanArray),
    /// TINYINT.
    I8(&'a [i8]),
    /// SMALLINT.
    I16(&'a [i16]),
    /// INT.
    I32(&'a [i32]),
    /// BIGINT.
    I64(&'a [i64]),
    /// Unsigned, of results that no table has declared.
    U64(Vec<u64>),
    /// FLOAT.
    F32(&'a Float32Array),
    /// DOUBLE.
    F64(&'a Float64Array),
    /// DECIMAL with its scale.
    Decimal(i8, &'a Decimal128Array),
    /// DATE.
    Date(&'a [i32]),
    /// TIME of seconds or milliseconds.
    Time32(TimeUnit, &'a [i32]),
    /// TIME of finer units.
    Time64(TimeUnit, &'a [i64]),
    /// TIMESTAMP, and whether it is a TIMESTAMP_LTZ.
    Timestamp(TimeUnit, bool, &'a [i64]),
    /// STRING.
    Text(&'a StringArray),
    /// BYTES.
    Bytes(&'a BinaryArray),
    /// ARRAY.
    List(&'a OffsetBuffer<i32>, Box<Cells<'a>>),
    /// MAP.
    Map(&'a OffsetBuffer<i32>, Box<Cells<'a>>, Box<Cells<'a>>),
    /// ROW.
    Row(Vec<(&'a str, Cells<'a>)>),
}

impl<'a> Cells<'a> {
    /// The cells of an array.
    ///
    /// # Errors
    /// Its type, if no format can write it.
    pub fn new(array: &'a ArrayRef) -> Result<Cells<'a>, DataType> {
        let values = match array.data_type() {
            DataType::Null => Values::Nothing,
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Int8 => Values::I8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Values::I16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Values::I32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::I64(array.as_primitive::<Int64Type>().values()),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                use datafusion::arrow::{compute::cast, datatypes::UInt64Type};
                let wide = cast(array, &DataType::UInt64).map_err(|_| array.data_type().clone())?;
                Values::U64(wide.as_primitive::<UInt64Type>().values().to_vec())
            }
            DataType::Float32 => Values::F32(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Values::F64(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(_, scale) => {
                Values::Decimal(*scale, array.as_primitive::<Decimal128Type>())
            }
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Time32(unit) => Values::Time32(
                *unit,
                match unit {
                    TimeUnit::Second => array.as_primitive::<Time32SecondType>().values(),
                    _ => array.as_primitive::<Time32MillisecondType>().values(),
                },
            ),
            DataType::Time64(unit) => Values::Time64(
                *unit,
                match unit {
                    TimeUnit::Microsecond => array.as_primitive::<Time64MicrosecondType>().values(),
                    _ => array.as_primitive::<Time64NanosecondType>().values(),
                },
            ),
            DataType::Timestamp(unit, zone) => {
                let values: &[i64] = match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                    TimeUnit::Millisecond => {
                        array.as_primitive::<TimestampMillisecondType>().values()
                    }
                    TimeUnit::Microsecond => {
                        array.as_primitive::<TimestampMicrosecondType>().values()
                    }
                    TimeUnit::Nanosecond => {
                        array.as_primitive::<TimestampNanosecondType>().values()
                    }
                };
                Values::Timestamp(*unit, zone.is_some(), values)
            }
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Binary => Values::Bytes(array.as_binary()),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Values::List(list.offsets(), Box::new(Cells::new(list.values())?))
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let (keys, values) = (Cells::new(map.keys())?, Cells::new(map.values())?);
                Values::Map(map.offsets(), Box::new(keys), Box::new(values))
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().zip(array.as_struct().columns());
                let cells = columns.map(|(f, column)| Ok((f.name().as_str(), Cells::new(column)?)));
                Values::Row(cells.collect::<Result<_, DataType>>()?)
            }
            other => return Err(other.clone()),
        };
        Ok(Cells { nulls: array.nulls(), values })
    }

    /// Whether a cell is null.
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Nothing) || self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Writes a boolean, a number, a date or a time as SQL does; nothing for what is of another
    /// type.
    pub fn write_scalar(&self, row: usize, out: &mut Vec<u8>) {
        match &self.values {
            Values::Bool(values) => put(out, format_args!("{}", values.value(row))),
            Values::I8(values) => integer(out, values[row].into()),
            Values::I16(values) => integer(out, values[row].into()),
            Values::I32(values) => integer(out, values[row].into()),
            Values::I64(values) => integer(out, values[row]),
            Values::U64(values) => put(out, format_args!("{}", values[row])),
            Values::F32(values) => put(out, format_args!("{:?}", values.value(row))),
            Values::F64(values) => put(out, format_args!("{:?}", values.value(row))),
            Values::Decimal(scale, values) => write_decimal(out, values.value(row), *scale),
            Values::Date(values) => write_date(out, values[row].into()),
            Values::Time32(unit, values) => write_time(out, values[row].into(), *unit),
            Values::Time64(unit, values) => write_time(out, values[row], *unit),
            Values::Timestamp(unit, zoned, values) => {
                write_timestamp(out, values[row], *unit, *zoned, TimestampStandard::Sql);
            }
            Values::Nothing | Values::Text(_) | Values::Bytes(_) => {}
            Values::List(..) | Values::Map(..) | Values::Row(_) => {}
        }
    }
}

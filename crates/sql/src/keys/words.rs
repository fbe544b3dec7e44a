//! Values that fit a machine word: integers, dates, times and timestamps read and made as `i64`.

use std::borrow::Cow;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float32Array, Float64Array,
    PrimitiveArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::*;
use headwater_core::{Error, Result};
use std::sync::Arc;

/// Calls a macro with the Arrow type of an integer-like [`DataType`], or takes the other branch.
macro_rules! with_int_type {
    ($data_type:expr, $call:ident, $otherwise:expr) => {
        match $data_type {
            DataType::Int8 => $call!(Int8Type),
            DataType::Int16 => $call!(Int16Type),
            DataType::Int32 => $call!(Int32Type),
            DataType::Int64 => $call!(Int64Type),
            DataType::UInt8 => $call!(UInt8Type),
            DataType::UInt16 => $call!(UInt16Type),
            DataType::UInt32 => $call!(UInt32Type),
            DataType::UInt64 => $call!(UInt64Type),
            DataType::Date32 => $call!(Date32Type),
            DataType::Date64 => $call!(Date64Type),
            DataType::Time32(TimeUnit::Second) => $call!(Time32SecondType),
            DataType::Time32(TimeUnit::Millisecond) => $call!(Time32MillisecondType),
            DataType::Time64(TimeUnit::Microsecond) => $call!(Time64MicrosecondType),
            DataType::Time64(TimeUnit::Nanosecond) => $call!(Time64NanosecondType),
            DataType::Timestamp(TimeUnit::Second, _) => $call!(TimestampSecondType),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $call!(TimestampMillisecondType),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $call!(TimestampMicrosecondType),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $call!(TimestampNanosecondType),
            DataType::Duration(TimeUnit::Second) => $call!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $call!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $call!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $call!(DurationNanosecondType),
            DataType::Interval(IntervalUnit::YearMonth) => $call!(IntervalYearMonthType),
            _ => $otherwise,
        }
    };
}

/// A native integer as a word and back; unsigned 64-bit ones keep their bits.
trait Word: Copy {
    fn to_word(self) -> i64;
    fn of_word(word: i64) -> Self;
    /// The slice itself where no conversion is needed.
    fn words(values: &[Self]) -> Cow<'_, [i64]> {
        Cow::Owned(values.iter().map(|v| v.to_word()).collect())
    }
}

macro_rules! word {
    ($($native:ty),*) => {$(
        impl Word for $native {
            fn to_word(self) -> i64 {
                self as i64
            }
            fn of_word(word: i64) -> Self {
                word as $native
            }
        }
    )*};
}
word!(i8, i16, i32, u8, u16, u32, u64);

impl Word for i64 {
    fn to_word(self) -> i64 {
        self
    }
    fn of_word(word: i64) -> Self {
        word
    }
    fn words(values: &[i64]) -> Cow<'_, [i64]> {
        Cow::Borrowed(values)
    }
}

/// Whether values of the type are integers of at most 64 bits in some form.
pub fn is_int(data_type: &DataType) -> bool {
    macro_rules! yes {
        ($t:ty) => {
            true
        };
    }
    with_int_type!(data_type, yes, false)
}

/// Whether values of the type fit a word: integers, booleans and floats.
pub fn is_word(data_type: &DataType) -> bool {
    use DataType::{Boolean, Float32, Float64};
    is_int(data_type) || matches!(data_type, Boolean | Float32 | Float64)
}

/// The integers of a column; none if it holds no integers. What is at a NULL is arbitrary.
pub fn ints(array: &dyn Array) -> Option<Cow<'_, [i64]>> {
    macro_rules! read {
        ($t:ty) => {
            Some(<$t as ArrowPrimitiveType>::Native::words(array.as_primitive::<$t>().values()))
        };
    }
    with_int_type!(array.data_type(), read, None)
}

/// A column of integers of the given type.
///
/// # Errors
/// Of kind `Internal`: the type is none of integers.
pub fn of_ints(
    data_type: &DataType,
    values: impl Iterator<Item = i64>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    macro_rules! make {
        ($t:ty) => {{
            let values: Vec<<$t as ArrowPrimitiveType>::Native> =
                values.map(Word::of_word).collect();
            let array = PrimitiveArray::<$t>::try_new(values.into(), nulls);
            let array =
                array.map_err(|e| Error::internal(format!("column of {data_type}: {e}")))?;
            Ok(typed(array, data_type))
        }};
    }
    with_int_type!(data_type, make, Err(Error::internal(format!("{data_type} is no integer type"))))
}

/// Gives timestamps their time zone.
fn typed<T: ArrowPrimitiveType>(array: PrimitiveArray<T>, data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::Timestamp(_, Some(_)) => Arc::new(array.with_data_type(data_type.clone())),
        _ => Arc::new(array),
    }
}

/// The words of a column in an order-preserving form: as `i64`s they compare like the values,
/// floats in their total order (NaN above all). None if values of the type do not fit a word.
pub fn ordered(array: &dyn Array) -> Option<Cow<'_, [i64]>> {
    match array.data_type() {
        DataType::UInt64 => {
            let words = array.as_primitive::<UInt64Type>().values();
            Some(Cow::Owned(words.iter().map(|v| (*v ^ (1 << 63)) as i64).collect()))
        }
        DataType::Boolean => {
            Some(Cow::Owned(array.as_boolean().values().iter().map(i64::from).collect()))
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            Some(Cow::Owned(values.iter().map(|v| order_f64(f64::from(*v))).collect()))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            Some(Cow::Owned(values.iter().map(|v| order_f64(*v)).collect()))
        }
        _ => ints(array),
    }
}

/// A column from words in the form of [`ordered`].
///
/// # Errors
/// Of kind `Internal`: values of the type do not fit a word.
pub fn of_ordered(
    data_type: &DataType,
    words: impl Iterator<Item = i64>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::UInt64 => return of_ints(data_type, words.map(|w| w ^ i64::MIN), nulls),
        DataType::Boolean => Arc::new(BooleanArray::new(words.map(|w| w != 0).collect(), nulls)),
        DataType::Float32 => {
            let values = words.map(|w| unorder_f64(w) as f32).collect::<Vec<_>>();
            Arc::new(Float32Array::new(values.into(), nulls))
        }
        DataType::Float64 => {
            Arc::new(Float64Array::new(words.map(unorder_f64).collect::<Vec<_>>().into(), nulls))
        }
        _ => return of_ints(data_type, words, nulls),
    })
}

/// A float as an integer that compares like it.
pub fn order_f64(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The float of [`order_f64`].
pub fn unorder_f64(word: i64) -> f64 {
    f64::from_bits((word ^ (((word >> 63) as u64) >> 1) as i64) as u64)
}

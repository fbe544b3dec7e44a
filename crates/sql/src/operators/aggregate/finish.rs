//! From the state of groups to the columns of results.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Float32Array, Float64Array, StringArray, new_null_array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;
use headwater_core::{Error, Result};

use super::plan::{Aggregates, Finish, Output, Slot, State};
use super::state::{Blob, Groups};
use super::update::overflows;
use crate::keys::words;
use crate::operators::chunks::{arrow_error, datafusion_error};

impl Aggregates {
    /// The results of all groups, one column per call.
    ///
    /// # Errors
    /// Of kind `Data`: a result does not fit its type.
    pub fn finish(&self, groups: &Groups) -> Result<Vec<ArrayRef>> {
        self.outputs.iter().map(|output| self.column(output, groups)).collect()
    }

    fn column(&self, output: &Output, groups: &Groups) -> Result<ArrayRef> {
        let slot = &self.slots[output.slot];
        let data_type = output.field.data_type();
        if groups.is_empty() {
            return Ok(new_null_array(data_type, 0));
        }
        let all = 0..groups.len();
        let at = slot.word;
        match (output.finish, &slot.state) {
            (Finish::Count, _) => {
                let counts = all.map(|g| groups.words_of(g)[at].max(0));
                cast_to(words::of_ints(&DataType::Int64, counts, None)?, data_type)
            }
            (Finish::Sum, State::SumInt) => self.sum(slot, data_type, groups),
            (Finish::Avg, State::SumInt) => average(slot, data_type, groups),
            (finish, State::SumFloat) => {
                let value = |g: usize| self.float(finish, at, groups.words_of(g));
                Ok(match data_type {
                    DataType::Float32 => {
                        let values = all.map(|g| value(g).map(|v| v as f32));
                        Arc::new(values.collect::<Float32Array>())
                    }
                    _ => cast_to(Arc::new(all.map(value).collect::<Float64Array>()), data_type)?,
                })
            }
            (_, State::Extreme { .. } | State::Edge { .. }) if slot.in_words && !self.retract => {
                let valid = all.clone().map(|g| groups.words_of(g)[at + 1] != 0);
                let nulls = some_nulls(valid.collect());
                let values = all.map(|g| groups.words_of(g)[at]);
                cast_to(words::of_ordered(slot.arg_type(), values, nulls)?, data_type)
            }
            (_, State::Extreme { max }) => extreme(*max, slot, data_type, groups),
            (_, State::Edge { last }) => edge(*last, slot, data_type, groups),
            (_, State::List { separator }) => {
                let value = |g: usize| list(separator, groups.blob_of(g, slot.blob));
                cast_to(Arc::new(all.map(value).collect::<StringArray>()), data_type)
            }
            (_, State::Sketch) => {
                let counts = all.map(|g| match groups.blob_of(g, slot.blob) {
                    Blob::Sketch(sketch) => sketch.estimate() as i64,
                    _ => 0,
                });
                cast_to(words::of_ints(&DataType::Int64, counts, None)?, data_type)
            }
            (_, State::Udaf(udaf)) => {
                let values = all.map(|g| udaf.finish(groups.blob_of(g, slot.blob)));
                let values = values.collect::<Result<Vec<ScalarValue>>>()?;
                let array = ScalarValue::iter_to_array(values).map_err(datafusion_error)?;
                cast_to(array, data_type)
            }
            (finish, state) => {
                Err(Error::internal(format!("no {finish:?} is made of the state {state:?}")))
            }
        }
    }

    fn sum(&self, slot: &Slot, data_type: &DataType, groups: &Groups) -> Result<ArrayRef> {
        let at = slot.word;
        let does_not_fit = || overflows(&slot.column, &data_type.to_string());
        let valid = (0..groups.len()).map(|g| groups.words_of(g)[at + 2] != 0).collect();
        let nulls = some_nulls(valid);
        let sums = (0..groups.len()).map(|g| groups.wide(g, at));
        if let DataType::Float64 | DataType::Float32 = data_type {
            let scale = 10f64.powi(i32::from(scale_of(slot.arg_type())));
            let values = sums.map(|sum| sum as f64 / scale).collect::<Vec<_>>();
            return cast_to(Arc::new(Float64Array::new(values.into(), nulls)), data_type);
        }
        if let DataType::Decimal128(precision, scale) = data_type {
            let by = power(i32::from(*scale) - i32::from(scale_of(slot.arg_type())));
            let limit = 10u128.pow(u32::from(*precision));
            let values = sums.map(|sum| {
                let sum = by.and_then(|by| sum.checked_mul(by));
                sum.filter(|sum| sum.unsigned_abs() < limit).ok_or_else(does_not_fit)
            });
            return decimals(values, nulls, data_type);
        }
        let (low, high) = range_of(data_type)?;
        let unsigned = *data_type == DataType::UInt64;
        let values = sums.map(|sum| match sum {
            sum if sum < low || sum > high => Err(does_not_fit()),
            sum if unsigned => Ok(sum as u64 as i64),
            sum => Ok(sum as i64),
        });
        words::of_ints(data_type, values.collect::<Result<Vec<_>>>()?.into_iter(), nulls)
    }

    fn float(&self, finish: Finish, at: usize, words: &[i64]) -> Option<f64> {
        let count = words[at + 1];
        if count == 0 {
            return None;
        }
        let mut sum = f64::from_bits(words[at] as u64);
        if self.retract {
            sum = match words[at + 2..at + 5] {
                [0, 0, 0] => sum,
                [0, _, 0] => f64::INFINITY,
                [0, 0, _] => f64::NEG_INFINITY,
                _ => f64::NAN,
            };
        }
        Some(if finish == Finish::Avg { sum / count as f64 } else { sum })
    }
}

fn average(slot: &Slot, data_type: &DataType, groups: &Groups) -> Result<ArrayRef> {
    let at = slot.word;
    let count = |g: usize| groups.words_of(g)[at + 2];
    let all = 0..groups.len();
    let nulls = some_nulls(all.clone().map(|g| count(g) != 0).collect());
    let scale = scale_of(slot.arg_type());
    match data_type {
        DataType::Float64 | DataType::Float32 => {
            let unit = 10f64.powi(i32::from(scale));
            let values = all.map(|g| groups.wide(g, at) as f64 / unit / count(g).max(1) as f64);
            let values = values.collect::<Vec<_>>();
            cast_to(Arc::new(Float64Array::new(values.into(), nulls)), data_type)
        }
        DataType::Decimal128(precision, to) => {
            let by = power(i32::from(*to) - i32::from(scale));
            let limit = 10i128.pow(u32::from(*precision));
            let values = all.map(|g| {
                let sum = by.and_then(|by| groups.wide(g, at).checked_mul(by));
                let average = sum.map(|sum| rounded(sum, i128::from(count(g).max(1))));
                average
                    .filter(|a| a.abs() < limit)
                    .ok_or_else(|| overflows(&slot.column, &data_type.to_string()))
            });
            decimals(values, nulls, data_type)
        }
        _ => {
            let unit = power(i32::from(scale)).unwrap_or(1);
            let values =
                all.map(|g| (groups.wide(g, at) / unit / i128::from(count(g).max(1))) as i64);
            words::of_ints(data_type, values, nulls)
        }
    }
}

/// The quotient, rounded half away from zero.
fn rounded(sum: i128, count: i128) -> i128 {
    let (whole, rest) = (sum / count, sum % count);
    if rest.abs() >= count - rest.abs() { whole + sum.signum() } else { whole }
}

fn extreme(max: bool, slot: &Slot, data_type: &DataType, groups: &Groups) -> Result<ArrayRef> {
    let value = |g: usize| match groups.blob_of(g, slot.blob) {
        Blob::Bytes(best) => Some(best.as_slice()),
        Blob::Counts(counts) => {
            let mut there = counts.iter().filter(|(_, count)| **count > 0).map(|(value, _)| value);
            let best = if max { there.next_back() } else { there.next() };
            best.map(|value| value.bytes())
        }
        _ => None,
    };
    let values: Vec<Option<&[u8]>> = (0..groups.len()).map(value).collect();
    let damaged = || Error::state("a kept extreme is damaged");
    let nulls = some_nulls(values.iter().map(Option::is_some).collect());
    let array: ArrayRef = match slot.arg_type() {
        arg if slot.in_words => {
            let word = |v: &Option<&[u8]>| match v {
                Some(v) => Some(i64::from_be_bytes((*v).try_into().ok()?) ^ i64::MIN),
                None => Some(0),
            };
            let words = values.iter().map(word).collect::<Option<Vec<_>>>();
            words::of_ordered(arg, words.ok_or_else(damaged)?.into_iter(), nulls)?
        }
        arg @ DataType::Decimal128(..) => {
            let value = |v: &Option<&[u8]>| match v {
                Some(v) => {
                    let bytes = (*v).try_into().map_err(|_| damaged())?;
                    Ok(i128::from_be_bytes(bytes) ^ i128::MIN)
                }
                None => Ok(0),
            };
            decimals(values.iter().map(value), nulls, arg)?
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let text = values.iter().map(|v| v.map(std::str::from_utf8).transpose());
            let text = text.collect::<Result<StringArray, _>>();
            Arc::new(text.map_err(|_| damaged())?)
        }
        _ => {
            let bytes = values.into_iter();
            Arc::new(bytes.collect::<datafusion::arrow::array::BinaryArray>())
        }
    };
    cast_to(array, data_type)
}

fn edge(last: bool, slot: &Slot, data_type: &DataType, groups: &Groups) -> Result<ArrayRef> {
    // A row of one NULL.
    let null: &[u8] = &[1];
    let value = |g: usize| match groups.blob_of(g, slot.blob) {
        Blob::Bytes(value) => value.as_slice(),
        Blob::Log(_, values) => {
            let mut values = values.values();
            let value = if last { values.next_back() } else { values.next() };
            value.map_or(null, |value| value.bytes())
        }
        _ => null,
    };
    let mut columns = slot.codec.decode((0..groups.len()).map(value))?;
    let column = columns.pop().ok_or_else(|| Error::internal("a value without a column"))?;
    cast_to(column, data_type)
}

fn list(separator: &str, blob: &Blob) -> Option<String> {
    match blob {
        Blob::Bytes(list) => Some(String::from_utf8_lossy(list).into_owned()),
        Blob::Log(_, values) if !values.is_empty() => {
            let values = values.values().map(|v| String::from_utf8_lossy(v.bytes()));
            Some(values.collect::<Vec<_>>().join(separator))
        }
        _ => None,
    }
}

fn some_nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    valid.iter().any(|v| !v).then(|| NullBuffer::from(valid))
}

fn decimals(
    values: impl Iterator<Item = Result<i128>>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let values = values.collect::<Result<Vec<_>>>()?;
    let array = Decimal128Array::try_new(values.into(), nulls).map_err(arrow_error)?;
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

fn scale_of(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

/// 10 to the power; none if it is negative or does not fit.
fn power(exponent: i32) -> Option<i128> {
    10i128.checked_pow(u32::try_from(exponent).ok()?)
}

fn range_of(data_type: &DataType) -> Result<(i128, i128)> {
    let signed = |bits: u32| (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1);
    let unsigned = |bits: u32| (0, (1i128 << bits) - 1);
    Ok(match data_type {
        DataType::Int8 => signed(8),
        DataType::Int16 => signed(16),
        DataType::Int32 => signed(32),
        DataType::Int64 => signed(64),
        DataType::UInt8 => unsigned(8),
        DataType::UInt16 => unsigned(16),
        DataType::UInt32 => unsigned(32),
        DataType::UInt64 => unsigned(64),
        other => return Err(Error::plan(format!("a sum cannot be of type {other}"))),
    })
}

fn cast_to(array: ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        Ok(array)
    } else {
        cast(&array, data_type).map_err(arrow_error)
    }
}

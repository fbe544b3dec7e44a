//! Adding the rows of a batch to their groups, slot by slot.

use std::borrow::Cow;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type};
use headwater_core::{Error, Result};

use super::distinct::DistinctTables;
use super::plan::{Aggregates, Distinct, Slot, State};
use super::state::{Blob, Groups};
use crate::keys::{RowKey, words};
use crate::operators::chunks::columns;

impl Aggregates {
    /// Adds the rows of `batch` to groups, or takes back those with a sign of −1. `of` names the
    /// group of each row.
    ///
    /// # Errors
    /// Of kind `Data`: a sum does not fit 128 bits; or what a function returned.
    pub fn update(
        &self,
        batch: &RecordBatch,
        signs: Option<&[i8]>,
        of: &[u32],
        groups: &mut Groups,
        mut tables: Option<&mut DistinctTables>,
    ) -> Result<()> {
        match signs {
            None => of.iter().for_each(|g| *groups.word(*g, 0) += 1),
            Some(signs) => {
                of.iter().zip(signs).for_each(|(g, s)| *groups.word(*g, 0) += i64::from(*s));
            }
        }
        for slot in self.slots.iter().filter(|slot| !slot.is_rows) {
            let args = columns(batch, &slot.args);
            match slot.distinct {
                Some(Distinct::Table { .. }) => {}
                Some(Distinct::Inline { blob }) => {
                    let selected = select(batch, slot.filter, &args, signs);
                    let admitted = admit(slot, blob, &args, selected.as_deref(), of, groups)?;
                    self.apply(slot, &args, Some(&admitted), of, groups)?;
                }
                None => {
                    let selected = select(batch, slot.filter, &args, signs);
                    self.apply(slot, &args, selected.as_deref(), of, groups)?;
                }
            }
        }
        for (number, view) in self.views.iter().enumerate() {
            let Some(tables) = tables.as_deref_mut() else {
                return Err(Error::internal("DISTINCT has no tables"));
            };
            let args = columns(batch, &view.args);
            let of_view = |slot: &&Slot| slot.view() == Some(number);
            let selected = self.slots.iter().filter(of_view).map(|slot| {
                select(batch, slot.filter, &args, signs)
                    .map_or_else(|| vec![1; of.len()], Cow::into_owned)
            });
            let mut selected: Vec<Vec<i8>> = selected.collect();
            tables.admit(number, &args, of, &mut selected)?;
            for (slot, signs) in self.slots.iter().filter(of_view).zip(&selected) {
                self.apply(slot, &args, Some(signs), of, groups)?;
            }
        }
        Ok(())
    }

    /// Adds values to a slot: each `sign` times, which is 1, 0 or −1.
    pub(super) fn apply(
        &self,
        slot: &Slot,
        args: &[ArrayRef],
        signs: Option<&[i8]>,
        of: &[u32],
        groups: &mut Groups,
    ) -> Result<()> {
        let at = slot.word;
        match &slot.state {
            State::Count => match signs {
                None => of.iter().for_each(|g| *groups.word(*g, at) += 1),
                Some(signs) => {
                    let each = of.iter().zip(signs);
                    each.for_each(|(g, sign)| *groups.word(*g, at) += i64::from(*sign));
                }
            },
            State::SumInt => sum_ints(slot, &args[0], signs, of, groups)?,
            State::SumFloat => sum_floats(self.retract, at, &args[0], signs, of, groups),
            State::Extreme { max } if !self.retract && slot.in_words => {
                let values = words::ordered(&args[0]).unwrap_or_default();
                rows(signs, of, |row, group, _| {
                    let value = values[row];
                    let is_set = *groups.word(group, at + 1) != 0;
                    let best = groups.word(group, at);
                    if !is_set || (if *max { value > *best } else { value < *best }) {
                        *best = value;
                        *groups.word(group, at + 1) = 1;
                    }
                });
            }
            State::Extreme { max } => {
                extreme_bytes(self.retract, *max, slot, args, signs, of, groups)
            }
            State::Edge { last } if !self.retract && slot.in_words => {
                let values = words::ordered(&args[0]).unwrap_or_default();
                rows(signs, of, |row, group, _| {
                    if *last || *groups.word(group, at + 1) == 0 {
                        *groups.word(group, at) = values[row];
                        *groups.word(group, at + 1) = 1;
                    }
                });
            }
            State::Edge { last } => {
                let values = slot.codec.encode(args, of.len())?;
                rows(signs, of, |row, group, sign| {
                    let blob = groups.blob(group, slot.blob);
                    if self.retract {
                        log(blob, values.row(row), sign);
                    } else if *last || *blob == Blob::Empty {
                        *blob = Blob::Bytes(values.row(row).to_vec());
                    }
                });
            }
            State::List { separator } => {
                let values = args[0].as_string::<i32>();
                rows(signs, of, |row, group, sign| {
                    let value = values.value(row).as_bytes();
                    let blob = groups.blob(group, slot.blob);
                    match blob {
                        _ if self.retract => log(blob, value, sign),
                        Blob::Bytes(list) => {
                            list.extend_from_slice(separator.as_bytes());
                            list.extend_from_slice(value);
                        }
                        _ => *blob = Blob::Bytes(value.to_vec()),
                    }
                });
            }
            State::Sketch => {
                let values = slot.codec.encode(args, of.len())?;
                rows(signs, of, |row, group, _| {
                    let blob = groups.blob(group, slot.blob);
                    if *blob == Blob::Empty {
                        *blob = Blob::Sketch(Default::default());
                    }
                    if let Blob::Sketch(sketch) = blob {
                        sketch.add(values.hash(row));
                    }
                });
            }
            State::Udaf(udaf) => udaf.update(args, signs, of, slot.blob, groups)?,
        }
        Ok(())
    }
}

/// The sign of each row, 0 for those that the filter or a NULL leaves out; none: all count.
fn select<'s>(
    batch: &RecordBatch,
    filter: Option<usize>,
    args: &[ArrayRef],
    signs: Option<&'s [i8]>,
) -> Option<Cow<'s, [i8]>> {
    let mut selected = signs.map(Cow::Borrowed);
    let mut keep = |row_counts: &dyn Fn(usize) -> bool| {
        let all = || Cow::Owned(vec![1; batch.num_rows()]);
        let signs = selected.get_or_insert_with(all).to_mut();
        signs.iter_mut().enumerate().for_each(|(row, sign)| *sign *= i8::from(row_counts(row)));
    };
    if let Some(filter) = filter {
        let filter = batch.column(filter).as_boolean();
        let values = filter.values();
        match filter.nulls() {
            None => keep(&|row| values.value(row)),
            Some(nulls) => keep(&|row| values.value(row) && nulls.is_valid(row)),
        }
    }
    for arg in args {
        match arg.nulls() {
            Some(nulls) if nulls.null_count() > 0 => keep(&|row| nulls.is_valid(row)),
            None if *arg.data_type() == DataType::Null => keep(&|_| false),
            _ => {}
        }
    }
    selected
}

/// Calls `each` for every row that counts, with its group and sign.
#[inline]
fn rows(signs: Option<&[i8]>, of: &[u32], mut each: impl FnMut(usize, u32, i64)) {
    match signs {
        None => of.iter().enumerate().for_each(|(row, group)| each(row, *group, 1)),
        Some(signs) => {
            for (row, (group, sign)) in of.iter().zip(signs).enumerate() {
                if *sign != 0 {
                    each(row, *group, i64::from(*sign));
                }
            }
        }
    }
}

fn sum_ints(
    slot: &Slot,
    values: &ArrayRef,
    signs: Option<&[i8]>,
    of: &[u32],
    groups: &mut Groups,
) -> Result<()> {
    let at = slot.word;
    if let DataType::Decimal128(..) = values.data_type() {
        let values = values.as_primitive::<Decimal128Type>().values();
        let mut overflow = false;
        rows(signs, of, |row, group, sign| {
            let group = group as usize;
            match groups.wide(group, at).checked_add(values[row] * i128::from(sign)) {
                Some(sum) => groups.set_wide(group, at, sum),
                None => overflow = true,
            }
            *groups.word(group as u32, at + 2) += sign;
        });
        return if overflow { Err(overflows(&slot.column, "DECIMAL")) } else { Ok(()) };
    }
    let unsigned = *values.data_type() == DataType::UInt64;
    let values = words::ints(values).unwrap_or_default();
    rows(signs, of, |row, group, sign| {
        let value = if unsigned { i128::from(values[row] as u64) } else { i128::from(values[row]) };
        let sum = groups.wide(group as usize, at) + value * i128::from(sign);
        groups.set_wide(group as usize, at, sum);
        *groups.word(group, at + 2) += sign;
    });
    Ok(())
}

/// The error for a sum over `column` that does not fit.
pub(super) fn overflows(column: &str, data_type: &str) -> Error {
    Error::data(format!("the sum of column {column:?} does not fit {data_type}"))
        .hint("cast the argument to a wider type, such as DECIMAL(38, 0)")
}

fn sum_floats(
    retract: bool,
    at: usize,
    values: &ArrayRef,
    signs: Option<&[i8]>,
    of: &[u32],
    groups: &mut Groups,
) {
    let single =
        (*values.data_type() == DataType::Float32).then(|| values.as_primitive::<Float32Type>());
    let double = values.as_primitive_opt::<Float64Type>();
    rows(signs, of, |row, group, sign| {
        let value = match (single, double) {
            (Some(values), _) => f64::from(values.value(row)),
            (None, Some(values)) => values.value(row),
            (None, None) => 0.0,
        };
        *groups.word(group, at + 1) += sign;
        if retract && !value.is_finite() {
            let which = if value.is_nan() { 2 } else { 3 + usize::from(value < 0.0) };
            *groups.word(group, at + which) += sign;
            return;
        }
        let sum = groups.word(group, at);
        *sum = (f64::from_bits(*sum as u64) + value * sign as f64).to_bits() as i64;
    });
}

/// Extremes of values that are bytes, and of any values with retractions.
fn extreme_bytes(
    retract: bool,
    max: bool,
    slot: &Slot,
    args: &[ArrayRef],
    signs: Option<&[i8]>,
    of: &[u32],
    groups: &mut Groups,
) {
    let words = words::ordered(&args[0]);
    rows(signs, of, |row, group, sign| {
        let blob = groups.blob(group, slot.blob);
        with_ordered_bytes(&args[0], words.as_deref(), row, |value| {
            if retract {
                count(blob, RowKey::new(value), sign);
                return;
            }
            match blob {
                Blob::Bytes(best) if (if max { value <= &**best } else { value >= &**best }) => {}
                _ => *blob = Blob::Bytes(value.to_vec()),
            }
        });
    });
}

/// Changes how often a value is there; returns whether it was there before and is now.
fn count(blob: &mut Blob, value: RowKey, by: i64) -> (bool, bool) {
    if !matches!(blob, Blob::Counts(_)) {
        *blob = Blob::Counts(Default::default());
    }
    let Blob::Counts(counts) = blob else { return (false, false) };
    match counts.entry(value) {
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert(by);
            (false, by > 0)
        }
        std::collections::btree_map::Entry::Occupied(mut entry) => {
            let before = *entry.get();
            let after = before + by;
            if after == 0 {
                entry.remove();
            } else {
                *entry.get_mut() = after;
            }
            (before > 0, after > 0)
        }
    }
}

/// Adds a value at the end of a log, or removes its first occurrence.
fn log(blob: &mut Blob, value: &[u8], sign: i64) {
    if !matches!(blob, Blob::Log(..)) {
        *blob = Blob::Log(0, Default::default());
    }
    let Blob::Log(next, values) = blob else { return };
    if sign > 0 {
        values.insert(*next, RowKey::new(value));
        *next += 1;
        return;
    }
    let first = values.iter().find(|(_, v)| v.bytes() == value).map(|(at, _)| *at);
    first.and_then(|at| values.remove(&at));
}

/// A value in the form in which extremes of bytes are kept: bytes that compare like it.
fn with_ordered_bytes(array: &ArrayRef, words: Option<&[i64]>, row: usize, f: impl FnOnce(&[u8])) {
    if let Some(words) = words {
        return f(&(words[row] ^ i64::MIN).to_be_bytes());
    }
    match array.data_type() {
        DataType::Utf8 => f(array.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => f(array.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => f(array.as_string_view().value(row).as_bytes()),
        DataType::Binary => f(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => f(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => f(array.as_binary_view().value(row)),
        DataType::Decimal128(..) => {
            f(&(array.as_primitive::<Decimal128Type>().value(row) ^ i128::MIN).to_be_bytes());
        }
        _ => {}
    }
}

/// The signs of the rows whose values come to be there or cease to, by a set in each group's blob.
fn admit(
    slot: &Slot,
    set: usize,
    args: &[ArrayRef],
    signs: Option<&[i8]>,
    of: &[u32],
    groups: &mut Groups,
) -> Result<Vec<i8>> {
    let values = slot.codec.encode(args, of.len())?;
    let mut admitted = vec![0; of.len()];
    rows(signs, of, |row, group, sign| {
        let value = RowKey::new(values.row(row));
        let (before, after) = count(groups.blob(group, set), value, sign);
        admitted[row] = i8::from(after) - i8::from(before);
    });
    Ok(admitted)
}

//! Functions of arrays and maps that DataFusion has not, or has with another answer to NULL.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{cast, interleave, take};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, plan_err};

use super::args::Call;
use super::native::{Spec, Types};
use super::params::Param::{Any, Array as List, Int, Map, Text};
use super::returns;
use super::types::sql_name;

static SPECS: &[Spec] = &[
    Spec::new("cardinality", &[("array or map", Any)], returns::int, cardinality),
    Spec::new("element", &[("array", List)], item_type, element),
    // what a subscript that is no constant is rewritten to
    Spec::new("item_at", &[("array or map", Any), ("position or key", Any)], item_type, item_at),
    Spec::new("array_contains", &[("array", List), ("value", Any)], returns::boolean, contains),
    Spec::new(
        "array_join",
        &[("array", List), ("delimiter", Text), ("null", Text)],
        returns::text,
        join,
    )
    .required(2),
    Spec::new("array_slice", &[("array", List), ("from", Int), ("to", Int)], returns::first, slice)
        .required(2),
    Spec::new("map_from_arrays", &[("keys", List), ("values", List)], map_type, from_arrays),
    Spec::new("map_union", &[("map", Map)], returns::first, union).variadic(),
];

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    SPECS.iter()
}

fn item_type(types: &Types<'_>) -> Result<DataType> {
    Ok(match types.args.first() {
        Some(DataType::List(item)) => item.data_type().clone(),
        Some(DataType::Map(entries, _)) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => fields[1].data_type().clone(),
            _ => DataType::Null,
        },
        Some(DataType::Null) | None => DataType::Null,
        Some(other) => return plan_err!("{} has no items", sql_name(other)),
    })
}

fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let value = call.array(0)?;
    let length = |offsets: &[i32], row: usize| offsets[row + 1] - offsets[row];
    let valid = |row| value.is_valid(row);
    match value.data_type() {
        DataType::List(_) => {
            let offsets = value.as_list::<i32>().value_offsets();
            call.to_values::<Int32Type>(|row| valid(row).then(|| length(offsets, row)))
        }
        DataType::Map(..) => {
            let offsets = value.as_map().value_offsets();
            call.to_values::<Int32Type>(|row| valid(row).then(|| length(offsets, row)))
        }
        DataType::Null => call.to_values::<Int32Type>(|_| None),
        other => {
            let got = sql_name(other);
            Err(call.error(format!("argument 1 must be an ARRAY or a MAP, got {got}")))
        }
    }
}

/// The only item of an array; NULL of an empty one.
fn element(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let Some(lists) = array.as_list_opt::<i32>() else {
        return Ok(new_null_array(call.returns, call.rows));
    };
    let mut rows = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (from, to) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
        rows.push(match to - from {
            _ if lists.is_null(row) => None,
            0 => None,
            1 => Some(from as u32),
            n => return Err(call.error(format!("the array has {n} items, not one"))),
        });
    }
    Ok(take(lists.values(), &UInt32Array::from(rows), None)?)
}

/// The item at a position, from 1, or the value of a key; NULL where there is none.
fn item_at(call: &Call<'_>) -> Result<ArrayRef> {
    let (array, at) = (call.array(0)?, call.array(1)?);
    if let Some(lists) = array.as_list_opt::<i32>() {
        let at = cast(&at, &DataType::Int64)?;
        let at = at.as_primitive::<Int64Type>();
        let rows: UInt32Array = (0..call.rows)
            .map(|row| {
                let there = lists.is_valid(row) && at.is_valid(row);
                let length = i64::from(lists.value_length(row));
                let position = there.then(|| at.value(row)).filter(|p| (1..=length).contains(p))?;
                u32::try_from(i64::from(lists.value_offsets()[row]) + position - 1).ok()
            })
            .collect();
        return Ok(take(lists.values(), &rows, None)?);
    }
    let Some(maps) = array.as_map_opt() else {
        return Ok(new_null_array(call.returns, call.rows));
    };
    let key_type = maps.keys().data_type().clone();
    let sought = cast(&at, &key_type)?;
    let converter = RowConverter::new(vec![SortField::new(key_type)])?;
    let keys = converter.convert_columns(&[Arc::clone(maps.keys())])?;
    let sought = converter.convert_columns(&[sought])?;
    let rows: UInt32Array = (0..call.rows)
        .map(|row| {
            let mut entries = maps.value_offsets()[row]..maps.value_offsets()[row + 1];
            let found = entries.find(|i| keys.row(*i as usize) == sought.row(row));
            found.filter(|_| maps.is_valid(row)).map(|i| i as u32)
        })
        .collect();
    Ok(take(maps.values(), &rows, None)?)
}

/// Items of a list as comparable bytes, and a value of their type.
struct Comparable {
    items: datafusion::arrow::row::Rows,
    values: datafusion::arrow::row::Rows,
}

impl Comparable {
    fn of(lists: &ListArray, values: &ArrayRef) -> Result<Self> {
        let item = lists.value_type();
        let values = cast(values, &item)?;
        let converter = RowConverter::new(vec![SortField::new(item)])?;
        let items = converter.convert_columns(&[Arc::clone(lists.values())])?;
        let values = converter.convert_columns(&[values])?;
        Ok(Comparable { items, values })
    }
}

/// A NULL is found as any value is.
fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let Some(lists) = array.as_list_opt::<i32>() else { return call.to_bools(|_| None) };
    let comparable = Comparable::of(lists, &call.array(1)?)?;
    let offsets = lists.value_offsets();
    call.to_bools(|row| {
        let sought = comparable.values.row(row);
        let mut items = offsets[row]..offsets[row + 1];
        lists.is_valid(row).then(|| items.any(|i| comparable.items.row(i as usize) == sought))
    })
}

fn join(call: &Call<'_>) -> Result<ArrayRef> {
    let (array, delimiter) = (call.array(0)?, call.texts(1)?);
    let null = if call.has(2) { Some(call.texts(2)?) } else { None };
    let Some(lists) = array.as_list_opt::<i32>() else {
        return call.to_texts(|_| None::<&str>);
    };
    let Some(items) = lists.values().as_string_opt::<i32>() else {
        let got = sql_name(lists.data_type());
        return Err(call.error(format!("argument 1 (array) must be ARRAY<STRING>, got {got}")));
    };
    call.to_texts(|row| {
        let delimiter = delimiter.at(row)?;
        let null = match &null {
            Some(null) => Some(null.at(row)?),
            None => None,
        };
        let (from, to) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
        let item = |i| if items.is_valid(i) { Some(items.value(i)) } else { null };
        let parts: Vec<_> = (from as usize..to as usize).filter_map(item).collect();
        lists.is_valid(row).then(|| parts.join(delimiter))
    })
}

/// Items from one position to another, both counted from 1; a negative one counts from the end.
fn slice(call: &Call<'_>) -> Result<ArrayRef> {
    let (array, from) = (call.array(0)?, call.ints(1)?);
    let to = if call.has(2) { Some(call.ints(2)?) } else { None };
    let Some(lists) = array.as_list_opt::<i32>() else {
        return Ok(new_null_array(call.returns, call.rows));
    };
    let mut taken = Vec::new();
    let mut lengths = Vec::with_capacity(call.rows);
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let before = taken.len();
        let to = to.as_ref().map_or(Some(-1), |to| to.at(row));
        let bounds = lists.is_valid(row).then(|| Some((from.at(row)?, to?))).flatten();
        if let Some((from, to)) = bounds {
            let start = lists.value_offsets()[row];
            let length = i64::from(lists.value_offsets()[row + 1] - start);
            let position = |at: i64| if at < 0 { length + at + 1 } else { at };
            let (from, to) = (position(from).max(1), position(to).max(i64::from(to == 0)));
            taken.extend((from..=to.min(length)).map(|at| start as u32 + at as u32 - 1));
        }
        lengths.push(taken.len() - before);
        valid.push(bounds.is_some());
    }
    let items = take(lists.values(), &UInt32Array::from(taken), None)?;
    let DataType::List(field) = lists.data_type() else { return call.array(0) };
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(field),
        offsets,
        items,
        Some(NullBuffer::from(valid)),
    )?))
}

fn map_type(types: &Types<'_>) -> Result<DataType> {
    match types.args.as_slice() {
        [DataType::List(keys), DataType::List(values)] => {
            let key = Field::new("key", keys.data_type().clone(), false);
            let value = Field::new("value", values.data_type().clone(), true);
            let entries = Field::new("entries", DataType::Struct(vec![key, value].into()), false);
            Ok(DataType::Map(Arc::new(entries), false))
        }
        _ => plan_err!("function MAP_FROM_ARRAYS takes two arrays"),
    }
}

/// A map type's entries: the field of them, and their two fields.
fn build_map(
    call: &Call<'_>,
    keys: ArrayRef,
    values: ArrayRef,
    lengths: Vec<usize>,
    valid: Vec<bool>,
) -> Result<ArrayRef> {
    let DataType::Map(entries, ordered) = call.returns else {
        return Err(call.error("the result is no MAP"));
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(call.error("the result is no MAP"));
    };
    let columns = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let valid = Some(NullBuffer::from(valid));
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, columns, valid, *ordered)?))
}

fn from_arrays(call: &Call<'_>) -> Result<ArrayRef> {
    let (keys, values) = (call.array(0)?, call.array(1)?);
    let (keys, values) = (keys.as_list::<i32>(), values.as_list::<i32>());
    let (mut key_rows, mut value_rows) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let there = keys.is_valid(row) && values.is_valid(row);
        valid.push(there);
        lengths.push(if there { keys.value_length(row) as usize } else { 0 });
        if !there {
            continue;
        }
        if keys.value_length(row) != values.value_length(row) {
            let (keys, values) = (keys.value_length(row), values.value_length(row));
            return Err(call.error(format!("there are {keys} keys, but {values} values")));
        }
        let range = |lists: &ListArray| lists.value_offsets()[row]..lists.value_offsets()[row + 1];
        key_rows.extend(range(keys).map(|i| i as u32));
        value_rows.extend(range(values).map(|i| i as u32));
    }
    let keys = take(keys.values(), &UInt32Array::from(key_rows), None)?;
    if keys.null_count() > 0 {
        return Err(call.error("a key is NULL"));
    }
    let values = take(values.values(), &UInt32Array::from(value_rows), None)?;
    build_map(call, keys, values, lengths, valid)
}

/// All entries of some maps; of equal keys the value of the last map counts.
fn union(call: &Call<'_>) -> Result<ArrayRef> {
    let maps: Vec<ArrayRef> = (0..call.args.len()).map(|i| call.array(i)).collect::<Result<_>>()?;
    let Some(maps): Option<Vec<&MapArray>> = maps.iter().map(|map| map.as_map_opt()).collect()
    else {
        return Ok(new_null_array(call.returns, call.rows));
    };
    let converter = RowConverter::new(vec![SortField::new(maps[0].keys().data_type().clone())])?;
    let keys: Vec<_> = maps
        .iter()
        .map(|map| Ok(converter.convert_columns(&[Arc::clone(map.keys())])?))
        .collect::<Result<_>>()?;
    let (mut taken, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let there = maps.iter().all(|map| map.is_valid(row));
        let before = taken.len();
        for (m, map) in maps.iter().enumerate().filter(|_| there) {
            for i in map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize {
                let known = taken[before..]
                    .iter()
                    .position(|(n, j): &(usize, usize)| keys[*n].row(*j) == keys[m].row(i));
                match known {
                    Some(at) => taken[before + at] = (m, i),
                    None => taken.push((m, i)),
                }
            }
        }
        lengths.push(taken.len() - before);
        valid.push(there);
    }
    let columns = |of: fn(&MapArray) -> &ArrayRef| -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = maps.iter().map(|map| of(map).as_ref()).collect();
        Ok(interleave(&arrays, &taken)?)
    };
    build_map(call, columns(MapArray::keys)?, columns(MapArray::values)?, lengths, valid)
}

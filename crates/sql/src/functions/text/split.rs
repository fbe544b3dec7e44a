//! Strings cut at a delimiter.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListBuilder, MapBuilder, MapFieldNames, StringBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result;
use memchr::memchr_iter;

use crate::functions::args::{Call, View};
use crate::functions::native::{Spec, Types};
use crate::functions::params::Param::{Any, Int, Text};
use crate::functions::returns;

use super::cuts::Cuts;
use super::java_regex::Patterns;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new(
        "split_index",
        &[("string", Text), ("delimiter", Any), ("index", Int)],
        returns::text,
        split_index,
    ),
    Spec::new("split", &[("string", Text), ("delimiter", Text)], returns::texts, split),
    Spec::new(
        "str_to_map",
        &[("string", Text), ("pair delimiter", Text), ("key delimiter", Text)],
        text_map,
        str_to_map,
    )
    .required(1),
];

/// The part at an index from 0. An empty delimiter cuts at white space; delimiters are not merged.
fn part<'a>(text: &'a str, delimiter: &str, index: i64) -> Option<&'a str> {
    let index = usize::try_from(index).ok()?;
    if text.is_empty() {
        return None;
    }
    if delimiter.is_empty() {
        return text.split_whitespace().nth(index);
    }
    match delimiter.as_bytes() {
        [byte] if byte.is_ascii() => part_between(text, *byte, index),
        _ => text.split(delimiter).nth(index),
    }
}

/// The part at an index of a text that is cut at a byte of ASCII.
fn part_between(text: &str, byte: u8, index: usize) -> Option<&str> {
    let mut ends = memchr_iter(byte, text.as_bytes());
    let start = match index.checked_sub(1) {
        None => 0,
        Some(before) => ends.nth(before)? + 1,
    };
    text.get(start..ends.next().unwrap_or(text.len()))
}

fn split_index(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, index) = (call.texts(0)?, call.ints(2)?);
    let delimiter = call.array(1)?;
    if delimiter.data_type().is_integer() {
        // the code of the character to cut at
        let codes = datafusion::arrow::compute::cast(&delimiter, &DataType::Int64)?;
        let codes = codes.as_primitive::<Int64Type>();
        return call.to_texts(|row| {
            let code = codes.is_valid(row).then(|| codes.value(row))?;
            let code = u8::try_from(code).ok().filter(|code| *code > 0)?;
            part(text.at(row)?, char::from(code).encode_utf8(&mut [0; 4]), index.at(row)?)
        });
    }
    let delimiter = call.texts(1)?;
    if let (View::Column(texts), View::One(Some(delimiter)), View::One(Some(index))) =
        (&text, &delimiter, &index)
        && let ([byte], Ok(index)) = (delimiter.as_bytes(), usize::try_from(*index))
        && byte.is_ascii()
        && let Some(cuts) = Cuts::of(texts, *byte)
    {
        return Ok(Arc::new(cuts.parts(index)?));
    }
    call.to_texts(|row| part(text.at(row)?, delimiter.at(row)?, index.at(row)?))
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, delimiter) = (call.texts(0)?, call.texts(1)?);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let (Some(text), Some(delimiter)) = (text.at(row), delimiter.at(row)) else {
            lists.append_null();
            continue;
        };
        if delimiter.is_empty() {
            text.chars().for_each(|c| lists.values().append_value(c.encode_utf8(&mut [0; 4])));
        } else {
            text.split(delimiter).for_each(|part| lists.values().append_value(part));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// MAP<STRING, STRING>.
fn text_map(_: &Types<'_>) -> Result<DataType> {
    let key = Field::new("key", DataType::Utf8, false);
    let value = Field::new("value", DataType::Utf8, true);
    let entries = DataType::Struct(vec![key, value].into());
    Ok(DataType::Map(Arc::new(Field::new("entries", entries, false)), false))
}

/// Both delimiters are regular expressions; of equal keys the last counts.
fn str_to_map(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.texts(0)?;
    let pairs = if call.has(1) { Some(call.texts(1)?) } else { None };
    let keys = if call.has(2) { Some(call.texts(2)?) } else { None };
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    let mut patterns = Patterns::new(call);
    for row in 0..call.rows {
        let text = text.at(row);
        let pair = pairs.as_ref().map_or(Some(","), |pairs| pairs.at(row));
        let key = keys.as_ref().map_or(Some("="), |keys| keys.at(row));
        let (Some(text), Some(pair), Some(key)) = (text, pair, key) else {
            maps.append(false)?;
            continue;
        };
        let pair = patterns.get(pair)?;
        let key = patterns.get(key)?;
        let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
        for entry in pair.split(text).filter(|_| !text.is_empty()) {
            let (name, value) = match key.find(entry) {
                Some(found) => (&entry[..found.start], Some(&entry[found.end..])),
                None => (entry, None),
            };
            match entries.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => entries.push((name, value)),
            }
        }
        // empty entries at the end are none, as Java's split has it
        while matches!(entries.last(), Some(("", None))) {
            entries.pop();
        }
        for (name, value) in entries {
            maps.keys().append_value(name);
            maps.values().append_option(value);
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

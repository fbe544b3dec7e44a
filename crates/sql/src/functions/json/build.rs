//! JSON_STRING, JSON_OBJECT and JSON_ARRAY: values as JSON text.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::convert::texts;
use crate::functions::native::Spec;
use crate::functions::params::Param::{Any, Text};
use crate::functions::returns;
use crate::functions::time::zone::Zone;

use super::value::write_text;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("json_string", &[("value", Any)], returns::text, json_string),
    // `null` is NULL or ABSENT; `nested` has a 1 for each value that is JSON already, else a 0
    Spec::new(
        "json_object_of",
        &[("null", Text), ("nested", Text), ("key or value", Any)],
        returns::text,
        json_object,
    )
    .required(2)
    .variadic(),
    Spec::new(
        "json_array_of",
        &[("null", Text), ("nested", Text), ("value", Any)],
        returns::text,
        json_array,
    )
    .required(2)
    .variadic(),
];

/// A column of which every row can be written as JSON.
enum Column {
    /// As it is: numbers, truth values, JSON.
    Raw(StringArray),
    /// As a string.
    Quoted(StringArray),
    List(ArrayRef, Box<Column>),
    Map(ArrayRef, StringArray, Box<Column>),
    Row(ArrayRef, Vec<(String, Column)>),
}

impl Column {
    fn of(array: &ArrayRef, zone: Zone) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Boolean => {
                let values = array.as_boolean().iter();
                Column::Raw(values.map(|v| v.map(|v| if v { "true" } else { "false" })).collect())
            }
            t if t.is_numeric() => Column::Raw(texts(array, zone)?),
            DataType::List(_) => {
                let items = Column::of(array.as_list::<i32>().values(), zone)?;
                Column::List(Arc::clone(array), Box::new(items))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (keys, values) = (texts(map.keys(), zone)?, Column::of(map.values(), zone)?);
                Column::Map(Arc::clone(array), keys, Box::new(values))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let fields = fields.iter().zip(columns);
                let fields = fields.map(|(f, c)| Ok((f.name().clone(), Column::of(c, zone)?)));
                Column::Row(Arc::clone(array), fields.collect::<Result<_>>()?)
            }
            DataType::Binary => {
                use base64::Engine;
                let encode = |b| base64::engine::general_purpose::STANDARD.encode(b);
                let values = array.as_binary::<i32>().iter();
                Column::Quoted(values.map(|bytes| bytes.map(encode)).collect())
            }
            _ => Column::Quoted(texts(array, zone)?),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Column::Raw(texts) | Column::Quoted(texts) => texts.is_null(row),
            Column::List(array, _) | Column::Map(array, ..) | Column::Row(array, _) => {
                array.is_null(row)
            }
        }
    }

    fn write(&self, row: usize, out: &mut String) -> std::fmt::Result {
        if self.is_null(row) {
            return out.write_str("null");
        }
        match self {
            Column::Raw(texts) => out.write_str(texts.value(row)),
            Column::Quoted(texts) => write_text(texts.value(row), out),
            Column::List(array, items) => {
                let offsets = array.as_list::<i32>().value_offsets();
                out.push('[');
                for (n, i) in (offsets[row]..offsets[row + 1]).enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    items.write(i as usize, out)?;
                }
                out.write_str("]")
            }
            Column::Map(array, keys, values) => {
                let offsets = array.as_map().value_offsets();
                out.push('{');
                for (n, i) in (offsets[row]..offsets[row + 1]).enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    write_text(keys.value(i as usize), out)?;
                    out.push(':');
                    values.write(i as usize, out)?;
                }
                out.write_str("}")
            }
            Column::Row(_, fields) => {
                out.push('{');
                for (n, (name, field)) in fields.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    write_text(name, out)?;
                    out.push(':');
                    field.write(row, out)?;
                }
                out.write_str("}")
            }
        }
    }
}

fn json_string(call: &Call<'_>) -> Result<ArrayRef> {
    let column = Column::of(&call.array(0)?, Zone::session(call.config)?)?;
    call.try_texts(|row| {
        if column.is_null(row) {
            return None;
        }
        let mut out = String::new();
        Some(column.write(row, &mut out).map(|()| out).map_err(|error| call.error(error)))
    })
}

/// Whether NULLs are left out, and the arguments behind the first two as columns.
fn values(call: &Call<'_>) -> Result<(bool, Vec<Column>)> {
    let absent = call.texts(0)?.at(0) == Some("ABSENT");
    let nested = call.texts(1)?.at(0).unwrap_or_default().as_bytes();
    let zone = Zone::session(call.config)?;
    let columns = (2..call.args.len()).map(|i| {
        let array = call.array(i)?;
        if nested.get(i - 2) == Some(&b'1') {
            return Ok(Column::Raw(texts(&array, zone)?));
        }
        Column::of(&array, zone)
    });
    Ok((absent, columns.collect::<Result<_>>()?))
}

fn json_object(call: &Call<'_>) -> Result<ArrayRef> {
    let (absent, columns) = values(call)?;
    call.try_texts(|row| {
        let mut out = String::from("{");
        for pair in columns.chunks(2) {
            let [key, value] = pair else { break };
            if key.is_null(row) || !matches!(key, Column::Quoted(_)) {
                return Some(Err(call.error("a key must be a STRING that is not NULL")));
            }
            if absent && value.is_null(row) {
                continue;
            }
            out.push_str(if out.len() > 1 { "," } else { "" });
            let written = key.write(row, &mut out).and_then(|()| {
                out.push(':');
                value.write(row, &mut out)
            });
            if let Err(error) = written {
                return Some(Err(call.error(error)));
            }
        }
        out.push('}');
        Some(Ok(out))
    })
}

fn json_array(call: &Call<'_>) -> Result<ArrayRef> {
    let (absent, columns) = values(call)?;
    call.try_texts(|row| {
        let mut out = String::from("[");
        for value in columns.iter().filter(|value| !(absent && value.is_null(row))) {
            out.push_str(if out.len() > 1 { "," } else { "" });
            if let Err(error) = value.write(row, &mut out) {
                return Some(Err(call.error(error)));
            }
        }
        out.push(']');
        Some(Ok(out))
    })
}

//! CAST to STRING as Flink writes values: `TRUE`, `2024-01-01 12:00:00.000`, `1.0E10`, `[1, 2]`,
//! `{a=1}`, `(1, x)`; and casts that have a name.

use std::fmt::Write;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::Expr;

use super::args::Call;
use super::native::Spec;
use super::params::Param::{Any, Int, Text};
use super::time::{Times, zone};
use super::{returns, syntax};

static SPECS: &[Spec] = &[
    Spec::new(
        "to_string",
        &[("value", Any), ("length", Int), ("padded", Int)],
        returns::text,
        to_string,
    )
    .required(1),
    Spec::new("named_cast", &[("value", Any), ("type", Text)], returns::first, |call| {
        call.array(0)
    }),
];

/// A cast under the name of its type, by which DataFusion tells calls apart that have it.
pub(crate) fn named_cast(cast: Expr, name: String) -> Expr {
    syntax::call("named_cast", vec![cast, syntax::text(name)])
}

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    SPECS.iter()
}

/// A DOUBLE as Java writes it: with a point, and with an exponent outside of [1e-3, 1e7).
fn java_double(value: f64, shortest: &str) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return if shortest.contains('.') { shortest.into() } else { format!("{shortest}.0") };
    }
    // `shortest` is `-d.dde-7` or `de10`
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{exponent}")
}

/// A DOUBLE as Java writes it.
pub(crate) fn double(value: f64) -> String {
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    java_double(value, &if plain { format!("{value}") } else { format!("{value:e}") })
}

fn float(value: f32) -> String {
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    let shortest = if plain { format!("{value}") } else { format!("{value:e}") };
    java_double(f64::from(value), &shortest)
}

/// Values of a column as text.
pub(crate) fn texts(array: &ArrayRef, zone: zone::Zone) -> Result<StringArray> {
    let rows = array.len();
    let valid = |row: usize| array.is_valid(row);
    Ok(match array.data_type() {
        DataType::Null => StringArray::new_null(rows),
        DataType::Utf8 => array.as_string::<i32>().clone(),
        DataType::Boolean => {
            let values = array.as_boolean();
            let text = |row| if values.value(row) { "TRUE" } else { "FALSE" };
            (0..rows).map(|row| valid(row).then(|| text(row))).collect()
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            (0..rows).map(|row| valid(row).then(|| double(values.value(row)))).collect()
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            (0..rows).map(|row| valid(row).then(|| float(values.value(row)))).collect()
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            let text = |row| String::from_utf8_lossy(values.value(row)).into_owned();
            (0..rows).map(|row| valid(row).then(|| text(row))).collect()
        }
        DataType::Timestamp(unit, _) => {
            let digits = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            let times = Times::of_array(array, zone)?;
            (0..rows)
                .map(|row| {
                    let time = times.at(row)?;
                    let date = time.date();
                    let mut text = format!(
                        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
                        date.year,
                        date.month,
                        date.day,
                        time.hour(),
                        time.minute(),
                        time.second()
                    );
                    if digits > 0 {
                        let fraction = format!("{:09}", time.nanos);
                        text.push('.');
                        text.push_str(&fraction[..digits]);
                    }
                    Some(text)
                })
                .collect()
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let items = texts(lists.values(), zone)?;
            let text = |row: usize| {
                let (from, to) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
                joined("[", "]", (from..to).map(|i| item(&items, i as usize)))
            };
            (0..rows).map(|row| valid(row).then(|| text(row))).collect()
        }
        DataType::Map(..) => {
            let maps = array.as_map();
            let (keys, values) = (texts(maps.keys(), zone)?, texts(maps.values(), zone)?);
            let text = |row: usize| {
                let (from, to) = (maps.value_offsets()[row], maps.value_offsets()[row + 1]);
                let entry =
                    |i: i32| format!("{}={}", item(&keys, i as usize), item(&values, i as usize));
                joined("{", "}", (from..to).map(entry))
            };
            (0..rows).map(|row| valid(row).then(|| text(row))).collect()
        }
        DataType::Struct(_) => {
            let fields = array.as_struct().columns();
            let fields: Vec<_> =
                fields.iter().map(|field| texts(field, zone)).collect::<Result<_>>()?;
            let text = |row| joined("(", ")", fields.iter().map(|field| item(field, row)));
            (0..rows).map(|row| valid(row).then(|| text(row))).collect()
        }
        _ => {
            let options = FormatOptions::default();
            let format = ArrayFormatter::try_new(array.as_ref(), &options)?;
            (0..rows).map(|row| valid(row).then(|| format.value(row).to_string())).collect()
        }
    })
}

fn item(texts: &StringArray, row: usize) -> String {
    if texts.is_valid(row) { texts.value(row).to_owned() } else { "NULL".into() }
}

fn joined(open: &str, close: &str, items: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::from(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(item.as_ref());
    }
    text.push_str(close);
    text
}

/// Of a length, what is longer is cut (VARCHAR(n)); where it is padded, what is shorter is filled
/// up with spaces (CHAR(n)).
fn to_string(call: &Call<'_>) -> Result<ArrayRef> {
    let all = texts(&call.array(0)?, zone::Zone::session(call.config)?)?;
    if !call.has(1) {
        return Ok(std::sync::Arc::new(all));
    }
    let length = call.ints(1)?;
    let padded = call.has(2);
    call.to_texts(|row| {
        let length = usize::try_from(length.at(row)?).ok()?;
        let text = all.is_valid(row).then(|| all.value(row))?;
        let mut cut: String = text.chars().take(length).collect();
        if padded {
            let missing = length - cut.chars().count();
            // writing to a string can't fail
            let _ = write!(cut, "{:missing$}", "");
        }
        Some(cut)
    })
}

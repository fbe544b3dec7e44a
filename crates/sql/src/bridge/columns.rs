//! The columns of a Rust type, and whether a query's columns fit one.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use headwater_core::shape::{Shape, shape_of};
use serde::de::DeserializeOwned;

use super::short_name;
use crate::catalog::type_name;
use crate::error::{SqlError, SqlResult, codes};

/// The columns of `T`, in the order of its fields.
///
/// # Errors
/// When it cannot be looked into, or a field has no SQL type.
pub(crate) fn columns_of<T: DeserializeOwned>() -> SqlResult<Vec<Field>> {
    let of = short_name::<T>();
    let shape = shape_of::<T>().map_err(|stop| {
        SqlError::new(codes::BAD_SCHEMA, format!("columns cannot be told from type {of}: {stop}"))
            .help("declare them: add_stream_as(name, stream, \"id BIGINT, …\")")
    })?;
    let parts: Vec<(String, &Shape)> = parts_of(&shape);
    let fields = parts.into_iter().map(|(name, shape)| match sql_type(shape) {
        Ok(data_type) => Ok(Field::new(name, data_type, true)),
        Err((path, what)) => {
            let path = std::iter::once(name).chain(path).collect::<Vec<_>>().join(".");
            let message = format!("field `{path}` of {of} is {what}, which is no SQL type");
            Err(SqlError::new(codes::BAD_SCHEMA, message)
                .help("map the stream to a type of plain fields first"))
        }
    });
    fields.collect()
}

/// The type of the column that holds values of type `T`.
///
/// # Errors
/// When it cannot be looked into, or there is none.
pub(crate) fn type_of<T: DeserializeOwned>() -> SqlResult<DataType> {
    let of = short_name::<T>();
    let none =
        |why: String| SqlError::new(codes::BAD_SCHEMA, format!("{of} has no SQL type: {why}"));
    let shape = shape_of::<T>().map_err(|stop| none(stop.to_string()))?;
    sql_type(&shape).map_err(|(path, what)| match path.is_empty() {
        true => none(format!("it is {what}")),
        false => none(format!("`{}` is {what}", path.join("."))),
    })
}

/// Refuses columns that `T` cannot be made of, or to which it has no field.
///
/// # Errors
/// The first field without a column, or with one of another type.
pub(crate) fn refuse_unlike<T: DeserializeOwned>(schema: &SchemaRef) -> SqlResult<()> {
    // A type that cannot be looked into takes what comes, or refuses it then.
    let Ok(shape) = shape_of::<T>() else { return Ok(()) };
    let of = short_name::<T>();
    let columns: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let parts = parts_of(&shape);
    let by_place = !matches!(shape, Shape::Struct(_));
    if by_place && parts.len() != columns.len() {
        let message =
            format!("{of} has {} values, the query has {} columns", parts.len(), columns.len());
        return Err(SqlError::new(codes::TYPE_MISMATCH, message)
            .help(format!("columns are {}", columns.join(", "))));
    }
    for (place, (name, shape)) in parts.into_iter().enumerate() {
        let column = if by_place { Some(place) } else { schema.index_of(&name).ok() };
        let Some(column) = column else {
            let message = format!("{of} has a field `{name}`, the query no such column");
            return Err(SqlError::new(codes::UNKNOWN_COLUMN, message)
                .names(&name, "columns", columns.iter().copied())
                .help(format!("write … AS `{name}`, or #[serde(rename = \"…\")]")));
        };
        let column = schema.field(column);
        if let Err(what) = takes(shape, column.data_type()) {
            let found = type_name(column.data_type());
            let message =
                format!("column `{}` is {found}, field `{name}` of {of} is {what}", column.name());
            return Err(SqlError::new(codes::TYPE_MISMATCH, message)
                .help(format!("CAST it in the query, or change the type of `{name}`")));
        }
    }
    Ok(())
}

/// What a record's columns are made of: its fields, the values of a tuple, or itself.
fn parts_of(shape: &Shape) -> Vec<(String, &Shape)> {
    match shape {
        Shape::Struct(fields) => fields.iter().map(|(n, s)| ((*n).to_owned(), s)).collect(),
        Shape::Tuple(items) => {
            items.iter().enumerate().map(|(i, s)| (format!("f{i}"), s)).collect()
        }
        other => vec![("f0".to_owned(), other)],
    }
}

/// The type of a value's column; where there is none, the way to what has none.
fn sql_type(shape: &Shape) -> Result<DataType, (Vec<String>, String)> {
    let within = |name: &str| {
        let name = name.to_owned();
        move |(mut path, what): (Vec<String>, String)| {
            path.insert(0, name);
            (path, what)
        }
    };
    Ok(match shape {
        Shape::Bool => DataType::Boolean,
        Shape::Integer { signed: true, bits: 8 } => DataType::Int8,
        Shape::Integer { signed: true, bits: 16 } | Shape::Integer { signed: false, bits: 8 } => {
            DataType::Int16
        }
        Shape::Integer { signed: true, bits: 32 } | Shape::Integer { signed: false, bits: 16 } => {
            DataType::Int32
        }
        Shape::Integer { bits: 128, .. } => DataType::Decimal128(38, 0),
        // Of u64 what is beyond BIGINT is refused when it comes.
        Shape::Integer { .. } => DataType::Int64,
        Shape::Float { bits: 32 } => DataType::Float32,
        Shape::Float { .. } => DataType::Float64,
        Shape::Text => DataType::Utf8,
        Shape::Enum { variants, .. } if units(variants) => DataType::Utf8,
        Shape::List(item) => {
            let item = sql_type(item).map_err(within("[]"))?;
            DataType::List(Arc::new(Field::new_list_field(item, true)))
        }
        Shape::Map(value) => {
            let entries = Fields::from(vec![
                Field::new("key", DataType::Utf8, false),
                Field::new("value", sql_type(value).map_err(within("{}"))?, true),
            ]);
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
        }
        Shape::Struct(_) | Shape::Tuple(_) => {
            let fields = parts_of(shape).into_iter().map(|(name, shape)| {
                Ok(Field::new(&name, sql_type(shape).map_err(within(&name))?, true))
            });
            DataType::Struct(fields.collect::<Result<_, _>>()?)
        }
        other => return Err((Vec::new(), name(other))),
    })
}

fn units(variants: &[(&str, Shape)]) -> bool {
    variants.iter().all(|(_, shape)| matches!(shape, Shape::Unit))
}

/// Whether a value of this shape can be made of a column; the shape's name if it can't.
fn takes(shape: &Shape, column: &DataType) -> Result<(), String> {
    let whole = column.is_integer() || matches!(column, DataType::Decimal128(_, 0));
    let time = matches!(
        column,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Time32(_) | DataType::Time64(_)
    );
    let decimal = matches!(column, DataType::Decimal128(..));
    let fits = match shape {
        Shape::Unknown => true,
        Shape::Bool => *column == DataType::Boolean,
        Shape::Integer { .. } => whole || time,
        Shape::Float { .. } => column.is_numeric(),
        Shape::Text => *column == DataType::Utf8 || time || decimal,
        Shape::Enum { variants, .. } => units(variants) && *column == DataType::Utf8,
        Shape::List(item) => match column {
            DataType::List(of) => return takes(item, of.data_type()).map_err(|_| name(shape)),
            DataType::Binary => matches!(**item, Shape::Integer { bits: 8, signed: false }),
            _ => false,
        },
        Shape::Map(value) => match column {
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(entry) => {
                    return takes(value, entry[1].data_type()).map_err(|_| name(shape));
                }
                _ => false,
            },
            _ => false,
        },
        Shape::Struct(fields) => match column {
            DataType::Struct(of) => fields.iter().all(|(name, shape)| {
                of.find(name).is_some_and(|(_, field)| takes(shape, field.data_type()).is_ok())
            }),
            _ => false,
        },
        Shape::Tuple(items) => match column {
            DataType::Struct(of) => {
                of.len() == items.len()
                    && items.iter().zip(of).all(|(s, field)| takes(s, field.data_type()).is_ok())
            }
            _ => false,
        },
        Shape::Null | Shape::Unit => *column == DataType::Null,
    };
    if fits { Ok(()) } else { Err(name(shape)) }
}

/// A shape in Rust's words.
fn name(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "a bool".into(),
        Shape::Integer { signed, bits } => {
            if *signed {
                format!("an i{bits}")
            } else {
                format!("a u{bits}")
            }
        }
        Shape::Float { bits } => format!("an f{bits}"),
        Shape::Text => "text".into(),
        Shape::List(_) => "a list".into(),
        Shape::Tuple(_) => "a tuple".into(),
        Shape::Map(_) => "a map".into(),
        Shape::Struct(_) => "a struct".into(),
        Shape::Enum { name, .. } => format!("the enum {name}"),
        Shape::Null | Shape::Unit => "nothing".into(),
        Shape::Unknown => "unknown".into(),
    }
}

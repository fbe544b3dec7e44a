//! The Arrow schema of a serde type, for Parquet.
//!
//! A type's shape is traced from its `Deserialize` implementation and translated to what its JSON
//! looks like: the JSON form is the bridge between rows and columns in both directions. Every
//! column is nullable, because a field may be left out (`skip_serializing_if`).
//!
//! Enums of unit variants are text; enums of variants with data are a struct with one column per
//! variant. What has no columns (scalars, mixed enums, recursive types, 128-bit integers) is
//! refused with its name. A type that cannot be traced (it validates, or is flattened or untagged)
//! gives nothing here, and the sink looks at its first rows instead.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use headwater_core::Record;
use headwater_core::shape::{Shape, Stop, shape_of};

/// Traces the columns of `T`: `None` when it cannot be traced.
///
/// # Errors
/// What in `T` has no column, in words.
pub(crate) fn columns_of<T: Record>() -> Option<Result<SchemaRef, String>> {
    let shape = match shape_of::<T>() {
        Ok(shape) => shape,
        Err(Stop::TooDeep) => return Some(Err("the type contains itself".into())),
        Err(Stop::Untraceable) => return None,
    };
    Some(data_type(&shape).and_then(|data_type| match data_type {
        DataType::Struct(fields) => Ok(Arc::new(Schema::new(fields))),
        other => Err(format!("a row must have named fields, this is a single {other}")),
    }))
}

fn data_type(shape: &Shape) -> Result<DataType, String> {
    Ok(match shape {
        Shape::Unknown => return Err("its type could not be traced".into()),
        Shape::Null | Shape::Unit => DataType::Null,
        Shape::Bool => DataType::Boolean,
        Shape::Integer { signed: true, bits: 8 } => DataType::Int8,
        Shape::Integer { signed: true, bits: 16 } => DataType::Int16,
        Shape::Integer { signed: true, bits: 32 } => DataType::Int32,
        Shape::Integer { signed: true, bits: 64 } => DataType::Int64,
        Shape::Integer { signed: false, bits: 8 } => DataType::UInt8,
        Shape::Integer { signed: false, bits: 16 } => DataType::UInt16,
        Shape::Integer { signed: false, bits: 32 } => DataType::UInt32,
        Shape::Integer { signed: false, bits: 64 } => DataType::UInt64,
        Shape::Integer { bits, .. } => return Err(format!("{bits}-bit integers have no column")),
        Shape::Float { bits: 32 } => DataType::Float32,
        Shape::Float { .. } => DataType::Float64,
        Shape::Text => DataType::Utf8,
        Shape::List(item) => list_of(data_type(item)?),
        Shape::Tuple(items) => tuple(items)?,
        Shape::Map(value) => map(value)?,
        Shape::Struct(fields) => DataType::Struct(columns(fields)?),
        Shape::Enum { name, variants } => enumeration(name, variants)?,
    })
}

fn columns(fields: &[(&'static str, Shape)]) -> Result<Fields, String> {
    let column = |(name, shape): &(&'static str, Shape)| match data_type(shape) {
        Ok(data_type) => Ok(Field::new(*name, data_type, true)),
        Err(reason) => Err(format!("field `{name}`: {reason}")),
    };
    fields.iter().map(column).collect()
}

fn enumeration(name: &str, variants: &[(&'static str, Shape)]) -> Result<DataType, String> {
    let units = variants.iter().filter(|(_, shape)| matches!(shape, Shape::Unit)).count();
    match units {
        0 => Ok(DataType::Struct(columns(variants)?)),
        _ if units == variants.len() => Ok(DataType::Utf8),
        _ => Err(format!("enum `{name}` has variants with data and variants without")),
    }
}

fn tuple(items: &[Shape]) -> Result<DataType, String> {
    let (first, rest) = items.split_first().ok_or("an empty tuple has no column")?;
    let item = data_type(first)?;
    for other in rest {
        if data_type(other)? != item {
            return Err("a tuple of different types has no column".into());
        }
    }
    Ok(list_of(item))
}

fn map(value: &Shape) -> Result<DataType, String> {
    // JSON writes every key as text.
    let key = Field::new("key", DataType::Utf8, false);
    let value = Field::new("value", data_type(value)?, true);
    let entries = DataType::Struct(vec![key, value].into());
    Ok(DataType::Map(Arc::new(Field::new("entries", entries, false)), false))
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;
    use headwater_core::EventTime;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Serialize, Deserialize)]
    struct Order {
        id: u64,
        at: EventTime,
        note: Option<String>,
        tags: Vec<String>,
        prices: BTreeMap<u32, f64>,
        state: State,
        paid: Option<Payment>,
        any: Vec<Option<Choice>>,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum State {
        Open,
        Closed,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Payment {
        Card { last: u16 },
        Cash(f32),
        Split(u8, u8),
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Choice {
        Left(State),
        Right([Option<bool>; 3]),
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct Mixed {
        inner: Option<Either>,
        more: Vec<u8>,
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct Tree {
        children: Vec<Tree>,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Either {
        Nothing,
        Some(u8),
    }
    #[derive(Clone, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
        Text(String),
    }

    fn describe<T: Record>() -> String {
        match columns_of::<T>() {
            None => "untraceable".into(),
            Some(Err(e)) => e,
            Some(Ok(schema)) => schema
                .fields()
                .iter()
                .map(|f| format!("{}: {}\n", f.name(), f.data_type()))
                .collect(),
        }
    }

    #[test]
    fn columns_follow_the_json_form() {
        expect![[r#"
            id: UInt64
            at: Int64
            note: Utf8
            tags: List(Utf8)
            prices: Map("entries": non-null Struct("key": non-null Utf8, "value": Float64), unsorted)
            state: Utf8
            paid: Struct("Card": Struct("last": UInt16), "Cash": Float32, "Split": List(UInt8))
            any: List(Struct("Left": Utf8, "Right": List(Boolean)))
        "#]]
        .assert_eq(&describe::<Order>());
    }

    #[test]
    fn what_has_no_columns_is_named() {
        expect!["field `inner`: enum `Either` has variants with data and variants without"]
            .assert_eq(&describe::<Mixed>());
        expect!["a row must have named fields, this is a single UInt64"]
            .assert_eq(&describe::<u64>());
        expect!["the type contains itself"].assert_eq(&describe::<Tree>());
        expect!["untraceable"].assert_eq(&describe::<Untagged>());
    }
}

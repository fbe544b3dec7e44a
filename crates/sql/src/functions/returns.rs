//! Result types of functions, for their tables.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::Result;

use super::native::Types;

/// STRING.
pub(crate) fn text(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Utf8)
}

/// INT.
pub(crate) fn int(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Int32)
}

/// BIGINT.
pub(crate) fn bigint(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Int64)
}

/// DOUBLE.
pub(crate) fn double(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Float64)
}

/// BOOLEAN.
pub(crate) fn boolean(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Boolean)
}

/// BYTES.
pub(crate) fn bytes(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Binary)
}

/// DATE.
pub(crate) fn date(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Date32)
}

/// TIME(3).
pub(crate) fn time(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Time32(TimeUnit::Millisecond))
}

/// TIMESTAMP(3).
pub(crate) fn timestamp(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Timestamp(TimeUnit::Millisecond, None))
}

/// TIMESTAMP_LTZ(3).
pub(crate) fn timestamp_ltz(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))
}

/// The type of the first argument.
pub(crate) fn first(types: &Types<'_>) -> Result<DataType> {
    Ok(types.args.first().map_or(DataType::Null, |t| (*t).clone()))
}

/// The type of the last argument.
pub(crate) fn last(types: &Types<'_>) -> Result<DataType> {
    Ok(types.args.last().map_or(DataType::Null, |t| (*t).clone()))
}

/// ARRAY<STRING>.
pub(crate) fn texts(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))))
}

//! What a parameter of a function takes, and what an argument is cast to for it.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;

use super::native::Spec;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// A string.
    Text,
    /// An integer; evaluated as BIGINT.
    Int,
    /// A number; evaluated as DOUBLE.
    Double,
    /// A number, in its own type.
    Number,
    /// Bytes; of a string its UTF-8.
    Bytes,
    /// A date, time or timestamp in its own type.
    Time,
    /// As `Time`; a string is read as TIMESTAMP(3).
    TimeOrText,
    /// An array.
    Array,
    /// A map.
    Map,
    /// Anything.
    Any,
    /// Anything that has a common type with the other arguments of this kind.
    Common,
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(data_type, Binary | BinaryView | LargeBinary | FixedSizeBinary(_))
}

fn is_time(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Time32, Time64, Timestamp};
    matches!(data_type, Timestamp(..) | Date32 | Date64 | Time32(_) | Time64(_))
}

fn is_list(data_type: &DataType) -> bool {
    use DataType::{FixedSizeList, LargeList, List, ListView};
    matches!(data_type, List(_) | LargeList(_) | FixedSizeList(..) | ListView(_))
}

impl Param {
    /// The type an argument is evaluated in; none: it is not taken.
    fn target(self, given: &DataType) -> Option<DataType> {
        let null = given == &DataType::Null;
        match self {
            Param::Text => (is_text(given) || null).then_some(DataType::Utf8),
            Param::Int => (given.is_integer() || null).then_some(DataType::Int64),
            Param::Double => (given.is_numeric() || null).then_some(DataType::Float64),
            Param::Number if null => Some(DataType::Int32),
            Param::Number => given.is_numeric().then(|| given.clone()),
            Param::Bytes => (is_text(given) || is_bytes(given) || null).then_some(DataType::Binary),
            Param::TimeOrText if is_text(given) => {
                Some(DataType::Timestamp(TimeUnit::Millisecond, None))
            }
            Param::Time | Param::TimeOrText if null => {
                Some(DataType::Timestamp(TimeUnit::Millisecond, None))
            }
            Param::Time | Param::TimeOrText if given == &DataType::Date64 => {
                Some(DataType::Timestamp(TimeUnit::Millisecond, None))
            }
            Param::Time | Param::TimeOrText => is_time(given).then(|| given.clone()),
            Param::Array => match given {
                DataType::LargeList(item)
                | DataType::FixedSizeList(item, _)
                | DataType::ListView(item) => Some(DataType::List(Arc::clone(item))),
                _ => (is_list(given) || null).then(|| given.clone()),
            },
            Param::Map => (matches!(given, DataType::Map(..)) || null).then(|| given.clone()),
            Param::Any | Param::Common => Some(match given {
                DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
                DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
                other => other.clone(),
            }),
        }
    }

    /// Whether an argument of this type is taken.
    pub(crate) fn takes(self, given: &DataType) -> bool {
        self.target(given).is_some()
    }

    /// What is taken, as an error says it.
    pub(crate) fn wants(self) -> &'static str {
        match self {
            Param::Text => "a STRING",
            Param::Int => "an integer",
            Param::Double | Param::Number => "a number",
            Param::Bytes => "BYTES or a STRING",
            Param::Time => "a DATE, TIME or TIMESTAMP",
            Param::TimeOrText => "a DATE, TIME, TIMESTAMP or a STRING with one",
            Param::Array => "an ARRAY",
            Param::Map => "a MAP",
            Param::Any => "any value",
            Param::Common => "of one type with the other arguments",
        }
    }
}

/// The types that the arguments of a function are cast to before it is evaluated.
pub(crate) fn coerce(spec: &Spec, given: &[DataType]) -> Vec<DataType> {
    let mut wanted: Vec<_> = given
        .iter()
        .enumerate()
        .map(|(i, data_type)| {
            let param = spec.param(i).map(|(_, param)| param);
            param.and_then(|p| p.target(data_type)).unwrap_or_else(|| data_type.clone())
        })
        .collect();
    let is_common = |i: usize| matches!(spec.param(i), Some((_, Param::Common)));
    let common: Vec<_> =
        (0..wanted.len()).filter(|i| is_common(*i)).map(|i| wanted[i].clone()).collect();
    if let Some(common) = type_union_resolution(&common) {
        for i in (0..wanted.len()).filter(|i| is_common(*i)) {
            wanted[i] = match &common {
                DataType::Utf8View => DataType::Utf8,
                other => other.clone(),
            };
        }
    }
    wanted
}

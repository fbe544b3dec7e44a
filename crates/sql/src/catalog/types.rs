//! SQL's types and Arrow's.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as Arrow, Field, Fields, IntervalUnit, TimeUnit};
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType, ExactNumberInfo, TimezoneInfo};

use crate::error::{SqlError, SqlResult, codes};
use crate::syntax::print::quoted;
use crate::syntax::types::TYPE_NAMES;

/// The Arrow type of an SQL type.
///
/// Lengths of CHAR, VARCHAR and BINARY are not kept; `TIMESTAMP(p)` is kept in the coarsest unit
/// that has p digits.
///
/// # Errors
/// When it is not one of Headwater's types.
pub fn sql_type(data_type: &DataType) -> SqlResult<Arrow> {
    use DataType as T;
    Ok(match data_type {
        T::Boolean | T::Bool => Arrow::Boolean,
        T::TinyInt(_) => Arrow::Int8,
        T::SmallInt(_) | T::Int2(_) => Arrow::Int16,
        T::Int(_) | T::Integer(_) | T::Int4(_) => Arrow::Int32,
        T::BigInt(_) | T::Int8(_) | T::Int64 => Arrow::Int64,
        T::Float(_) | T::Real | T::Float4 | T::Float32 => Arrow::Float32,
        T::Double(_) | T::DoublePrecision | T::Float8 | T::Float64 => Arrow::Float64,
        T::Decimal(info) | T::Numeric(info) | T::Dec(info) => decimal(info)?,
        T::String(_)
        | T::Text
        | T::Varchar(_)
        | T::CharacterVarying(_)
        | T::CharVarying(_)
        | T::Char(_)
        | T::Character(_) => Arrow::Utf8,
        T::Bytes(_) | T::Bytea | T::Binary(_) | T::Varbinary(_) | T::Blob(_) => Arrow::Binary,
        T::Date => Arrow::Date32,
        T::Time(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => match p.unwrap_or(0) {
            0..=3 => Arrow::Time32(TimeUnit::Millisecond),
            p => Arrow::Time64(unit(p)?),
        },
        T::Timestamp(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
        | T::TimestampNtz(p)
        | T::Datetime(p) => Arrow::Timestamp(unit(p.unwrap_or(6))?, None),
        T::Timestamp(p, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
            Arrow::Timestamp(unit(p.unwrap_or(6))?, Some("UTC".into()))
        }
        T::Interval { .. } => Arrow::Interval(IntervalUnit::MonthDayNano),
        T::Array(
            ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::Parenthesis(element),
        ) => Arrow::List(Arc::new(Field::new_list_field(sql_type(element)?, true))),
        T::Map(key, value) => map(sql_type(key)?, sql_type(value)?),
        T::Struct(fields, _) => {
            let mut columns: Vec<Field> = Vec::with_capacity(fields.len());
            for (i, field) in fields.iter().enumerate() {
                let name = match &field.field_name {
                    Some(name) => name.value.clone(),
                    None => format!("f{i}"),
                };
                if columns.iter().any(|c| *c.name() == name) {
                    return Err(SqlError::new(
                        codes::DUPLICATE_COLUMN,
                        format!("a ROW has two fields `{name}`"),
                    ));
                }
                columns.push(Field::new(name, sql_type(&field.field_type)?, true));
            }
            Arrow::Struct(Fields::from(columns))
        }
        T::Custom(name, modifiers) => return custom(&name.to_string(), modifiers),
        other => return Err(unknown(&other.to_string())),
    })
}

/// Types that sqlparser does not know by name, as in `x::TIMESTAMP_LTZ(3)`.
fn custom(name: &str, modifiers: &[String]) -> SqlResult<Arrow> {
    if !name.eq_ignore_ascii_case("TIMESTAMP_LTZ") {
        return Err(unknown(name));
    }
    let p = match modifiers {
        [] => 6,
        [p] => p.parse().map_err(|_| unknown(&format!("{name}({p})")))?,
        _ => return Err(unknown(name)),
    };
    Ok(Arrow::Timestamp(unit(p)?, Some("UTC".into())))
}

fn unknown(name: &str) -> SqlError {
    SqlError::new(codes::UNKNOWN_TYPE, format!("unknown type `{name}`")).names(
        name,
        "types",
        TYPE_NAMES.iter().copied(),
    )
}

fn decimal(info: &ExactNumberInfo) -> SqlResult<Arrow> {
    let (precision, scale) = match *info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(p) => (p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (p, s),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p @ 1..=38), Ok(s)) if (0..=i64::from(p)).contains(&scale) => {
            Ok(Arrow::Decimal128(p, s))
        }
        _ => Err(SqlError::new(
            codes::UNKNOWN_TYPE,
            format!(
                "DECIMAL(p, s) has p from 1 to 38 and s from 0 to p, got ({precision}, {scale})"
            ),
        )),
    }
}

fn unit(precision: u64) -> SqlResult<TimeUnit> {
    match precision {
        0..=3 => Ok(TimeUnit::Millisecond),
        4..=6 => Ok(TimeUnit::Microsecond),
        7..=9 => Ok(TimeUnit::Nanosecond),
        p => {
            Err(SqlError::new(codes::UNKNOWN_TYPE, format!("a precision is from 0 to 9, got {p}")))
        }
    }
}

fn map(key: Arrow, value: Arrow) -> Arrow {
    let entry = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    Arrow::Map(Arc::new(Field::new("entries", Arrow::Struct(entry), false)), false)
}

/// The SQL name of an Arrow type, in the main spelling.
pub fn type_name(data_type: &Arrow) -> String {
    match data_type {
        Arrow::Null => "NULL".into(),
        Arrow::Boolean => "BOOLEAN".into(),
        Arrow::Int8 => "TINYINT".into(),
        Arrow::Int16 => "SMALLINT".into(),
        Arrow::Int32 => "INT".into(),
        Arrow::Int64 => "BIGINT".into(),
        Arrow::UInt8 => "TINYINT UNSIGNED".into(),
        Arrow::UInt16 => "SMALLINT UNSIGNED".into(),
        Arrow::UInt32 => "INT UNSIGNED".into(),
        Arrow::UInt64 => "BIGINT UNSIGNED".into(),
        Arrow::Float16 | Arrow::Float32 => "FLOAT".into(),
        Arrow::Float64 => "DOUBLE".into(),
        Arrow::Decimal32(p, s)
        | Arrow::Decimal64(p, s)
        | Arrow::Decimal128(p, s)
        | Arrow::Decimal256(p, s) => format!("DECIMAL({p}, {s})"),
        Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View => "STRING".into(),
        Arrow::Binary | Arrow::LargeBinary | Arrow::BinaryView | Arrow::FixedSizeBinary(_) => {
            "BYTES".into()
        }
        Arrow::Date32 | Arrow::Date64 => "DATE".into(),
        Arrow::Time32(unit) | Arrow::Time64(unit) => format!("TIME({})", digits(*unit)),
        Arrow::Timestamp(unit, None) => format!("TIMESTAMP({})", digits(*unit)),
        Arrow::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits(*unit)),
        Arrow::Interval(IntervalUnit::YearMonth) => "INTERVAL YEAR TO MONTH".into(),
        Arrow::Interval(_) | Arrow::Duration(_) => "INTERVAL DAY TO SECOND".into(),
        Arrow::List(element)
        | Arrow::LargeList(element)
        | Arrow::ListView(element)
        | Arrow::LargeListView(element)
        | Arrow::FixedSizeList(element, _) => format!("ARRAY<{}>", type_name(element.data_type())),
        Arrow::Map(entries, _) => match entries.data_type() {
            Arrow::Struct(fields) if fields.len() == 2 => format!(
                "MAP<{}, {}>",
                type_name(fields[0].data_type()),
                type_name(fields[1].data_type())
            ),
            other => format!("MAP<{}>", type_name(other)),
        },
        Arrow::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|f| format!("{} {}", quoted(f.name()), type_name(f.data_type())))
                .collect();
            format!("ROW<{}>", fields.join(", "))
        }
        Arrow::Dictionary(_, value) => type_name(value),
        Arrow::RunEndEncoded(_, values) => type_name(values.data_type()),
        other => other.to_string(),
    }
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

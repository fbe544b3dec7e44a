//! The values of one column.

use datafusion::arrow::datatypes::{DataType, FieldRef, TimeUnit};
use headwater_connect::generator::SplitMix64;
use headwater_core::{ProcessingTime, time};

use super::super::options::Options;
use crate::error::{SqlResult, codes};
use crate::formats::column::Column;
use crate::formats::text::per_second;

const DAY_MS: i64 = 86_400_000;

/// What makes the values of a column, or of a part of one.
pub(super) struct Field {
    /// Differs between columns, so that their values do.
    seed: u64,
    null_rate: f64,
    kind: Kind,
}

enum Kind {
    Sequence { start: i64, count: u64, scale: i128 },
    Integer { min: i64, max: i64 },
    Decimal { min: i128, max: i128 },
    Float { min: f64, max: f64 },
    Bool,
    Text { len: u64, varies: bool },
    Bytes { len: u64, varies: bool },
    Date,
    Time { unit: TimeUnit },
    Timestamp { unit: TimeUnit, max_past: i64 },
    List { len: u64, item: Box<Field> },
    Map { len: u64, key: Box<Field>, value: Box<Field> },
    Row(Vec<Field>),
}

impl Field {
    /// The values of a column whose options begin with `fields.NAME`.
    ///
    /// # Errors
    /// A type that cannot be generated, or a range without values.
    pub(super) fn new(options: &Options<'_>, field: &FieldRef, name: &str) -> SqlResult<Field> {
        let key = |option: &str| format!("fields.{name}.{option}");
        let unsupported = || {
            let of = crate::catalog::type_name(field.data_type());
            let message = format!("connector 'datagen' can't make column `{name}` of type {of}");
            crate::error::SqlError::new(codes::BAD_SCHEMA, message)
        };
        let sequence = options.choice(&key("kind")).as_deref() == Some("sequence");
        let kind = if sequence {
            sequence_of(options, field.data_type(), name)?.ok_or_else(unsupported)?
        } else {
            match Self::random(options, field, name)? {
                Some(kind) => kind,
                None => return Err(unsupported()),
            }
        };
        let null_rate = options.number(&key("null-rate")).unwrap_or(0.0);
        if !(0.0..=1.0).contains(&null_rate) {
            let message = format!("option '{}' must be 0 to 1", key("null-rate"));
            return Err(options.wrong(&key("null-rate"), message));
        }
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Ok(Field { seed, null_rate, kind })
    }

    /// How many rows there are, if a sequence says so.
    pub(super) fn rows(&self) -> Option<u64> {
        match self.kind {
            Kind::Sequence { count, .. } => Some(count),
            _ => None,
        }
    }

    fn random(options: &Options<'_>, field: &FieldRef, name: &str) -> SqlResult<Option<Kind>> {
        let key = |option: &str| format!("fields.{name}.{option}");
        let length = |default| options.count(&key("length")).unwrap_or(default);
        let varies = options.is_true(&key("var-len"));
        let integers = |least: i64, most: i64| {
            let min = options.number(&key("min")).map_or(least, |n| n as i64);
            let max = options.number(&key("max")).map_or(most, |n| n as i64);
            check_range(options, name, min <= max && min >= least && max <= most)?;
            Ok(Some(Kind::Integer { min, max }))
        };
        let floats = |most: f64| {
            let min = options.number(&key("min")).unwrap_or(0.0);
            let max = options.number(&key("max")).unwrap_or(most);
            check_range(options, name, min <= max)?;
            Ok(Some(Kind::Float { min, max }))
        };
        let part = |field: &FieldRef, of: &str| {
            Field::new(options, field, &format!("{name}.{of}")).map(Box::new)
        };
        Ok(Some(match field.data_type() {
            DataType::Boolean => Kind::Bool,
            DataType::Int8 => return integers(i8::MIN.into(), i8::MAX.into()),
            DataType::Int16 => return integers(i16::MIN.into(), i16::MAX.into()),
            DataType::Int32 => return integers(i32::MIN.into(), i32::MAX.into()),
            DataType::Int64 => return integers(i64::MIN, i64::MAX),
            DataType::Float32 => return floats(f32::MAX.into()),
            DataType::Float64 => return floats(f64::MAX),
            DataType::Decimal128(precision, scale) => {
                let most = 10_i128.pow(u32::from(*precision)) - 1;
                let unit = 10_f64.powi(i32::from(*scale));
                let scaled = |n: f64| (n * unit) as i128;
                let min = options.number(&key("min")).map_or(-most, scaled);
                let max = options.number(&key("max")).map_or(most, scaled);
                check_range(options, name, min <= max && min >= -most && max <= most)?;
                Kind::Decimal { min, max }
            }
            DataType::Utf8 => Kind::Text { len: length(100), varies },
            DataType::Binary => Kind::Bytes { len: length(100), varies },
            DataType::Date32 => Kind::Date,
            DataType::Time32(unit) | DataType::Time64(unit) => Kind::Time { unit: *unit },
            DataType::Timestamp(unit, _) => {
                let max_past = options.duration(&key("max-past")).unwrap_or_default();
                Kind::Timestamp { unit: *unit, max_past: time::millis(max_past) }
            }
            DataType::List(item) => Kind::List { len: length(3), item: part(item, "element")? },
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Kind::Map {
                    len: length(3),
                    key: part(&fields[0], "key")?,
                    value: part(&fields[1], "value")?,
                },
                _ => return Ok(None),
            },
            DataType::Struct(fields) => {
                let parts = fields.iter();
                let parts = parts.map(|f| Field::new(options, f, &format!("{name}.{}", f.name())));
                Kind::Row(parts.collect::<SqlResult<_>>()?)
            }
            _ => return Ok(None),
        }))
    }

    /// Adds the value of row `n`.
    ///
    /// # Errors
    /// Our bug: the column has another type.
    pub(super) fn push(
        &self,
        n: u64,
        now: ProcessingTime,
        column: &mut Column,
    ) -> Result<(), String> {
        let mut rng = SplitMix64::of_record(self.seed, n);
        self.draw(n, &mut rng, now, column)
    }

    fn draw(
        &self,
        n: u64,
        rng: &mut SplitMix64,
        now: ProcessingTime,
        column: &mut Column,
    ) -> Result<(), String> {
        if self.null_rate > 0.0 && rng.unit() < self.null_rate {
            column.push_null();
            return Ok(());
        }
        let length = |len: u64, varies: bool, rng: &mut SplitMix64| match varies {
            true => 1 + rng.below(len.max(1)),
            false => len,
        };
        match &self.kind {
            Kind::Sequence { start, scale, .. } => {
                let value = start.wrapping_add(n as i64);
                match scale {
                    0 if matches!(column.data_type(), DataType::Float32 | DataType::Float64) => {
                        column.push_float(value as f64)
                    }
                    0 => column.push_number(value),
                    scale => column.push_decimal(i128::from(value) * scale),
                }
            }
            Kind::Integer { min, max } => column.push_number(between(*min, *max, rng)),
            Kind::Decimal { min, max } => {
                let random = (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64());
                let values = max.abs_diff(*min) + 1;
                column.push_decimal(min.wrapping_add((random % values) as i128))
            }
            Kind::Float { min, max } => {
                // Halves, as the whole range may be no number.
                let half = max / 2.0 - min / 2.0;
                column.push_float(min + half * rng.unit() * 2.0)
            }
            Kind::Bool => column.push_text(if rng.below(2) == 1 { "true" } else { "false" }),
            Kind::Text { len, varies } => {
                let len = length(*len, *varies, rng);
                let mut text = String::new();
                while (text.len() as u64) < len {
                    text.push_str(&format!("{:016x}", rng.next_u64()));
                }
                text.truncate(usize::try_from(len).unwrap_or(usize::MAX));
                column.push_text(&text)
            }
            Kind::Bytes { len, varies } => {
                let len = length(*len, *varies, rng);
                let bytes: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
                column.push_bytes(&bytes)
            }
            Kind::Date => column.push_number(now.0.div_euclid(DAY_MS)),
            Kind::Time { unit } => {
                let day = (DAY_MS / 1000 * per_second(*unit)) as u64;
                column.push_number(rng.below(day) as i64)
            }
            Kind::Timestamp { unit, max_past } => {
                let past = rng.below(max_past.unsigned_abs().saturating_add(1)) as i64;
                let ms = now.0.saturating_sub(past);
                column.push_number(match unit {
                    TimeUnit::Second => ms.div_euclid(1000),
                    _ => ms.saturating_mul(per_second(*unit) / 1000),
                })
            }
            Kind::List { len, item } => {
                column.push_list(|items| (0..*len).try_for_each(|_| item.draw(n, rng, now, items)))
            }
            Kind::Map { len, key, value } => column.push_map(|keys, values| {
                (0..*len).try_for_each(|_| {
                    key.draw(n, rng, now, keys)?;
                    value.draw(n, rng, now, values)
                })
            }),
            Kind::Row(fields) => {
                let mut fields = fields.iter();
                column.push_row(|column| match fields.next() {
                    Some(field) => field.draw(n, rng, now, column),
                    None => Err("more fields than are made".into()),
                })
            }
        }
    }
}

/// A counted column; none if its type cannot be.
fn sequence_of(options: &Options<'_>, data_type: &DataType, name: &str) -> SqlResult<Option<Kind>> {
    let bound = |option: &str| {
        let key = format!("fields.{name}.{option}");
        options.integer(&key).ok_or_else(|| options.missing(&key, "which a sequence needs"))
    };
    let (start, end) = (bound("start")?, bound("end")?);
    check_range(options, name, start <= end)?;
    let count = end.abs_diff(start).saturating_add(1);
    let most = match data_type {
        DataType::Int8 => i8::MAX.into(),
        DataType::Int16 => i16::MAX.into(),
        DataType::Int32 => i32::MAX.into(),
        _ => i64::MAX,
    };
    check_range(options, name, end <= most)?;
    Ok(match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            Some(Kind::Sequence { start, count, scale: 0 })
        }
        DataType::Float32 | DataType::Float64 | DataType::Utf8 => {
            Some(Kind::Sequence { start, count, scale: 0 })
        }
        DataType::Decimal128(_, scale) => {
            let scale = 10_i128.pow(u32::try_from(*scale).unwrap_or(0));
            Some(Kind::Sequence { start, count, scale })
        }
        _ => None,
    })
}

fn check_range(options: &Options<'_>, name: &str, fits: bool) -> SqlResult<()> {
    if fits {
        return Ok(());
    }
    let message = format!("the range of column `{name}` has no values, or some beyond its type");
    let keys = ["max", "min", "end", "start"].map(|option| format!("fields.{name}.{option}"));
    let key = keys.iter().find(|key| options.is_set(key)).unwrap_or(&keys[0]);
    Err(options.wrong(key, message))
}

/// A number from `min` to `max`, both included.
fn between(min: i64, max: i64, rng: &mut SplitMix64) -> i64 {
    match max.abs_diff(min).checked_add(1) {
        Some(values) => min.wrapping_add(rng.below(values) as i64),
        None => rng.next_u64() as i64,
    }
}

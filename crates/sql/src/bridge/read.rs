//! From rows to serde values.
//!
//! Points in time are given as what is asked for: a number of milliseconds since 1970, or text.

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use datafusion::arrow::datatypes::TimeUnit;

use super::Refused;
use crate::formats::cells::{Cells, Values};
use crate::formats::text::{
    TimestampStandard, write_date, write_decimal, write_time, write_timestamp,
};

/// One row of some columns.
#[derive(Clone, Copy)]
pub(crate) struct RowOf<'a> {
    /// The columns by name.
    pub columns: &'a [(&'a str, Cells<'a>)],
    /// Which row.
    pub row: usize,
}

impl<'a> RowOf<'a> {
    /// The only column, for a record that is one value.
    fn only(self) -> Result<Cell<'a>, Refused> {
        match self.columns {
            [(_, cells)] => Ok(Cell { cells, row: self.row }),
            columns => Err(Refused::new(format!("one value of {} columns", columns.len()))),
        }
    }

    fn fields(self, wanted: Option<&'static [&'static str]>) -> FieldsOf<'a> {
        FieldsOf { of: self, wanted, next: 0, value: None }
    }

    fn parts(self) -> PartsOf<'a> {
        PartsOf { of: self, next: 0 }
    }
}

macro_rules! of_only {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.only()?.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for RowOf<'_> {
    type Error = Refused;

    of_only! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_map(self.fields(None))
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.only()?.deserialize_str(visitor)
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.only()?.deserialize_seq(visitor)
    }
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(self.parts())
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(self.parts())
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_map(self.fields(None))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_map(self.fields(Some(fields)))
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }
}

/// Columns by name.
struct FieldsOf<'a> {
    of: RowOf<'a>,
    /// The fields that there are; others are left out.
    wanted: Option<&'static [&'static str]>,
    next: usize,
    value: Option<(&'a str, Cell<'a>)>,
}

impl<'de> MapAccess<'de> for FieldsOf<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        while let Some((name, cells)) = self.of.columns.get(self.next) {
            self.next += 1;
            if self.wanted.is_none_or(|wanted| wanted.contains(name)) {
                self.value = Some((name, Cell { cells, row: self.of.row }));
                let name: StrDeserializer<'_, Refused> = (*name).into_deserializer();
                return seed.deserialize(name).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let Some((name, cell)) = self.value.take() else {
            return Err(Refused::new("a value without its name"));
        };
        seed.deserialize(cell).map_err(|e| e.within(name))
    }
}

/// Columns by place.
struct PartsOf<'a> {
    of: RowOf<'a>,
    next: usize,
}

impl<'de> SeqAccess<'de> for PartsOf<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        let Some((name, cells)) = self.of.columns.get(self.next) else { return Ok(None) };
        self.next += 1;
        let value = seed.deserialize(Cell { cells, row: self.of.row });
        value.map(Some).map_err(|e| e.within(name))
    }
}

/// One value.
#[derive(Clone, Copy)]
struct Cell<'a> {
    cells: &'a Cells<'a>,
    row: usize,
}

impl<'a> Cell<'a> {
    /// Milliseconds since 1970 of a point in time, days of a date, milliseconds of a time.
    fn count(&self) -> Option<i64> {
        let scaled = |unit: TimeUnit, value: i64| match unit {
            TimeUnit::Second => value.saturating_mul(1_000),
            TimeUnit::Millisecond => value,
            TimeUnit::Microsecond => value.div_euclid(1_000),
            TimeUnit::Nanosecond => value.div_euclid(1_000_000),
        };
        Some(match &self.cells.values {
            Values::Timestamp(unit, _, values) => scaled(*unit, values[self.row]),
            Values::Time32(unit, values) => scaled(*unit, i64::from(values[self.row])),
            Values::Time64(unit, values) => scaled(*unit, values[self.row]),
            Values::Date(values) => i64::from(values[self.row]),
            _ => return None,
        })
    }

    /// What is written as text: points in time, and decimals.
    fn text(&self) -> Option<String> {
        let mut out = Vec::new();
        match &self.cells.values {
            Values::Timestamp(unit, zoned, values) => {
                let iso = TimestampStandard::Iso8601;
                write_timestamp(&mut out, values[self.row], *unit, *zoned, iso);
            }
            Values::Time32(unit, values) => {
                write_time(&mut out, i64::from(values[self.row]), *unit);
            }
            Values::Time64(unit, values) => write_time(&mut out, values[self.row], *unit),
            Values::Date(values) => write_date(&mut out, i64::from(values[self.row])),
            Values::Decimal(scale, values) => {
                write_decimal(&mut out, values.value(self.row), *scale);
            }
            _ => return None,
        }
        String::from_utf8(out).ok()
    }

    fn refuse_null(&self) -> Result<(), Refused> {
        if self.cells.is_null(self.row) {
            return Err(Refused::null());
        }
        Ok(())
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        if let Some(count) = self.count() {
            return visitor.visit_i64(count);
        }
        match &self.cells.values {
            Values::Decimal(0, values) => {
                let value = values.value(self.row);
                match i64::try_from(value) {
                    Ok(value) => visitor.visit_i64(value),
                    Err(_) => visitor.visit_i128(value),
                }
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn float<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        match (&self.cells.values, self.text()) {
            (Values::Decimal(..), Some(text)) => {
                let value = text.parse().map_err(|_| Refused::new("no number"))?;
                visitor.visit_f64(value)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn string<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        match self.text() {
            Some(text) => visitor.visit_string(text),
            None => self.deserialize_any(visitor),
        }
    }
}

macro_rules! through {
    ($($method:ident => $to:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.$to(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Cell<'_> {
    type Error = Refused;

    through! {
        deserialize_i8 => integer; deserialize_i16 => integer; deserialize_i32 => integer;
        deserialize_i64 => integer; deserialize_i128 => integer; deserialize_u8 => integer;
        deserialize_u16 => integer; deserialize_u32 => integer; deserialize_u64 => integer;
        deserialize_u128 => integer; deserialize_f32 => float; deserialize_f64 => float;
        deserialize_str => string; deserialize_string => string; deserialize_char => string;
        deserialize_identifier => string;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let row = self.row;
        if self.cells.is_null(row) {
            return visitor.visit_unit();
        }
        match &self.cells.values {
            Values::Nothing => visitor.visit_unit(),
            Values::Bool(values) => visitor.visit_bool(values.value(row)),
            Values::I8(values) => visitor.visit_i8(values[row]),
            Values::I16(values) => visitor.visit_i16(values[row]),
            Values::I32(values) => visitor.visit_i32(values[row]),
            Values::I64(values) => visitor.visit_i64(values[row]),
            Values::U64(values) => visitor.visit_u64(values[row]),
            Values::F32(values) => visitor.visit_f32(values.value(row)),
            Values::F64(values) => visitor.visit_f64(values.value(row)),
            Values::Text(values) => visitor.visit_str(values.value(row)),
            Values::Bytes(values) => visitor.visit_bytes(values.value(row)),
            Values::Date(_)
            | Values::Time32(..)
            | Values::Time64(..)
            | Values::Timestamp(..)
            | Values::Decimal(..) => self.string(visitor),
            Values::List(..) => self.deserialize_seq(visitor),
            Values::Map(offsets, keys, values) => {
                let (at, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                visitor.visit_map(Entries { keys, values, at, end })
            }
            Values::Row(columns) => visitor.visit_map(RowOf { columns, row }.fields(None)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.cells.is_null(self.row) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        self.deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        match &self.cells.values {
            Values::List(offsets, items) => {
                let (at, end) = (offsets[self.row] as usize, offsets[self.row + 1] as usize);
                visitor.visit_seq(Items { items, at, end })
            }
            Values::Bytes(values) => {
                let bytes = values.value(self.row).iter().copied();
                visitor.visit_seq(SeqDeserializer::<_, Refused>::new(bytes))
            }
            Values::Row(columns) => visitor.visit_seq(RowOf { columns, row: self.row }.parts()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        self.deserialize_any(visitor)
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_bytes(visitor)
    }
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_seq(visitor)
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_seq(visitor)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        self.deserialize_any(visitor)
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        match &self.cells.values {
            Values::Row(columns) => {
                visitor.visit_map(RowOf { columns, row: self.row }.fields(Some(fields)))
            }
            _ => self.deserialize_any(visitor),
        }
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.refuse_null()?;
        match &self.cells.values {
            Values::Text(values) => {
                let name: StrDeserializer<'_, Refused> = values.value(self.row).into_deserializer();
                visitor.visit_enum(name)
            }
            _ => Err(Refused::new("a variant is read from text")),
        }
    }

    forward_to_deserialize_any! { unit unit_struct ignored_any }
}

/// The items of a list.
struct Items<'a> {
    items: &'a Cells<'a>,
    at: usize,
    end: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if self.at == self.end {
            return Ok(None);
        }
        let cell = Cell { cells: self.items, row: self.at };
        self.at += 1;
        seed.deserialize(cell).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.end - self.at)
    }
}

/// The entries of a map.
struct Entries<'a> {
    keys: &'a Cells<'a>,
    values: &'a Cells<'a>,
    at: usize,
    end: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        if self.at == self.end {
            return Ok(None);
        }
        seed.deserialize(Cell { cells: self.keys, row: self.at }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let cell = Cell { cells: self.values, row: self.at };
        self.at += 1;
        seed.deserialize(cell)
    }
}

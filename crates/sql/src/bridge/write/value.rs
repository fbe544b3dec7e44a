//! One value to its column, with all that is within it.

use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    SerializeTupleStruct, Serializer,
};

use super::{Fields, variant_with_data};
use crate::bridge::Refused;
use crate::catalog::type_name;
use crate::formats::column::{Column, Data};

/// What takes one value.
pub(super) struct Value<'a>(pub(super) &'a mut Column);

impl<'a> Value<'a> {
    fn unlike(&self, what: &str) -> Refused {
        Refused::new(format!("{what} does not fit {}", type_name(self.0.data_type())))
    }

    fn integer(self, value: i64) -> Result<(), Refused> {
        match self.0.data {
            Data::Bool(_) | Data::Text { .. } | Data::Bytes { .. } => {
                Err(self.unlike(&format!("the number {value}")))
            }
            // What counts time in Rust counts milliseconds.
            Data::Timestamp(..) => self.0.push_timestamp(value).map_err(Refused::new),
            Data::List { .. } | Data::Map { .. } | Data::Row(_) => {
                Err(self.unlike(&format!("the number {value}")))
            }
            _ => match self.0.push_number(value) {
                Ok(()) => Ok(()),
                Err(_) => Err(self.unlike(&format!("the number {value}"))),
            },
        }
    }

    fn wide(self, value: &str) -> Result<(), Refused> {
        match (value.parse::<i64>(), &self.0.data) {
            (Ok(value), _) => self.integer(value),
            (Err(_), Data::Decimal(..)) => self.text(value),
            (Err(_), _) => Err(self.unlike(&format!("the number {value}"))),
        }
    }

    fn text(self, value: &str) -> Result<(), Refused> {
        match self.0.data {
            Data::Text { .. }
            | Data::Decimal(..)
            | Data::Date(_)
            | Data::Time(..)
            | Data::Timestamp(..) => self.0.push_text(value).map_err(Refused::new),
            _ => Err(self.unlike(&format!("the text {}", crate::formats::text::quoted(value)))),
        }
    }

    fn items(self) -> Result<Items<'a>, Refused> {
        let started = match &self.0.data {
            Data::List { .. } | Data::Bytes { .. } => 0,
            Data::Row(columns) => columns.first().map_or(0, Column::len),
            _ => return Err(self.unlike("a list")),
        };
        Ok(Items { column: self.0, started, next: 0, bytes: Vec::new() })
    }

    fn row(self) -> Result<Row<'a>, Refused> {
        match &self.0.data {
            Data::Row(_) | Data::Map { .. } => {}
            _ => return Err(self.unlike("a value with fields")),
        }
        let row = self.0.len();
        Ok(Row { column: self.0, row, key: None })
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<(), Refused> {
            self.integer(i64::from(value))
        })*
    };
}

impl<'a> Serializer for Value<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Impossible<(), Refused>;
    type SerializeMap = Row<'a>;
    type SerializeStruct = Row<'a>;
    type SerializeStructVariant = Impossible<(), Refused>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
    }

    fn serialize_bool(self, value: bool) -> Result<(), Refused> {
        match &mut self.0.data {
            Data::Bool(values) => values.push(value),
            _ => return Err(self.unlike(&value.to_string())),
        }
        self.0.pushed();
        Ok(())
    }
    fn serialize_u64(self, value: u64) -> Result<(), Refused> {
        match i64::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => self.wide(&value.to_string()),
        }
    }
    fn serialize_i128(self, value: i128) -> Result<(), Refused> {
        self.wide(&value.to_string())
    }
    fn serialize_u128(self, value: u128) -> Result<(), Refused> {
        self.wide(&value.to_string())
    }
    fn serialize_f32(self, value: f32) -> Result<(), Refused> {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        match self.0.data {
            Data::F32(_) | Data::F64(_) => self.0.push_float(value).map_err(Refused::new),
            Data::Decimal(..) if value.is_finite() => self.text(&value.to_string()),
            _ => Err(self.unlike(&format!("the number {value}"))),
        }
    }
    fn serialize_char(self, value: char) -> Result<(), Refused> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<(), Refused> {
        self.text(value)
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Refused> {
        match self.0.data {
            Data::Bytes { .. } => self.0.push_bytes(value).map_err(Refused::new),
            Data::List { .. } => {
                let mut items = self.items()?;
                value.iter().try_for_each(|byte| items.item(byte))?;
                items.done()
            }
            _ => Err(self.unlike("a list of bytes")),
        }
    }
    fn serialize_none(self) -> Result<(), Refused> {
        self.0.push_null();
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Refused> {
        self.serialize_none()
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Refused> {
        self.serialize_none()
    }
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Refused> {
        self.text(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _value: &T,
    ) -> Result<(), Refused> {
        Err(variant_with_data(name, variant))
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<Items<'a>, Refused> {
        self.items()
    }
    fn serialize_tuple(self, _len: usize) -> Result<Items<'a>, Refused> {
        self.items()
    }
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Items<'a>, Refused> {
        self.items()
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Refused> {
        Err(variant_with_data(name, variant))
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Row<'a>, Refused> {
        self.row()
    }
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Row<'a>, Refused> {
        self.row()
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, Refused> {
        Err(variant_with_data(name, variant))
    }
}

/// The items of a list, the bytes of a column of bytes, or the parts of a row by place.
pub(super) struct Items<'a> {
    column: &'a mut Column,
    /// Values that the columns of a row have before.
    started: usize,
    next: usize,
    bytes: Vec<u8>,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let place = self.next;
        self.next += 1;
        let index = |e: Refused| e.within(&format!("[{place}]"));
        match &mut self.column.data {
            Data::List { items, .. } => value.serialize(Value(items)).map_err(index),
            Data::Row(columns) => match columns.get_mut(place) {
                Some(column) => {
                    column.truncate(self.started);
                    value.serialize(Value(column)).map_err(index)
                }
                None => Err(Refused::new("a tuple has more values than its row has fields")),
            },
            _ => {
                let byte = serde_json::to_value(value).ok().and_then(|v| v.as_u64());
                let byte = byte.and_then(|byte| u8::try_from(byte).ok());
                self.bytes.push(byte.ok_or_else(|| index(Refused::new("no byte")))?);
                Ok(())
            }
        }
    }

    fn done(self) -> Result<(), Refused> {
        match &mut self.column.data {
            Data::List { .. } => {
                return close(self.column);
            }
            Data::Row(columns) => {
                let row = self.started;
                columns.iter_mut().filter(|c| c.len() == row).for_each(Column::push_null);
            }
            _ => return self.column.push_bytes(&self.bytes).map_err(Refused::new),
        }
        self.column.pushed();
        Ok(())
    }
}

/// Ends a list or a map where its items end.
fn close(column: &mut Column) -> Result<(), Refused> {
    let (ends, items) = match &mut column.data {
        Data::List { ends, items } => (ends, items.len()),
        Data::Map { ends, keys, .. } => (ends, keys.len()),
        _ => return Ok(()),
    };
    ends.push(i32::try_from(items).map_err(|_| Refused::new("too many items"))?);
    column.pushed();
    Ok(())
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.item(value)
    }
    fn end(self) -> Result<(), Refused> {
        self.done()
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.item(value)
    }
    fn end(self) -> Result<(), Refused> {
        self.done()
    }
}

impl SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.item(value)
    }
    fn end(self) -> Result<(), Refused> {
        self.done()
    }
}

/// The fields of a row, or the entries of a map.
pub(super) struct Row<'a> {
    column: &'a mut Column,
    /// Values that the columns of the row have before.
    row: usize,
    /// The name of the next value's field.
    key: Option<String>,
}

impl Row<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Refused> {
        match &mut self.column.data {
            Data::Row(columns) => {
                let mut fields = Fields::new(columns, self.row, None);
                let at = fields.find(name);
                fields.put(at, value)
            }
            Data::Map { keys, values, .. } => {
                Value(keys).text(name)?;
                value.serialize(Value(values)).map_err(|e| e.within(name))
            }
            _ => Ok(()),
        }
    }

    fn done(self) -> Result<(), Refused> {
        if let Data::Row(columns) = &mut self.column.data {
            let row = self.row;
            columns.iter_mut().filter(|c| c.len() == row).for_each(Column::push_null);
            self.column.pushed();
            return Ok(());
        }
        close(self.column)
    }
}

impl SerializeStruct for Row<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.field(name, value)
    }
    fn end(self) -> Result<(), Refused> {
        self.done()
    }
}

impl SerializeMap for Row<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        if let Data::Map { keys, .. } = &mut self.column.data {
            // Keys are of any type.
            return key.serialize(Value(keys));
        }
        let key = serde_json::to_value(key).map_err(|e| Refused::new(e.to_string()))?;
        let name = key.as_str().ok_or_else(|| Refused::new("a name of a field is no text"))?;
        self.key = Some(name.to_owned());
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        if let Data::Map { values, .. } = &mut self.column.data {
            return value.serialize(Value(values));
        }
        let key = self.key.take().unwrap_or_default();
        self.field(&key, value)
    }
    fn end(self) -> Result<(), Refused> {
        self.done()
    }
}

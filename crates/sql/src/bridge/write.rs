//! From serde values to columns.
//!
//! Invariant: a value that is refused may leave its columns uneven; whoever writes rows cuts them
//! back ([`Columns::truncate`]).

use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    SerializeTupleStruct, Serializer,
};

use super::Refused;
use crate::formats::column::{Column, Columns};

mod value;

use value::Value;

/// Writes a record as a row, but for the column `except`, to which the caller adds.
///
/// # Errors
/// Why a value does not fit its column; the row is then half done.
pub(crate) fn write<T: Serialize>(
    record: &T,
    columns: &mut Columns,
    except: Option<usize>,
) -> Result<(), Refused> {
    let row = columns.len();
    record.serialize(Record { fields: Fields::new(&mut columns.columns, row, except) })
}

/// Writes one value to its column.
///
/// # Errors
/// Why it does not fit.
pub(crate) fn write_value<T: Serialize>(value: &T, column: &mut Column) -> Result<(), Refused> {
    value.serialize(Value(column))
}

/// The columns that the fields of one record or row go to.
struct Fields<'a> {
    columns: &'a mut [Column],
    /// Values that each column has before.
    row: usize,
    except: Option<usize>,
    /// Fields mostly come in the columns' order.
    expected: usize,
    /// Of a map: the column of the next value.
    key: Option<usize>,
}

impl<'a> Fields<'a> {
    fn new(columns: &'a mut [Column], row: usize, except: Option<usize>) -> Self {
        Fields { columns, row, except, expected: 0, key: None }
    }

    /// The column of a name; none: nobody wants it.
    fn find(&mut self, name: &str) -> Option<usize> {
        let is = |column: &Column| column.name() == name;
        let found = match self.columns.get(self.expected) {
            Some(column) if is(column) => self.expected,
            _ => self.columns.iter().position(is)?,
        };
        self.expected = found + 1;
        (self.except != Some(found)).then_some(found)
    }

    fn put<T: Serialize + ?Sized>(&mut self, at: Option<usize>, value: &T) -> Result<(), Refused> {
        let Some(column) = at.and_then(|at| self.columns.get_mut(at)) else { return Ok(()) };
        // Of a field that is there twice the last counts.
        column.truncate(self.row);
        value.serialize(Value(column)).map_err(|e| e.within(column.name()))
    }

    /// Fields that did not come are null.
    fn end(self) {
        let row = self.row;
        for (at, column) in self.columns.iter_mut().enumerate() {
            if self.except != Some(at) && column.len() == row {
                column.push_null();
            }
        }
    }
}

/// What takes a whole record.
struct Record<'a> {
    fields: Fields<'a>,
}

impl Record<'_> {
    /// A record that is one value.
    fn only<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Refused> {
        let at = self.fields.find("f0");
        self.fields.put(at, value)?;
        self.fields.end();
        Ok(())
    }
}

macro_rules! one_value {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<(), Refused> {
            self.only(&value)
        })*
    };
}

impl<'a> Serializer for Record<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Impossible<(), Refused>;
    type SerializeMap = Named<'a>;
    type SerializeStruct = Named<'a>;
    type SerializeStructVariant = Impossible<(), Refused>;

    one_value! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_str: &str,
    }

    fn serialize_bytes(mut self, bytes: &[u8]) -> Result<(), Refused> {
        if let Some(at) = self.fields.find("f0") {
            let column = &mut self.fields.columns[at];
            Value(column).serialize_bytes(bytes).map_err(|e| e.within("f0"))?;
        }
        self.fields.end();
        Ok(())
    }
    fn serialize_none(self) -> Result<(), Refused> {
        self.fields.end();
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
        self.only(variant)
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
    fn serialize_seq(self, _len: Option<usize>) -> Result<Parts<'a>, Refused> {
        Ok(Parts { fields: self.fields, next: 0 })
    }
    fn serialize_tuple(self, _len: usize) -> Result<Parts<'a>, Refused> {
        self.serialize_seq(None)
    }
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Parts<'a>, Refused> {
        self.serialize_seq(None)
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
    fn serialize_map(self, _len: Option<usize>) -> Result<Named<'a>, Refused> {
        Ok(Named(self.fields))
    }
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Named<'a>, Refused> {
        Ok(Named(self.fields))
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

fn variant_with_data(name: &str, variant: &str) -> Refused {
    Refused::new(format!("variant {name}::{variant} has data, and there is no SQL type of such"))
}

/// Fields by name.
struct Named<'a>(Fields<'a>);

impl SerializeStruct for Named<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        let at = self.0.find(name);
        self.0.put(at, value)
    }
    fn end(self) -> Result<(), Refused> {
        self.0.end();
        Ok(())
    }
}

impl SerializeMap for Named<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        let key = serde_json::to_value(key).map_err(|e| Refused::new(e.to_string()))?;
        let name = key.as_str().ok_or_else(|| Refused::new("a name of a field is no text"))?;
        self.0.key = self.0.find(name);
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let at = self.0.key.take();
        self.0.put(at, value)
    }
    fn end(self) -> Result<(), Refused> {
        self.0.end();
        Ok(())
    }
}

/// Fields by place: `f0`, `f1` and so on.
struct Parts<'a> {
    fields: Fields<'a>,
    next: usize,
}

impl Parts<'_> {
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let at = self.fields.find(&format!("f{}", self.next));
        self.next += 1;
        self.fields.put(at, value)
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.part(value)
    }
    fn end(self) -> Result<(), Refused> {
        self.fields.end();
        Ok(())
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.part(value)
    }
    fn end(self) -> Result<(), Refused> {
        self.fields.end();
        Ok(())
    }
}

impl SerializeTupleStruct for Parts<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.part(value)
    }
    fn end(self) -> Result<(), Refused> {
        self.fields.end();
        Ok(())
    }
}

//! Finds the shape of a serde type by deserializing it from made-up values.
//!
//! Each pass gives the type ones, empty text and one-element lists, and notes what it asked for. An
//! enum takes one variant per pass, the first whose shape is not known to its end, and passes are
//! made until all are. Unlike tracers that keep one shape per type name, this one goes into options
//! and lists every time, so no variant stays unseen. A type that contains itself is noticed by its
//! depth.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

/// More levels than this are a type that contains itself.
const MAX_DEPTH: usize = 48;
const MAX_PASSES: usize = 10_000;

/// What a value looks like in JSON.
#[expect(missing_docs, reason = "the variants are those of serde's data model")]
#[derive(Debug, Default)]
pub enum Shape {
    #[default]
    Unknown,
    Null,
    Bool,
    Integer {
        signed: bool,
        bits: u8,
    },
    Float {
        bits: u8,
    },
    Text,
    List(Box<Shape>),
    Tuple(Vec<Shape>),
    /// From text to this.
    Map(Box<Shape>),
    Struct(Vec<(&'static str, Shape)>),
    Enum {
        name: &'static str,
        variants: Vec<(&'static str, Shape)>,
    },
    /// A unit variant.
    Unit,
}

impl Shape {
    fn is_complete(&self) -> bool {
        match self {
            Shape::Unknown => false,
            Shape::List(inner) | Shape::Map(inner) => inner.is_complete(),
            Shape::Tuple(items) => items.iter().all(Shape::is_complete),
            Shape::Struct(parts) | Shape::Enum { variants: parts, .. } => {
                parts.iter().all(|(_, shape)| shape.is_complete())
            }
            _ => true,
        }
    }
}

/// Why there is no shape.
#[derive(Debug)]
pub enum Stop {
    /// The type contains itself.
    TooDeep,
    /// The type asked what there is, or refused what it got.
    Untraceable,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::TooDeep => "it contains itself",
            Stop::Untraceable => "it cannot be traced",
        })
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    fn custom<M: fmt::Display>(_message: M) -> Self {
        Stop::Untraceable
    }
}

/// Traces `T`.
///
/// # Errors
/// [`Stop::TooDeep`] for a type that contains itself, otherwise [`Stop::Untraceable`].
pub fn shape_of<T: DeserializeOwned>() -> Result<Shape, Stop> {
    let mut shape = Shape::Unknown;
    for _ in 0..MAX_PASSES {
        T::deserialize(Trace { shape: &mut shape, depth: 0 })?;
        if shape.is_complete() {
            return Ok(shape);
        }
    }
    Err(Stop::Untraceable)
}

struct Trace<'a> {
    shape: &'a mut Shape,
    depth: usize,
}

impl<'a> Trace<'a> {
    fn at(shape: &'a mut Shape, depth: usize) -> Result<Self, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::TooDeep);
        }
        Ok(Trace { shape, depth })
    }

    fn items<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        if matches!(self.shape, Shape::Unknown) {
            *self.shape = Shape::Tuple((0..len).map(|_| Shape::Unknown).collect());
        }
        let Shape::Tuple(items) = self.shape else { return Err(Stop::Untraceable) };
        visitor.visit_seq(Items { left: items.iter_mut(), depth: self.depth + 1 })
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if matches!(self.shape, Shape::Unknown) {
            *self.shape = Shape::Struct(names.iter().map(|&name| (name, Shape::Unknown)).collect());
        }
        let Shape::Struct(fields) = self.shape else { return Err(Stop::Untraceable) };
        visitor.visit_map(Fields { left: fields.iter_mut(), value: None, depth: self.depth + 1 })
    }
}

macro_rules! scalars {
    ($($method:ident => $shape:expr, $visit:ident($($value:expr)?);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            *self.shape = $shape;
            visitor.$visit($($value)?)
        })*
    };
}

const fn integer(signed: bool, bits: u8) -> Shape {
    Shape::Integer { signed, bits }
}

impl<'de> Deserializer<'de> for Trace<'_> {
    type Error = Stop;

    scalars! {
        deserialize_bool => Shape::Bool, visit_bool(false);
        // One and not zero, for the types that exclude zero.
        deserialize_i8 => integer(true, 8), visit_i8(1);
        deserialize_i16 => integer(true, 16), visit_i16(1);
        deserialize_i32 => integer(true, 32), visit_i32(1);
        deserialize_i64 => integer(true, 64), visit_i64(1);
        deserialize_i128 => integer(true, 128), visit_i128(1);
        deserialize_u8 => integer(false, 8), visit_u8(1);
        deserialize_u16 => integer(false, 16), visit_u16(1);
        deserialize_u32 => integer(false, 32), visit_u32(1);
        deserialize_u64 => integer(false, 64), visit_u64(1);
        deserialize_u128 => integer(false, 128), visit_u128(1);
        deserialize_f32 => Shape::Float { bits: 32 }, visit_f32(1.0);
        deserialize_f64 => Shape::Float { bits: 64 }, visit_f64(1.0);
        deserialize_char => Shape::Text, visit_char('a');
        deserialize_str => Shape::Text, visit_str("");
        deserialize_string => Shape::Text, visit_str("");
        deserialize_bytes => Shape::List(Box::new(integer(false, 8))), visit_bytes(&[]);
        deserialize_byte_buf => Shape::List(Box::new(integer(false, 8))), visit_bytes(&[]);
        deserialize_unit => Shape::Null, visit_unit();
        deserialize_ignored_any => Shape::Null, visit_unit();
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Stop> {
        Err(Stop::Untraceable)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Stop> {
        Err(Stop::Untraceable)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(Trace::at(self.shape, self.depth + 1)?)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(Trace::at(self.shape, self.depth + 1)?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        if matches!(self.shape, Shape::Unknown) {
            *self.shape = Shape::List(Box::default());
        }
        let Shape::List(item) = self.shape else { return Err(Stop::Untraceable) };
        let items = std::slice::from_mut(&mut **item);
        visitor.visit_seq(Items { left: items.iter_mut(), depth: self.depth + 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.items(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.items(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        if matches!(self.shape, Shape::Unknown) {
            *self.shape = Shape::Map(Box::default());
        }
        let Shape::Map(value) = self.shape else { return Err(Stop::Untraceable) };
        visitor.visit_map(Entry { value, given: false, depth: self.depth + 1 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if matches!(self.shape, Shape::Unknown) {
            let variants = variants.iter().map(|&variant| (variant, Shape::Unknown)).collect();
            *self.shape = Shape::Enum { name, variants };
        }
        let Shape::Enum { variants, .. } = self.shape else { return Err(Stop::Untraceable) };
        let open = variants.iter().position(|(_, shape)| !shape.is_complete()).unwrap_or(0);
        let (name, shape) = variants.get_mut(open).ok_or(Stop::Untraceable)?;
        visitor.visit_enum(Variant { name, trace: Trace::at(shape, self.depth + 1)? })
    }
}

struct Items<'a> {
    left: std::slice::IterMut<'a, Shape>,
    depth: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let Some(shape) = self.left.next() else { return Ok(None) };
        seed.deserialize(Trace::at(shape, self.depth)?).map(Some)
    }
}

struct Fields<'a> {
    left: std::slice::IterMut<'a, (&'static str, Shape)>,
    value: Option<&'a mut Shape>,
    depth: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let Some((name, shape)) = self.left.next() else { return Ok(None) };
        self.value = Some(shape);
        let name: StrDeserializer<'_, Stop> = (*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let shape = self.value.take().ok_or(Stop::Untraceable)?;
        seed.deserialize(Trace::at(shape, self.depth)?)
    }
}

/// The one entry of a map.
struct Entry<'a> {
    value: &'a mut Shape,
    given: bool,
    depth: usize,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if std::mem::replace(&mut self.given, true) {
            return Ok(None);
        }
        // In JSON every key is text, so its shape does not matter.
        seed.deserialize(Trace::at(&mut Shape::Unknown, self.depth)?).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(Trace::at(self.value, self.depth)?)
    }
}

struct Variant<'a> {
    name: &'static str,
    trace: Trace<'a>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = Stop;
    type Variant = Trace<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Trace<'a>), Stop> {
        let name: StrDeserializer<'_, Stop> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.trace))
    }
}

impl<'de> VariantAccess<'de> for Trace<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        *self.shape = Shape::Unit;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.items(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.fields(fields, visitor)
    }
}

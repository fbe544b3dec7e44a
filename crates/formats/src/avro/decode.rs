//! Decodes straight into serde types, following a [`Plan`].
//!
//! Records are structs or maps; unions with null are options; other unions are enums whose newtype
//! variants are named like the branches, or whatever takes their values untagged; enums are enums
//! or text; decimals are text (or floats, for a type that asks for one). Bytes are bytes; to
//! a type that asks for nothing in particular, such as a JSON value, they are text with one
//! character per byte, as in Avro's JSON encoding.

use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::Value;

use super::decimal;
use super::input::{Input, Items};
use super::plan::{Plan, Step, StepId};

/// What serde wants of an error.
#[derive(Debug)]
pub(super) struct Error(pub(super) String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Error(message.to_string())
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Error(message)
    }
}

/// Decodes a record, which must take all of `bytes`.
pub(super) fn decode<T: DeserializeOwned>(
    plan: &Plan,
    bytes: &[u8],
    nesting: usize,
) -> Result<T, String> {
    let mut input = Input::new(bytes, nesting);
    let decoder = Decoder { plan, input: &mut input, step: plan.root, branch: None };
    match T::deserialize(decoder) {
        Err(e) => Err(format!("{} at byte {}", e.0, input.at())),
        Ok(_) if input.left() > 0 => Err(format!("{} bytes left over", input.left())),
        Ok(value) => Ok(value),
    }
}

struct Decoder<'a, 'de> {
    plan: &'a Plan,
    input: &'a mut Input<'de>,
    step: StepId,
    /// The branch of the union that this value is, when its index has been read.
    branch: Option<&'a str>,
}

impl<'a, 'de> Decoder<'a, 'de> {
    fn step(&self) -> &'a Step {
        self.plan.step(self.step)
    }

    /// The value behind unions: reads their indices.
    fn chosen(self) -> Result<Self, Error> {
        match self.step() {
            Step::Union(branches) => {
                let index = self.input.index("branch", branches.len())?;
                let (name, step) = &branches[index];
                Decoder { step: *step, branch: Some(name), ..self }.chosen()
            }
            Step::Branch(name, step) => {
                Decoder { step: *step, branch: Some(name), ..self }.chosen()
            }
            _ => Ok(self),
        }
    }

    /// The bytes of a value that is made of them.
    fn raw(&mut self) -> Option<Result<&'de [u8], String>> {
        match self.step() {
            Step::Bytes | Step::String | Step::BytesAsText => Some(self.input.bytes()),
            Step::Fixed(size) => Some(self.input.take(*size)),
            _ => None,
        }
    }

    /// A decimal as text.
    fn decimal(&mut self) -> Option<Result<String, String>> {
        let Step::Decimal(size, scale) = self.step() else { return None };
        let bytes = match size {
            Some(size) => self.input.take(*size),
            None => self.input.bytes(),
        };
        Some(bytes.and_then(|bytes| decimal::to_text(bytes, *scale)))
    }
}

impl<'de> Deserializer<'de> for Decoder<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut this = self.chosen()?;
        match this.step() {
            Step::Null => visitor.visit_unit(),
            Step::Boolean => visitor.visit_bool(this.input.boolean()?),
            Step::Int => visitor.visit_i32(this.input.int()?),
            Step::Long => visitor.visit_i64(this.input.long()?),
            Step::Float => visitor.visit_f32(f32::from_le_bytes(this.input.array()?)),
            Step::Double => visitor.visit_f64(f64::from_le_bytes(this.input.array()?)),
            Step::AsDouble(step) => {
                let step = *step;
                visitor.visit_f64(match this.plan.step(step) {
                    Step::Float => f32::from_le_bytes(this.input.array()?).into(),
                    _ => this.input.long()? as f64,
                })
            }
            Step::String | Step::BytesAsText => visitor.visit_borrowed_str(this.input.text()?),
            Step::Bytes | Step::Fixed(_) => {
                let bytes = this.raw().unwrap_or(Ok(&[]))?;
                visitor.visit_string(bytes.iter().map(|byte| char::from(*byte)).collect())
            }
            Step::Decimal(..) => {
                visitor.visit_string(this.decimal().unwrap_or_else(|| Ok(String::new()))?)
            }
            Step::Enum(symbols) => {
                let index = this.input.index("symbol", symbols.len())?;
                visitor.visit_str(&symbols[index])
            }
            Step::Array(_) => this.deserialize_seq(visitor),
            Step::Map(_) | Step::Record { .. } => this.deserialize_map(visitor),
            // `chosen` has seen to these.
            Step::Union(_) | Step::Branch(..) => Err(Error("a union in a union".into())),
            Step::Impossible(reason) => Err(Error(reason.clone())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let this = self.chosen()?;
        match this.step() {
            Step::Null => visitor.visit_none(),
            _ => visitor.visit_some(this),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut this = self.chosen()?;
        match this.decimal() {
            Some(text) => visitor.visit_f64(text?.parse().map_err(Error::custom)?),
            None => this.deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut this = self.chosen()?;
        match this.raw() {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes?),
            None => this.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut this = self.chosen()?;
        if let Step::Array(items) = this.step() {
            let (plan, input, step) = (this.plan, this.input, *items);
            input.down()?;
            let mut blocks = Blocks { plan, input, step, items: Items::default() };
            let value = visitor.visit_seq(&mut blocks)?;
            blocks.finish()?;
            return Ok(value);
        }
        match this.raw() {
            Some(bytes) => {
                let mut bytes = SeqDeserializer::<_, Error>::new(bytes?.iter().copied());
                let value = visitor.visit_seq(&mut bytes)?;
                bytes.end()?;
                Ok(value)
            }
            None => this.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let this = self.chosen()?;
        match this.step() {
            Step::Map(values) => {
                let (plan, input, step) = (this.plan, this.input, *values);
                input.down()?;
                let mut blocks = Blocks { plan, input, step, items: Items::default() };
                let value = visitor.visit_map(&mut blocks)?;
                blocks.finish()?;
                Ok(value)
            }
            Step::Record { .. } => {
                this.input.down()?;
                let mut fields = Fields { decoder: this, next: 0 };
                let value = visitor.visit_map(&mut fields)?;
                fields.finish()?;
                Ok(value)
            }
            _ => this.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let this = self.chosen()?;
        match (this.step(), this.branch) {
            (Step::Enum(symbols), _) => {
                let index = this.input.index("symbol", symbols.len())?;
                visitor.visit_enum(symbols[index].as_str().into_deserializer())
            }
            (Step::String, None) => visitor.visit_enum(this.input.text()?.into_deserializer()),
            (_, Some(name)) => visitor.visit_enum(Variant { name, decoder: this }),
            (_, None) => Err(Error("no union, which an enum is read from".into())),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.input.skip(self.plan, self.step)?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string
        unit unit_struct identifier
    }
}

/// The items of an array, or the entries of a map.
struct Blocks<'a, 'de> {
    plan: &'a Plan,
    input: &'a mut Input<'de>,
    step: StepId,
    items: Items,
}

impl<'de> Blocks<'_, 'de> {
    fn decode<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Blocks { plan, input, step, .. } = self;
        seed.deserialize(Decoder { plan, input, step: *step, branch: None })
    }

    /// The type must have taken all items.
    fn finish(&mut self) -> Result<(), Error> {
        if self.items.next(self.input)? {
            return Err(Error("more items than the type takes".into()));
        }
        self.input.up();
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for Blocks<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        match self.items.next(self.input)? {
            true => self.decode(seed).map(Some),
            false => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.expected(self.input))
    }
}

impl<'de> MapAccess<'de> for Blocks<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        match self.items.next(self.input)? {
            true => {
                let key = self.input.text()?;
                let key = BorrowedStrDeserializer::new(key);
                seed.deserialize(key).map(Some)
            }
            false => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.decode(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.expected(self.input))
    }
}

/// The fields of a record in the order of the bytes, then the defaults of those not written.
struct Fields<'a, 'de> {
    decoder: Decoder<'a, 'de>,
    next: usize,
}

/// Where a field's value comes from.
enum Source<'a> {
    Bytes(StepId),
    Default(&'a Value),
}

impl<'a, 'de> Fields<'a, 'de> {
    fn find(&self, at: usize) -> Option<(Option<&'a str>, Source<'a>)> {
        let Step::Record { fields, defaults } = self.decoder.step() else { return None };
        match fields.get(at) {
            Some(field) => Some((field.name.as_deref(), Source::Bytes(field.step))),
            None => {
                let (name, value) = defaults.get(at - fields.len())?;
                Some((Some(name), Source::Default(value)))
            }
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        while let Some((_, Source::Bytes(step))) = self.find(self.next) {
            self.next += 1;
            self.decoder.input.skip(self.decoder.plan, step)?;
        }
        self.decoder.input.up();
        Ok(())
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        loop {
            match self.find(self.next) {
                None => return Ok(None),
                Some((Some(name), _)) => {
                    let name: StrDeserializer<'_, Error> = name.into_deserializer();
                    return seed.deserialize(name).map(Some);
                }
                Some((None, Source::Bytes(step))) => {
                    self.decoder.input.skip(self.decoder.plan, step)?;
                }
                Some((None, Source::Default(_))) => {}
            }
            self.next += 1;
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let found = self.find(self.next);
        self.next += 1;
        let (plan, input) = (self.decoder.plan, &mut *self.decoder.input);
        match found {
            Some((_, Source::Bytes(step))) => {
                seed.deserialize(Decoder { plan, input, step, branch: None })
            }
            Some((_, Source::Default(value))) => {
                seed.deserialize(value.clone()).map_err(Error::custom)
            }
            None => Err(Error("a value without a key".into())),
        }
    }
}

/// A branch of a union as the variant of an enum.
struct Variant<'a, 'de> {
    name: &'a str,
    decoder: Decoder<'a, 'de>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = Error;
    type Variant = Decoder<'a, 'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Decoder<'a, 'de>), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.decoder))
    }
}

impl<'de> VariantAccess<'de> for Decoder<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(self.input.skip(self.plan, self.step)?)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }
}

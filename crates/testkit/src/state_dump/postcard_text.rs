//! Values in postcard's wire format as JSON text, by a traced schema instead of a type.
//!
//! Fields and variants are in the order of their declaration. Source: the postcard specification,
//! version 1; `serde_reflection` for the schemas.

use std::fmt::Write;

use headwater_core::{Error, Result, Schema};
use serde::Deserialize;
use serde_reflection::{ContainerFormat, Format, Named, Registry, VariantFormat};

/// What bytes mean.
pub(super) enum Shape {
    Traced {
        root: Format,
        registry: Registry,
    },
    /// Only the name of the type is known.
    Opaque,
}

#[derive(Deserialize)]
struct WithRegistry {
    r#type: Format,
    r#where: Registry,
}

impl Shape {
    pub(super) fn of(schema: &Schema) -> Shape {
        if let Ok(root) = serde_json::from_str::<Format>(&schema.0) {
            return Shape::Traced { root, registry: Registry::new() };
        }
        match serde_json::from_str::<WithRegistry>(&schema.0) {
            Ok(WithRegistry { r#type, r#where }) => {
                Shape::Traced { root: r#type, registry: r#where }
            }
            Err(_) => Shape::Opaque,
        }
    }

    pub(super) fn is_unit(&self) -> bool {
        matches!(self, Shape::Traced { root: Format::Unit, .. })
    }

    /// Whether a value takes all bytes there are.
    pub(super) fn is_opaque(&self) -> bool {
        matches!(self, Shape::Opaque)
    }

    /// Appends the value at the front of `bytes` to `out`, and takes its bytes; an opaque one takes
    /// all.
    pub(super) fn show(&self, bytes: &mut &[u8], out: &mut String) -> Result<()> {
        match self {
            Shape::Traced { root, registry } => Text { registry, bytes, out }.value(root),
            Shape::Opaque => {
                out.push_str("0x");
                for byte in std::mem::take(bytes) {
                    let _ = write!(out, "{byte:02x}");
                }
                Ok(())
            }
        }
    }
}

struct Text<'a, 'b> {
    registry: &'a Registry,
    bytes: &'a mut &'b [u8],
    out: &'a mut String,
}

impl<'b> Text<'_, 'b> {
    fn value(&mut self, format: &Format) -> Result<()> {
        match format {
            Format::TypeName(name) => {
                let registry = self.registry;
                let container = registry.get(name).ok_or_else(|| {
                    Error::state(format!("the schema does not describe {name:?}"))
                })?;
                return self.container(container);
            }
            Format::Unit => self.out.push_str("null"),
            Format::Bool => {
                let text = if self.byte()? == 0 { "false" } else { "true" };
                self.out.push_str(text);
            }
            Format::I8 => {
                let number = self.byte()? as i8;
                self.display(number);
            }
            Format::U8 => {
                let number = self.byte()?;
                self.display(number);
            }
            Format::I16 | Format::I32 | Format::I64 | Format::I128 => {
                let n = self.varint()?;
                // Zigzag: the sign is in the lowest bit.
                self.display((n >> 1) as i128 ^ -((n & 1) as i128));
            }
            Format::U16 | Format::U32 | Format::U64 | Format::U128 => {
                let n = self.varint()?;
                self.display(n);
            }
            Format::F32 => {
                let number = f32::from_le_bytes(self.array()?);
                let _ = write!(self.out, "{number:?}");
            }
            Format::F64 => {
                let number = f64::from_le_bytes(self.array()?);
                let _ = write!(self.out, "{number:?}");
            }
            Format::Char | Format::Str => {
                let text = String::from_utf8_lossy(self.counted()?).into_owned();
                self.text(&text);
            }
            Format::Bytes => {
                let bytes = self.counted()?.to_vec();
                let _ = write!(self.out, "{bytes:?}");
            }
            Format::Option(inner) => match self.byte()? {
                0 => self.out.push_str("null"),
                _ => return self.value(inner),
            },
            Format::Seq(inner) => {
                let len = self.len()?;
                return self.list(std::iter::repeat_n(&**inner, len));
            }
            Format::Map { key, value } => return self.map(key, value),
            Format::Tuple(formats) => return self.list(formats.iter()),
            Format::TupleArray { content, size } => {
                return self.list(std::iter::repeat_n(&**content, *size));
            }
            Format::Variable(_) => return Err(Error::state("the schema is not complete")),
        }
        Ok(())
    }

    fn container(&mut self, container: &ContainerFormat) -> Result<()> {
        match container {
            ContainerFormat::UnitStruct => self.out.push_str("null"),
            ContainerFormat::NewTypeStruct(inner) => return self.value(inner),
            ContainerFormat::TupleStruct(formats) => return self.list(formats.iter()),
            ContainerFormat::Struct(fields) => return self.fields(fields),
            ContainerFormat::Enum(variants) => {
                let number = self.varint()?;
                let variant = u32::try_from(number).ok().and_then(|n| variants.get(&n));
                let Named { name, value } = variant
                    .ok_or_else(|| Error::state(format!("the schema has no variant {number}")))?;
                return self.variant(name, value);
            }
        }
        Ok(())
    }

    fn variant(&mut self, name: &str, format: &VariantFormat) -> Result<()> {
        if matches!(format, VariantFormat::Unit) {
            self.text(name);
            return Ok(());
        }
        self.out.push('{');
        self.text(name);
        self.out.push(':');
        match format {
            VariantFormat::NewType(inner) => self.value(inner)?,
            VariantFormat::Tuple(formats) => self.list(formats.iter())?,
            VariantFormat::Struct(fields) => self.fields(fields)?,
            VariantFormat::Unit => {}
            VariantFormat::Variable(_) => return Err(Error::state("the schema is not complete")),
        }
        self.out.push('}');
        Ok(())
    }

    fn list<'f>(&mut self, formats: impl Iterator<Item = &'f Format>) -> Result<()> {
        self.out.push('[');
        for (at, format) in formats.enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.value(format)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn fields(&mut self, fields: &[Named<Format>]) -> Result<()> {
        self.out.push('{');
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.text(&field.name);
            self.out.push(':');
            self.value(&field.value)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn map(&mut self, key: &Format, value: &Format) -> Result<()> {
        self.out.push('{');
        for at in 0..self.len()? {
            if at > 0 {
                self.out.push(',');
            }
            self.value(key)?;
            self.out.push(':');
            self.value(value)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn display(&mut self, number: impl std::fmt::Display) {
        let _ = write!(self.out, "{number}");
    }

    fn text(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| ends_early())
    }

    fn counted(&mut self) -> Result<&'b [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    fn len(&mut self) -> Result<usize> {
        let len = usize::try_from(self.varint()?).map_err(|_| ends_early())?;
        // A length is never more than a schema with empty items could fill; such are not traced.
        if len > self.bytes.len() { Err(ends_early()) } else { Ok(len) }
    }

    fn take(&mut self, len: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or_else(ends_early)?;
        *self.bytes = rest;
        Ok(taken)
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u128> {
        let mut number = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Error::state("a number is longer than 128 bits"))
    }
}

fn ends_early() -> Error {
    Error::state("the value ends before its schema does")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headwater_core::codec::encode;
    use serde::Serialize;

    use super::*;

    fn text<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> String {
        let bytes = encode(value).unwrap();
        let shape = Shape::of(&Schema::of::<T>());
        for cut in 0..bytes.len() {
            assert!(shape.show(&mut &bytes[..cut], &mut String::new()).is_err(), "cut at {cut}");
        }
        let (mut rest, mut out) = (&bytes[..], String::new());
        shape.show(&mut rest, &mut out).unwrap();
        assert!(rest.is_empty());
        out
    }

    #[derive(Serialize, Deserialize)]
    struct All {
        small: (i8, u8, bool, char),
        signed: (i16, i32, i64, i128),
        unsigned: (u16, u32, u64, u128),
        floats: (f32, f64),
        text: Option<String>,
        none: Option<u8>,
        list: Vec<Wrapped>,
        kinds: (Kind, Kind, Kind, Kind),
        map: BTreeMap<String, [u8; 2]>,
    }

    #[derive(Serialize, Deserialize)]
    enum Kind {
        Plain,
        One(Wrapped),
        Two(u8, u8),
        Named { n: i64 },
    }
    #[derive(Serialize, Deserialize)]
    struct Wrapped(u64);

    #[test]
    fn every_format_is_shown_and_every_truncation_is_an_error() {
        let all = All {
            small: (-5, 250, true, 'ä'),
            signed: (-300, i32::MIN, i64::MAX, -1),
            unsigned: (300, 7, u64::MAX, u128::MAX),
            floats: (0.5, -1.25),
            text: Some("a \"b\"".into()),
            none: None,
            list: vec![Wrapped(9), Wrapped(8)],
            kinds: (Kind::Plain, Kind::One(Wrapped(3)), Kind::Two(1, 2), Kind::Named { n: -9 }),
            map: BTreeMap::from([("k".into(), [1, 2])]),
        };
        let expected = concat!(
            r#"{"small":[-5,250,true,"ä"],"signed":[-300,-2147483648,9223372036854775807,-1],"#,
            r#""unsigned":[300,7,18446744073709551615,340282366920938463463374607431768211455],"#,
            r#""floats":[0.5,-1.25],"text":"a \"b\"","none":null,"#,
            r#""list":[9,8],"kinds":["Plain",{"One":3},{"Two":[1,2]},{"Named":{"n":-9}}],"#,
            r#""map":{"k":[1,2]}}"#
        );
        assert_eq!(text(&all), expected);
        assert_eq!(text(&7u64), "7");
    }

    #[test]
    fn what_cannot_be_traced_is_shown_as_bytes() {
        let shape = Shape::of(&Schema("\"some::Type\"".into()));
        let mut out = String::new();
        shape.show(&mut &[1u8, 255][..], &mut out).unwrap();
        assert_eq!(out, "0x01ff");
    }
}

//! Encodings of strings, bytes and integers.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::{Any, Bytes, Int, Text};
use crate::functions::returns;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("to_base64", &[("value", Bytes)], returns::text, to_base64),
    Spec::new("from_base64", &[("string", Text)], returns::text, from_base64),
    Spec::new("encode", &[("string", Text), ("charset", Text)], returns::bytes, encode),
    Spec::new("decode", &[("bytes", Bytes), ("charset", Text)], returns::text, decode),
    Spec::new("bin", &[("integer", Int)], returns::text, bin),
    Spec::new("hex", &[("value", Any)], returns::text, hex),
    Spec::new("unhex", &[("string", Text)], returns::bytes, unhex),
];

fn to_base64(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = call.blobs(0)?;
    call.to_texts(|row| Some(STANDARD.encode(bytes.at(row)?)))
}

fn from_base64(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.texts(0)?;
    call.try_texts(|row| {
        let text = text.at(row)?;
        let decoded = STANDARD.decode(text).map_err(|e| e.to_string());
        let decoded = decoded.and_then(|b| String::from_utf8(b).map_err(|e| e.to_string()));
        Some(decoded.map_err(|e| call.error(format!("'{text}' is not base64 of a string: {e}"))))
    })
}

/// A character set of Java.
#[derive(Clone, Copy)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16 { big: bool, mark: bool },
}

impl Charset {
    fn named(call: &Call<'_>, name: &str) -> Result<Self> {
        Ok(match name.to_uppercase().as_str() {
            "US-ASCII" | "ASCII" => Charset::Ascii,
            "ISO-8859-1" | "LATIN1" => Charset::Latin1,
            "UTF-8" | "UTF8" => Charset::Utf8,
            "UTF-16BE" => Charset::Utf16 { big: true, mark: false },
            "UTF-16LE" => Charset::Utf16 { big: false, mark: false },
            "UTF-16" => Charset::Utf16 { big: true, mark: true },
            _ => {
                let known = "US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE, UTF-16";
                return Err(call.error(format!("no character set '{name}'; there are {known}")));
            }
        })
    }

    fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Charset::Utf8 => text.as_bytes().to_vec(),
            Charset::Ascii => {
                text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect()
            }
            Charset::Latin1 => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
            Charset::Utf16 { big, mark } => {
                let units = mark.then_some(0xFEFF_u16).into_iter().chain(text.encode_utf16());
                units.flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
            }
        }
    }

    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Charset::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Charset::Ascii => {
                let char = |b: &u8| {
                    if b.is_ascii() { char::from(*b) } else { char::REPLACEMENT_CHARACTER }
                };
                bytes.iter().map(char).collect()
            }
            Charset::Latin1 => bytes.iter().map(|b| char::from(*b)).collect(),
            Charset::Utf16 { big, mark } => {
                let (big, bytes) = match bytes {
                    [0xFE, 0xFF, rest @ ..] if mark => (true, rest),
                    [0xFF, 0xFE, rest @ ..] if mark => (false, rest),
                    _ => (big, bytes),
                };
                let units = bytes.chunks(2).map(|unit| {
                    let unit = [unit[0], unit.get(1).copied().unwrap_or(0)];
                    if big { u16::from_be_bytes(unit) } else { u16::from_le_bytes(unit) }
                });
                char::decode_utf16(units)
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect()
            }
        }
    }
}

fn encode(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, charset) = (call.texts(0)?, call.texts(1)?);
    call.try_blobs(|row| {
        let (text, charset) = (text.at(row)?, charset.at(row)?);
        Some(Charset::named(call, charset).map(|charset| charset.encode(text)))
    })
}

fn decode(call: &Call<'_>) -> Result<ArrayRef> {
    let (bytes, charset) = (call.blobs(0)?, call.texts(1)?);
    call.try_texts(|row| {
        let (bytes, charset) = (bytes.at(row)?, charset.at(row)?);
        Some(Charset::named(call, charset).map(|charset| charset.decode(bytes)))
    })
}

fn bin(call: &Call<'_>) -> Result<ArrayRef> {
    let number = call.ints(0)?;
    call.to_texts(|row| Some(format!("{:b}", number.at(row)?)))
}

/// Two digits a byte.
pub(super) fn hex_of(bytes: &[u8], upper: bool) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // writing to a string can't fail
        let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
    }
    text
}

fn hex(call: &Call<'_>) -> Result<ArrayRef> {
    let value = call.array(0)?;
    match value.data_type() {
        DataType::Utf8 => {
            let text = value.as_string::<i32>();
            call.to_texts(|row| {
                text.is_valid(row).then(|| hex_of(text.value(row).as_bytes(), true))
            })
        }
        DataType::Binary => {
            let bytes = value.as_binary::<i32>();
            call.to_texts(|row| bytes.is_valid(row).then(|| hex_of(bytes.value(row), true)))
        }
        t if t.is_integer() || t.is_null() => {
            let number = datafusion::arrow::compute::cast(&value, &DataType::Int64)?;
            let number = number.as_primitive::<Int64Type>();
            call.to_texts(|row| number.is_valid(row).then(|| format!("{:X}", number.value(row))))
        }
        other => {
            let got = crate::functions::types::sql_name(other);
            Err(call.error(format!(
                "argument 1 (value) must be an integer, STRING or BYTES, got {got}"
            )))
        }
    }
}

/// What is no hexadecimal number is NULL; an odd number of digits is filled up with a 0.
fn unhex(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.texts(0)?;
    call.try_blobs(|row| {
        let text = text.at(row)?;
        let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
        let digits: Option<Vec<u8>> =
            padded.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
        Some(Ok(digits?.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
    })
}

//! Parts of strings, and strings put together.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result;

use crate::functions::args::{Call, Texts};
use crate::functions::native::Spec;
use crate::functions::params::Param::{Int, Text};
use crate::functions::returns;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("concat", &[("string", Text)], returns::text, concat).variadic(),
    Spec::new("substr", &[("string", Text), ("from", Int), ("length", Int)], returns::text, substr)
        .required(2),
    Spec::new("left", &[("string", Text), ("length", Int)], returns::text, left),
    Spec::new("right", &[("string", Text), ("length", Int)], returns::text, right),
    Spec::new("lpad", &[("string", Text), ("length", Int), ("pad", Text)], returns::text, lpad),
    Spec::new("rpad", &[("string", Text), ("length", Int), ("pad", Text)], returns::text, rpad),
    Spec::new(
        "overlay",
        &[("string", Text), ("placing", Text), ("from", Int), ("length", Int)],
        returns::text,
        overlay,
    )
    .required(3),
    Spec::new("chr", &[("code", Int)], returns::text, chr),
    Spec::new("elt", &[("index", Int), ("string", Text)], returns::text, elt).variadic(),
];

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let parts: Vec<Texts<'_>> =
        (0..call.args.len()).map(|i| call.texts(i)).collect::<Result<_>>()?;
    call.write_texts(|row, text| {
        text.clear();
        for part in &parts {
            text.push_str(part.at(row)?);
        }
        Some(Ok(()))
    })
}

/// Where character `n` (from 0) starts; the length of the text where there are no more.
pub(super) fn byte_of(text: &str, n: usize) -> usize {
    if text.is_ascii() {
        return n.min(text.len());
    }
    text.char_indices().nth(n).map_or(text.len(), |(byte, _)| byte)
}

/// Number of characters.
pub(super) fn chars(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// `length` characters from `from`: 0 is as 1, and what is negative counts from the end.
fn slice(text: &str, from: i64, length: i64) -> Option<&str> {
    if length < 0 {
        return None;
    }
    let first = match from {
        1.. => from - 1,
        0 => 0,
        _ => chars(text) as i64 + from,
    };
    let Ok(first) = usize::try_from(first) else { return Some("") };
    let start = byte_of(text, first);
    let rest = &text[start..];
    Some(&rest[..byte_of(rest, usize::try_from(length).unwrap_or(usize::MAX))])
}

fn substr(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, from) = (call.texts(0)?, call.ints(1)?);
    if !call.has(2) {
        return call.to_texts(|row| slice(text.at(row)?, from.at(row)?, i64::MAX));
    }
    let length = call.ints(2)?;
    call.to_texts(|row| slice(text.at(row)?, from.at(row)?, length.at(row)?))
}

fn left(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, length) = (call.texts(0)?, call.ints(1)?);
    call.to_texts(|row| slice(text.at(row)?, 1, length.at(row)?.max(0)))
}

fn right(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, length) = (call.texts(0)?, call.ints(1)?);
    call.to_texts(|row| {
        let (text, length) = (text.at(row)?, length.at(row)?.max(0));
        let skipped = chars(text).saturating_sub(usize::try_from(length).unwrap_or(usize::MAX));
        Some(&text[byte_of(text, skipped)..])
    })
}

/// Longest result of a padding, so that a wrong length can't take all memory.
const LONGEST: i64 = 16 * 1024 * 1024;

fn pad(call: &Call<'_>, at_left: bool) -> Result<ArrayRef> {
    let (text, length, pad) = (call.texts(0)?, call.ints(1)?, call.texts(2)?);
    call.try_texts(|row| {
        let (text, length, pad) = (text.at(row)?, length.at(row)?, pad.at(row)?);
        if length < 0 || pad.is_empty() {
            return None;
        }
        if length > LONGEST {
            let message = format!("length {length} is over {LONGEST} characters");
            return Some(Err(call.error(message)));
        }
        let length = length as usize;
        let has = chars(text);
        if has >= length {
            return Some(Ok(text[..byte_of(text, length)].to_owned()));
        }
        let padding = pad.chars().cycle().take(length - has);
        Some(Ok(if at_left {
            padding.chain(text.chars()).collect()
        } else {
            text.chars().chain(padding).collect()
        }))
    })
}

fn lpad(call: &Call<'_>) -> Result<ArrayRef> {
    pad(call, true)
}

fn rpad(call: &Call<'_>) -> Result<ArrayRef> {
    pad(call, false)
}

fn overlay(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, placed, from) = (call.texts(0)?, call.texts(1)?, call.ints(2)?);
    let length = if call.has(3) { Some(call.ints(3)?) } else { None };
    call.to_texts(|row| {
        let (text, placed, from) = (text.at(row)?, placed.at(row)?, from.at(row)?);
        let length = match &length {
            Some(length) => length.at(row)?,
            None => chars(placed) as i64,
        };
        let has = chars(text) as i64;
        if from <= 0 || from > has {
            return Some(text.to_owned());
        }
        let head = &text[..byte_of(text, (from - 1) as usize)];
        // what ends at or behind the end of the text, or replaces nothing, cuts the tail off
        let tail = match from.saturating_add(length) {
            end if end <= has && length > 0 => &text[byte_of(text, (end - 1) as usize)..],
            _ => "",
        };
        Some(format!("{head}{placed}{tail}"))
    })
}

fn chr(call: &Call<'_>) -> Result<ArrayRef> {
    let code = call.ints(0)?;
    call.to_texts(|row| {
        Some(match code.at(row)? {
            ..0 => String::new(),
            code => char::from((code & 0xFF) as u8).to_string(),
        })
    })
}

fn elt(call: &Call<'_>) -> Result<ArrayRef> {
    let index = call.ints(0)?;
    let texts: Vec<Texts<'_>> =
        (1..call.args.len()).map(|i| call.texts(i)).collect::<Result<_>>()?;
    call.to_texts(|row| {
        let index = usize::try_from(index.at(row)?).ok()?.checked_sub(1)?;
        texts.get(index)?.at(row)
    })
}

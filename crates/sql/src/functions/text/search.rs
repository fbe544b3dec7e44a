//! Where a string is in another, and what a string consists of.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::{Any, Int, Text};
use crate::functions::returns;

use super::edit::{byte_of, chars};

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("position", &[("sought", Text), ("string", Text)], returns::int, locate),
    Spec::new("locate", &[("sought", Text), ("string", Text), ("from", Int)], returns::int, locate)
        .required(2),
    Spec::new(
        "instr",
        &[("string", Text), ("sought", Text), ("from", Int), ("occurrence", Int)],
        returns::int,
        instr,
    )
    .required(2),
    Spec::new("is_alpha", &[("value", Any)], returns::boolean, is_alpha),
    Spec::new("is_digit", &[("value", Any)], returns::boolean, is_digit),
    Spec::new("is_decimal", &[("value", Any)], returns::boolean, is_decimal),
    Spec::new("count_char", &[("string", Text), ("character", Text)], returns::bigint, count_char),
];

/// Position of `sought` at or behind position `from`; 0 where it is not.
fn find(text: &str, sought: &str, from: i64) -> i32 {
    let Ok(skipped) = usize::try_from(from.max(1) - 1) else { return 0 };
    if skipped > chars(text) {
        return 0;
    }
    let start = byte_of(text, skipped);
    match text[start..].find(sought) {
        Some(at) => (skipped + chars(&text[start..start + at]) + 1) as i32,
        None => 0,
    }
}

fn locate(call: &Call<'_>) -> Result<ArrayRef> {
    let (sought, text) = (call.texts(0)?, call.texts(1)?);
    if !call.has(2) {
        return call.to_values::<Int32Type>(|row| Some(find(text.at(row)?, sought.at(row)?, 1)));
    }
    let from = call.ints(2)?;
    call.to_values::<Int32Type>(|row| Some(find(text.at(row)?, sought.at(row)?, from.at(row)?)))
}

/// The n-th occurrence from a position; a negative position searches backwards from the end.
fn occurrence(text: &str, sought: &str, from: i64, nth: i64) -> i32 {
    if from == 0 {
        return 0;
    }
    if from < 0 {
        let reversed = |s: &str| s.chars().rev().collect::<String>();
        let found = occurrence(&reversed(text), &reversed(sought), -from, nth);
        return if found == 0 { 0 } else { (chars(text) + 2 - chars(sought)) as i32 - found };
    }
    let mut from = from;
    let mut found = 0;
    for _ in 0..nth {
        found = find(text, sought, from);
        if found == 0 {
            return 0;
        }
        from = i64::from(found) + 1;
    }
    found
}

fn instr(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, sought) = (call.texts(0)?, call.texts(1)?);
    let from = if call.has(2) { Some(call.ints(2)?) } else { None };
    let nth = if call.has(3) { Some(call.ints(3)?) } else { None };
    call.try_values::<Int32Type>(|row| {
        let (text, sought) = (text.at(row)?, sought.at(row)?);
        let from = from.as_ref().map_or(Some(1), |from| from.at(row))?;
        let nth = nth.as_ref().map_or(Some(1), |nth| nth.at(row))?;
        if nth < 1 {
            let message = format!("argument 4 (occurrence) must be positive, got {nth}");
            return Some(Err(call.error(message)));
        }
        Some(Ok(occurrence(text, sought, from, nth)))
    })
}

/// A predicate of strings that says FALSE of NULL; `number` is its answer to what is a number.
fn consists(
    call: &Call<'_>,
    number: fn(&datafusion::arrow::datatypes::DataType) -> bool,
    of: fn(&str) -> bool,
) -> Result<ArrayRef> {
    use datafusion::arrow::array::Array;
    let array = call.array(0)?;
    match array.data_type() {
        datafusion::arrow::datatypes::DataType::Utf8 => {
            let text = call.texts(0)?;
            call.to_bools(|row| Some(text.at(row).is_some_and(of)))
        }
        other => {
            let answer = number(other);
            call.to_bools(|row| Some(answer && array.is_valid(row)))
        }
    }
}

fn is_alpha(call: &Call<'_>) -> Result<ArrayRef> {
    consists(call, |_| false, |s| !s.is_empty() && s.chars().all(char::is_alphabetic))
}

fn is_digit(call: &Call<'_>) -> Result<ArrayRef> {
    consists(call, |t| t.is_integer(), |s| !s.is_empty() && s.chars().all(char::is_numeric))
}

fn is_decimal(call: &Call<'_>) -> Result<ArrayRef> {
    consists(
        call,
        |t| t.is_numeric(),
        |s| {
            let digits = |c: char| c.is_ascii_digit();
            s.contains(digits)
                && !s.contains(['i', 'I', 'n', 'N'])
                && s.trim().parse::<f64>().is_ok()
        },
    )
}

/// How often a character is in a string, as Nexmark's `CountChar`: 0 times in NULL; of more
/// characters the first is sought.
fn count_char(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, sought) = (call.texts(0)?, call.texts(1)?);
    call.to_values::<Int64Type>(|row| {
        let sought = sought.at(row)?;
        let (Some(text), Some(sought)) = (text.at(row), sought.chars().next()) else {
            return Some(0);
        };
        if sought.is_ascii() {
            return Some(text.bytes().filter(|b| *b == sought as u8).count() as i64);
        }
        Some(text.chars().filter(|c| *c == sought).count() as i64)
    })
}

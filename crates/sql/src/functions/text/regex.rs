//! Functions of Java regular expressions, and SIMILAR TO.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::{Int, Text};
use crate::functions::returns;

use super::edit::chars;
use super::java_regex::Patterns;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("regexp", &[("string", Text), ("regex", Text)], returns::boolean, regexp),
    Spec::new(
        "regexp_extract",
        &[("string", Text), ("regex", Text), ("group", Int)],
        returns::text,
        extract,
    )
    .required(2),
    Spec::new(
        "regexp_extract_all",
        &[("string", Text), ("regex", Text), ("group", Int)],
        returns::texts,
        extract_all,
    )
    .required(2),
    Spec::new(
        "regexp_replace",
        &[("string", Text), ("regex", Text), ("replacement", Text)],
        returns::text,
        replace,
    ),
    Spec::new("regexp_count", &[("string", Text), ("regex", Text)], returns::int, count),
    Spec::new("regexp_instr", &[("string", Text), ("regex", Text)], returns::int, instr),
    Spec::new("regexp_substr", &[("string", Text), ("regex", Text)], returns::text, substr),
    Spec::new(
        "similar_to",
        &[("string", Text), ("pattern", Text), ("escape", Text)],
        returns::boolean,
        similar_to,
    )
    .required(2),
];

fn regexp(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, regex) = (call.texts(0)?, call.texts(1)?);
    let mut patterns = Patterns::new(call);
    call.try_bools(|row| {
        let (text, regex) = (text.at(row)?, regex.at(row)?);
        if regex.is_empty() {
            return Some(Ok(false));
        }
        Some(patterns.get(regex).map(|pattern| pattern.find(text).is_some()))
    })
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, regex) = (call.texts(0)?, call.texts(1)?);
    let group = if call.has(2) { Some(call.ints(2)?) } else { None };
    let mut patterns = Patterns::new(call);
    call.try_texts(|row| {
        let (text, regex) = (text.at(row)?, regex.at(row)?);
        let group = group.as_ref().map_or(Some(0), |group| group.at(row))?;
        match patterns.get(regex) {
            // a group that there is not is NULL, as in Flink
            Ok(pattern) => pattern.group(text, usize::try_from(group).ok()?).map(Ok),
            Err(error) => Some(Err(error)),
        }
    })
}

fn extract_all(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, regex) = (call.texts(0)?, call.texts(1)?);
    let group = if call.has(2) { Some(call.ints(2)?) } else { None };
    let mut patterns = Patterns::new(call);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let group = group.as_ref().map_or(Some(1), |group| group.at(row));
        let (Some(text), Some(regex), Some(group)) = (text.at(row), regex.at(row), group) else {
            lists.append_null();
            continue;
        };
        let pattern = patterns.get(regex)?;
        match usize::try_from(group) {
            Ok(group) if group <= pattern.groups() => {
                for found in pattern.group_all(text, group) {
                    lists.values().append_option(found);
                }
                lists.append(true);
            }
            _ => lists.append_null(),
        }
    }
    Ok(Arc::new(lists.finish()))
}

fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, regex, by) = (call.texts(0)?, call.texts(1)?, call.texts(2)?);
    let mut patterns = Patterns::new(call);
    call.try_texts(|row| {
        let (text, regex, by) = (text.at(row)?, regex.at(row)?, by.at(row)?);
        let pattern = match patterns.get(regex) {
            Ok(pattern) => pattern,
            Err(error) => return Some(Err(error)),
        };
        let mut replaced = String::with_capacity(text.len());
        let mut from = 0;
        for found in pattern.find_all(text) {
            replaced.push_str(&text[from..found.start]);
            // the replacement is literal: no $1
            replaced.push_str(by);
            from = found.end;
        }
        replaced.push_str(&text[from..]);
        Some(Ok(replaced))
    })
}

fn count(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, regex) = (call.texts(0)?, call.texts(1)?);
    let mut patterns = Patterns::new(call);
    call.try_values::<Int32Type>(|row| {
        let (text, regex) = (text.at(row)?, regex.at(row)?);
        Some(patterns.get(regex).map(|pattern| pattern.find_all(text).count() as i32))
    })
}

fn instr(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, regex) = (call.texts(0)?, call.texts(1)?);
    let mut patterns = Patterns::new(call);
    call.try_values::<Int32Type>(|row| {
        let (text, regex) = (text.at(row)?, regex.at(row)?);
        let found = patterns.get(regex).map(|pattern| pattern.find(text));
        Some(found.map(|f| f.map_or(0, |f| chars(&text[..f.start]) as i32 + 1)))
    })
}

fn substr(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, regex) = (call.texts(0)?, call.texts(1)?);
    let mut patterns = Patterns::new(call);
    call.try_texts(|row| {
        let (text, regex) = (text.at(row)?, regex.at(row)?);
        match patterns.get(regex) {
            Ok(pattern) => pattern.group(text, 0).map(Ok),
            Err(error) => Some(Err(error)),
        }
    })
}

/// SQL's regular expression as Java's: `%` and `_` are wildcards, the whole string must match.
fn from_similar(pattern: &str, escape: Option<char>) -> String {
    let mut regex = String::from("(?s)^(?:");
    let mut chars = pattern.chars();
    let mut bracket = false;
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                if let Some(c) = chars.next() {
                    regex.push_str(&fancy_regex::escape(c.encode_utf8(&mut [0; 4])));
                }
            }
            '%' if !bracket => regex.push_str(".*"),
            '_' if !bracket => regex.push('.'),
            '[' | ']' => {
                bracket = c == '[';
                regex.push(c);
            }
            '.' | '\\' | '^' | '$' if !bracket => regex.extend(['\\', c]),
            '\\' => regex.push_str(r"\\"),
            c => regex.push(c),
        }
    }
    regex.push_str(")$");
    regex
}

fn similar_to(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, similar) = (call.texts(0)?, call.texts(1)?);
    let escape =
        if call.has(2) { call.texts(2)?.at(0).and_then(|e| e.chars().next()) } else { None };
    let mut patterns = Patterns::new(call);
    call.try_bools(|row| {
        let (text, similar) = (text.at(row)?, similar.at(row)?);
        let pattern = patterns.get(&from_similar(similar, escape));
        Some(pattern.map(|pattern| pattern.find(text).is_some()))
    })
}

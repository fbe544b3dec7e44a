//! Debezium's JSON: each record says how a table changed.
//!
//! Read: `c` and `r` insert `after`, `u` takes `before` back and adds `after`, `d` takes `before`
//! back. Written, as Flink does it: rows that are added are `c`, rows that are taken back are `d`.

use headwater_core::RowKind;

use super::column::Columns;
use super::json::Json;
use super::json::decode::Decoder;
use super::json::encode;
use super::json::parser::{Kind, Parser, utf8};
use crate::connectors::options::{OptionKind, OptionSpec, Options};
use crate::rows::kind_code;

/// The options of Debezium's JSON.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "debezium-json.schema-include",
        OptionKind::Boolean,
        "records have their schema in front: {\"schema\": …, \"payload\": …}",
    )
    .or("false"),
    OptionSpec::new(
        "debezium-json.ignore-parse-errors",
        OptionKind::Boolean,
        "makes fields that cannot be read null",
    )
    .or("false"),
    OptionSpec::new(
        "debezium-json.timestamp-format.standard",
        OptionKind::Choice(&["sql", "iso-8601"]),
        "how timestamps are written: 2020-12-30 12:13:14.123 or with a T; both are read",
    )
    .or("sql"),
    OptionSpec::new(
        "debezium-json.encode.ignore-null-fields",
        OptionKind::Boolean,
        "writes no fields that are null",
    )
    .or("false"),
    OptionSpec::new(
        "debezium-json.encode.decimal-as-plain-number",
        OptionKind::Boolean,
        "writes decimals without an exponent; always so",
    )
    .or("true"),
];

/// What a table says about its Debezium JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debezium {
    schema_include: bool,
    /// How rows are written.
    pub json: Json,
}

/// Where the parts of a record are.
#[derive(Default)]
struct Parts<'a> {
    before: Option<Parser<'a>>,
    after: Option<Parser<'a>>,
    op: Option<String>,
}

impl Debezium {
    /// Reads the options.
    pub fn of(options: &Options<'_>, prefix: &str) -> Debezium {
        Debezium {
            schema_include: options.is_true(&format!("{prefix}debezium-json.schema-include")),
            json: Json::of(options, prefix, "debezium-json"),
        }
    }

    /// Reads a record into columns and the kinds of their rows; a tombstone is no row.
    ///
    /// # Errors
    /// Why the record cannot be read; columns and kinds are as they were.
    pub fn read(
        &self,
        record: &[u8],
        columns: &mut Columns,
        kinds: &mut Vec<u8>,
    ) -> Result<(), String> {
        let text = utf8(record)?;
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        let rows = columns.len();
        let read = self.changes(text, columns, kinds);
        if read.is_err() {
            columns.truncate(rows);
            kinds.truncate(rows);
        }
        read
    }

    fn changes(
        &self,
        text: &str,
        columns: &mut Columns,
        kinds: &mut Vec<u8>,
    ) -> Result<(), String> {
        let mut scratch = String::new();
        let mut parser = Parser::new(text);
        let parts = if self.schema_include {
            let mut payload = None;
            each_field(&mut parser, &mut scratch, |key, value| {
                if key == "payload" {
                    payload = Some(value);
                }
            })?;
            let mut payload = payload.ok_or("there is no `payload`; is schema-include right?")?;
            parts(&mut payload, &mut scratch)?
        } else {
            parts(&mut parser, &mut scratch)?
        };
        if !parser.is_at_end() {
            return Err(format!(
                "something follows the object at column {}",
                parser.position() + 1
            ));
        }
        let Parts { before, after, op } = parts;
        let missing = |part: &str, op: &str| {
            let full = "; the database must tell whole rows (REPLICA IDENTITY FULL)";
            let hint = if part == "before" { full } else { "" };
            format!("there is no `{part}`, which op '{op}' needs{hint}")
        };
        match op.as_deref() {
            Some(op @ ("c" | "r")) => {
                self.row(after.ok_or_else(|| missing("after", op))?, columns)?;
                kinds.push(kind_code(RowKind::Insert));
            }
            Some(op @ "u") => {
                self.row(before.ok_or_else(|| missing("before", op))?, columns)?;
                kinds.push(kind_code(RowKind::UpdateBefore));
                self.row(after.ok_or_else(|| missing("after", op))?, columns)?;
                kinds.push(kind_code(RowKind::UpdateAfter));
            }
            Some(op @ "d") => {
                self.row(before.ok_or_else(|| missing("before", op))?, columns)?;
                kinds.push(kind_code(RowKind::Delete));
            }
            Some(other) => return Err(format!("op '{other}' is none of c, r, u and d")),
            None => return Err("there is no `op`; is it a record of Debezium?".into()),
        }
        Ok(())
    }

    fn row(&self, mut at: Parser<'_>, columns: &mut Columns) -> Result<(), String> {
        let row = columns.len();
        let mut decoder = Decoder { options: &self.json, scratch: String::new() };
        decoder.object(&mut at, &mut columns.columns, row)?;
        columns.row_done();
        Ok(())
    }

    /// Writes a row with its kind.
    pub fn write(&self, rows: &encode::Rows<'_>, row: usize, kind: RowKind, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"before\":");
        if kind.adds() {
            out.extend_from_slice(b"null,\"after\":");
            rows.write(row, out);
            out.extend_from_slice(b",\"op\":\"c\"}");
        } else {
            rows.write(row, out);
            out.extend_from_slice(b",\"after\":null,\"op\":\"d\"}");
        }
    }
}

/// Finds the parts of a record without reading rows.
fn parts<'a>(parser: &mut Parser<'a>, scratch: &mut String) -> Result<Parts<'a>, String> {
    let mut parts = Parts::default();
    let object = |mut value: Parser<'a>| match value.value() {
        Ok(Kind::Object) => Some(value),
        _ => None,
    };
    each_field(parser, scratch, |key, value| match key {
        "before" => parts.before = object(value),
        "after" => parts.after = object(value),
        "op" => {
            let mut value = value;
            if value.value() == Ok(Kind::Text) {
                parts.op = value.string(&mut String::new()).ok().map(str::to_owned);
            }
        }
        _ => {}
    })?;
    Ok(parts)
}

/// Passes an object and shows its fields, each with a parser at the field's value.
fn each_field<'a>(
    parser: &mut Parser<'a>,
    scratch: &mut String,
    mut show: impl FnMut(&str, Parser<'a>),
) -> Result<(), String> {
    if parser.value()? != Kind::Object {
        return Err(format!("expected an object at column {}", parser.position() + 1));
    }
    parser.enter()?;
    let mut first = true;
    while let Some(key) = parser.key(first, scratch, str::to_owned)? {
        first = false;
        parser.blanks();
        let value = parser.clone();
        parser.skip(scratch)?;
        show(&key, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

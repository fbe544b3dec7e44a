//! JSON: one object per record.
//!
//! [`decode`] reads an object right into columns with a parser of its own ([`parser`]), because
//! decimals must be exact and a bad record must leave nothing behind; [`encode`] writes rows.
//! Conversions are Flink's: a number may stand in quotes, a text may be a number or a whole value.

use datafusion::arrow::datatypes::SchemaRef;

use super::column::Columns;
use super::text::TimestampStandard;
use crate::connectors::options::{OptionKind, OptionSpec, Options};

pub mod decode;
pub mod encode;
pub mod parser;

/// The options of JSON.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "json.fail-on-missing-field",
        OptionKind::Boolean,
        "refuses records that lack a field, which otherwise is null",
    )
    .or("false"),
    OptionSpec::new(
        "json.ignore-parse-errors",
        OptionKind::Boolean,
        "makes fields that cannot be read null, and leaves out records that are no JSON",
    )
    .or("false"),
    OptionSpec::new(
        "json.timestamp-format.standard",
        OptionKind::Choice(&["sql", "iso-8601"]),
        "how timestamps are written: 2020-12-30 12:13:14.123 or with a T; both are read",
    )
    .or("sql"),
    OptionSpec::new(
        "json.encode.ignore-null-fields",
        OptionKind::Boolean,
        "writes no fields that are null",
    )
    .or("false"),
    OptionSpec::new(
        "json.encode.decimal-as-plain-number",
        OptionKind::Boolean,
        "writes decimals without an exponent; always so",
    )
    .or("true"),
    OptionSpec::new(
        "json.map-null-key.mode",
        OptionKind::Choice(&["fail", "drop", "literal"]),
        "what to do with null keys of maps; without effect, as there are none",
    )
    .or("fail"),
    OptionSpec::new(
        "json.map-null-key.literal",
        OptionKind::Text,
        "what null keys of maps are written as; without effect, as there are none",
    )
    .or("null"),
];

/// What a table says about its JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json {
    /// A missing field is an error, not null.
    pub fail_on_missing_field: bool,
    /// A field that cannot be read is null.
    pub ignore_parse_errors: bool,
    /// How timestamps are written.
    pub timestamps: TimestampStandard,
    /// Null fields are not written.
    pub ignore_null_fields: bool,
    /// Dates, times and timestamps are numbers of their units, as other formats have them.
    pub numeric: bool,
}

impl Json {
    /// Reads the options whose keys begin with `name`, such as `json`.
    pub fn of(options: &Options<'_>, prefix: &str, name: &str) -> Json {
        let is = |key: &str| options.is_true(&format!("{prefix}{name}.{key}"));
        Json {
            fail_on_missing_field: is("fail-on-missing-field"),
            ignore_parse_errors: is("ignore-parse-errors"),
            timestamps: standard(options, &format!("{prefix}{name}.timestamp-format.standard")),
            ignore_null_fields: is("encode.ignore-null-fields"),
            numeric: false,
        }
    }

    /// Reads an object into columns; a record of blanks is no row.
    ///
    /// # Errors
    /// Why the record cannot be read; the columns are as they were.
    pub fn read(&self, record: &[u8], columns: &mut Columns) -> Result<(), String> {
        decode::record(self, record, columns)
    }
}

/// The value of an option that says how timestamps are written.
pub(super) fn standard(options: &Options<'_>, key: &str) -> TimestampStandard {
    match options.choice(key).as_deref() {
        Some("iso-8601") => TimestampStandard::Iso8601,
        _ => TimestampStandard::Sql,
    }
}

/// Whether JSON can carry these columns; otherwise the column that it can't.
pub(super) fn check(
    schema: &SchemaRef,
) -> Result<(), (String, datafusion::arrow::datatypes::DataType)> {
    Columns::new(schema).map(drop)
}

#[cfg(test)]
mod tests;

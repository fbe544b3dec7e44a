//! Bytes to columns and back: what the records of a table look like.
//!
//! A [`Format`] is what a table says by `'format' = …` and the format's options. A [`Decoder`] puts
//! record after record into columns; a record it cannot read leaves nothing behind. An [`Encoder`]
//! writes the rows of a batch. Formats know nothing of files or topics.
//!
//! Reading order: [`column`](mod@column) → [`json`] → [`debezium`] → [`csv`] → [`cells`].
//!
//! What they do not do: Avro object container files; Avro and Protobuf through a schema registry.

use datafusion::arrow::array::{RecordBatch, UInt8Array};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use headwater_core::{Error, Result, RowKind};

use crate::connectors::options::{OptionKind, OptionSpec, Options};
use crate::error::{SqlError, SqlResult, codes};
use crate::rows::{Chunk, kind_code};

pub mod bridge;
pub mod cells;
pub mod column;
pub mod csv;
pub mod debezium;
pub mod json;
pub mod raw;
pub mod text;

use bridge::Bridge;
use cells::Cells;
use column::Columns;
use csv::{Csv, CsvReader};
use debezium::Debezium;
use json::Json;
use raw::Raw;

/// The names of all formats.
pub const NAMES: &[&str] = &["json", "csv", "avro", "protobuf", "parquet", "raw", "debezium-json"];

/// What the records of a table look like.
#[derive(Clone, Debug)]
pub enum Format {
    /// One JSON object per record.
    Json(Json),
    /// CSV.
    Csv(Csv),
    /// The record is the column.
    Raw(Raw),
    /// Debezium's change events.
    Debezium(Debezium),
    /// Avro and Protobuf, by way of JSON.
    Bridge(Bridge),
    /// Columns in files; not of single records.
    Parquet,
}

/// The options of all formats, for connectors whose format options have these prefixes.
pub fn options(prefixes: &[&'static str]) -> Vec<OptionSpec> {
    let all = [json::OPTIONS, csv::OPTIONS, raw::OPTIONS, debezium::OPTIONS, bridge::OPTIONS];
    let mut specs = Vec::new();
    for prefix in prefixes {
        for spec in all.iter().copied().flatten() {
            match prefix.is_empty() {
                true => specs.push(*spec),
                false => specs.extend(with_prefix(prefix, spec)),
            }
        }
    }
    specs
}

/// The option with a prefix in front of its key, `#` standing for the rest of the name.
fn with_prefix(prefix: &str, spec: &OptionSpec) -> Option<OptionSpec> {
    let found = PREFIXED.iter().find(|(p, key, _)| *p == prefix && *key == spec.key);
    found.map(|(_, _, key)| OptionSpec { key, ..*spec })
}

macro_rules! prefixed {
    ($($key:literal),* $(,)?) => {
        /// Keys of format options with the prefixes that Kafka tables use.
        const PREFIXED: &[(&str, &str, &str)] = &[
            $(("key.", $key, concat!("key.", $key)), ("value.", $key, concat!("value.", $key))),*
        ];
    };
}

prefixed![
    "json.fail-on-missing-field",
    "json.ignore-parse-errors",
    "json.timestamp-format.standard",
    "json.encode.ignore-null-fields",
    "json.encode.decimal-as-plain-number",
    "json.map-null-key.mode",
    "json.map-null-key.literal",
    "csv.field-delimiter",
    "csv.quote-character",
    "csv.disable-quote-character",
    "csv.escape-character",
    "csv.null-literal",
    "csv.array-element-delimiter",
    "csv.ignore-parse-errors",
    "raw.charset",
    "raw.endianness",
    "debezium-json.schema-include",
    "debezium-json.ignore-parse-errors",
    "debezium-json.timestamp-format.standard",
    "debezium-json.encode.ignore-null-fields",
    "protobuf.schema-file",
    "protobuf.message-name",
];

/// The option that says the format of a table.
pub const FORMAT: OptionSpec = OptionSpec::new(
    "format",
    OptionKind::Text,
    "what records look like: json, csv, avro, protobuf, parquet, raw or debezium-json",
);

impl Format {
    /// The format that the option `key` names, with its options behind `prefix`, for records with
    /// these columns.
    ///
    /// # Errors
    /// An unknown format, an option it cannot have, or a column it cannot carry.
    pub fn of(
        options: &Options<'_>,
        key: &str,
        prefix: &str,
        record: &SchemaRef,
    ) -> SqlResult<Format> {
        let Some(name) = options.text(key) else {
            return Err(options.missing(key, "which says what its records look like"));
        };
        let refuse = |(column, found): (String, DataType)| {
            let message = format!(
                "format '{name}' can't carry column `{column}` of type {}",
                crate::catalog::type_name(&found)
            );
            options.table().value_error(key, codes::BAD_SCHEMA, message)
        };
        Ok(match name {
            "json" => {
                json::check(record).map_err(refuse)?;
                Format::Json(Json::of(options, prefix, "json"))
            }
            "csv" => {
                Csv::check(record).map_err(refuse)?;
                Format::Csv(Csv::of(options, prefix))
            }
            "raw" if Raw::carries(record) => Format::Raw(Raw::of(options, prefix)),
            "raw" => {
                let message = "format 'raw' carries exactly one column, of text, bytes, BOOLEAN or \
                               a number";
                return Err(options.table().value_error(key, codes::BAD_SCHEMA, message));
            }
            "debezium-json" => {
                json::check(record).map_err(refuse)?;
                Format::Debezium(Debezium::of(options, prefix))
            }
            "parquet" => Format::Parquet,
            "avro" => {
                json::check(record).map_err(refuse)?;
                Format::Bridge(Bridge::avro(record).map_err(refuse)?)
            }
            "protobuf" => {
                json::check(record).map_err(refuse)?;
                Format::Bridge(Bridge::protobuf(options, prefix)?)
            }
            "avro-confluent" | "protobuf-confluent" | "orc" | "canal-json" | "maxwell-json"
            | "ogg-json" => return Err(SqlError::unsupported(format!("format '{name}'"))),
            other => {
                let message = format!("there is no format '{other}'");
                let error = options.table().value_error(key, codes::UNKNOWN_FORMAT, message);
                return Err(error.names(other, "formats", NAMES.iter().copied()));
            }
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Json(_) => "json",
            Format::Csv(_) => "csv",
            Format::Raw(_) => "raw",
            Format::Debezium(_) => "debezium-json",
            Format::Bridge(bridge) => bridge.name(),
            Format::Parquet => "parquet",
        }
    }

    /// Whether its records say what happens to rows.
    pub fn is_changelog(&self) -> bool {
        matches!(self, Format::Debezium(_))
    }

    /// Whether records that cannot be read are to be left out, as the table says.
    pub fn leaves_out_bad_records(&self) -> bool {
        match self {
            Format::Json(json) => json.ignore_parse_errors,
            Format::Debezium(debezium) => debezium.json.ignore_parse_errors,
            _ => false,
        }
    }

    /// A decoder of records with the columns `record`, of which `wanted` are given.
    ///
    /// # Errors
    /// Our bug: the format was not made for such columns.
    pub fn decoder(&self, record: &SchemaRef, wanted: &SchemaRef) -> Result<Decoder> {
        let columns = Columns::new(wanted).map_err(|(column, found)| {
            Error::internal(format!("column {column} of type {found} was not refused"))
        })?;
        let reading = match self {
            Format::Json(json) => Reading::Json(*json),
            Format::Csv(csv) => Reading::Csv(CsvReader::new(csv.clone(), record, &columns)),
            Format::Raw(raw) => Reading::Raw(*raw),
            Format::Debezium(debezium) => Reading::Debezium(*debezium),
            Format::Bridge(bridge) => Reading::Bridge(bridge.clone()),
            Format::Parquet => {
                return Err(Error::internal("parquet has no records of its own"));
            }
        };
        Ok(Decoder { reading, columns, kinds: Vec::new() })
    }

    /// Makes an encoder of the rows of a batch.
    ///
    /// # Errors
    /// A column that the format cannot carry.
    pub fn encoder<'a>(&'a self, chunk: &'a Chunk) -> Result<Encoder<'a>> {
        let refuse = |(column, found): (String, DataType)| {
            Error::data(format!("{} can't carry column {column} of type {found}", self.name()))
        };
        let rows = match self {
            Format::Json(json) => {
                Writing::Json(json::encode::Rows::new(*json, &chunk.data).map_err(refuse)?)
            }
            Format::Csv(csv) => Writing::Csv(csv::Rows::new(csv, &chunk.data).map_err(refuse)?),
            Format::Raw(raw) => {
                let column = chunk.data.columns().first();
                let column = column.ok_or_else(|| Error::internal("raw: there is no column"))?;
                let cells = Cells::new(column).map_err(|found| refuse(("0".into(), found)))?;
                Writing::Raw(*raw, cells)
            }
            Format::Debezium(debezium) => {
                let rows = json::encode::Rows::new(debezium.json, &chunk.data).map_err(refuse)?;
                Writing::Debezium(*debezium, rows)
            }
            Format::Bridge(bridge) => {
                let rows = json::encode::Rows::new(bridge.json(), &chunk.data).map_err(refuse)?;
                Writing::Bridge(bridge, rows)
            }
            Format::Parquet => {
                return Err(Error::internal("parquet has no records of its own"));
            }
        };
        Ok(Encoder { rows, chunk })
    }
}

/// Puts records into columns.
pub struct Decoder {
    reading: Reading,
    columns: Columns,
    /// For changelogs, the kind of each row.
    kinds: Vec<u8>,
}

#[expect(clippy::large_enum_variant, reason = "there is one per reader")]
enum Reading {
    Json(Json),
    Csv(CsvReader),
    Raw(Raw),
    Debezium(Debezium),
    Bridge(Bridge),
}

impl Decoder {
    /// Adds the rows of a record: one, or none or two for changelogs.
    ///
    /// # Errors
    /// Why the record cannot be read, in words; it has left no row.
    pub fn decode(&mut self, record: &[u8]) -> Result<(), String> {
        let before = self.columns.len();
        self.read(record)?;
        match self.columns.misplaced_null(before).map(str::to_owned) {
            None => Ok(()),
            Some(name) => {
                self.truncate(before);
                Err(format!("column `{name}` is null, but declared NOT NULL"))
            }
        }
    }

    fn read(&mut self, record: &[u8]) -> Result<(), String> {
        match &mut self.reading {
            Reading::Json(json) => json.read(record, &mut self.columns),
            Reading::Csv(csv) => csv.read(record, &mut self.columns),
            Reading::Raw(raw) => raw.read(record, &mut self.columns),
            Reading::Debezium(debezium) => {
                debezium.read(record, &mut self.columns, &mut self.kinds)
            }
            Reading::Bridge(bridge) => bridge.read(record, &mut self.columns),
        }
    }

    /// Takes the names of fields from the first record of a file.
    ///
    /// # Errors
    /// Why it is no header.
    pub fn header(&mut self, record: &[u8]) -> Result<(), String> {
        match &mut self.reading {
            Reading::Csv(csv) => csv.header(record, &self.columns),
            _ => Ok(()),
        }
    }

    /// Number of rows so far.
    pub fn rows(&self) -> usize {
        self.columns.len()
    }

    /// Adds a row without values.
    pub fn push_nothing(&mut self) {
        self.columns.columns.iter_mut().for_each(column::Column::push_nothing);
        self.columns.row_done();
        if matches!(self.reading, Reading::Debezium(_)) {
            self.kinds.push(kind_code(RowKind::Insert));
        }
    }

    /// Takes the last rows back.
    pub fn truncate(&mut self, rows: usize) {
        self.columns.truncate(rows);
        self.kinds.truncate(rows);
    }

    /// Takes the rows out, with their kinds if the records say them.
    ///
    /// # Errors
    /// `Data`: a column that is NOT NULL is null.
    pub fn finish(&mut self) -> Result<(RecordBatch, Option<UInt8Array>)> {
        let changelog = matches!(self.reading, Reading::Debezium(_));
        let kinds = changelog.then(|| UInt8Array::from(std::mem::take(&mut self.kinds)));
        let data = self.columns.finish().map_err(|e| {
            Error::data("a record lacks a column that is NOT NULL")
                .because(e)
                .hint("declare the column without NOT NULL")
        })?;
        Ok((data, kinds))
    }
}

/// Writes the rows of a batch.
pub struct Encoder<'a> {
    rows: Writing<'a>,
    chunk: &'a Chunk,
}

enum Writing<'a> {
    Json(json::encode::Rows<'a>),
    Csv(csv::Rows<'a>),
    Raw(Raw, Cells<'a>),
    Debezium(Debezium, json::encode::Rows<'a>),
    Bridge(&'a Bridge, json::encode::Rows<'a>),
}

impl Encoder<'_> {
    /// Appends a row to `out`, without a line end.
    ///
    /// # Errors
    /// `Data`: the row cannot be such a record.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match &self.rows {
            Writing::Json(rows) => rows.write(row, out),
            Writing::Csv(rows) => rows.write(row, out),
            Writing::Raw(raw, cells) => raw.write(cells, row, out),
            Writing::Debezium(debezium, rows) => {
                debezium.write(rows, row, self.chunk.kind(row), out);
            }
            Writing::Bridge(bridge, rows) => bridge.write(rows, row, out)?,
        }
        Ok(())
    }

    /// What the row does.
    pub fn kind(&self, row: usize) -> RowKind {
        self.chunk.kind(row)
    }
}

//! CSV (RFC 4180) with Flink's options: one row per record, fields in the columns' order.
//!
//! Null is the null literal if one is set; an empty field of a column that is no text is null too.
//! Arrays and rows within a field are separated by the array element delimiter; maps have no form.
//!
//! With `csv.header` the first record of a file names its fields, which are then found by name.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};

use super::cells::{Cells, Values};
use super::column::{Column, Columns, Data};
use super::json::encode::range;
use super::text::write_base64;
use crate::connectors::options::{OptionKind, OptionSpec, Options};

/// The options of CSV.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "csv.header",
        OptionKind::Boolean,
        "the first record of a file names its fields",
    )
    .or("false"),
    OptionSpec::new("csv.field-delimiter", OptionKind::Character, "what separates fields").or(","),
    OptionSpec::new("csv.quote-character", OptionKind::Character, "what goes around fields")
        .or("\""),
    OptionSpec::new("csv.disable-quote-character", OptionKind::Boolean, "there are no quotes")
        .or("false"),
    OptionSpec::new(
        "csv.escape-character",
        OptionKind::Character,
        "what goes before a quote within quotes; not set: quotes are doubled",
    ),
    OptionSpec::new("csv.null-literal", OptionKind::Text, "a field that stands for null"),
    OptionSpec::new(
        "csv.array-element-delimiter",
        OptionKind::Character,
        "what separates the items of arrays and rows within a field",
    )
    .or(";"),
    OptionSpec::new(
        "csv.allow-comments",
        OptionKind::Boolean,
        "lines that begin with # are no records",
    )
    .or("false"),
    OptionSpec::new(
        "csv.ignore-parse-errors",
        OptionKind::Boolean,
        "makes fields that cannot be read null",
    )
    .or("false"),
    OptionSpec::new(
        "csv.write-bigdecimal-in-scientific-notation",
        OptionKind::Boolean,
        "without effect: decimals are written without an exponent",
    )
    .or("true"),
];

/// What a table says about its CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    /// The first record of a file names its fields.
    pub header: bool,
    /// What separates fields.
    pub delimiter: u8,
    /// What goes around fields.
    pub quote: Option<u8>,
    /// What goes before a quote; none: it is doubled.
    pub escape: Option<u8>,
    /// What a comment begins with.
    pub comment: Option<u8>,
    null: Option<String>,
    items: char,
    ignore_parse_errors: bool,
}

impl Csv {
    /// Reads the options.
    pub fn of(options: &Options<'_>, prefix: &str) -> Csv {
        let key = |key: &str| format!("{prefix}csv.{key}");
        let character = |name: &str| options.character(&key(name));
        let quoted = !options.is_true(&key("disable-quote-character"));
        Csv {
            header: options.is_true(&key("header")),
            delimiter: character("field-delimiter").unwrap_or(b','),
            quote: character("quote-character").filter(|_| quoted),
            escape: character("escape-character"),
            comment: options.is_true(&key("allow-comments")).then_some(b'#'),
            null: options.text(&key("null-literal")).map(str::to_owned),
            items: character("array-element-delimiter").map_or(';', char::from),
            ignore_parse_errors: options.is_true(&key("ignore-parse-errors")),
        }
    }

    /// Whether CSV can carry these columns; otherwise the column that it can't.
    pub fn check(schema: &SchemaRef) -> Result<(), (String, DataType)> {
        let scalar = |field: &FieldRef| {
            !matches!(
                field.data_type(),
                DataType::Struct(_) | DataType::List(_) | DataType::Map(_, _)
            )
        };
        for field in schema.fields() {
            let fits = match field.data_type() {
                DataType::Struct(fields) => fields.iter().all(scalar),
                DataType::List(item) => scalar(item),
                _ => scalar(field),
            };
            if !fits {
                return Err((field.name().clone(), field.data_type().clone()));
            }
        }
        Columns::new(schema).map(drop)
    }

    fn machine(&self) -> Reader {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.delimiter).escape(self.escape).comment(self.comment);
        builder.double_quote(self.escape.is_none());
        match self.quote {
            Some(quote) => builder.quote(quote).quoting(true),
            None => builder.quoting(false),
        };
        builder.build()
    }
}

/// Reads records of CSV.
pub struct CsvReader {
    csv: Csv,
    machine: Reader,
    /// For each field of a record the column that it goes to.
    targets: Vec<Option<usize>>,
    /// All fields of a record in their order, for names within rows.
    record: SchemaRef,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl CsvReader {
    /// A reader of records with the fields of `record`, of which `columns` are wanted.
    pub fn new(csv: Csv, record: &SchemaRef, columns: &Columns) -> CsvReader {
        let names: Vec<&str> = record.fields().iter().map(|f| f.name().as_str()).collect();
        let targets = targets(&names, columns);
        let record = std::sync::Arc::clone(record);
        let machine = csv.machine();
        CsvReader { csv, machine, targets, record, text: vec![0; 256], ends: vec![0; 32] }
    }

    /// Takes the names of fields from a header.
    ///
    /// # Errors
    /// A wanted column is not among them.
    pub fn header(&mut self, header: &[u8], columns: &Columns) -> Result<(), String> {
        let fields = self.split(header);
        let text = String::from_utf8_lossy(&self.text[..self.ends_at(fields)]).into_owned();
        let mut start = 0;
        let mut names: Vec<&str> = Vec::with_capacity(fields);
        for &end in &self.ends[..fields] {
            names.push(
                text.get(start..end).unwrap_or_default().trim().trim_start_matches('\u{feff}'),
            );
            start = end;
        }
        self.targets = targets(&names, columns);
        let schema = columns.schema();
        match (0..schema.fields().len()).find(|i| !self.targets.contains(&Some(*i))) {
            Some(missing) => Err(format!(
                "the header has no field `{}`; fields are {}",
                schema.field(missing).name(),
                names.join(", ")
            )),
            None => Ok(()),
        }
    }

    fn ends_at(&self, fields: usize) -> usize {
        fields.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// Splits a record; gives its number of fields, which are in `text`.
    fn split(&mut self, record: &[u8]) -> usize {
        self.machine.reset();
        let (mut taken, mut written, mut fields) = (0, 0, 0);
        loop {
            let (result, read, wrote, ends) = self.machine.read_record(
                &record[taken..],
                &mut self.text[written..],
                &mut self.ends[fields..],
            );
            taken += read;
            written += wrote;
            fields += ends;
            match result {
                // Empty input says that there is no more.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record | ReadRecordResult::End => return fields,
            }
        }
    }

    /// Reads a record into columns; one without fields is no row.
    ///
    /// # Errors
    /// Why the record cannot be read; the columns are as they were.
    pub fn read(&mut self, record: &[u8], columns: &mut Columns) -> Result<(), String> {
        let fields = self.split(record);
        if fields == 0 {
            return Ok(());
        }
        if fields != self.targets.len() {
            let s = if fields == 1 { "" } else { "s" };
            return Err(format!("{fields} field{s}, expected are {}", self.targets.len()));
        }
        let rows = columns.len();
        let read = self.fill(fields, columns, rows);
        match read {
            Ok(()) => columns.row_done(),
            Err(_) => columns.truncate(rows),
        }
        read
    }

    fn fill(&self, fields: usize, columns: &mut Columns, row: usize) -> Result<(), String> {
        let text = std::str::from_utf8(&self.text[..self.ends_at(fields)])
            .map_err(|_| "not UTF-8".to_owned())?;
        let mut start = 0;
        for (index, &end) in self.ends[..fields].iter().enumerate() {
            let field = text.get(start..end).ok_or("not UTF-8")?;
            start = end;
            let Some(target) = self.targets[index] else { continue };
            let Some(column) = columns.columns.get_mut(target) else { continue };
            if let Err(reason) = self.push(field, column) {
                if !self.csv.ignore_parse_errors {
                    return Err(format!("field `{}`: {reason}", column.name()));
                }
                column.truncate(row);
                column.push_null();
            }
        }
        Ok(())
    }

    fn push(&self, field: &str, column: &mut Column) -> Result<(), String> {
        if self.is_null(field, column) {
            column.push_null();
            return Ok(());
        }
        let name = column.name().to_owned();
        match &mut column.data {
            Data::List { ends, items } => {
                for item in field.split(self.csv.items).filter(|_| !field.is_empty()) {
                    self.push(item, items)?;
                }
                ends.push(i32::try_from(items.len()).map_err(|_| "too many items".to_owned())?);
                column.pushed();
                Ok(())
            }
            Data::Row(columns) => {
                let parts: Vec<&str> = field.split(self.csv.items).collect();
                for column in columns.iter_mut() {
                    let place = place_in_row(&self.record, &name, column.name());
                    match place.and_then(|place| parts.get(place)) {
                        Some(part) => self.push(part, column)?,
                        None => column.push_null(),
                    }
                }
                column.pushed();
                Ok(())
            }
            _ => column.push_text(field),
        }
    }

    fn is_null(&self, field: &str, column: &Column) -> bool {
        match &self.csv.null {
            Some(null) if null == field => true,
            _ => field.is_empty() && !matches!(column.data, Data::Text { .. } | Data::List { .. }),
        }
    }
}

fn targets(names: &[&str], columns: &Columns) -> Vec<Option<usize>> {
    let target = |name: &&str| columns.columns.iter().position(|column| column.name() == *name);
    names.iter().map(target).collect()
}

/// Where a field stands in a row, of which not all fields may be wanted.
fn place_in_row(record: &SchemaRef, row: &str, field: &str) -> Option<usize> {
    match record.field_with_name(row).ok()?.data_type() {
        DataType::Struct(fields) => fields.iter().position(|f| f.name() == field),
        _ => None,
    }
}

/// Writes rows of CSV.
pub struct Rows<'a> {
    csv: &'a Csv,
    columns: Vec<Cells<'a>>,
}

impl<'a> Rows<'a> {
    /// The rows of a batch.
    ///
    /// # Errors
    /// The name and type of a column that CSV cannot carry.
    pub fn new(
        csv: &'a Csv,
        data: &'a datafusion::arrow::array::RecordBatch,
    ) -> Result<Self, (String, DataType)> {
        let schema = data.schema_ref();
        let columns = schema.fields().iter().zip(data.columns());
        let columns = columns.map(|(f, c)| Cells::new(c).map_err(|t| (f.name().clone(), t)));
        Ok(Rows { csv, columns: columns.collect::<Result<_, _>>()? })
    }

    /// Writes a row, without a line end.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        for (i, cells) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push(self.csv.delimiter);
            }
            let from = out.len();
            self.cell(cells, row, out);
            self.quote_from(from, out);
        }
        if out.len() == start {
            // A blank line would be no record.
            out.extend_from_slice(b"\"\"");
        }
    }

    fn cell(&self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        if cells.is_null(row) {
            out.extend_from_slice(self.csv.null.as_deref().unwrap_or_default().as_bytes());
            return;
        }
        match &cells.values {
            // CSV has no form for it: no column is one.
            Values::Map(..) => {}
            Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Bytes(values) => write_base64(out, values.value(row)),
            Values::List(offsets, items) => {
                for (i, item) in range(offsets, row).enumerate() {
                    self.separate(i, out);
                    self.cell(items, item, out);
                }
            }
            Values::Row(columns) => {
                for (i, (_, cells)) in columns.iter().enumerate() {
                    self.separate(i, out);
                    self.cell(cells, row, out);
                }
            }
            _ => cells.write_scalar(row, out),
        }
    }

    fn separate(&self, item: usize, out: &mut Vec<u8>) {
        if item > 0 {
            let mut bytes = [0; 4];
            out.extend_from_slice(self.csv.items.encode_utf8(&mut bytes).as_bytes());
        }
    }

    /// Puts the field that was written from here on in quotes if it needs them.
    fn quote_from(&self, from: usize, out: &mut Vec<u8>) {
        let Some(quote) = self.csv.quote else { return };
        let field = &out[from..];
        let special = |b: &u8| {
            matches!(b, b'\n' | b'\r')
                || *b == quote
                || *b == self.csv.delimiter
                || Some(*b) == self.csv.escape
        };
        let comment = self.csv.comment.is_some() && field.first().copied() == self.csv.comment;
        if !comment && !field.iter().any(special) {
            return;
        }
        let field = out.split_off(from);
        out.push(quote);
        for byte in field {
            if byte == quote || Some(byte) == self.csv.escape {
                out.push(self.csv.escape.unwrap_or(quote));
            }
            out.push(byte);
        }
        out.push(quote);
    }

    /// Writes the names of the columns.
    pub fn header(csv: &Csv, schema: &SchemaRef, out: &mut Vec<u8>) {
        let rows = Rows { csv, columns: Vec::new() };
        for (i, field) in schema.fields().iter().enumerate() {
            if i > 0 {
                out.push(csv.delimiter);
            }
            let from = out.len();
            out.extend_from_slice(field.name().as_bytes());
            rows.quote_from(from, out);
        }
    }
}

#[cfg(test)]
mod tests;

//! CSV, one row a message, for any flat serde type.
//!
//! Rows are split by `csv-core`'s state machine and deserialized by `csv`. Messages carry no header
//! line: the names of the columns are given once, or fields are taken in order.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use csv::ByteRecord;
use csv_core::ReadRecordResult;
use headwater_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;

/// More fields than this are refused: their ends would take more memory than the row.
const MAX_FIELDS: usize = 1 << 16;

/// CSV rows of any flat serde type, separated by commas.
///
/// # Examples
/// ```
/// use headwater_formats::{self as formats, Deserializer};
///
/// #[derive(serde::Deserialize)]
/// struct Reading {
///     sensor: String,
///     value: f64,
/// }
///
/// let format = formats::csv::<Reading>().delimiter(b';').columns(["value", "sensor"]);
/// let reading = format.deserialize(b"21.5;\"cellar; left\"").unwrap();
/// assert_eq!((reading.sensor.as_str(), reading.value), ("cellar; left", 21.5));
/// ```
pub fn csv<T>() -> Csv<T> {
    Csv {
        limits: Limits::default(),
        delimiter: b',',
        machines: Mutex::default(),
        columns: None,
        names_match: OnceLock::new(),
        of: PhantomData,
    }
}

/// See [`csv()`].
#[derive(Debug)]
pub struct Csv<T> {
    limits: Limits,
    delimiter: u8,
    /// Built ones that nobody uses now: at most as many as there are threads. They are kept because
    /// building one takes longer than splitting a row (and a clone of one splits wrongly).
    machines: Mutex<Vec<csv_core::Reader>>,
    columns: Option<ByteRecord>,
    /// Whether the columns are the record's fields, known from the first record written.
    names_match: OnceLock<bool>,
    of: PhantomData<fn() -> T>,
}

impl<T> Csv<T> {
    /// Another delimiter than the comma: one ASCII character.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self.machines = Mutex::default();
        self
    }

    /// The names of the columns, in order.
    ///
    /// A row with another number of fields is refused. Records are written in the order of their
    /// fields, so for writing these must be their names in that order.
    pub fn columns<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let mut columns = ByteRecord::new();
        names.into_iter().for_each(|name| columns.push_field(name.as_ref().as_bytes()));
        self.columns = Some(columns);
        self
    }

    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn check(&self) -> Result<()> {
        let delimiter = self.delimiter;
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n') {
            let delimiter = delimiter.escape_ascii();
            let message = format!("csv: '{delimiter}' cannot separate fields");
            return Err(Error::config(message).hint("take an ASCII character other than a quote"));
        }
        Ok(())
    }

    fn machines(&self) -> MutexGuard<'_, Vec<csv_core::Reader>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fields of the only row in `bytes`.
    fn split(&self, bytes: &[u8]) -> Result<ByteRecord, Refused> {
        let spare = self.machines().pop();
        let mut machine = spare
            .unwrap_or_else(|| csv_core::ReaderBuilder::new().delimiter(self.delimiter).build());
        let row = split(&mut machine, bytes);
        self.machines().push(machine);
        row
    }

    fn explain(&self, e: &csv::Error) -> Refused {
        let csv::ErrorKind::Deserialize { err, .. } = e.kind() else {
            return Refused::new(format!("csv: {e}"));
        };
        let index = err.field().and_then(|i| usize::try_from(i).ok());
        let column = index.and_then(|i| self.columns.as_ref()?.get(i));
        Refused::new(match (index, column) {
            (_, Some(name)) => {
                format!("csv: column {:?}: {}", String::from_utf8_lossy(name), err.kind())
            }
            (Some(index), None) => format!("csv: field {}: {}", index + 1, err.kind()),
            (None, None) => format!("csv: {}", err.kind()),
        })
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<T> for Csv<T> {
    fn validate(&self) -> Result<()> {
        self.check()
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T, Refused> {
        self.limits.check("csv", bytes)?;
        let row = self.split(bytes)?;
        if let Some(columns) = &self.columns
            && row.len() != columns.len()
        {
            let (fields, columns) = (row.len(), columns.len());
            return Err(Refused::new(format!("csv: {fields} fields, {columns} columns")));
        }
        row.deserialize(self.columns.as_ref()).map_err(|e| self.explain(&e))
    }
}

impl<T: Serialize + 'static> Csv<T> {
    fn write(&self, value: &T, names: bool, out: &mut Vec<u8>) -> Result<()> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(names)
            .buffer_capacity(256)
            .from_writer(out);
        let written = writer.serialize(value).and_then(|()| Ok(writer.flush()?));
        written.map_err(|e| Error::data(format!("csv: {e}")))
    }

    /// Whether the names that `csv` would write above the row are the columns given.
    fn has_the_columns(&self, value: &T, columns: &ByteRecord) -> bool {
        let (mut with_names, mut row, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let rows = self
            .write(value, true, &mut with_names)
            .and_then(|()| self.write(value, false, &mut row));
        let mut writer =
            csv::WriterBuilder::new().delimiter(self.delimiter).from_writer(&mut names);
        let header = writer.write_byte_record(columns).is_ok() && writer.flush().is_ok();
        drop(writer);
        // Only structs have names.
        rows.is_ok() && header && (with_names == row || with_names == [names, row].concat())
    }
}

impl<T: Serialize + 'static> Serializer<T> for Csv<T> {
    fn validate(&self) -> Result<()> {
        self.check()
    }

    fn serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        if let Some(columns) = &self.columns
            && !self.names_match.get_or_init(|| self.has_the_columns(value, columns))
        {
            let names: Vec<_> = columns.iter().map(String::from_utf8_lossy).collect();
            let names = names.join(", ");
            return Err(Error::data(format!("csv: the record's fields are not: {names}"))
                .hint("give columns(..) the names of the fields in the order of the struct"));
        }
        self.write(value, false, out)?;
        // What ends a line does not belong to a message.
        out.pop_if(|byte| *byte == b'\n');
        Ok(())
    }
}

/// The fields of the only row in `bytes`.
fn split(machine: &mut csv_core::Reader, bytes: &[u8]) -> Result<ByteRecord, Refused> {
    machine.reset();
    // A machine that has seen a line end no longer takes a byte order mark for one: in a message it
    // belongs to the first field.
    machine.read_record(b"\n", &mut [0], &mut [0]);
    // No field is longer than its text, and a row of n bytes has no more than n + 1 fields.
    let mut text = vec![0; bytes.len()];
    let mut ends = vec![0; 32];
    let (mut input, mut written, mut fields) = (bytes, 0, 0);
    loop {
        let (result, read, text_len, ends_len) =
            machine.read_record(input, &mut text[written..], &mut ends[fields..]);
        input = &input[read..];
        written += text_len;
        fields += ends_len;
        match result {
            // Empty input is the end to the machine.
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputEndsFull if ends.len() >= MAX_FIELDS => {
                return Err(Refused::new(format!("csv: more than {MAX_FIELDS} fields")));
            }
            ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            ReadRecordResult::OutputFull => text.resize(text.len() * 2 + 1, 0),
            ReadRecordResult::Record => break,
            ReadRecordResult::End => return Err(Refused::new("csv: no row")),
        }
    }
    if !input.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        let end = bytes.len() - input.len();
        return Err(Refused::new(format!("csv: another row from byte {end} on")));
    }
    let mut row = ByteRecord::with_capacity(written, fields);
    let mut start = 0;
    for &end in &ends[..fields] {
        row.push_field(text.get(start..end).unwrap_or_default());
        start = end;
    }
    Ok(row)
}

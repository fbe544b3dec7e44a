//! CSV rows: found and split by `csv-core`'s state machine, deserialized by `csv`.
//!
//! The state machine is fed directly, because a row may span lines, its bytes are wanted when it is
//! refused, and its size must be bounded while it is being read. When a file is opened in its
//! middle, its header is read again from the front.
//!
//! A quote that is never closed makes the rest of the file one row, which is then refused for its
//! size or its number of fields.

use std::path::Path;

use csv::ByteRecord;
use csv_core::ReadRecordResult;
use headwater_connect::{Position, Reader};
use headwater_core::{Error, Record, Result};

use crate::source::ended::Ended;
use crate::source::text::{Decoded, Format, Frame, TextPosition, TextReader};
use crate::source::{SourceOptions, parse_position};

/// More fields than this are refused: their ends would take more memory than the row.
const MAX_FIELDS: usize = 1 << 16;

/// Opens a file of CSV rows.
pub(crate) fn open<T: Record>(
    options: &SourceOptions,
    path: &Path,
    position: Option<&Position>,
) -> Result<Box<dyn Reader<T>>> {
    let at: Option<TextPosition> = position.map(|p| parse_position(path, p)).transpose()?;
    if let (Some(TextPosition { end: true, .. }), Some(position)) = (at, position) {
        return Ok(Box::new(Ended(position.clone())));
    }
    let max = options.max_record_bytes;
    let mut reader =
        TextReader::open(path, TextPosition::default(), max, CsvRows::new(options.delimiter, max))?;
    if options.header {
        read_header::<T>(path, &mut reader)?;
    }
    if let Some(at) = at {
        let mut format = CsvRows::new(options.delimiter, max);
        format.header = reader.format.header.take();
        reader = TextReader::open(path, at, max, format)?;
    }
    Ok(Box::new(reader))
}

fn read_header<T: Record>(path: &Path, reader: &mut TextReader<CsvRows>) -> Result<()> {
    loop {
        reader.allow();
        match reader.frame::<T>()? {
            Frame::Record(bytes) => {
                let header = reader.format.fields().clone();
                reader.format.header = Some(header);
                reader.pass(bytes);
                return Ok(());
            }
            Frame::TooLong(bad) => {
                return Err(Error::connector(format!("header of file {path:?}: {}", bad.reason))
                    .hint("is it a CSV file? if it has no header, say .without_header()"));
            }
            Frame::Later => {}
            Frame::End => return Ok(()),
        }
    }
}

/// The CSV format, with what is known of the current row.
pub(crate) struct CsvRows {
    machine: csv_core::Reader,
    max_record_bytes: usize,
    header: Option<ByteRecord>,
    /// The row's fields, unquoted, one after the other.
    text: Vec<u8>,
    text_len: usize,
    /// Where each field ends in `text`.
    ends: Vec<usize>,
    fields: usize,
    too_many_fields: bool,
    complete: bool,
    /// The fields in the form that `csv` deserializes; kept for its memory.
    row: ByteRecord,
}

impl CsvRows {
    fn new(delimiter: u8, max_record_bytes: usize) -> Self {
        let machine = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Self::with(machine, max_record_bytes)
    }

    /// Splits rows by another dialect's machine.
    pub(crate) fn with(mut machine: csv_core::Reader, max_record_bytes: usize) -> Self {
        // A machine that has seen a line end no longer looks for a byte order mark.
        machine.read_record(b"\n", &mut [0], &mut [0]);
        CsvRows {
            machine,
            max_record_bytes,
            header: None,
            text: vec![0; 1 << 10],
            text_len: 0,
            ends: vec![0; 64],
            fields: 0,
            too_many_fields: false,
            complete: true,
            row: ByteRecord::new(),
        }
    }

    /// The fields of the current row.
    fn fields(&mut self) -> &ByteRecord {
        self.row.clear();
        let mut start = 0;
        for &end in &self.ends[..self.fields] {
            self.row.push_field(self.text.get(start..end).unwrap_or_default());
            start = end;
        }
        &self.row
    }

    fn grow_text(&mut self) {
        if self.text.len() <= self.max_record_bytes {
            self.text.resize(self.text.len() * 2, 0);
        } else {
            // The row is over the limit, so nobody will look at its fields.
            self.text_len = 0;
        }
    }

    fn grow_ends(&mut self) {
        if self.ends.len() < MAX_FIELDS {
            self.ends.resize(self.ends.len() * 2, 0);
        } else {
            self.too_many_fields = true;
            self.fields = 0;
        }
    }

    /// What is wrong with the number of fields.
    fn misfit(&self) -> Option<String> {
        if self.too_many_fields {
            return Some(format!("more than {MAX_FIELDS} fields"));
        }
        let columns = self.header.as_ref()?.len();
        let (fields, s) = (self.fields, if self.fields == 1 { "" } else { "s" });
        (fields != columns).then(|| format!("{fields} field{s}, but the header has {columns}"))
    }

    fn explain(&self, e: csv::Error) -> String {
        let csv::ErrorKind::Deserialize { err, .. } = e.kind() else {
            return e.to_string();
        };
        let index = err.field().and_then(|i| usize::try_from(i).ok());
        let column = index.and_then(|i| self.header.as_ref()?.get(i));
        match (index, column) {
            (_, Some(name)) => {
                format!("column {:?}: {}", String::from_utf8_lossy(name), err.kind())
            }
            (Some(index), None) => format!("field {}: {}", index + 1, err.kind()),
            (None, None) => err.kind().to_string(),
        }
    }
}

impl CsvRows {
    /// Line ends before a row.
    pub(crate) fn blank(window: &[u8]) -> usize {
        window.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
    }

    /// See [`Format::end_of_record`].
    pub(crate) fn end(&mut self, unseen: &[u8], end: bool) -> Option<usize> {
        if std::mem::take(&mut self.complete) {
            (self.text_len, self.fields, self.too_many_fields) = (0, 0, false);
        }
        let mut taken = 0;
        // To the machine, empty input means the end of the file.
        while end || taken < unseen.len() {
            let (result, read, written, ends) = self.machine.read_record(
                &unseen[taken..],
                &mut self.text[self.text_len..],
                &mut self.ends[self.fields..],
            );
            taken += read;
            self.text_len += written;
            self.fields += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.grow_text(),
                ReadRecordResult::OutputEndsFull => self.grow_ends(),
                ReadRecordResult::Record | ReadRecordResult::End => {
                    self.complete = true;
                    return Some(taken);
                }
            }
        }
        None
    }

    /// Whether the row that was found has no field.
    pub(crate) fn is_blank(&self) -> bool {
        self.fields == 0 && !self.too_many_fields
    }
}

impl<T: Record> Format<T> for CsvRows {
    fn skippable(&self, window: &[u8]) -> usize {
        CsvRows::blank(window)
    }

    fn end_of_record(&mut self, unseen: &[u8], end: bool) -> Option<usize> {
        self.end(unseen, end)
    }

    fn decode(&mut self, _record: &[u8], _line: u64) -> Decoded<T> {
        if let Some(reason) = self.misfit() {
            return Decoded::Refused(reason);
        }
        if self.fields == 0 {
            return Decoded::Blank;
        }
        self.fields();
        match self.row.deserialize(self.header.as_ref()) {
            Ok(value) => Decoded::Record(value),
            Err(e) => Decoded::Refused(self.explain(e)),
        }
    }
}

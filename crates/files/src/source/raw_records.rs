//! Records as they stand in a text file: for callers that decode them by themselves.

use std::path::Path;

use headwater_connect::{Position, Reader};
use headwater_core::Result;
use serde::{Deserialize, Serialize};

use crate::source::SourceOptions;
use crate::source::csv_rows::CsvRows;
use crate::source::json_lines::{self, end_of_line};
use crate::source::text::{Decoded, Format};

/// A record of a text file, without its line end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawRecord {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The line that it begins in, from 1.
    pub line: u64,
}

/// Where the records of a text file end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// With their line. The default.
    #[default]
    Lines,
    /// With their line, unless that is within quotes.
    Csv(CsvDialect),
}

/// A dialect of CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvDialect {
    /// What separates fields.
    pub delimiter: u8,
    /// What goes around fields.
    pub quote: Option<u8>,
    /// What goes before a quote within quotes; none: it is doubled.
    pub escape: Option<u8>,
    /// What a line begins with that is no record.
    pub comment: Option<u8>,
}

impl CsvDialect {
    fn machine(self) -> csv_core::Reader {
        let mut builder = csv_core::ReaderBuilder::new();
        builder.delimiter(self.delimiter).escape(self.escape).comment(self.comment);
        builder.double_quote(self.escape.is_none()).quoting(self.quote.is_some());
        if let Some(quote) = self.quote {
            builder.quote(quote);
        }
        builder.build()
    }
}

/// Opens a file of raw records.
pub(crate) fn open(
    options: &SourceOptions,
    path: &Path,
    position: Option<&Position>,
) -> Result<Box<dyn Reader<RawRecord>>> {
    match options.framing {
        Framing::Lines => json_lines::open(options, path, position, Lines),
        Framing::Csv(dialect) => {
            let rows = CsvRows::with(dialect.machine(), options.max_record_bytes);
            json_lines::open(options, path, position, CsvRecords(rows))
        }
    }
}

struct Lines;

impl Format<RawRecord> for Lines {
    fn end_of_record(&mut self, unseen: &[u8], end: bool) -> Option<usize> {
        end_of_line(unseen, end)
    }

    fn decode(&mut self, record: &[u8], line: u64) -> Decoded<RawRecord> {
        Decoded::Record(RawRecord { bytes: record.to_vec(), line })
    }
}

struct CsvRecords(CsvRows);

impl Format<RawRecord> for CsvRecords {
    fn skippable(&self, window: &[u8]) -> usize {
        CsvRows::blank(window)
    }

    fn end_of_record(&mut self, unseen: &[u8], end: bool) -> Option<usize> {
        self.0.end(unseen, end)
    }

    fn decode(&mut self, record: &[u8], line: u64) -> Decoded<RawRecord> {
        if self.0.is_blank() {
            return Decoded::Blank;
        }
        Decoded::Record(RawRecord { bytes: record.to_vec(), line })
    }
}

//! Lines of text, as they are or as one JSON value each.

use std::path::Path;

use headwater_connect::{Position, Reader};
use headwater_core::{Record, Result};
use memchr::memchr;

use crate::source::ended::Ended;
use crate::source::text::{Decoded, Format, TextPosition, TextReader};
use crate::source::{SourceOptions, parse_position};

/// Opens a file of JSON lines.
pub(crate) fn open_json<T: Record>(
    options: &SourceOptions,
    path: &Path,
    position: Option<&Position>,
) -> Result<Box<dyn Reader<T>>> {
    open(options, path, position, JsonLines)
}

/// Opens a file of lines.
pub(crate) fn open_lines(
    options: &SourceOptions,
    path: &Path,
    position: Option<&Position>,
) -> Result<Box<dyn Reader<String>>> {
    open(options, path, position, Lines)
}

pub(crate) fn open<T: Record, F: Format<T> + 'static>(
    options: &SourceOptions,
    path: &Path,
    position: Option<&Position>,
    format: F,
) -> Result<Box<dyn Reader<T>>> {
    let mut at = TextPosition::default();
    if let Some(position) = position {
        at = parse_position(path, position)?;
        if at.end {
            return Ok(Box::new(Ended(position.clone())));
        }
    }
    Ok(Box::new(TextReader::open(path, at, options.max_record_bytes, format)?))
}

pub(crate) fn end_of_line(unseen: &[u8], end: bool) -> Option<usize> {
    memchr(b'\n', unseen).map(|i| i + 1).or(end.then_some(unseen.len()))
}

struct Lines;

impl Format<String> for Lines {
    fn end_of_record(&mut self, unseen: &[u8], end: bool) -> Option<usize> {
        end_of_line(unseen, end)
    }

    fn decode(&mut self, record: &[u8], _line: u64) -> Decoded<String> {
        match std::str::from_utf8(record) {
            Ok(line) => Decoded::Record(line.to_owned()),
            Err(e) => Decoded::Refused(format!("not UTF-8 from byte {} on", e.valid_up_to())),
        }
    }
}

struct JsonLines;

impl<T: Record> Format<T> for JsonLines {
    fn end_of_record(&mut self, unseen: &[u8], end: bool) -> Option<usize> {
        end_of_line(unseen, end)
    }

    fn decode(&mut self, record: &[u8], _line: u64) -> Decoded<T> {
        match serde_json::from_slice(record) {
            Ok(value) => Decoded::Record(value),
            Err(_) if record.trim_ascii().is_empty() => Decoded::Blank,
            // The line is told by the position, and it is not line 1.
            Err(e) => Decoded::Refused(e.to_string().replace(" at line 1 column ", " at column ")),
        }
    }
}

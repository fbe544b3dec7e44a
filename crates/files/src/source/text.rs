//! Readers for formats whose records follow each other as text: lines, JSON lines, CSV rows.
//!
//! [`TextReader`] slides over the input, asks its [`Format`] where each record ends, and hands the
//! record's bytes to it. A record that outgrows the limit is cut to an excerpt at once; the rest of
//! it is only counted.
//!
//! Invariant: `at` moves only when a record has been given, refused or found blank, so a position
//! never points into a record.

use std::path::Path;

use headwater_connect::{BadRecord, Position, ReadBuffer, ReadStatus, Reader};
use headwater_core::{DeadLetter, Result};
use memchr::memchr_iter;
use serde::{Deserialize, Serialize};

use crate::source::input::{Input, More};
use crate::source::{READ_BYTES, show_position};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How records look in a text format.
pub(crate) trait Format<T>: Send {
    /// How many bytes at the front of the window belong to no record.
    fn skippable(&self, _window: &[u8]) -> usize {
        0
    }

    /// Looks for the end of the current record in bytes that it has not seen: how many of them
    /// belong to the record, its line end included, or `None` if it goes on. With `end` the file
    /// has no more bytes.
    fn end_of_record(&mut self, unseen: &[u8], end: bool) -> Option<usize>;

    /// Decodes the record that [`end_of_record`](Self::end_of_record) found in this line, without
    /// its line end.
    fn decode(&mut self, record: &[u8], line: u64) -> Decoded<T>;
}

/// What became of a record.
pub(crate) enum Decoded<T> {
    Record(T),
    Blank,
    Refused(String),
}

/// Where a text reader stands: after this many decompressed bytes and line ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextPosition {
    pub(crate) offset: u64,
    pub(crate) line: u64,
    /// Nothing is left to read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) end: bool,
}

/// What follows in the input.
pub(crate) enum Frame {
    /// A record in this many bytes at the front of the window.
    Record(usize),
    /// A record over the limit; it has been passed.
    TooLong(BadRecord),
    Later,
    End,
}

struct TooLong {
    excerpt: Vec<u8>,
    bytes: u64,
    lines: u64,
}

pub(crate) struct TextReader<F> {
    input: Input,
    pub(crate) format: F,
    max_record_bytes: usize,
    at: TextPosition,
    /// How much of the window the format has seen.
    seen: usize,
    too_long: Option<TooLong>,
}

impl<F> TextReader<F> {
    pub(crate) fn open(path: &Path, at: TextPosition, max: usize, format: F) -> Result<Self> {
        let input = Input::open(path, at.offset)?;
        Ok(TextReader { input, format, max_record_bytes: max, at, seen: 0, too_long: None })
    }

    /// Lets the next calls of [`frame`](Self::frame) take one call's worth of input.
    pub(crate) fn allow(&mut self) {
        self.input.allow(READ_BYTES);
    }

    /// The first bytes of the window.
    pub(crate) fn window(&self, bytes: usize) -> &[u8] {
        &self.input.window()[..bytes]
    }

    /// Passes bytes at the front of the window.
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.at.line += count_lines(self.window(bytes));
        self.at.offset += bytes as u64;
        self.input.consume(bytes);
        self.seen = 0;
    }

    /// Finds the next record.
    pub(crate) fn frame<T>(&mut self) -> Result<Frame>
    where
        F: Format<T>,
    {
        loop {
            if self.seen == 0 && self.too_long.is_none() {
                self.pass_what_is_no_record::<T>();
            }
            let window = self.input.window();
            let unseen = &window[self.seen..];
            if !unseen.is_empty() {
                if let Some(n) = self.format.end_of_record(unseen, false) {
                    return Ok(self.found(self.seen + n));
                }
                self.seen = window.len();
                if self.seen > self.max_record_bytes || self.too_long.is_some() {
                    self.cut();
                }
            }
            match self.input.more()? {
                More::Data => {}
                More::Later => return Ok(Frame::Later),
                More::End if self.input.window().is_empty() && self.too_long.is_none() => {
                    return Ok(Frame::End);
                }
                More::End => {
                    self.format.end_of_record(&[], true);
                    return Ok(self.found(self.input.window().len()));
                }
            }
        }
    }

    fn pass_what_is_no_record<T>(&mut self)
    where
        F: Format<T>,
    {
        if self.at.offset == 0 && self.input.window().starts_with(BYTE_ORDER_MARK) {
            self.pass(BYTE_ORDER_MARK.len());
        }
        let blank = self.format.skippable(self.input.window());
        if blank > 0 {
            self.pass(blank);
        }
    }

    /// The record ends `bytes` into the window.
    fn found(&mut self, bytes: usize) -> Frame {
        if self.too_long.is_none() && trim_end(self.window(bytes)).len() <= self.max_record_bytes {
            return Frame::Record(bytes);
        }
        let (raw, line) = (&self.input.window()[..bytes], self.at.line + 1);
        let (line_end, lines) = (raw.len() - trim_end(raw).len(), count_lines(raw));
        let mut long = self.too_long.take().unwrap_or_else(|| TooLong::new(trim_end(raw)));
        long.bytes += raw.len() as u64;
        self.at.offset += long.bytes;
        self.at.line += long.lines + lines;
        self.input.consume(bytes);
        self.seen = 0;
        let (size, max) = (long.bytes - line_end as u64, self.max_record_bytes);
        Frame::TooLong(BadRecord {
            record: std::mem::take(&mut long.excerpt).into(),
            position: format!("line {line}"),
            reason: format!("record of {size} bytes exceeds the limit of {max}"),
        })
    }

    /// Keeps an excerpt of the record in the window and forgets the bytes.
    fn cut(&mut self) {
        let window = self.input.window();
        let long = self.too_long.get_or_insert_with(|| TooLong::new(window));
        long.bytes += window.len() as u64;
        long.lines += count_lines(window);
        self.input.consume(window.len());
        self.seen = 0;
    }
}

impl TooLong {
    fn new(record: &[u8]) -> Self {
        let excerpt = record[..record.len().min(DeadLetter::MAX_RECORD_BYTES)].to_vec();
        TooLong { excerpt, bytes: 0, lines: 0 }
    }
}

impl<T, F: Format<T>> Reader<T> for TextReader<F> {
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        self.allow();
        while buffer.room() > 0 {
            match self.frame::<T>()? {
                Frame::Record(bytes) => {
                    let record = trim_end(&self.input.window()[..bytes]);
                    match self.format.decode(record, self.at.line + 1) {
                        Decoded::Record(value) => buffer.push(value),
                        Decoded::Blank => {}
                        Decoded::Refused(reason) => {
                            buffer.refuse(record, format!("line {}", self.at.line + 1), reason);
                        }
                    }
                    self.pass(bytes);
                }
                Frame::TooLong(bad) => buffer.bad.push(bad),
                Frame::Later => return Ok(ReadStatus::Ready),
                Frame::End => {
                    self.at.end = true;
                    return Ok(ReadStatus::End);
                }
            }
        }
        Ok(ReadStatus::Ready)
    }

    fn position(&self) -> Position {
        show_position(&self.at)
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// The bytes without one line end (`\n`, `\r\n` or `\r`).
fn trim_end(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

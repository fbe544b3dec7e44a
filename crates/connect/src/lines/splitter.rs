//! From bytes to lines: cuts at `\n`, drops a `\r` before it, refuses what is too long or not
//! UTF-8.
//!
//! Invariant: at most one line's limit of bytes is held, however the bytes are cut into pieces and
//! whatever they are; a line that is too long is skipped to its end and only its beginning is kept.

use headwater_core::DeadLetter;

/// One line, or why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end.
    Text(String),
    /// A line that is refused: its bytes, or as many of them as are kept, and the reason.
    Refused { record: Vec<u8>, reason: String },
}

/// Cuts a stream of bytes into lines.
pub(super) struct Splitter {
    limit: usize,
    partial: Vec<u8>,
    /// Length so far of a line that is too long; 0 when it is not.
    overlong: usize,
}

impl Splitter {
    /// Refuses lines of more than `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Splitter { limit, partial: Vec::new(), overlong: 0 }
    }

    /// Takes the next piece of the stream and appends the lines that end in it to `lines`.
    pub(super) fn feed(&mut self, mut bytes: &[u8], lines: &mut Vec<Line>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if self.partial.is_empty() && self.overlong == 0 && line.len() <= self.limit {
                lines.push(complete(line));
            } else {
                self.keep(line);
                lines.push(self.end_line());
            }
        }
        self.keep(bytes);
    }

    /// Ends the stream: a last line without an end counts as one.
    pub(super) fn finish(&mut self, lines: &mut Vec<Line>) {
        if !self.partial.is_empty() || self.overlong > 0 {
            lines.push(self.end_line());
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.overlong > 0 {
            self.overlong += bytes.len();
        } else if self.partial.len() + bytes.len() > self.limit {
            self.overlong = self.partial.len() + bytes.len();
            // One byte more than is shown, so that the dead letter says that it was cut.
            let kept = self.limit.min(DeadLetter::MAX_RECORD_BYTES) + 1;
            self.partial.truncate(kept);
            let room = kept - self.partial.len();
            self.partial.extend_from_slice(&bytes[..room.min(bytes.len())]);
            self.partial.shrink_to_fit();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) -> Line {
        let record = std::mem::take(&mut self.partial);
        match std::mem::take(&mut self.overlong) {
            0 => complete(&record),
            bytes => {
                let limit = self.limit;
                let reason = format!("a line of {bytes} bytes is longer than the limit of {limit}");
                Line::Refused { record, reason }
            }
        }
    }
}

fn complete(line: &[u8]) -> Line {
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(text) {
        Ok(text) => Line::Text(text.to_owned()),
        Err(e) => Line::Refused {
            record: line.to_vec(),
            reason: format!("the line is not UTF-8 from byte {} on", e.valid_up_to()),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(limit: usize, pieces: &[&[u8]]) -> Vec<Line> {
        let (mut splitter, mut lines) = (Splitter::new(limit), Vec::new());
        for piece in pieces {
            splitter.feed(piece, &mut lines);
        }
        splitter.finish(&mut lines);
        lines
    }

    fn text(line: &str) -> Line {
        Line::Text(line.to_owned())
    }

    #[test]
    fn lines_end_at_newlines_and_at_the_end() {
        let lines = split(99, &[b"one\r\n\ntw", b"o\nthree"]);
        assert_eq!(lines, ["one", "", "two", "three"].map(text));
        assert_eq!(split(99, &[b"one\n"]), ["one"].map(text));
        assert_eq!(split(99, &[]), []);
    }

    #[test]
    fn bad_lines_are_refused_and_the_next_ones_read() {
        let lines = split(4, &[b"1234\n12345\n123", b"45", b"67\nab\xff\n", b"end"]);
        let refused = |record: &[u8], reason: &str| Line::Refused {
            record: record.to_vec(),
            reason: reason.to_owned(),
        };
        assert_eq!(
            lines,
            [
                text("1234"),
                refused(b"12345", "a line of 5 bytes is longer than the limit of 4"),
                refused(b"12345", "a line of 7 bytes is longer than the limit of 4"),
                refused(b"ab\xff", "the line is not UTF-8 from byte 2 on"),
                text("end"),
            ]
        );
    }

    #[test]
    fn an_endless_line_takes_bounded_memory() {
        let mut splitter = Splitter::new(8 << 20);
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            splitter.feed(&piece, &mut Vec::new());
        }
        assert!(splitter.partial.capacity() <= 8 << 20);
        assert_eq!(splitter.overlong, 100 << 20);
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            pieces in prop::collection::vec(prop::collection::vec(
                prop::sample::select(b"ab\r\n\xc3\xa4".to_vec()), 0..12), 0..12),
            limit in 1_usize..6,
        ) {
            let whole = pieces.concat();
            let cut: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(split(limit, &cut), split(limit, &[&whole]));
        }
    }
}

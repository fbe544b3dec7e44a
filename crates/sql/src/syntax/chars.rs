//! From lines and columns to bytes.

use std::ops::Range;

use crate::error::{Location, Span};

/// Finds the bytes of places in one text.
///
/// Places are asked for in the text's order, mostly; so it goes on from the last one.
pub(super) struct Places<'a> {
    text: &'a str,
    byte: usize,
    line: u64,
    column: u64,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Places { text, byte: 0, line: 1, column: 1 }
    }

    /// The byte at which a place begins.
    pub(super) fn byte(&mut self, at: Location) -> usize {
        if (at.line, at.column) < (self.line, self.column) {
            *self = Places::new(self.text);
        }
        let rest = self.text.get(self.byte..).unwrap_or_default();
        let mut end = rest.len();
        for (offset, letter) in rest.char_indices() {
            if (self.line, self.column) >= (at.line, at.column) {
                end = offset;
                break;
            }
            if letter == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.byte += end;
        self.byte
    }

    /// The bytes of a span.
    pub(super) fn bytes(&mut self, span: Span) -> Range<usize> {
        let start = self.byte(span.start);
        start..self.byte(span.end).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_bytes_in_any_order_and_behind_the_end() {
        let text = "aß\n日b\r\nc";
        let mut places = Places::new(text);
        let mut at = |line, column| places.byte(Location::new(line, column));
        assert_eq!(at(1, 2), 1);
        assert_eq!(at(2, 2), 7);
        assert_eq!(at(1, 1), 0);
        assert_eq!(at(3, 1), 10);
        assert_eq!(at(3, 9), 11);
        assert_eq!(at(9, 9), 11);
        assert_eq!(at(2, 1), 4);
    }
}

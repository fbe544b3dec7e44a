//! A text with statements and commands to the shell, in the order in which they are run.
//!
//! A command stands in a line of its own, between statements.

use std::ops::Range;

use headwater_sql::syntax::is_open;

use super::meta;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A command to the shell.
    Meta(String),
    /// Statements: where they are in the text.
    Statements(Range<usize>),
}

/// The pieces of a text.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        // What looks like a command may be within a statement, or a text in quotes.
        if meta::is_meta(line) && !is_open(&text[start..at]) {
            push(&mut pieces, text, start..at);
            pieces.push(Piece::Meta(line.trim().to_owned()));
            start = at + line.len();
        }
        at += line.len();
    }
    push(&mut pieces, text, start..at);
    pieces
}

fn push(pieces: &mut Vec<Piece>, text: &str, range: Range<usize>) {
    if !text[range.clone()].trim().is_empty() {
        pieces.push(Piece::Statements(range));
    }
}

/// The text with all its commands blank: what is left are statements, where they were.
pub(super) fn statements(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for piece in pieces(text) {
        if let Piece::Statements(range) = piece {
            out.extend(text[at..range.start].chars().map(blank));
            out.push_str(&text[range.clone()]);
            at = range.end;
        }
    }
    out
}

fn blank(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

/// The text up to the end of `range` with all before it blank: lines and columns stay as they are.
pub(super) fn alone(text: &str, range: &Range<usize>) -> String {
    text[..range.start].chars().map(blank).chain(text[range.clone()].chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_between_statements() {
        let text = "SELECT 1;\n\\timing on\nSELECT\n.5;\n-- \\q\n.mode csv\n\nSELECT '\n\\q\n';\n";
        let pieces = pieces(text);
        let shown: Vec<&str> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Meta(line) => line.as_str(),
                Piece::Statements(range) => &text[range.clone()],
            })
            .collect();
        assert_eq!(
            shown,
            [
                "SELECT 1;\n",
                "\\timing on",
                "SELECT\n.5;\n-- \\q\n",
                ".mode csv",
                "\nSELECT '\n\\q\n';\n"
            ]
        );
    }

    #[test]
    fn places_stay_where_they_were() {
        let text = "ä1;\n\\x\nSELECT 2;";
        let [Piece::Statements(_), Piece::Meta(_), Piece::Statements(range)] = &pieces(text)[..]
        else {
            panic!("{:?}", pieces(text));
        };
        assert_eq!(alone(text, range), "   \n  \nSELECT 2;");
        assert_eq!(pieces(" \n"), []);
        assert_eq!(statements(text), "ä1;\n  \nSELECT 2;");
    }
}

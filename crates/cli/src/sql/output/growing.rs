//! A table that grows: rows line up with those printed before, the header comes again when a value
//! needs more room and every 40 rows.

use super::Cells;
use super::width::{pad, width};

const ROWS_PER_HEADER: usize = 40;

/// The widths so far, and how long ago the header was printed.
#[derive(Default)]
pub(super) struct Growing {
    widths: Vec<usize>,
    since_header: Option<usize>,
}

impl Growing {
    /// The text of some more rows.
    pub(super) fn print(&mut self, cells: &Cells) -> String {
        let mut text = String::new();
        for rows in cells.rows.chunks(ROWS_PER_HEADER) {
            self.block(cells, rows, &mut text);
        }
        text
    }

    fn block(&mut self, cells: &Cells, rows: &[Vec<String>], text: &mut String) {
        self.widths.resize(cells.names.len(), 0);
        let mut wider = false;
        for line in std::iter::once(&cells.names).chain(rows) {
            for (known, cell) in self.widths.iter_mut().zip(line) {
                let needed = width(cell);
                wider |= needed > *known;
                *known = needed.max(*known);
            }
        }
        let full = self.since_header.is_none_or(|since| since + rows.len() > ROWS_PER_HEADER);
        if wider || full {
            text.push_str(&self.line(cells, &cells.names));
            let rules: Vec<String> = self.widths.iter().map(|width| "─".repeat(*width)).collect();
            text.push_str(&rules.join("  "));
            text.push('\n');
            self.since_header = Some(0);
        }
        for row in rows {
            text.push_str(&self.line(cells, row));
        }
        self.since_header = self.since_header.map(|since| since + rows.len());
    }

    fn line(&self, cells: &Cells, texts: &[String]) -> String {
        let padded = self.widths.iter().zip(&cells.numbers).zip(texts);
        let padded = padded.map(|((&width, number), text)| pad(text, width, *number));
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    }
}

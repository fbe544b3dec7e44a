//! One line per column, under a line per row: for rows that are wider than a terminal.

use super::Cells;
use super::width::{pad, width};

/// The text of some rows; `before` rows were printed already.
pub(super) fn print(cells: &Cells, before: u64) -> String {
    let widest = cells.names.iter().map(|name| width(name)).max().unwrap_or(0);
    let mut text = String::new();
    for (number, row) in (before + 1..).zip(&cells.rows) {
        text.push_str(&format!("─[ row {number} ]{}\n", "─".repeat(20)));
        for (name, cell) in cells.names.iter().zip(row) {
            text.push_str(&format!("{} │ {cell}\n", pad(name, widest, false)));
        }
    }
    text
}

//! Rows in a box.

use arrow::error::ArrowError;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::Cells;
use super::width::cut;

/// The box around all rows; with a width, columns are made narrower and their texts broken to fit.
///
/// # Errors
/// None today; as [`Cells::of`], so that callers need one path.
pub(crate) fn box_table(cells: &Cells, width: Option<u16>) -> Result<String, ArrowError> {
    let mut table = table(cells);
    if let Some(width) = width {
        table.set_width(width);
    } else {
        // On a terminal its width is found out, elsewhere there is none.
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.add_rows(&cells.rows);
    Ok(format!("{table}\n"))
}

/// A box of which every row is one line and no line is wider than `width`: what is too long is cut.
pub(crate) fn frame_table(cells: &Cells, width: usize) -> String {
    let mut table = table(cells);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.add_rows(cells.rows.iter().map(|row| row.iter().map(|cell| cut(cell, WIDEST_CELL))));
    let text = table.to_string();
    let lines = text.lines().map(|line| cut(line, width));
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// A cell of a frame that is longer is cut.
const WIDEST_CELL: usize = 40;

fn table(cells: &Cells) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(&cells.names);
    for (column, number) in table.column_iter_mut().zip(&cells.numbers) {
        if *number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

//! Records as a table that grows: rows line up with those printed before, the header is repeated.
//!
//! A record's JSON object gives one column per field; anything else is one column, `value`. The
//! header is printed first, whenever the columns change or a value needs more room, and every 40
//! rows.
//!
//! Invariant: what is printed has no control characters but line ends, whatever the records hold.
//!
//! What this does not do: wait for rows that may come; each block is laid out by what is known.

use std::fmt;

use comfy_table::{
    ColumnConstraint, ContentArrangement, Table, TableComponent, Width, presets::NOTHING,
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

const ROWS_PER_HEADER: usize = 40;
/// Columns are padded by a space on either side.
const PADDING: u16 = 2;

/// One record: names and texts of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    columns: Vec<String>,
    cells: Vec<String>,
}

impl Row {
    /// The row of a record that is `json`.
    pub(super) fn of_json(json: &[u8]) -> serde_json::Result<Row> {
        let fields = match json.first() {
            Some(b'{') => serde_json::from_slice::<Fields>(json)?.0,
            _ => vec![("value".to_owned(), serde_json::from_slice(json)?)],
        };
        let (columns, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        let columns = columns.iter().map(|name| printable(name)).collect();
        Ok(Row { columns, cells: values.iter().map(cell).collect() })
    }
}

/// The fields of an object in their order, which `serde_json::Map` does not keep.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

/// The text with control characters escaped: data must not steer the terminal.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Lays out rows, block by block.
#[derive(Default)]
pub(super) struct Layout {
    columns: Vec<String>,
    widths: Vec<u16>,
    since_header: usize,
}

impl Layout {
    /// The text of `rows`, which are taken out; a header that is printed has `title` above it.
    pub(super) fn print(&mut self, title: &str, rows: &mut Vec<Row>) -> String {
        let mut text = String::new();
        let rows = std::mem::take(rows);
        for block in rows.chunk_by(|a, b| a.columns == b.columns) {
            for block in block.chunks(ROWS_PER_HEADER) {
                self.print_block(title, block, &mut text);
            }
        }
        text
    }

    fn print_block(&mut self, title: &str, rows: &[Row], text: &mut String) {
        let Some(first) = rows.first() else { return };
        let mut table = Table::new();
        table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        // Between columns, with a header or without, or rows would not line up.
        table.set_style(TableComponent::VerticalLines, ' ');
        table.set_style(TableComponent::MiddleHeaderIntersections, ' ');
        for row in rows {
            table.add_row(&row.cells);
        }
        let widths = table.column_max_content_widths();
        let wider = widths.iter().zip(&self.widths).any(|(new, old)| new > old);
        let full = self.since_header + rows.len() > ROWS_PER_HEADER;
        let header = first.columns != self.columns || wider || full || !self.fits(&table);
        if header {
            if first.columns != self.columns {
                self.widths.clear();
                self.columns.clone_from(&first.columns);
            }
            table.set_header(&first.columns);
            table.set_style(TableComponent::HeaderLines, '─');
            for (index, width) in table.column_max_content_widths().into_iter().enumerate() {
                match self.widths.get_mut(index) {
                    Some(old) => *old = width.max(*old),
                    None => self.widths.push(width),
                }
            }
            self.since_header = 0;
            text.push_str(&format!("\n {title}\n"));
        }
        if self.fits(&table) {
            table.set_constraints(self.widths.iter().map(|width| {
                ColumnConstraint::LowerBoundary(Width::Fixed(width.saturating_add(PADDING)))
            }));
        }
        self.since_header += rows.len();
        text.push_str(&table.trim_fmt());
        text.push('\n');
    }

    /// Whether no column has to be made narrower for the terminal, if there is one.
    fn fits(&self, table: &Table) -> bool {
        let needed = self.widths.iter().map(|width| u32::from(*width) + u32::from(PADDING) + 1);
        table.width().is_none_or(|width| needed.sum::<u32>() <= u32::from(width))
    }
}

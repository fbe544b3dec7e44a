//! Folders that stand for columns: `dt=2020-12-30/hm=12%3A13`.
//!
//! Signs that paths cannot have are written as `%` and two hexadecimal digits, as Hive does.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::arrow::error::ArrowError;
use headwater_core::{Error, Result};

use super::NO_VALUE;
use crate::connectors::options::Options;
use crate::connectors::print::text_of;
use crate::error::SqlResult;
use crate::formats::cells::Cells;
use crate::rows::Chunk;

/// The columns that a table is partitioned by.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    columns: Vec<String>,
    no_value: String,
}

impl Folders {
    pub(super) fn of(options: &Options<'_>) -> Folders {
        let table = options.table();
        let name = |column: &usize| table.field(*column).name().clone();
        Folders {
            columns: table.partitioned_by.iter().map(name).collect(),
            no_value: options.text("partition.default-name").unwrap_or(NO_VALUE).to_owned(),
        }
    }

    /// The columns that are within files.
    pub(super) fn without(&self, schema: &SchemaRef) -> SqlResult<SchemaRef> {
        let inside = |i: &usize| !self.columns.contains(schema.field(*i).name());
        let inside: Vec<usize> = (0..schema.fields().len()).filter(inside).collect();
        Ok(Arc::new(schema.project(&inside)?))
    }

    /// The values of a file's folders by column; a column without a folder is null.
    pub(super) fn values(&self, split: &str) -> Vec<(String, Option<String>)> {
        let of = |column: &String| {
            let folder = |part: &str| {
                let (name, value) = part.split_once('=')?;
                (unescape(name) == *column).then(|| unescape(value))
            };
            split.split('/').find_map(folder).filter(|value| *value != self.no_value)
        };
        self.columns.iter().map(|column| (column.clone(), of(column))).collect()
    }

    /// The rows of a chunk by folder, without the columns that folders stand for.
    pub(super) fn split(&self, chunk: Chunk, inside: &SchemaRef) -> Result<Vec<(String, Chunk)>> {
        if self.columns.is_empty() {
            return Ok(vec![(String::new(), chunk)]);
        }
        let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (row, folder) in (0..).zip(self.folders(&chunk.data)?) {
            rows.entry(folder).or_default().push(row);
        }
        let schema = chunk.data.schema();
        let index = |field: &FieldRef| schema.index_of(field.name());
        let failed =
            |e: ArrowError| Error::internal("rows do not fit the table's files").because(e);
        let kept = inside.fields().iter().map(index).collect::<Result<Vec<_>, _>>();
        let kept = kept.map_err(failed)?;
        let parts = rows.into_iter().map(|(folder, rows)| {
            let part = chunk.take(&UInt32Array::from(rows)).map_err(failed)?;
            let data = part.data.project(&kept).map_err(failed)?;
            Ok((folder, part.with_data(data)))
        });
        parts.collect()
    }

    /// The folder of each row.
    fn folders(&self, data: &RecordBatch) -> Result<Vec<String>> {
        let mut folders = vec![String::new(); data.num_rows()];
        for name in &self.columns {
            let column = data.column_by_name(name).ok_or_else(|| {
                Error::internal(format!("partition column {name} is not among the rows"))
            })?;
            let refuse = |found: DataType| {
                Error::data(format!("column {name} of type {found} cannot be a folder"))
            };
            let cells = Cells::new(column).map_err(refuse)?;
            for (row, folder) in folders.iter_mut().enumerate() {
                let value = text_of(&cells, row).filter(|value| !value.is_empty());
                if !folder.is_empty() {
                    folder.push('/');
                }
                escape(name, folder);
                folder.push('=');
                escape(value.as_deref().unwrap_or(&self.no_value), folder);
            }
        }
        Ok(folders)
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        let plain = !character.is_control() && !"\"#%'*/:=?\\{}[]^".contains(character);
        if plain {
            out.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex =
            after.get(..2).filter(|_| *first == b'%').and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_being_folders() {
        let folders =
            Folders { columns: vec!["dt".into(), "h m".into()], no_value: NO_VALUE.into() };
        for value in ["2020-12-30", "12:13", "a/b=c%", "ä", "*"] {
            let mut folder = "dt=".to_owned();
            escape(value, &mut folder);
            assert!(!folder.contains('/'), "{folder}");
            let values = folders.values(&format!("{folder}/h m={NO_VALUE}/part-1.jsonl"));
            assert_eq!(values[0], ("dt".to_owned(), Some(value.to_owned())));
            assert_eq!(values[1], ("h m".to_owned(), None));
        }
        assert_eq!(folders.values("part-1.jsonl")[0].1, None);
    }
}

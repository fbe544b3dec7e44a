//! Keyed state as text, read from the segments of checkpoints by the schemas of its tables.
//!
//! A schema says what bytes mean (see `headwater_core::Schema`), so no type is needed. Where it
//! could not be traced, or does not describe what is there, bytes are shown in hexadecimal.

mod postcard_text;

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_checkpoint::SegmentReader;
use headwater_checkpoint::segment::BlockFilter;
use headwater_core::block::BlockReader;
use headwater_core::{Error, Result};
use headwater_state::TableInfo;

use postcard_text::Shape;

/// The entries of a step's tables, one line each, sorted by key within a table.
pub(crate) fn dump(segments: &[Bytes], step: &str, tables: &[TableInfo]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for table in tables {
        let entries = entries_of(segments, step, &table.name)?;
        let (key, namespace, value) =
            (Shape::of(&table.key), Shape::of(&table.namespace), Shape::of(&table.value));
        let mut of_table = Vec::with_capacity(entries.len());
        for (key_bytes, value_bytes) in &entries {
            let shapes = [&key, &namespace, &value];
            let line = entry(&table.name, shapes, key_bytes, value_bytes)
                .or_else(|_| entry(&table.name, [&Shape::Opaque; 3], key_bytes, value_bytes))?;
            of_table.push(line);
        }
        of_table.sort();
        lines.append(&mut of_table);
    }
    Ok(lines)
}

/// Key bytes (key, then namespace) and value bytes, as the newest segment has them.
fn entries_of(segments: &[Bytes], step: &str, state: &str) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut entries = BTreeMap::new();
    for (number, bytes) in segments.iter().enumerate() {
        let segment = SegmentReader::open(format!("segment {number}"), bytes.clone())?;
        let filter = BlockFilter { operator: Some(step), state: Some(state), key_groups: None };
        for block in segment.blocks(filter) {
            for entry in BlockReader::new(&block?.bytes) {
                match entry? {
                    (key, Some(value)) => _ = entries.insert(key.to_vec(), value.to_vec()),
                    (key, None) => _ = entries.remove(key),
                }
            }
        }
    }
    Ok(entries)
}

/// `table key namespace = value`, without what is a unit.
fn entry(
    table: &str,
    [key, namespace, value]: [&Shape; 3],
    mut key_bytes: &[u8],
    mut value_bytes: &[u8],
) -> Result<String> {
    let mut line = format!("{table} ");
    key.show(&mut key_bytes, &mut line)?;
    if !namespace.is_unit() && !key.is_opaque() {
        line.push(' ');
        namespace.show(&mut key_bytes, &mut line)?;
    }
    if !value.is_unit() {
        line.push_str(" = ");
        value.show(&mut value_bytes, &mut line)?;
    }
    if !key_bytes.is_empty() || !value_bytes.is_empty() {
        return Err(Error::state(format!("bytes are left over after {line}")));
    }
    Ok(line)
}

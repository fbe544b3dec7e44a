//! What a directory of parts shows to its readers.

use std::path::Path;

use headwater_core::Record;

/// Records of all visible JSON-lines parts in `dir`, in no particular order.
pub fn visible<T: Record>(dir: &Path) -> Vec<T> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut records = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|e| e == "jsonl") {
            let text = std::fs::read_to_string(&path).unwrap();
            records.extend(text.lines().map(|line| serde_json::from_str::<T>(line).unwrap()));
        }
    }
    records
}

/// The same in ascending order.
pub fn sorted<T: Record + Ord>(dir: &Path) -> Vec<T> {
    let mut records = visible(dir);
    records.sort();
    records
}

//! A position is worth exactly the records that follow it, wherever the reader stopped.

use std::fs;
use std::path::Path;

use headwater_connect::{Position, Source};
use headwater_core::Record;
use headwater_files::source;
use proptest::prelude::*;
use tempfile::tempdir;

use crate::support::*;

/// Reads `stops` records at a time, each time with a new reader, then the rest.
fn read_in_pieces<S: Source>(source: &S, split: &str, stops: &[usize]) -> (Vec<S::Record>, usize) {
    let (mut all, mut refused) = (Vec::new(), 0);
    let mut position: Option<Position> = None;
    for &count in stops.iter().chain([&usize::MAX]) {
        let mut reader = open(source, split, position.as_ref());
        let (good, bad) = read(&mut *reader, count);
        all.extend(good);
        refused += bad.len();
        position = Some(reader.position());
    }
    let mut reader = open(source, split, position.as_ref());
    assert!(read_all(&mut *reader).0.is_empty(), "the end is the end");
    (all, refused)
}

fn check<S: Source>(source: &S, split: &str, stops: &[usize], expected: &[S::Record], bad: usize)
where
    S::Record: Record + PartialEq + std::fmt::Debug,
{
    let (found, refused) = read_in_pieces(source, split, stops);
    assert_eq!(found, expected, "{split} read by {stops:?}");
    assert_eq!(refused, bad, "{split} read by {stops:?}");
}

fn put(dir: &Path, name: &str, bytes: &[u8]) {
    fs::write(dir.join(name), bytes).unwrap();
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let text = prop_oneof![".{0,12}", "[\"\n\r, x]{0,12}"];
    let row = (any::<u64>(), text, proptest::option::of(-1e9..1e9));
    let row = row.prop_map(|(id, text, amount)| Row { id, text, amount });
    proptest::collection::vec(row, 0..60)
}

/// At the front of a file it is no text.
const BYTE_ORDER_MARK: char = '\u{feff}';

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn text_resumes_at_every_position(
        rows in any_rows(),
        stops in proptest::collection::vec(0_usize..20, 0..6),
    ) {
        let dir = tempdir().unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.text.replace(['\n', '\r', BYTE_ORDER_MARK], "")).collect();
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let bad_json = [b"{\n".to_vec(), json(&rows), b"}".to_vec()].concat();
        for compression in COMPRESSIONS {
            let suffix = compression.suffix();
            let names = ["rows.jsonl", "rows.csv", "rows.txt"].map(|name| format!("{name}{suffix}"));
            put(dir.path(), &names[0], &compress(&bad_json, compression));
            put(dir.path(), &names[1], &compress(&csv(&rows), compression));
            put(dir.path(), &names[2], &compress(text.as_bytes(), compression));
            let at = |i: usize| source(dir.path().join(&names[i]));
            check(&at(0).json::<Row>(), &names[0], &stops, &rows, 2);
            check(&at(1).csv::<Row>(), &names[1], &stops, &rows, 0);
            check(&at(2).lines(), &names[2], &stops, &lines, 0);
        }
    }

    #[test]
    fn parquet_resumes_at_every_position(
        rows in any_rows(),
        stops in proptest::collection::vec(0_usize..20, 0..6),
        row_group in 1_usize..30,
    ) {
        let dir = tempdir().unwrap();
        crate::parquet::put_parquet(&dir.path().join("rows.parquet"), &rows, row_group);
        let source = source(dir.path()).parquet::<Row>();
        check(&source, "rows.parquet", &stops, &rows, 0);
    }
}

#[test]
fn a_position_far_into_a_compressed_file_is_reached_in_bounded_steps() {
    let dir = tempdir().unwrap();
    let all = rows(0..60_000);
    let name = "rows.jsonl.gz";
    put(dir.path(), name, &compress(&json(&all), headwater_files::Compression::Gzip));
    let source = source(dir.path()).json::<Row>();
    let mut reader = open(&source, name, None);
    read(&mut *reader, 50_000);
    let position = reader.position();
    assert!(position.0.starts_with("{\"offset\":"), "{position}");

    let mut reader = open(&source, name, Some(&position));
    let now = headwater_core::ProcessingTime(0);
    let mut buffer = headwater_connect::ReadBuffer::new(10, Default::default(), now);
    assert_eq!(reader.read(&mut buffer).unwrap(), headwater_connect::ReadStatus::Ready);
    assert_eq!(buffer.records.len(), 0, "the first 1 MiB is before the position");
    assert_eq!(reader.position(), position);
    assert_eq!(read_all(&mut *reader).0, all[50_000..]);
}

#[test]
fn a_split_that_had_ended_needs_no_file() {
    let dir = tempdir().unwrap();
    for (name, bytes) in [("a.jsonl", json(&rows(0..3))), ("a.csv", csv(&rows(0..3)))] {
        put(dir.path(), name, &bytes);
        let open = |position: Option<&Position>| match name {
            "a.csv" => open(&source(dir.path()).csv::<Row>(), name, position),
            _ => open(&source(dir.path()).json::<Row>(), name, position),
        };
        let mut reader = open(None);
        assert_eq!(read_all(&mut *reader).0.len(), 3);
        let position = reader.position();
        fs::remove_file(dir.path().join(name)).unwrap();
        let mut reader = open(Some(&position));
        assert_eq!(reader.position(), position);
        assert_eq!(read_all(&mut *reader).0, []);
    }
}

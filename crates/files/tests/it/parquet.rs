//! Parquet: what is written is what is read, whatever the type looks like.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::json::ReaderBuilder;
use headwater_core::{EventTime, Record};
use headwater_files::{Compression, SinkBuilder, sink, source};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use tempfile::tempdir;

use crate::support::*;

/// Writes rows as another program would, with columns that must not be null.
pub fn put_parquet(path: &Path, rows: &[Row], row_group: usize) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::UInt64, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("amount", DataType::Float64, true),
    ]));
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None).unwrap();
    for rows in rows.chunks(row_group) {
        let mut decoder = ReaderBuilder::new(Arc::clone(&schema)).build_decoder().unwrap();
        decoder.serialize(rows).unwrap();
        writer.write(&decoder.flush().unwrap().unwrap()).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    at: EventTime,
    note: Option<String>,
    tags: Vec<String>,
    prices: BTreeMap<u32, f64>,
    state: State,
    paid: Payment,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Order>,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Open,
    Closed,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Payment {
    Card { last: u16 },
    Cash(f32),
    Split(u8, u8),
}

/// Without the recursion, which no columns can hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u64,
    at: EventTime,
    note: Option<String>,
    tags: Vec<String>,
    prices: BTreeMap<u32, f64>,
    state: State,
    paid: Payment,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    codes: Vec<[i32; 2]>,
}

fn flat(n: u64) -> Flat {
    Flat {
        id: u64::MAX - n,
        at: EventTime(n as i64 - 5),
        note: n.is_multiple_of(2).then(|| format!("note\n{n}")),
        tags: (0..n % 3).map(|t| t.to_string()).collect(),
        prices: [(n as u32, 0.1), (7, f64::MIN_POSITIVE)].into(),
        state: if n.is_multiple_of(2) { State::Open } else { State::Closed },
        paid: match n % 3 {
            0 => Payment::Card { last: 65535 },
            1 => Payment::Cash(0.1),
            _ => Payment::Split(1, 255),
        },
        codes: (0..n % 2).map(|c| [c as i32, i32::MIN]).collect(),
    }
}

/// Writes rows in one epoch and reads them back.
fn round_trip<T: Record>(builder: SinkBuilder, dir: &Path, rows: Vec<T>) -> Vec<T> {
    let sink = builder.parquet::<T>();
    headwater_connect::Sink::validate(&sink).unwrap();
    let mut writer = writer(&sink, 1, 0);
    write(&mut *writer, rows);
    commit(&sink, 1, &writer.prepare(headwater_core::Epoch(1)).unwrap());
    read_back(dir)
}

fn read_back<T: Record>(dir: &Path) -> Vec<T> {
    let source = source(dir).parquet::<T>();
    let mut all = Vec::new();
    for name in names(dir) {
        let (good, bad) = read_all(&mut *open(&source, &name, None));
        assert_eq!(bad, []);
        all.extend(good);
    }
    all
}

fn columns(dir: &Path) -> String {
    let file = fs::File::open(dir.join(&names(dir)[0])).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let columns = reader.schema().fields().iter();
    columns.map(|f| format!("{}: {}", f.name(), f.data_type())).collect::<Vec<_>>().join(", ")
}

#[test]
fn nested_rows_come_back_as_they_were() {
    for compression in [Compression::None, Compression::Zstd] {
        let dir = tempdir().unwrap();
        let rows: Vec<Flat> = (0..10_000).map(flat).collect();
        let builder = sink(dir.path()).compression(compression);
        assert_eq!(round_trip(builder, dir.path(), rows.clone()), rows);
    }
}

#[test]
fn a_recursive_type_is_refused_and_an_untraceable_one_is_inferred() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Loose {
        #[serde(flatten)]
        more: BTreeMap<String, i64>,
    }
    let e = headwater_connect::Sink::validate(&sink("unused").parquet::<Order>()).unwrap_err();
    let expected = "as Parquet: the type contains itself";
    assert!(e.to_string().ends_with(expected), "{e}");

    let dir = tempdir().unwrap();
    let rows: Vec<Loose> =
        (0..5).map(|n| Loose { more: [("a".into(), n), ("b".into(), -n)].into() }).collect();
    assert_eq!(round_trip(sink(dir.path()), dir.path(), rows.clone()), rows);
}

#[test]
fn a_given_schema_decides_the_columns_and_timestamps_come_back_as_they_are_wanted() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Event {
        at: EventTime,
        name: String,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct AsText {
        at: String,
    }
    for zone in [None, Some("UTC")] {
        let dir = tempdir().unwrap();
        let at = DataType::Timestamp(TimeUnit::Millisecond, zone.map(Into::into));
        // The JSON decoder knows offsets only; what other programs write, the reader gets.
        let written = DataType::Timestamp(TimeUnit::Millisecond, zone.map(|_| "+00:00".into()));
        let schema = Arc::new(Schema::new(vec![Field::new("at", written, true)]));
        let event = Event { at: EventTime(1_700_000_000_123), name: "left out".into() };
        let out = sink(dir.path()).schema(schema).parquet::<Event>();
        let mut writer = writer(&out, 1, 0);
        write(&mut *writer, vec![event]);
        commit(&out, 1, &writer.prepare(headwater_core::Epoch(1)).unwrap());
        assert!(columns(dir.path()).starts_with("at: Timestamp(ms"), "{at}");

        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct AsTime {
            at: EventTime,
        }
        assert_eq!(read_back::<AsTime>(dir.path()), [AsTime { at: EventTime(1_700_000_000_123) }]);
        let text = &read_back::<AsText>(dir.path())[0].at;
        assert!(text.starts_with("2023-11-14T22:13:20.123"), "{text}");
    }
}

#[test]
fn a_timestamp_with_a_named_zone_is_read() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct AsText {
        at: String,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct AsTime {
        at: EventTime,
    }
    let dir = tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let at = arrow::array::TimestampMicrosecondArray::from(vec![1_000_001]).with_timezone("UTC");
    let batch =
        arrow::array::RecordBatch::try_from_iter([("at", Arc::new(at) as arrow::array::ArrayRef)])
            .unwrap();
    let file = fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(read_back::<AsTime>(dir.path()), [AsTime { at: EventTime(1000) }]);
    assert_eq!(read_back::<AsText>(dir.path())[0].at, "1970-01-01T00:00:01.000001Z");
}

#[test]
fn a_row_that_does_not_fit_is_refused_by_its_number() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Strict {
        amount: f64,
    }
    let dir = tempdir().unwrap();
    put_parquet(&dir.path().join("a.parquet"), &rows(0..5), 2);
    let source = source(dir.path()).parquet::<Strict>();
    let (good, bad) = read_all(&mut *open(&source, "a.parquet", None));
    assert_eq!(good.len(), 3);
    let at: Vec<_> = bad.iter().map(|bad| bad.position.as_str()).collect();
    assert_eq!(at, ["row group 0, row 0", "row group 1, row 1"]);
    assert_eq!(bad[0].reason, "missing field `amount` at column 23");
}

#[test]
fn a_value_that_its_column_cannot_hold_is_an_error() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Loose {
        #[serde(flatten)]
        more: BTreeMap<String, serde_json::Value>,
    }
    let dir = tempdir().unwrap();
    let out = sink(dir.path()).parquet::<Loose>();
    let mut writer = writer(&out, 1, 0);
    let row = |value: serde_json::Value| Loose { more: [("a".into(), value)].into() };
    write(&mut *writer, vec![row(1.into()), row(vec!["x"].into())]);
    let e = writer.prepare(headwater_core::Epoch(1)).unwrap_err();
    assert_eq!(e.kind(), headwater_core::ErrorKind::Data, "{}", e.report());
}

//! Rows, files and drivers that the tests share.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use headwater_connect::{
    BadRecord, Committable, Position, ReadBuffer, ReadStatus, Reader, Sink, Source, SplitId, Wake,
    Writer, WriterContext,
};
use headwater_core::{Error, EventTime, ProcessingTime, Record, Timed};
use headwater_files::Compression;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: u64,
    pub text: String,
    pub amount: Option<f64>,
}

pub fn row(id: u64) -> Row {
    let text = match id % 4 {
        0 => format!("row {id}"),
        1 => "a \"quoted\", two-line\ntext".into(),
        2 => String::new(),
        _ => "ä\u{1F600}".into(),
    };
    Row { id, text, amount: (!id.is_multiple_of(3)).then_some(id as f64 / 8.0) }
}

pub fn rows(range: std::ops::Range<u64>) -> Vec<Row> {
    range.map(row).collect()
}

pub fn json(rows: &[Row]) -> Vec<u8> {
    let line = |row| serde_json::to_string(row).unwrap() + "\n";
    rows.iter().map(line).collect::<String>().into_bytes()
}

pub fn csv(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().for_each(|row| writer.serialize(row).unwrap());
    writer.into_inner().unwrap()
}

pub fn compress(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            // Two members, as `cat a.gz b.gz` makes them.
            let (a, b) = bytes.split_at(bytes.len() / 2);
            [a, b].into_iter().flat_map(gzip).collect()
        }
        Compression::Zstd => zstd::encode_all(bytes, 0).unwrap(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub const COMPRESSIONS: [Compression; 3] =
    [Compression::None, Compression::Gzip, Compression::Zstd];

/// Opens a split.
pub fn open<S: Source>(
    source: &S,
    split: &str,
    position: Option<&Position>,
) -> Box<dyn Reader<S::Record>> {
    source.open(&SplitId(split.into()), position, Wake::none()).unwrap()
}

/// Reads up to `count` records, a few at a time; fewer only at the end.
pub fn read<T>(reader: &mut dyn Reader<T>, count: usize) -> (Vec<T>, Vec<BadRecord>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    loop {
        let left = count - good.len() - bad.len();
        let mut buffer = ReadBuffer::new(left.min(5), Duration::ZERO, ProcessingTime(0));
        let status = if left == 0 { ReadStatus::End } else { reader.read(&mut buffer).unwrap() };
        good.extend(buffer.records.into_iter().map(|record| record.value));
        bad.extend(buffer.bad);
        if status == ReadStatus::End {
            return (good, bad);
        }
    }
}

/// Reads to the end.
pub fn read_all<T>(reader: &mut dyn Reader<T>) -> (Vec<T>, Vec<BadRecord>) {
    read(reader, usize::MAX)
}

/// Reads until the error that must come.
pub fn read_error<T>(reader: &mut dyn Reader<T>) -> Error {
    loop {
        let mut buffer = ReadBuffer::new(100, Duration::ZERO, ProcessingTime(0));
        match reader.read(&mut buffer) {
            Err(e) => return e,
            Ok(status) => assert_ne!(status, ReadStatus::End, "the file ended without an error"),
        }
    }
}

pub fn writer<S: Sink>(sink: &S, attempt: u64, worker: usize) -> Box<dyn Writer<S::Record>> {
    sink.writer(&context(attempt, worker)).unwrap()
}

pub fn context(attempt: u64, worker: usize) -> WriterContext {
    WriterContext { sink: "out".into(), worker, workers: 2, attempt, wake: Wake::none() }
}

pub fn write<T: Record>(writer: &mut dyn Writer<T>, rows: Vec<T>) {
    let mut rows = rows.into_iter().map(|row| Timed::new(EventTime(0), row)).collect();
    writer.write(&mut rows).unwrap();
    assert!(rows.is_empty());
}

pub fn commit<S: Sink>(sink: &S, epoch: u64, committables: &[Committable]) {
    let mut committer = sink.committer().unwrap().unwrap();
    committer.commit(headwater_core::Epoch(epoch), committables).unwrap();
}

/// Names in a directory, hidden ones left out, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

/// An error without its causes (their words are the system's), with `DIR` for the directory.
pub fn show(dir: &Path, e: &Error) -> String {
    let text = format!("{:?}: {e}\nhelp: {}\n", e.kind(), e.hint_text().unwrap());
    text.replace(dir.to_str().unwrap(), "DIR")
}

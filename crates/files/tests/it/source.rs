//! What the source reads: which files, which records, which refusals.

use std::fs;
use std::io::Write;
use std::time::Duration;

use expect_test::expect;
use headwater_connect::conformance::source_suite;
use headwater_connect::{BadRecord, Discovery, Source};
use headwater_files::source;
use tempfile::tempdir;

use crate::support::*;

fn show_bad(bad: &[BadRecord]) -> String {
    let show = |b: &BadRecord| {
        format!("{}: {:?}: {}\n", b.position, String::from_utf8_lossy(b.record.bytes()), b.reason)
    };
    bad.iter().map(show).collect()
}

#[test]
fn every_text_format_and_compression_conforms() {
    for compression in COMPRESSIONS {
        let dir = tempdir().unwrap();
        let suffix = compression.suffix();
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(format!("{name}{suffix}"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, compress(bytes, compression)).unwrap();
        };
        let with_bad: Vec<u8> =
            [json(&rows(40..60)), b"{\n\n".to_vec(), json(&rows(60..64))].concat();
        put("json/a.jsonl", &json(&rows(0..40)));
        put("json/b.jsonl", &with_bad);
        put("json/empty.jsonl", b"");
        put("csv/a.csv", &csv(&rows(0..40)));
        put("csv/b.csv", &[csv(&rows(40..64)), b"1,2\nx,y,z\n".to_vec()].concat());
        put("csv/header-only.csv", b"id,text,amount\n");
        put("lines/a.txt", b"\nfirst\r\n\xff\nlast");

        source_suite(|| source(dir.path().join("json")).json(), &rows(0..64)).unwrap();
        source_suite(|| source(dir.path().join("csv")).csv(), &rows(0..64)).unwrap();
        let lines = ["", "first", "last"].map(String::from);
        source_suite(|| source(dir.path().join("lines")).lines(), &lines).unwrap();
    }
}

#[test]
fn a_directory_is_read_with_its_subdirectories_and_without_what_is_hidden() {
    let dir = tempdir().unwrap();
    for name in [
        "b.jsonl",
        "a.jsonl",
        "day=1/c.jsonl",
        ".hidden",
        "_SUCCESS",
        "_temporary/d.jsonl",
        ".staging/part-1-0-0.jsonl.inprogress",
        "e.inprogress",
    ] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let splits = |path: &str| -> Vec<String> {
        let source = source(dir.path().join(path)).lines();
        source.validate().unwrap();
        source.splits().unwrap().into_iter().map(|split| split.0).collect()
    };
    assert_eq!(splits(""), ["a.jsonl", "b.jsonl", "day=1/c.jsonl"]);
    assert_eq!(splits("*.jsonl"), ["a.jsonl", "b.jsonl"]);
    assert_eq!(splits("?.jsonl"), ["a.jsonl", "b.jsonl"]);
    assert_eq!(splits("b*"), ["b.jsonl"]);
    assert_eq!(splits("day=1/c.jsonl"), ["c.jsonl"]);
}

#[test]
fn a_watched_pattern_finds_new_files() {
    let dir = tempdir().unwrap();
    let every = Duration::from_millis(250);
    let source = source(dir.path().join("*.jsonl")).watch(every).json::<Row>();
    source.validate().unwrap();
    assert_eq!(source.discovery(), Discovery::Every(every));
    assert_eq!(source.splits().unwrap(), []);
    fs::write(dir.path().join("new.jsonl"), json(&rows(0..3))).unwrap();
    assert_eq!(source.splits().unwrap().len(), 1);
    assert_eq!(read_all(&mut *open(&source, "new.jsonl", None)).0, rows(0..3));
}

#[test]
fn malformed_json_is_refused_with_its_line_and_the_rest_is_read() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("orders.jsonl");
    let text = "\u{feff}{\"id\":1,\"text\":\"a\",\"amount\":null}\r\n\
        {\"id\":2,\n\
        \n\
        {\"id\":\"three\",\"text\":\"\"}\n\
        {\"id\":4,\"text\":\"\"} trailing\n\
        {\"id\":5,\"text\":\"b\"}";
    fs::write(&path, text).unwrap();
    let source = source(&path).json::<Row>();
    let (good, bad) = read_all(&mut *open(&source, "orders.jsonl", None));
    assert_eq!(good.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 5]);
    expect![[r#"
        line 2: "{\"id\":2,": EOF while parsing a value at column 8
        line 4: "{\"id\":\"three\",\"text\":\"\"}": invalid type: string "three", expected u64 at column 13
        line 5: "{\"id\":4,\"text\":\"\"} trailing": trailing characters at column 20
    "#]]
    .assert_eq(&show_bad(&bad));
}

#[test]
fn malformed_csv_is_refused_with_its_line_and_the_rest_is_read() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("orders.csv");
    let text = b"\xef\xbb\xbfid;text;amount\r\n\
        1;\"two\r\nlines; one field\";0.5\r\n\
        x;y;\r\n\
        \r\n\
        2;short\r\n\
        3;\xff;\r\n\
        4;last;1e3";
    fs::write(&path, text).unwrap();
    let source = source(&path).delimiter(b';').csv::<Row>();
    let (good, bad) = read_all(&mut *open(&source, "orders.csv", None));
    assert_eq!(good[0].text, "two\r\nlines; one field");
    assert_eq!(good[1], Row { id: 4, text: "last".into(), amount: Some(1000.0) });
    assert_eq!(good.len(), 2);
    expect![[r#"
        line 4: "x;y;": column "id": invalid digit found in string
        line 6: "2;short": 2 fields, but the header has 3
        line 7: "3;�;": column "text": invalid utf-8 sequence of 1 bytes from index 0
    "#]]
    .assert_eq(&show_bad(&bad));
}

#[test]
fn csv_without_a_header_is_read_by_position() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("pairs.csv");
    fs::write(&path, "1,a\n2,b\n").unwrap();
    let source = source(&path).without_header().csv::<(u64, String)>();
    let (good, _) = read_all(&mut *open(&source, "pairs.csv", None));
    assert_eq!(good, [(1, "a".to_owned()), (2, "b".to_owned())]);
}

#[test]
fn records_over_the_limit_are_refused_and_counted() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("lines.txt");
    let long = "x".repeat(200_000);
    fs::write(&path, format!("short\n{long}\n1234567890\n12345678901\nend")).unwrap();
    let (good, bad) = {
        let source = source(&path).max_record_bytes(10).lines();
        read_all(&mut *open(&source, "lines.txt", None))
    };
    assert_eq!(good, ["short", "1234567890", "end"]);
    assert_eq!(bad[0].record.bytes().len(), 65_536 - "short\n".len());
    assert_eq!(bad[0].position, "line 2");
    assert_eq!(bad[0].reason, "record of 200000 bytes exceeds the limit of 10");
    assert_eq!(bad[1].reason, "record of 11 bytes exceeds the limit of 10");
    assert_eq!((bad[1].position.as_str(), bad.len()), ("line 4", 2));

    let path = dir.path().join("rows.csv");
    let fields = "a,".repeat(70_000);
    fs::write(&path, format!("id,text,amount\n1,\"{long}\n\",\n{fields}\n7,b,\n")).unwrap();
    let source = source(&path).max_record_bytes(150_000).csv::<Row>();
    let (good, bad) = read_all(&mut *open(&source, "rows.csv", None));
    assert_eq!(good.iter().map(|row| row.id).collect::<Vec<_>>(), [7]);
    assert_eq!(bad[0].reason, "record of 200006 bytes exceeds the limit of 150000");
    assert_eq!(bad[1].reason, "more than 65536 fields");
    assert_eq!((bad[0].position.as_str(), bad[1].position.as_str()), ("line 2", "line 4"));
}

#[test]
fn one_call_takes_a_bounded_amount_of_input() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("blank.jsonl");
    let mut file = fs::File::create(&path).unwrap();
    (0..5).for_each(|_| file.write_all(&vec![b'\n'; 1 << 20]).unwrap());
    let source = source(&path).json::<Row>();
    let mut reader = open(&source, "blank.jsonl", None);
    let mut calls = 0;
    loop {
        let now = headwater_core::ProcessingTime(0);
        let mut buffer = headwater_connect::ReadBuffer::new(10, Duration::ZERO, now);
        calls += 1;
        if reader.read(&mut buffer).unwrap() == headwater_connect::ReadStatus::End {
            break;
        }
    }
    assert!((5..=7).contains(&calls), "{calls} calls for 5 MiB");
}

//! What the sink writes, and what it says when the outside world interferes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use expect_test::expect;
use headwater_connect::conformance::exactly_once_sink_suite;
use headwater_connect::{Committable, Sink};
use headwater_core::{Epoch, Error, ErrorKind, Result};
use headwater_files::{Compression, FileSink, sink, source};
use tempfile::tempdir;

use crate::support::*;

fn read_dir<S: headwater_connect::Source<Record = Row>>(dir: &Path, source: S) -> Vec<Row> {
    let read = |name: String| {
        let (good, bad) = read_all(&mut *open(&source, &name, None));
        assert_eq!(bad, [], "{name}");
        good
    };
    names(dir).into_iter().flat_map(read).collect()
}

#[test]
fn every_format_and_compression_conforms() {
    for compression in COMPRESSIONS {
        let dir = tempdir().unwrap();
        let path = dir.path();
        let make = || sink(path).compression(compression).json::<Row>();
        exactly_once_sink_suite(make, || read_dir(path, source(path).json()), row).unwrap();

        let dir = tempdir().unwrap();
        let path = dir.path();
        let make = || sink(path).compression(compression).roll_bytes(500).csv::<Row>();
        exactly_once_sink_suite(make, || read_dir(path, source(path).csv()), row).unwrap();
    }
    let dir = tempdir().unwrap();
    let path = dir.path();
    let make = || sink(path).parquet::<Row>();
    exactly_once_sink_suite(make, || read_dir(path, source(path).parquet()), row).unwrap();
}

#[test]
fn parts_are_named_by_epoch_worker_number_and_attempt() {
    let dir = tempdir().unwrap();
    let sink = sink(dir.path()).compression(Compression::Gzip).json::<Row>();
    let mut writers = [writer(&sink, 7, 0), writer(&sink, 7, 1)];
    for epoch in 1..=2 {
        let mut committables = Vec::new();
        for writer in &mut writers {
            write(&mut **writer, rows(0..2));
            committables.extend(writer.prepare(Epoch(epoch)).unwrap());
        }
        commit(&sink, epoch, &committables);
    }
    // An epoch without records has no part.
    assert_eq!(writers[0].prepare(Epoch(3)).unwrap(), Vec::<Committable>::new());
    let expected = [
        "part-0000000001-0-0-7.jsonl.gz",
        "part-0000000001-1-0-7.jsonl.gz",
        "part-0000000002-0-1-7.jsonl.gz",
        "part-0000000002-1-1-7.jsonl.gz",
    ];
    assert_eq!(names(dir.path()), expected);
}

#[test]
fn parts_roll_by_size_and_by_age() {
    for format in ["json", "csv", "parquet"] {
        let dir = tempdir().unwrap();
        let builder = sink(dir.path()).roll_bytes(2000);
        let sink = match format {
            "json" => builder.json::<Row>(),
            "csv" => builder.csv::<Row>(),
            _ => builder.parquet::<Row>(),
        };
        let mut writer = writer(&sink, 1, 0);
        write(&mut *writer, rows(0..4000));
        let committables = writer.prepare(Epoch(1)).unwrap();
        commit(&sink, 1, &committables);
        let names = names(dir.path());
        assert!(names.len() > 4, "{format}: {names:?}");
        let found = match format {
            "json" => read_dir(dir.path(), source(dir.path()).json()),
            "csv" => read_dir(dir.path(), source(dir.path()).csv()),
            _ => read_dir(dir.path(), source(dir.path()).parquet()),
        };
        let mut ids: Vec<u64> = found.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..4000).collect::<Vec<_>>(), "{format}");
        let sizes = names.iter().map(|n| fs::metadata(dir.path().join(n)).unwrap().len());
        assert!(sizes.max().unwrap() < 12_000, "{format}");
    }

    let dir = tempdir().unwrap();
    let sink = sink(dir.path()).roll_after(Duration::ZERO).json::<Row>();
    let mut writer = writer(&sink, 1, 0);
    (0..3).for_each(|_| write(&mut *writer, rows(0..2)));
    assert_eq!(writer.prepare(Epoch(1)).unwrap().len(), 3);
}

/// A sink with one prepared part of epoch 1, not committed.
fn prepared(dir: &Path) -> (FileSink<Row>, Vec<Committable>) {
    let sink = sink(dir).json::<Row>();
    let mut writer = writer(&sink, 1, 0);
    write(&mut *writer, rows(0..3));
    let committables = writer.prepare(Epoch(1)).unwrap();
    (sink, committables)
}

fn recover<S: Sink>(sink: &S, epoch: u64, committables: &[Committable]) -> Result<()> {
    sink.committer().unwrap().unwrap().recover(Epoch(epoch), committables)
}

#[test]
fn a_committed_part_may_be_taken_away_but_a_prepared_one_may_not() {
    let dir = tempdir().unwrap();
    let (sink, committables) = prepared(dir.path());
    commit(&sink, 1, &committables);
    fs::remove_file(dir.path().join("part-0000000001-0-0-1.jsonl")).unwrap();
    recover(&sink, 1, &committables).unwrap();

    let dir = tempdir().unwrap();
    let (sink, committables) = prepared(dir.path());
    fs::remove_file(dir.path().join(".staging/part-1-0-0.jsonl.inprogress")).unwrap();
    let e = recover(&sink, 1, &committables).unwrap_err();
    expect![[r#"
        Connector: part "part-0000000001-0-0-1.jsonl" with 3 records of epoch 1 is lost: it is neither at "DIR/.staging/part-1-0-0.jsonl.inprogress" nor at "DIR/part-0000000001-0-0-1.jsonl"
        help: if another program moved the part, put it back; nothing else has its records
    "#]]
    .assert_eq(&show(dir.path(), &e));
}

#[test]
fn a_part_that_was_changed_is_an_error() {
    let staged = ".staging/part-1-0-0.jsonl.inprogress";
    let change = |how: fn(&mut Vec<u8>)| -> String {
        let dir = tempdir().unwrap();
        let (sink, committables) = prepared(dir.path());
        let mut bytes = fs::read(dir.path().join(staged)).unwrap();
        how(&mut bytes);
        fs::write(dir.path().join(staged), bytes).unwrap();
        show(dir.path(), &recover(&sink, 1, &committables).unwrap_err())
    };
    expect![[r#"
        Connector: part "part-0000000001-0-0-1.jsonl" with 3 records of epoch 1 has changed: "DIR/.staging/part-1-0-0.jsonl.inprogress" has 132 bytes, prepared were 133
        help: another program wrote to it; its records are no longer what was processed
    "#]]
    .assert_eq(&change(|bytes| bytes.truncate(bytes.len() - 1)));
    expect![[r#"
        Connector: part "part-0000000001-0-0-1.jsonl" with 3 records of epoch 1 has changed: "DIR/.staging/part-1-0-0.jsonl.inprogress" has hash 5a8eca2d25915923, prepared was bed41a416ad83f52
        help: another program wrote to it; its records are no longer what was processed
    "#]]
    .assert_eq(&change(|bytes| bytes[6] ^= 1));

    let dir = tempdir().unwrap();
    let (sink, committables) = prepared(dir.path());
    commit(&sink, 1, &committables);
    fs::write(dir.path().join("part-0000000001-0-0-1.jsonl"), "").unwrap();
    let e = recover(&sink, 1, &committables).unwrap_err();
    assert!(e.to_string().contains("has 0 bytes, prepared were 133"), "{e}");
}

#[test]
fn an_existing_file_is_never_replaced() {
    let dir = tempdir().unwrap();
    let (sink, committables) = prepared(dir.path());
    fs::write(dir.path().join("part-0000000001-0-0-1.jsonl"), "someone else's").unwrap();
    let mut committer = sink.committer().unwrap().unwrap();
    let e = committer.commit(Epoch(1), &committables).unwrap_err();
    expect![[r#"
        Connector: cannot make part "part-0000000001-0-0-1.jsonl" with 3 records of epoch 1 visible: "DIR/part-0000000001-0-0-1.jsonl" already exists
        help: another run wrote it; use an empty directory or another .prefix(..)
    "#]]
    .assert_eq(&show(dir.path(), &e));
}

#[test]
fn a_new_run_does_not_mix_its_output_with_an_old_one() {
    let dir = tempdir().unwrap();
    let (first, committables) = prepared(dir.path());
    recover(&first, 0, &[]).unwrap();
    let (first, committables) = {
        drop((first, committables));
        prepared(dir.path())
    };
    commit(&first, 1, &committables);
    let e = recover(&sink(dir.path()).json::<Row>(), 0, &[]).unwrap_err();
    expect![[r#"
        Config: directory "DIR" already holds output of an earlier run (prefix "part")
        help: start from that run's checkpoint, or use an empty directory or another .prefix(..)
    "#]]
    .assert_eq(&show(dir.path(), &e));
    recover(&sink(dir.path()).prefix("other").json::<Row>(), 0, &[]).unwrap();
}

#[test]
fn cleaning_up_leaves_other_sinks_alone() {
    let dir = tempdir().unwrap();
    let (sink_a, _) = prepared(dir.path());
    let sink_b = sink(dir.path()).prefix("part-b").csv::<Row>();
    let mut writer_b = writer(&sink_b, 1, 0);
    write(&mut *writer_b, rows(0..3));
    let prepared_b = writer_b.prepare(Epoch(1)).unwrap();
    recover(&sink_a, 0, &[]).unwrap();
    assert!(!dir.path().join(".staging/part-1-0-0.jsonl.inprogress").exists());
    recover(&sink_b, 1, &prepared_b).unwrap();
    assert_eq!(names(dir.path()), ["part-b-0000000001-0-0-1.csv"]);
}

#[test]
fn two_sinks_with_one_prefix_are_noticed() {
    let dir = tempdir().unwrap();
    let sink = sink(dir.path()).json::<Row>();
    let mut writers = [writer(&sink, 1, 0), writer(&sink, 1, 0)];
    write(&mut *writers[0], rows(0..1));
    let e = write_error(&mut *writers[1]);
    assert_eq!(
        show(dir.path(), &e),
        "Transient: cannot create \"DIR/.staging/part-1-0-0.jsonl.inprogress\"\n\
         help: another sink writes here; give each its own .prefix(..)\n"
    );
}

#[test]
fn a_disk_that_goes_away_is_a_transient_error_that_names_the_path() {
    let dir = tempdir().unwrap();
    let sink = sink(dir.path().join("out")).json::<Row>();
    let mut writer = writer(&sink, 1, 0);
    fs::remove_dir_all(dir.path().join("out")).unwrap();
    let e = write_error(&mut *writer);
    assert_eq!(e.kind(), ErrorKind::Transient);
    let message = e.to_string().replace(dir.path().to_str().unwrap(), "DIR");
    assert_eq!(message, "cannot create \"DIR/out/.staging/part-1-0-0.jsonl.inprogress\"");
}

fn write_error(writer: &mut dyn headwater_connect::Writer<Row>) -> Error {
    let mut records = vec![headwater_core::Timed::new(headwater_core::EventTime(0), row(0))];
    writer.write(&mut records).unwrap_err()
}

#[test]
fn rows_that_are_not_flat_cannot_be_csv() {
    let dir = tempdir().unwrap();
    let sink = sink(dir.path()).csv::<Vec<Vec<(u64, Option<u64>)>>>();
    let mut writer = writer(&sink, 1, 0);
    let mut records: Vec<_> = [vec![vec![(1, None)]], vec![]]
        .map(|row| headwater_core::Timed::new(headwater_core::EventTime(0), row))
        .into();
    let e = writer.write(&mut records).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Data, "{}", e.report());
}

#[test]
fn a_strange_committable_is_refused() {
    let dir = tempdir().unwrap();
    let sink = sink(dir.path()).json::<Row>();
    let outside =
        r#"{"format":1,"staged":"../x","final":"y","attempt":1,"records":1,"bytes":1,"xxh3":""}"#;
    for strange in ["", "{}", outside] {
        let e = recover(&sink, 1, &[strange.into()]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::State, "{e}");
    }
}

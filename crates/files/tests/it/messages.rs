//! What the user is told when a path, a file or a position is wrong.

use std::fs;
use std::path::Path;
use std::time::Duration;

use expect_test::expect;
use headwater_connect::{Position, Sink, Source, SplitId, Wake};
use headwater_core::Error;
use headwater_files::{Compression, sink, source};
use tempfile::tempdir;

use crate::support::*;

fn open_error<S: Source>(source: &S, split: &str, position: &str) -> Error {
    let position = Position(position.into());
    match source.open(&SplitId(split.into()), Some(&position), Wake::none()) {
        Ok(mut reader) => read_error(&mut *reader),
        Err(e) => e,
    }
}

#[test]
fn a_path_that_cannot_be_read_is_named() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a.jsonl"), "").unwrap();
    let check = |path: &str, watch: bool| {
        let mut builder = source(dir.path().join(path));
        if watch {
            builder = builder.watch(Duration::from_secs(1));
        }
        show(dir.path(), &builder.lines().validate().unwrap_err())
    };
    expect![[r#"
        Config: there is no file or directory "DIR/b.jsonl"
        help: check the path; relative paths start at the working directory
    "#]]
    .assert_eq(&check("b.jsonl", false));
    expect![[r#"
        Config: there is no file or directory "DIR/none"
        help: check the path; relative paths start at the working directory
    "#]]
    .assert_eq(&check("none/*.csv", false));
    expect![[r#"
        Config: cannot read "DIR/a.jsonl/*.csv"
        help: check the path
    "#]]
    .assert_eq(&check("a.jsonl/*.csv", false));
    expect![[r#"
        Config: no file matches "DIR/*.csv"
        help: check what is in "DIR"; "*.csv" must match a whole name
    "#]]
    .assert_eq(&check("*.csv", false));
    expect![[r#"
        Config: cannot watch "DIR/a.jsonl": it is a single file
        help: watch a directory or a pattern such as "in/*.jsonl"
    "#]]
    .assert_eq(&check("a.jsonl", true));
}

#[cfg(unix)]
#[test]
fn an_unreadable_directory_is_named() {
    let dir = tempdir().unwrap();
    // Permissions do not stop a privileged user; a link to itself stops everyone.
    std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
    let e = source(dir.path().join("loop/*.csv")).lines().validate().unwrap_err();
    expect![[r#"
        Config: cannot read "DIR/loop/*.csv"
        help: check the path
    "#]]
    .assert_eq(&show(dir.path(), &e));
}

#[test]
fn a_file_that_shrank_or_vanished_is_named_with_position_and_size() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a.jsonl"), "{}\n").unwrap();
    fs::write(dir.path().join("a.jsonl.gz"), compress(b"{}\n", Compression::Gzip)).unwrap();
    crate::parquet::put_parquet(&dir.path().join("a.parquet"), &rows(0..5), 5);
    let json = source(dir.path()).json::<Row>();
    let parquet = source(dir.path()).parquet::<Row>();
    let check = |e: Error| show(dir.path(), &e);
    expect![[r#"
        Connector: file "DIR/a.jsonl" was read up to offset 40, but now has 3 bytes
        help: put the original file back; a file must not change while a job reads it
    "#]]
    .assert_eq(&check(open_error(&json, "a.jsonl", r#"{"offset":40,"line":2}"#)));
    expect![[r#"
        Connector: file "DIR/a.jsonl.gz" was read up to offset 40, but now has 3 bytes once decompressed
        help: put the original file back; a file must not change while a job reads it
    "#]]
    .assert_eq(&check(open_error(&json, "a.jsonl.gz", r#"{"offset":40,"line":2}"#)));
    expect![[r#"
        Connector: file "DIR/a.parquet" was read up to row group 0, row 6, but now has 5 rows in that row group
        help: put the original file back; a file must not change while a job reads it
    "#]]
    .assert_eq(&check(open_error(&parquet, "a.parquet", r#"{"row_group":0,"row":6}"#)));
    expect![[r#"
        Connector: file "DIR/gone.jsonl" is gone
        help: files must stay until the job has read them and a checkpoint says so
    "#]]
    .assert_eq(&check(open_error(&json, "gone.jsonl", r#"{"offset":40,"line":2}"#)));
    expect![[r#"
        State: cannot restore file "DIR/a.jsonl" at position "{\"row_group\":0,\"row\":6}"
        help: the checkpoint was written by another kind of source or format
    "#]]
    .assert_eq(&check(open_error(&json, "a.jsonl", r#"{"row_group":0,"row":6}"#)));
}

#[test]
fn a_broken_file_is_named_with_its_offset() {
    let dir = tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let text = json(&rows(0..2000));
    for compression in [Compression::Gzip, Compression::Zstd] {
        let bytes = compress(&text, compression);
        put(&format!("cut{}", compression.suffix()), &bytes[..bytes.len() - 5]);
        put(&format!("no{}", compression.suffix()), b"not compressed at all");
    }
    put("no.parquet", b"PAR1 not parquet");
    let json = source(dir.path()).json::<Row>();
    for name in ["cut.gz", "no.gz", "cut.zst", "no.zst"] {
        let e = match json.open(&SplitId(name.into()), None, Wake::none()) {
            Ok(mut reader) => read_error(&mut *reader),
            Err(e) => e,
        };
        let text = show(dir.path(), &e);
        let start = format!("Connector: cannot read file \"DIR/{name}\" at decompressed offset ");
        assert!(text.starts_with(&start), "{text}");
    }
    let parquet = source(dir.path()).parquet::<Row>();
    let e = parquet.open(&SplitId("no.parquet".into()), None, Wake::none()).err().unwrap();
    expect![[r#"
        Connector: cannot read the footer of file "DIR/no.parquet" (16 bytes)
        help: is it a complete Parquet file?
    "#]]
    .assert_eq(&show(dir.path(), &e));
}

#[test]
fn damage_inside_a_parquet_file_is_named_with_its_row_group() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    crate::parquet::put_parquet(&path, &rows(0..1000), 1000);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..2000].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let source = source(&path).parquet::<Row>();
    let e = read_error(&mut *open(&source, "a.parquet", None));
    expect![[r#"
        Connector: cannot read file "DIR/a.parquet" at row group 0 (offset 4), row 0
        help: the file is damaged; replace it by an intact one
    "#]]
    .assert_eq(&show(dir.path(), &e));
}

#[test]
fn a_wrong_sink_is_refused_before_it_starts() {
    fn check<S: Sink>(dir: &Path, sink: S) -> String {
        show(dir, &sink.validate().unwrap_err())
    }
    let dir = tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("file"), "").unwrap();
    expect![[r#"
        Config: cannot write to "DIR/file/out": "DIR/file" is a file
        help: the sink's path must be a directory, or not exist yet
    "#]]
    .assert_eq(&check(dir, sink(dir.join("file/out")).json::<Row>()));
    expect![[r#"
        Config: "_a" cannot be the prefix of file names
        help: use letters, digits, - and _, and do not start with _
    "#]]
    .assert_eq(&check(dir, sink(dir).prefix("_a").json::<Row>()));
    expect![[r#"
        Config: roll_bytes must be positive, got 0
        help: leave it out for 128 MiB
    "#]]
    .assert_eq(&check(dir, sink(dir).roll_bytes(0).json::<Row>()));
    expect![[r#"
        Config: Parquet parts cannot be gzip-compressed
        help: use Compression::Zstd, or none for Snappy
    "#]]
    .assert_eq(&check(dir, sink(dir).compression(Compression::Gzip).parquet::<Row>()));
    expect![[r#"
        Config: cannot write `alloc::string::String` as Parquet: a row must have named fields, this is a single Utf8
        help: change the type, give the columns with .schema(..), or write JSON
    "#]]
    .assert_eq(&check(dir, sink(dir).parquet::<String>()));
}

//! Records that cannot be read: dead-lettered with place and reason, counted, and the job goes on.

use std::fs;
use std::io::Write;
use std::path::Path;

use expect_test::{Expect, expect};
use headwater_api::Job;
use headwater_connect::Source;
use headwater_connect::collect::collect;
use headwater_connect::collection::collection;
use headwater_core::{BadRecordPolicy, DeadLetter, Record};
use headwater_files as files;
use headwater_runtime::{RestartStrategy, start};
use serde::{Deserialize, Serialize};

use crate::support::{config, letters, run, show};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    cents: i64,
}

/// Reads everything on two workers; gives the dead letters after checking the counts.
fn read<T: Record>(source: impl Source<Record = T>, good: usize, bad: usize) -> String {
    let (out, refused) = (collect::<T>(), collect::<DeadLetter>());
    let mut job = Job::new("orders");
    job.dead_letters(refused.clone());
    job.source("orders", source).sink("out", out.clone());
    let mut handle = start(job.build().unwrap(), config(2, None)).unwrap();
    handle.wait().unwrap();
    let totals = handle.metrics().operator("orders").unwrap().totals;
    let counted = (totals.records_in, totals.records_out, totals.dead_lettered);
    assert_eq!(counted, ((good + bad) as u64, good as u64, bad as u64));
    assert_eq!((out.len(), refused.len()), (good, bad));
    letters(refused.records())
}

fn check(dir: &Path, name: &str, bytes: &[u8], bad: usize, expected: &Expect) {
    fs::write(dir.join(name), bytes).unwrap();
    let source = files::source(dir.join(name));
    let found = match name.ends_with("csv") {
        true => read(source.csv::<Order>(), 2, bad),
        false => read(source.json::<Order>(), 2, bad),
    };
    expected.assert_eq(&found);
}

#[test]
fn malformed_json_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = br#"{"id":1,"customer":"ana","cents":250}
{"id":2,"customer":"bo"
not json at all
{"id":"3","customer":"cy","cents":1}
{"id":4,"customer":"di"}
{"id":-5,"customer":"di","cents":1}
[1,2]

"#
    .to_vec();
    bytes.extend_from_slice(b"{\"id\":6,\"customer\":\"\xff\xfe\",\"cents\":1}\n");
    bytes.extend_from_slice(br#"{"id":7,"customer":"eve","cents":-3,"unknown":true}"#);
    let expected = expect![[r#"
        orders | line 2 | EOF while parsing an object at column 23 | {"id":2,"customer":"bo"
        orders | line 3 | expected ident at column 2 | not json at all
        orders | line 4 | invalid type: string "3", expected u64 at column 9 | {"id":"3","customer":"cy","cents":1}
        orders | line 5 | missing field `cents` at column 24 | {"id":4,"customer":"di"}
        orders | line 6 | invalid value: integer `-5`, expected u64 at column 8 | {"id":-5,"customer":"di","cents":1}
        orders | line 7 | invalid type: integer `2`, expected a string at column 4 | [1,2]
        orders | line 9 | invalid unicode code point at column 21 | hex:7b226964223a362c22637573746f6d6572223a22fffe222c2263656e7473223a317d"#]];
    check(dir.path(), "orders.jsonl", &bytes, 7, &expected);
}

#[test]
fn malformed_csv_rows() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = b"id,customer,cents
1,ana,250
2,bo
three,cy,1
4,di,1,extra
,eve,1
6,\"fay, or \"\"fe\"\"\",-3
7,\xff,3
8,\"never closed,3
";
    let expected = expect![[r#"
        orders | line 3 | 2 fields, but the header has 3 | 2,bo
        orders | line 4 | column "id": invalid digit found in string | three,cy,1
        orders | line 5 | 4 fields, but the header has 3 | 4,di,1,extra
        orders | line 6 | column "id": cannot parse integer from empty string | ,eve,1
        orders | line 8 | column "customer": invalid utf-8 sequence of 1 bytes from index 0 | hex:372cff2c33
        orders | line 9 | 2 fields, but the header has 3 | 8,"never closed,3"#]];
    check(dir.path(), "orders.csv", bytes, 6, &expected);
}

/// Rows of an earlier shape: what may be null there must not be here.
#[test]
fn parquet_rows_of_another_shape() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Earlier {
        id: i64,
        customer: Option<String>,
        cents: Option<i64>,
    }
    let dir = tempfile::tempdir().unwrap();
    let row = |id, customer: Option<&str>, cents| {
        let customer = customer.map(str::to_owned);
        Earlier { id, customer, cents }
    };
    let rows = vec![
        row(1, Some("ana"), Some(250)),
        row(2, None, Some(1)),
        row(3, Some("cy"), None),
        row(-4, Some("di"), Some(1)),
        row(5, Some("eve"), Some(-3)),
    ];
    let mut job = Job::new("earlier");
    let sink = files::sink(dir.path()).parquet::<Earlier>();
    job.source("rows", collection(rows)).sink("out", sink);
    run(job.build().unwrap(), config(1, None)).unwrap();
    let found = read(files::source(dir.path()).parquet::<Order>(), 2, 3);
    expect![[r#"
        orders | row group 0, row 1 | missing field `customer` at column 18 | {"id":2,"cents":1}
        orders | row group 0, row 2 | missing field `cents` at column 24 | {"id":3,"customer":"cy"}
        orders | row group 0, row 3 | invalid value: integer `-4`, expected u64 at column 8 | {"id":-4,"customer":"di","cents":1}"#]].assert_eq(&found);
}

/// A damaged file is no record: the job fails and names the place.
#[test]
fn a_file_that_is_no_parquet() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("orders.parquet"), "PAR1 and nothing else").unwrap();
    let mut job = Job::new("orders");
    job.source("orders", files::source(dir.path()).parquet::<Order>()).sink("out", collect());
    let mut config = config(1, None);
    config.restart = RestartStrategy::None;
    let e = run(job.build().unwrap(), config).unwrap_err();
    expect![[r#"
        Connector: source "orders", split "orders.parquet": cannot read the footer of file "DIR/orders.parquet" (21 bytes)
          caused by: Parquet error: Invalid Parquet file. Corrupt footer
          help: is it a complete Parquet file?"#]].assert_eq(&show(&e, dir.path()));
}

#[test]
fn a_record_of_64_mb() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.jsonl");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    let line = |id: u64, customer: &str| {
        format!("{{\"id\":{id},\"customer\":\"{customer}\",\"cents\":1}}\n")
    };
    file.write_all(line(1, "ana").as_bytes()).unwrap();
    file.write_all(line(2, &"x".repeat(64 << 20)).as_bytes()).unwrap();
    file.write_all(line(3, "cy").as_bytes()).unwrap();
    file.into_inner().unwrap();
    // Refused by default, with an excerpt of a megabyte.
    let found = read(files::source(&path).json::<Order>(), 2, 1);
    let excerpt = "x".repeat((1 << 20) - "{\"id\":2,\"customer\":\"".len());
    assert!(found.contains(&excerpt) && found.len() < (1 << 20) + 300, "{} bytes", found.len());
    expect![[r#"orders | line 2 | record of 67108896 bytes exceeds the limit of 16777216 | {"id":2,"customer":"xxx"#]].assert_eq(&found.replace(&excerpt, "xxx"));
    // Read if that is wanted.
    assert_eq!(read(files::source(&path).max_record_bytes(100 << 20).json::<Order>(), 3, 0), "");
}

/// The other policies for records that cannot be read.
#[test]
fn unreadable_records_can_be_skipped_or_fail_the_job() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("n.jsonl"), "1\nzwei\n3\n").unwrap();
    let job = |policy| {
        let (out, refused) = (collect::<u64>(), collect::<DeadLetter>());
        let mut job = Job::new("numbers");
        job.dead_letters(refused.clone());
        let source = files::source(dir.path()).json::<u64>();
        job.source_with_policy("numbers", source, policy).sink("out", out.clone());
        (job.build().unwrap(), out, refused)
    };
    let (topology, out, refused) = job(BadRecordPolicy::Skip);
    let mut handle = start(topology, config(1, None)).unwrap();
    handle.wait().unwrap();
    let totals = handle.metrics().operator("numbers").unwrap().totals;
    assert_eq!((totals.dropped, totals.dead_lettered), (1, 0));
    assert_eq!((out.sorted(), refused.len()), (vec![1, 3], 0));

    let (topology, out, _) = job(BadRecordPolicy::Fail);
    let e = run(topology, config(1, None)).unwrap_err();
    expect![[
        r#"Data: source "numbers": cannot read a record at line 2: expected value at column 1"#
    ]]
    .assert_eq(&show(&e, dir.path()));
    assert!(out.is_empty());
}

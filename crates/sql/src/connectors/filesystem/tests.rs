use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray, UInt8Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::prelude::{SessionConfig, SessionContext};
use expect_test::expect;

use super::*;
use crate::catalog::Table;
use crate::connectors::batch::Refusals;
use crate::connectors::testing::{
    MILLIS, cx, lines, message, read_all, read_in_pieces, table, with_metadata, write,
};
use crate::connectors::{provider, sink as sink_of, source as source_of};
use crate::rows::Chunk;

fn orders(dir: &Path, options: &[(&str, &str)]) -> Table {
    let columns = [("id", DataType::Int64), ("name", DataType::Utf8)];
    let path = dir.to_str().unwrap();
    table(&columns, &[&[("connector", "filesystem"), ("path", path)], options].concat())
}

fn chunk(ids: std::ops::Range<i64>) -> Chunk {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Utf8, true),
    ]));
    let names = ids.clone().map(|id| (id % 7 != 0).then(|| format!("name, {id}\n\"{id}\"")));
    let names: StringArray = names.collect();
    let data = RecordBatch::try_new(
        schema,
        vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(names)],
    );
    Chunk::inserts(data.unwrap())
}

fn files(dir: &Path) -> Vec<String> {
    let source = headwater_files::source(dir).lines();
    let splits = headwater_connect::Source::splits(&source).unwrap();
    splits.into_iter().map(|split| split.0).collect()
}

#[test]
fn what_is_written_is_read() {
    for options in [
        &[("format", "json")][..],
        &[("format", "json"), ("sink.compression", "gzip")],
        &[("format", "csv"), ("csv.null-literal", "NULL")],
        &[("format", "csv"), ("csv.null-literal", "NULL"), ("csv.header", "true")],
        &[("format", "csv"), ("csv.null-literal", "NULL"), ("sink.compression", "zstd")],
        &[("format", "parquet")],
        &[("format", "parquet"), ("sink.compression", "zstd")],
        &[("format", "json"), ("sink.rolling-policy.file-size", "2 kb")],
        &[("format", "parquet"), ("sink.rolling-policy.file-size", "2 kb")],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let table = orders(dir.path(), options);
        let sink = sink_of(&table, &cx()).unwrap();
        assert_eq!(sink.accepts, ChangelogMode::Append);
        let chunks = vec![chunk(0..10), chunk(10..300), chunk(300..301)];
        let written: Vec<String> = chunks.iter().flat_map(lines).collect();
        write(&sink, chunks);
        let rolled = options.iter().any(|(key, _)| *key == "sink.rolling-policy.file-size");
        assert_eq!(files(dir.path()).len() > 1, rolled, "{options:?}");
        let source = source_of(&table, None, &cx()).unwrap();
        assert!(source.bounded);
        let read = read_all(&*source.source);
        assert_eq!(read.bad, [], "{options:?}");
        assert_eq!(read.lines(), written, "{options:?}");
        assert_eq!(read_in_pieces(&*source.source, 17).lines(), written, "{options:?}");
    }
}

#[test]
fn changes_are_written_and_read_with_their_kinds() {
    let dir = tempfile::tempdir().unwrap();
    let table = orders(dir.path(), &[("format", "debezium-json")]);
    let sink = sink_of(&table, &cx()).unwrap();
    assert_eq!(sink.accepts, ChangelogMode::Retract);
    let kinds = Some(UInt8Array::from(vec![0, 0, 1, 2, 3]));
    let mut data = chunk(1..6);
    data.kinds = kinds;
    write(&sink, vec![data]);
    let source = source_of(&table, None, &cx()).unwrap();
    assert_eq!(source.changelog, ChangelogMode::Retract);
    let kinds = read_all(&*source.source).lines().into_iter();
    let kinds: Vec<String> = kinds.map(|line| line[..4].to_owned()).collect();
    assert_eq!(kinds, ["+I[1", "+I[2", "-D[3", "+I[4", "-D[5"]);
}

#[test]
fn bad_records_are_told_with_their_line_and_leave_no_row() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.jsonl"), "{\"id\":1}\nnot json\n\n{\"id\":\"x\"}\n{\"id\":2}")
        .unwrap();
    let table = orders(dir.path(), &[("format", "json")]);
    let source = source_of(&table, None, &cx()).unwrap();
    assert_eq!(source.bad_records, BadRecordPolicy::DeadLetter);
    let read = read_all(&*source.source);
    assert_eq!(read.lines(), ["+I[1, null]", "+I[2, null]"]);
    let bad: Vec<(&str, &[u8])> =
        read.bad.iter().map(|bad| (bad.position.as_str(), bad.record.bytes())).collect();
    assert_eq!(bad, [("line 2", &b"not json"[..]), ("line 4", b"{\"id\":\"x\"}")]);
    for (options, policy) in [
        (&[("json.ignore-parse-errors", "true")][..], BadRecordPolicy::Skip),
        (&[("scan.bad-records", "fail")], BadRecordPolicy::Fail),
        (&[("scan.bad-records", "skip")], BadRecordPolicy::Skip),
    ] {
        let table = orders(dir.path(), &[&[("format", "json")], options].concat());
        assert_eq!(source_of(&table, None, &cx()).unwrap().bad_records, policy, "{options:?}");
    }
}

#[test]
fn a_record_without_what_must_be_there_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.jsonl"), "{\"id\":1}\n{\"name\":\"x\"}\n{\"id\":3}\n").unwrap();
    let mut table = orders(dir.path(), &[("format", "json")]);
    let fields =
        [table.schema.field(0).clone().with_nullable(false), table.schema.field(1).clone()];
    table.schema = Arc::new(Schema::new(fields.to_vec()));
    let read = read_all(&*source_of(&table, None, &cx()).unwrap().source);
    assert_eq!(read.lines(), ["+I[1, null]", "+I[3, null]"]);
    let reasons: Vec<&str> = read.bad.iter().map(|bad| bad.reason.as_str()).collect();
    assert_eq!(reasons, ["column `id` is null, but declared NOT NULL"]);
}

#[test]
fn a_header_names_the_fields_wherever_reading_begins() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), "name,more,id\nx,,1\n\"y\ny\",,2\nz,,3\n").unwrap();
    fs::write(dir.path().join("b.csv"), "id,name\n4,w\n").unwrap();
    fs::write(dir.path().join("c.csv"), "").unwrap();
    let table = orders(dir.path(), &[("format", "csv"), ("csv.header", "true")]);
    let source = source_of(&table, None, &cx()).unwrap();
    let expected = ["+I[1, x]", "+I[2, y\\ny]", "+I[3, z]", "+I[4, w]"];
    assert_eq!(read_all(&*source.source).lines(), expected);
    assert_eq!(read_in_pieces(&*source.source, 1).lines(), expected);
    fs::write(dir.path().join("d.csv"), "id,nmae\n4,w\n").unwrap();
    let split = headwater_connect::SplitId("d.csv".into());
    let open = source.source.open(&split, None, headwater_connect::Wake::none());
    let error = open.map(drop).unwrap_err().to_string();
    assert_eq!(
        error,
        "header of file \"d.csv\": the header has no field `name`; fields are id, nmae"
    );
}

#[test]
fn partitions_are_folders() {
    for format in ["json", "csv", "parquet"] {
        let dir = tempfile::tempdir().unwrap();
        let mut table = table(
            &[("id", DataType::Int64), ("day", DataType::Date32), ("hm", DataType::Utf8)],
            &[
                ("connector", "filesystem"),
                ("path", dir.path().to_str().unwrap()),
                ("format", format),
            ],
        );
        table.partitioned_by = vec![1, 2];
        let policy = ("sink.partition-commit.policy.kind".into(), "success-file".into());
        table.options.extend([policy]);
        let sink = sink_of(&table, &cx()).unwrap();
        let data = RecordBatch::try_new(
            Arc::clone(&table.schema),
            vec![
                Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
                Arc::new(datafusion::arrow::array::Date32Array::from(vec![0, 1, 0, 1])),
                Arc::new(StringArray::from(vec![Some("12:13"), None, Some("12:13"), Some("/")])),
            ],
        );
        write(&sink, vec![Chunk::inserts(data.unwrap())]);
        let folder = |file: &String| file.rsplit_once('/').unwrap().0.to_owned();
        let folders: BTreeSet<String> = files(dir.path()).iter().map(folder).collect();
        let expected = [
            "day=1970-01-01/hm=12%3A13",
            "day=1970-01-02/hm=%2F",
            "day=1970-01-02/hm=__DEFAULT_PARTITION__",
        ];
        assert_eq!(folders, expected.map(str::to_owned).into(), "{format}");
        for folder in &folders {
            assert!(dir.path().join(folder).join("_SUCCESS").exists(), "{folder}");
        }
        let source = source_of(&table, None, &cx()).unwrap();
        let mut rows = read_all(&*source.source).lines();
        rows.sort();
        let expected = [
            "+I[1, 1970-01-01, 12:13]",
            "+I[2, 1970-01-02, null]",
            "+I[3, 1970-01-01, 12:13]",
            "+I[4, 1970-01-02, /]",
        ];
        assert_eq!(rows, expected, "{format}");
    }
}

#[test]
fn files_have_metadata() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), "1,x\n2,y\n").unwrap();
    let ltz = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    for format in ["csv", "json"] {
        if format == "json" {
            fs::write(dir.path().join("a.csv"), "{\"id\":1,\"name\":\"x\"}").unwrap();
        }
        let table = orders(dir.path(), &[("format", format)]);
        let table = with_metadata(table, "file", "file.name", DataType::Utf8);
        let table = with_metadata(table, "size", "file.size", DataType::Int64);
        let table = with_metadata(table, "modified", "file.modification-time", ltz.clone());
        let source = source_of(&table, None, &cx()).unwrap();
        let first = read_all(&*source.source).lines().swap_remove(0);
        let size = if format == "csv" { 8 } else { 19 };
        assert!(first.starts_with(&format!("+I[1, x, a.csv, {size}, 20")), "{first}");
        let wanted = Arc::new(Schema::new(vec![
            table.schema.field(2).clone(),
            table.schema.field(0).clone(),
        ]));
        let source = source_of(&table, Some(&wanted), &cx()).unwrap();
        assert_eq!(read_all(&*source.source).lines()[0], "+I[a.csv, 1]");
    }
    let table =
        with_metadata(orders(dir.path(), &[("format", "csv")]), "f", "file.nam", DataType::Utf8);
    assert!(message(source_of(&table, None, &cx())).contains("did you mean `file.name`?"));
}

#[test]
fn parquet_columns_are_found_by_name_and_cast() {
    use datafusion::parquet::arrow::ArrowWriter;
    let dir = tempfile::tempdir().unwrap();
    let inner = vec![Field::new("x", DataType::Int32, true), Field::new("y", DataType::Utf8, true)];
    let schema = Arc::new(Schema::new(vec![
        Field::new("other", DataType::Utf8, true),
        Field::new("row", DataType::Struct(inner.into()), true),
        Field::new("id", DataType::Int32, true),
    ]));
    let json =
        "{\"other\":\"o\",\"row\":{\"x\":5,\"y\":\"q\"},\"id\":1}\n{\"id\":2,\"row\":null}\n";
    let mut reader = datafusion::arrow::json::ReaderBuilder::new(Arc::clone(&schema))
        .build(json.as_bytes())
        .unwrap();
    let file = fs::File::create(dir.path().join("a.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&reader.next().unwrap().unwrap()).unwrap();
    writer.close().unwrap();
    let part = DataType::Struct(vec![Field::new("x", DataType::Int64, true)].into());
    let table = table(
        &[("id", DataType::Int64), ("row", part), ("missing", MILLIS)],
        &[
            ("connector", "filesystem"),
            ("path", dir.path().to_str().unwrap()),
            ("format", "parquet"),
        ],
    );
    let source = source_of(&table, None, &cx()).unwrap();
    assert_eq!(read_all(&*source.source).lines(), ["+I[1, (5), null]", "+I[2, null, null]"]);
}

#[test]
fn a_batch_reads_what_a_stream_reads() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(batch_and_stream());
}

async fn batch_and_stream() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("a.jsonl"),
        "{\"id\":1,\"name\":\"x\"}\nbad\n{\"id\":2,\"name\":\"y\"}",
    )
    .unwrap();
    let cx = cx();
    let table = orders(dir.path(), &[("format", "json")]);
    let refused = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&refused);
    let refusals = Refusals(Box::new(move |table, _policy, records| {
        let places = records.into_iter().map(|bad| format!("{table} {}", bad.position));
        told.lock().unwrap().extend(places);
        true
    }));
    let config = SessionConfig::new().with_extension(Arc::new(refusals));
    let session = SessionContext::new_with_config(config);
    session.register_table("t", provider(&table, &cx).unwrap().unwrap()).unwrap();
    let count = async |query: &str| {
        let rows = session.sql(query).await.unwrap().collect().await.unwrap();
        datafusion::arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string()
    };
    expect![[r#"
        +----+------+
        | id | name |
        +----+------+
        | 1  | x    |
        | 2  | y    |
        +----+------+"#]]
    .assert_eq(&count("SELECT * FROM t ORDER BY id").await);
    assert_eq!(*refused.lock().unwrap(), ["t line 2"]);
    expect![[r#"
        +----------+
        | count(*) |
        +----------+
        | 2        |
        +----------+"#]]
    .assert_eq(&count("SELECT COUNT(*) FROM t").await);

    let changes = tempfile::tempdir().unwrap();
    let record = |op: &str, before: &str, after: &str| {
        format!("{{\"op\":\"{op}\",\"before\":{before},\"after\":{after}}}\n")
    };
    let [one, two, three] = [1, 2, 3].map(|id| format!("{{\"id\":{id},\"name\":\"n\"}}"));
    let text = [
        record("c", "null", &one),
        record("c", "null", &two),
        record("c", "null", &two),
        record("u", &one, &three),
        record("d", &two, "null"),
    ];
    fs::write(changes.path().join("a.jsonl"), text.concat()).unwrap();
    let table = orders(changes.path(), &[("format", "debezium-json")]);
    session.register_table("c", provider(&table, &cx).unwrap().unwrap()).unwrap();
    expect![[r#"
        +----+
        | id |
        +----+
        | 2  |
        | 3  |
        +----+"#]]
    .assert_eq(&count("SELECT id FROM c ORDER BY id").await);

    let failing = orders(dir.path(), &[("format", "json"), ("scan.bad-records", "fail")]);
    session.register_table("f", provider(&failing, &cx).unwrap().unwrap()).unwrap();
    let error = session.sql("SELECT * FROM f").await.unwrap().collect().await.unwrap_err();
    assert!(error.to_string().contains("line 2: expected a value"), "{error}");
}

#[test]
fn wrong_options_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |options: &[(&str, &str)]| {
        let table = orders(dir.path(), options);
        (message(source_of(&table, None, &cx())), message(sink_of(&table, &cx())))
    };
    expect![[r#"
        HW-O003: table `t` has no option 'format', which says what its records look like
          help: 'format': what records look like: json, csv, avro, protobuf, parquet, raw or debezium-json"#]]
    .assert_eq(&fails(&[]).0);
    expect![[r#"
        HW-O005: there is no format 'jsn' (did you mean `json`?)
          help: formats are json, csv, avro, protobuf, parquet, raw, debezium-json"#]]
    .assert_eq(&fails(&[("format", "jsn")]).0);
    expect![[r#"
        HW-O001: connector 'filesystem' has no option 'json.ignore-parse-error' (did you mean `json.ignore-parse-errors`?)
          help: did you mean `json.ignore-parse-errors`?
          help: `headwater connectors show filesystem` prints all options"#]]
    .assert_eq(&fails(&[("format", "json"), ("json.ignore-parse-error", "true")]).1);
    expect![[r#"
        HW-O002: Parquet files cannot be compressed by gzip
          help: use 'zstd' or 'none'"#]]
    .assert_eq(&fails(&[("format", "parquet"), ("sink.compression", "gzip")]).1);
    expect![
        "HW-O008: format 'raw' carries exactly one column, of text, bytes, BOOLEAN or a number"
    ]
    .assert_eq(&fails(&[("format", "raw")]).0);
    assert!(fails(&[("format", "avro")]).0.contains("files of format 'avro' are not supported"));
    assert!(fails(&[("format", "orc")]).0.contains("format 'orc' is not supported"));
    let away = table(
        &[("id", DataType::Int64)],
        &[("connector", "filesystem"), ("path", "s3://b/x"), ("format", "json")],
    );
    assert!(message(source_of(&away, None, &cx())).contains("files at 's3://' are not supported"));
    let nowhere =
        table(&[("id", DataType::Int64)], &[("connector", "filesystem"), ("format", "json")]);
    assert!(message(source_of(&nowhere, None, &cx())).contains("has no option 'path'"));
}

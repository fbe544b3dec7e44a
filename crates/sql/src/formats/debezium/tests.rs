use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use expect_test::expect;

use super::*;
use crate::connectors::testing::{lines, table};
use crate::rows::Chunk;

fn schema() -> SchemaRef {
    let fields = [("id", DataType::Int32), ("name", DataType::Utf8)];
    Arc::new(Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).to_vec()))
}

fn debezium(options: &[(&str, &str)]) -> Debezium {
    let table = table(&[], &[&[("connector", "filesystem")], options].concat());
    Debezium::of(&Options::check(&table, OPTIONS).unwrap(), "")
}

fn read(debezium: &Debezium, records: &[&str]) -> (Chunk, Vec<String>) {
    let (mut columns, mut kinds) = (Columns::new(&schema()).unwrap(), Vec::new());
    let mut read = |r: &&str| debezium.read(r.as_bytes(), &mut columns, &mut kinds).err();
    let refused = records.iter().filter_map(&mut read).collect();
    let data = columns.finish().unwrap();
    (Chunk { data, kinds: Some(kinds.into()), read_at: None }, refused)
}

#[test]
fn events_are_changes() {
    let (chunk, refused) = read(
        &debezium(&[]),
        &[
            r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":5}"#,
            r#"{"op":"r","after":{"id":2,"name":"b"},"source":{"db":"x"}}"#,
            r#"{"op":"u","before":{"id":1,"name":"a"},"after":{"id":1,"name":"A"}}"#,
            r#"{"op":"d","before":{"id":2,"name":"b"},"after":null}"#,
            "",
        ],
    );
    assert_eq!(refused, Vec::<String>::new());
    expect![[r#"
        +I[1, a]
        +I[2, b]
        -U[1, a]
        +U[1, A]
        -D[2, b]"#]]
    .assert_eq(&lines(&chunk).join("\n"));
}

#[test]
fn a_schema_may_be_included() {
    let debezium = debezium(&[("debezium-json.schema-include", "true")]);
    let record = r#"{"schema":{"type":"struct"},"payload":{"op":"c","after":{"id":1,"name":"a"}}}"#;
    assert_eq!(lines(&read(&debezium, &[record]).0), ["+I[1, a]"]);
    let (_, refused) = read(&debezium, &[r#"{"op":"c","after":{"id":1}}"#]);
    assert_eq!(refused, ["there is no `payload`; is schema-include right?"]);
}

#[test]
fn a_refused_record_leaves_nothing_behind() {
    let (chunk, refused) = read(
        &debezium(&[]),
        &[
            r#"{"op":"u","before":null,"after":{"id":1}}"#,
            r#"{"op":"u","before":{"id":1},"after":{"id":"x"}}"#,
            r#"{"op":"t"}"#,
            r#"{"id":1}"#,
            r#"{"op":"c"}"#,
            r#"{"op":"c","after":{"id":3}}"#,
        ],
    );
    assert_eq!(lines(&chunk), ["+I[3, null]"]);
    expect![[r#"
        there is no `before`, which op 'u' needs; the database must tell whole rows (REPLICA IDENTITY FULL)
        field `id`: "x" is no INT
        op 't' is none of c, r, u and d
        there is no `op`; is it a record of Debezium?
        there is no `after`, which op 'c' needs"#]]
    .assert_eq(&refused.join("\n"));
}

#[test]
fn rows_are_written_as_they_are_added_and_taken_back() {
    let debezium = debezium(&[]);
    let update = r#"{"op":"u","before":{"id":1,"name":"a"},"after":{"id":1,"name":"A"}}"#;
    let (chunk, _) = read(&debezium, &[update]);
    let rows = encode::Rows::new(debezium.json, &chunk.data).unwrap();
    let mut out = Vec::new();
    for row in 0..2 {
        debezium.write(&rows, row, chunk.kind(row), &mut out);
        out.push(b'\n');
    }
    expect![[r#"
        {"before":{"id":1,"name":"a"},"after":null,"op":"d"}
        {"before":null,"after":{"id":1,"name":"A"},"op":"c"}
    "#]]
    .assert_eq(std::str::from_utf8(&out).unwrap());
}

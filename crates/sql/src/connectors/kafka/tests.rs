use datafusion::arrow::datatypes::{DataType, TimeUnit};
use expect_test::expect;
use headwater_kafka::{KafkaRecord, Timestamp};

use super::reading::Bytes;
use super::*;
use crate::catalog::Table;
use crate::connectors::decoded::Decoding;
use crate::connectors::testing::{cx, lines, message, table, with_metadata};
use crate::connectors::{sink as sink_of, source as source_of};

fn topic(connector: &str, options: &[(&str, &str)]) -> Table {
    let columns = [("id", DataType::Int64), ("name", DataType::Utf8)];
    let base = [
        ("connector", connector),
        ("topic", "orders"),
        ("properties.bootstrap.servers", "localhost:1"),
    ];
    let mut table = table(&columns, &[&base, options].concat());
    if connector == UPSERT_NAME {
        table.primary_key = vec![0];
    }
    table
}

fn record(key: Option<&str>, value: Option<&str>) -> Bytes {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    KafkaRecord {
        timestamp: Timestamp::Create(1_609_330_394_123),
        topic: "orders".into(),
        partition: 3,
        offset: 42,
        headers: vec![("h".into(), Some(b"v".to_vec())), ("none".into(), None)],
        ..KafkaRecord::new(bytes(key), bytes(value))
    }
}

/// What a table makes of records: rows and refusals.
fn rows(table: &Table, records: &[Bytes]) -> Vec<String> {
    let specs = crate::connectors::options(table.connector().unwrap()).unwrap();
    let options = Options::check(table, &specs).unwrap();
    let projection = Projection::new(table, None).unwrap();
    let layout = Layout::of(&options, &projection.record).unwrap();
    let mut decoding = Decoding::new(layout.value, layout.value_fields, &projection).unwrap();
    if let Some(key) = layout.key {
        let (upsert, prefix) = (layout.upsert, &key.prefix);
        decoding = decoding.with_key(key.format, key.fields, prefix, upsert, &projection).unwrap();
    }
    let mut assembler = decoding.assembler().unwrap();
    let refused: Vec<String> = records.iter().filter_map(|r| assembler.add(r).err()).collect();
    [lines(&assembler.finish().unwrap()), refused].concat()
}

#[test]
fn metadata_is_beside_the_record() {
    let ltz = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let entry =
        vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)];
    let entries = Field::new("entries", DataType::Struct(entry.into()), false);
    let mut table = topic(NAME, &[("format", "json")]);
    for (name, key, of) in [
        ("t", "topic", DataType::Utf8),
        ("p", "partition", DataType::Int32),
        ("o", "offset", DataType::Int64),
        ("at", "timestamp", ltz),
        ("h", "headers", DataType::Map(Arc::new(entries), false)),
        ("k", "key", DataType::Binary),
    ] {
        table = with_metadata(table, name, key, of);
    }
    let records = [
        record(Some("k"), Some("{\"id\":1,\"name\":\"a\"}")),
        record(None, Some("{")),
        record(None, None),
        record(None, Some("{\"id\":2}")),
    ];
    expect![[r#"
        +I[1, a, orders, 3, 42, 2020-12-30 12:13:14.123Z, {h=x'76', none=null}, x'6b']
        +I[2, null, orders, 3, 42, 2020-12-30 12:13:14.123Z, {h=x'76', none=null}, null]
        the record ends at column 2"#]]
    .assert_eq(&rows(&table, &records).join("\n"));
    assert!(source_of(&table, None, &cx()).is_ok());
}

#[test]
fn keys_have_a_format_of_their_own() {
    let table = topic(
        NAME,
        &[
            ("value.format", "json"),
            ("key.format", "raw"),
            ("key.fields", "id"),
            ("value.fields-include", "EXCEPT_KEY"),
        ],
    );
    let key = |n: i64| String::from_utf8(n.to_be_bytes().to_vec()).unwrap();
    let records = [
        record(Some(&key(7)), Some("{\"name\":\"a\",\"id\":1}")),
        record(None, Some("{\"name\":\"b\"}")),
        record(Some("short"), Some("{\"name\":\"c\"}")),
    ];
    expect![[r#"
        +I[7, a]
        +I[null, b]
        key: 5 bytes, expected are 8"#]]
    .assert_eq(&rows(&table, &records).join("\n"));
}

#[test]
fn the_last_record_of_a_key_counts() {
    let table = topic(UPSERT_NAME, &[("value.format", "json"), ("key.format", "json")]);
    let records = [
        record(Some("{\"id\":1}"), Some("{\"id\":1,\"name\":\"a\"}")),
        record(Some("{\"id\":1}"), None),
        record(None, Some("{\"id\":2}")),
        record(Some("x"), None),
    ];
    expect![[r#"
        +U[1, a]
        -D[1, null]
        there is no key
        key: expected a value at column 1"#]]
    .assert_eq(&rows(&table, &records).join("\n"));
    let source = source_of(&table, None, &cx()).unwrap();
    assert_eq!((source.changelog, source.bounded), (ChangelogMode::Upsert(vec![0]), false));
    assert_eq!(sink_of(&table, &cx()).unwrap().accepts, ChangelogMode::Upsert(vec![0]));
}

#[test]
fn what_a_sink_takes_depends_on_its_format() {
    let accepts = |format| sink_of(&topic(NAME, &[("format", format)]), &cx()).unwrap().accepts;
    assert_eq!(accepts("json"), ChangelogMode::Append);
    assert_eq!(accepts("debezium-json"), ChangelogMode::Retract);
    use headwater_connect::Guarantee;
    for (guarantee, expected) in
        [("at-least-once", Guarantee::AtLeastOnce), ("exactly-once", Guarantee::ExactlyOnce)]
    {
        let options = [("format", "json"), ("sink.delivery-guarantee", guarantee)];
        let sink = sink_of(&topic(NAME, &options), &cx()).unwrap();
        assert_eq!(sink.sink.guarantee(), expected);
    }
}

#[test]
fn a_topic_may_have_an_end() {
    for (mode, bounded) in [("unbounded", false), ("latest-offset", true)] {
        let table = topic(NAME, &[("format", "json"), ("scan.bounded.mode", mode)]);
        assert_eq!(source_of(&table, None, &cx()).unwrap().bounded, bounded);
    }
}

#[test]
fn wrong_options_are_named() {
    let fails = |connector, options: &[(&str, &str)]| {
        message(source_of(&topic(connector, options), None, &cx()))
    };
    let json = ("format", "json");
    expect![[r#"
        HW-O001: connector 'kafka' has no option 'scan.startup.mod' (did you mean `scan.startup.mode`?)
          help: did you mean `scan.startup.mode`?
          help: `headwater connectors show kafka` prints all options"#]]
    .assert_eq(&fails(NAME, &[json, ("scan.startup.mod", "earliest-offset")]));
    expect![[r#"
        HW-O002: option 'scan.startup.mode' can't be 'earliest'
          help: it is one of 'earliest-offset', 'latest-offset', 'group-offsets', 'timestamp', 'specific-offsets'"#]]
    .assert_eq(&fails(NAME, &[json, ("scan.startup.mode", "earliest")]));
    expect![[r#"
        HW-O003: table `t` has no option 'scan.startup.timestamp-millis', which mode 'timestamp' needs
          help: 'scan.startup.timestamp-millis': milliseconds since 1970 of the first record"#]]
    .assert_eq(&fails(NAME, &[json, ("scan.startup.mode", "timestamp")]));
    let offsets = |text| {
        fails(
            NAME,
            &[
                json,
                ("scan.startup.mode", "specific-offsets"),
                ("scan.startup.specific-offsets", text),
            ],
        )
    };
    assert_eq!(offsets("partition:0,offset:42;partition:1,offset:300"), "no error");
    assert!(offsets("0:42").contains("can't be '0:42'"));
    assert!(fails(NAME, &[("format", "parquet")]).contains("can't be Parquet"));
    assert!(fails(NAME, &[json, ("key.format", "json")]).contains("no option 'key.fields'"));
    assert!(
        fails(NAME, &[json, ("key.format", "json"), ("key.fields", "nam")])
            .contains("did you mean `name`?")
    );
    assert!(
        fails(UPSERT_NAME, &[("value.format", "debezium-json"), ("key.format", "json")])
            .contains("tells changes by itself")
    );
    let mut keyless = topic(UPSERT_NAME, &[("value.format", "json"), ("key.format", "json")]);
    keyless.primary_key.clear();
    assert!(message(source_of(&keyless, None, &cx())).contains("has no primary key"));
    assert!(fails(NAME, &[json, ("properties.security.protocol", "X")]).contains("protocol 'X'"));
    let sasl = [
        json,
        ("properties.security.protocol", "SASL_SSL"),
        ("properties.sasl.mechanism", "SCRAM-SHA-512"),
        ("properties.sasl.jaas.config", "x required username=\"u\" password=\"p\";"),
    ];
    assert_eq!(fails(NAME, &sasl), "no error");
}

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use expect_test::expect;
use proptest::prelude::*;
use serde_json::Value;

use super::parser::Parser;
use super::*;

fn schema(columns: Vec<(&str, DataType)>) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, of)| Field::new(name, of, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn map(value: DataType) -> DataType {
    let fields = vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)];
    let entries = Field::new("entries", DataType::Struct(fields.into()), false);
    DataType::Map(Arc::new(entries), false)
}

fn row(columns: Vec<(&str, DataType)>) -> DataType {
    DataType::Struct(schema(columns).fields().clone())
}

/// All types that columns have.
fn everything() -> SchemaRef {
    let utc = Some("UTC".into());
    schema(vec![
        ("b", DataType::Boolean),
        ("i8", DataType::Int8),
        ("i16", DataType::Int16),
        ("i32", DataType::Int32),
        ("i64", DataType::Int64),
        ("f32", DataType::Float32),
        ("f64", DataType::Float64),
        ("dec", DataType::Decimal128(38, 18)),
        ("s", DataType::Utf8),
        ("bin", DataType::Binary),
        ("d", DataType::Date32),
        ("t", DataType::Time32(TimeUnit::Millisecond)),
        ("ts", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("ltz", DataType::Timestamp(TimeUnit::Microsecond, utc)),
        ("list", list(DataType::Int32)),
        ("map", map(DataType::Float64)),
        ("row", row(vec![("x", DataType::Int32), ("y", list(row(vec![("z", DataType::Utf8)])))])),
    ])
}

fn read(json: &Json, schema: &SchemaRef, records: &[&str]) -> (RecordBatch, Vec<String>) {
    let mut columns = Columns::new(schema).unwrap();
    let refused = records.iter().filter_map(|r| json.read(r.as_bytes(), &mut columns).err());
    let refused = refused.collect();
    (columns.finish().unwrap(), refused)
}

fn write(json: &Json, data: &RecordBatch) -> Vec<String> {
    let rows = encode::Rows::new(*json, data).unwrap();
    let line = |row| {
        let mut out = Vec::new();
        rows.write(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..data.num_rows()).map(line).collect()
}

const WHOLE: &str = concat!(
    r#"{"b":true,"i8":-128,"i16":32767,"i32":-5,"i64":9223372036854775807,"f32":1.5,"#,
    r#""f64":-2.5e-7,"dec":12345678901234567890.123456789012345678,"s":"ä\n\"","#,
    r#""bin":"AP8=","d":"2020-02-29","t":"12:13:14.5","ts":"2020-12-30 12:13:14.123","#,
    r#""ltz":"2020-12-30 12:13:14.123456Z","list":[1,null,3],"map":{"a":1.0,"b":null},"#,
    r#""row":{"x":1,"y":[{"z":"q"},null]}}"#
);

#[test]
fn every_type_comes_back_as_it_was() {
    let json = Json::default();
    let nulls = "{}";
    let (data, refused) = read(&json, &everything(), &[WHOLE, nulls, WHOLE]);
    assert_eq!(refused, Vec::<String>::new());
    let lines = write(&json, &data);
    assert_eq!(lines[0], WHOLE);
    assert_eq!(lines[2], WHOLE);
    assert!(lines[1].starts_with(r#"{"b":null,"i8":null"#), "{}", lines[1]);
    let sparse = Json { ignore_null_fields: true, ..json };
    assert_eq!(write(&sparse, &data)[1], "{}");
    let iso = Json { timestamps: TimestampStandard::Iso8601, ..json };
    assert!(write(&iso, &data)[0].contains(r#""ts":"2020-12-30T12:13:14.123""#));
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(read(&json, &everything(), &texts).0, data);
}

#[test]
fn values_are_converted_as_flink_does() {
    let schema = schema(vec![
        ("n", DataType::Int32),
        ("s", DataType::Utf8),
        ("f", DataType::Float64),
        ("b", DataType::Boolean),
    ]);
    let (data, refused) = read(
        &Json::default(),
        &schema,
        &[
            r#"{"n":"7","s":7,"f":"1e3","b":"true"}"#,
            r#" { "b" : false , "n" : 7.0 , "s" : { "a" : [ 1 , "x y" ] } , "f" : 2 } "#,
            r#"{"other":{"deep":[[]]},"s":true,"n":1,"n":2}"#,
            "   ",
        ],
    );
    assert_eq!(refused, Vec::<String>::new());
    expect![[r#"
        {"n":7,"s":"7","f":1000.0,"b":true}
        {"n":7,"s":"{\"a\":[1,\"x y\"]}","f":2.0,"b":false}
        {"n":2,"s":"true","f":null,"b":null}"#]]
    .assert_eq(&write(&Json::default(), &data).join("\n"));
}

#[test]
fn a_refused_record_leaves_nothing_behind() {
    let records = [
        r#"{"row":{"x":1,"y":[{"z":"q"},{"z":"r"},5]}}"#,
        r#"{"map":{"a":1,"b":"x"}}"#,
        r#"{"s":"half"#,
        r#"{"i8":128}"#,
        r#"{"i32":1.5}"#,
        r#"{"ts":1609330394123}"#,
        r#"{"d":"2021-02-29"}"#,
        r#"{"b":"maybe"}"#,
        r#"{"dec":1e30}"#,
        r#"{"s":"x"} tail"#,
        r#"[1]"#,
        r#"{"list":{"a":1}}"#,
    ];
    let all: Vec<&str> = records.iter().flat_map(|bad| [*bad, WHOLE]).collect();
    let (data, refused) = read(&Json::default(), &everything(), &all);
    assert_eq!(write(&Json::default(), &data), vec![WHOLE; records.len()]);
    expect![[r#"
        field `row`: field `y`: "5" is no ROW
        field `map`: "x" is no DOUBLE
        field `s`: the record ends within a text at column 11
        field `i8`: "128" is out of range for TINYINT
        field `i32`: "1.5" is no INT
        field `ts`: 1609330394123 is no timestamp like 2020-12-30 12:13:14.123; declare the column BIGINT and convert it by TO_TIMESTAMP_LTZ
        field `d`: "2021-02-29" is no date like 2020-12-30
        field `b`: "maybe" is no BOOLEAN
        field `dec`: "1e30" does not fit DECIMAL(38, 18)
        something follows the object at column 11
        expected an object at column 1
        field `list`: an object is no ARRAY<INT>"#]]
    .assert_eq(&refused.join("\n"));
}

#[test]
fn errors_may_be_ignored_and_missing_fields_may_not() {
    let schema = schema(vec![("n", DataType::Int32), ("r", row(vec![("x", DataType::Int32)]))]);
    let ignoring = Json { ignore_parse_errors: true, ..Json::default() };
    let (data, refused) = read(
        &ignoring,
        &schema,
        &[r#"{"n":"x","r":{"x":1}}"#, r#"{"n":1,"r":{"x":[2]}}"#, "{\"n\":", r#"{"n":3,"r":4}"#],
    );
    expect![[r#"
        {"n":null,"r":{"x":1}}
        {"n":1,"r":{"x":null}}
        {"n":3,"r":null}"#]]
    .assert_eq(&write(&Json::default(), &data).join("\n"));
    assert_eq!(refused, ["the record ends at column 6"]);
    let strict = Json { fail_on_missing_field: true, ..Json::default() };
    let (data, refused) = read(&strict, &schema, &[r#"{"n":1}"#, r#"{"n":1,"r":{"x":null}}"#]);
    assert_eq!(data.num_rows(), 1);
    assert_eq!(refused, ["field `r` is missing"]);
}

#[test]
fn depth_has_a_limit() {
    let schema = schema(vec![("s", DataType::Utf8)]);
    let deep = |n: usize| format!(r#"{{"s":{}{}}}"#, "[".repeat(n), "]".repeat(n));
    let (data, refused) = read(&Json::default(), &schema, &[&deep(100), &deep(100_000)]);
    assert_eq!(data.num_rows(), 1);
    assert!(refused[0].contains("nested more than 128 deep"), "{refused:?}");
}

fn accepts(text: &str) -> bool {
    let mut parser = Parser::new(text);
    parser.skip(&mut String::new()).is_ok() && parser.is_at_end()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn the_parser_accepts_what_others_accept(
        value in any_json(),
        at in any::<prop::sample::Index>(),
        with in "[\\[\\]{}\",:0-9eE.+\\-tfn\\\\ u]{0,2}",
    ) {
        let text = value.to_string();
        prop_assert!(accepts(&text), "{}", text);
        // Broken somewhere: it must break for both.
        let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        let place = *at.get(&places);
        let end = text[place..].chars().next().map_or(place, |c| place + c.len_utf8());
        let broken = format!("{}{with}{}", &text[..place], &text[end..]);
        let other = serde_json::from_str::<serde::de::IgnoredAny>(&broken).is_ok();
        prop_assert_eq!(accepts(&broken), other, "{}", broken);
    }

    #[test]
    fn texts_survive(text: String) {
        let mut out = Vec::new();
        encode::text(&mut out, &text);
        let json = String::from_utf8(out).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
        let mut scratch = String::new();
        prop_assert_eq!(Parser::new(&json).string(&mut scratch).unwrap(), text);
    }
}

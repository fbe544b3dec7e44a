//! Values there and back, and what is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use headwater_core::EventTime;
use serde::{Deserialize, Serialize};

use super::columns::{columns_of, refuse_unlike};
use super::read::RowOf;
use super::write::write;
use crate::catalog::type_name;
use crate::formats::cells::Cells;
use crate::formats::column::Columns;

fn rows<T: Serialize>(schema: &SchemaRef, records: &[T]) -> Result<RecordBatch, String> {
    let mut columns = Columns::new(schema).unwrap();
    for record in records {
        write(record, &mut columns, None).map_err(|e| e.to_string())?;
        columns.row_done();
    }
    Ok(columns.finish().unwrap())
}

fn records<T: for<'d> Deserialize<'d>>(batch: &RecordBatch) -> Result<Vec<T>, String> {
    let schema = batch.schema();
    let columns: Vec<(&str, Cells<'_>)> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(f, c)| (f.name().as_str(), Cells::new(c).unwrap()))
        .collect();
    let row = |row| T::deserialize(RowOf { columns: &columns, row }).map_err(|e| e.to_string());
    (0..batch.num_rows()).map(row).collect()
}

fn schema_of<T: for<'d> Deserialize<'d>>() -> SchemaRef {
    Arc::new(Schema::new(columns_of::<T>().unwrap()))
}

fn types(schema: &SchemaRef) -> Vec<String> {
    schema.fields().iter().map(|f| format!("{} {}", f.name(), type_name(f.data_type()))).collect()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Color {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    a: i8,
    b: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct All {
    flag: bool,
    tiny: u8,
    count: u64,
    wide: i128,
    single: f32,
    double: f64,
    letter: char,
    text: Option<String>,
    color: Color,
    at: EventTime,
    list: Vec<Option<i32>>,
    pair: (i64, String),
    map: BTreeMap<String, i16>,
    inner: Option<Inner>,
}

fn all() -> Vec<All> {
    let first = All {
        flag: true,
        tiny: 255,
        count: i64::MAX as u64,
        wide: -10_i128.pow(37),
        single: 1.5,
        double: f64::MIN_POSITIVE,
        letter: 'ß',
        text: Some("a 'quote'".into()),
        color: Color::Green,
        at: EventTime(-1),
        list: vec![Some(1), None, Some(3)],
        pair: (7, "seven".into()),
        map: BTreeMap::from([("x".into(), 1), ("y".into(), -1)]),
        inner: Some(Inner { a: -128, b: Some(vec!["p".into(), String::new()]) }),
    };
    let mut second = first.clone();
    (second.text, second.inner, second.color) = (None, None, Color::Red);
    second.list.clear();
    second.map.clear();
    let mut third = first.clone();
    third.inner = Some(Inner { a: 0, b: None });
    vec![first, second, third]
}

#[test]
fn every_kind_of_field_goes_there_and_back() {
    let schema = schema_of::<All>();
    expect_test::expect![[r#"
        flag BOOLEAN
        tiny SMALLINT
        count BIGINT
        wide DECIMAL(38, 0)
        single FLOAT
        double DOUBLE
        letter STRING
        text STRING
        color STRING
        at BIGINT
        list ARRAY<INT>
        pair ROW<`f0` BIGINT, `f1` STRING>
        map MAP<STRING, SMALLINT>
        inner ROW<`a` TINYINT, `b` ARRAY<STRING>>"#]]
    .assert_eq(&types(&schema).join("\n"));
    let batch = rows(&schema, &all()).unwrap();
    assert_eq!(records::<All>(&batch).unwrap(), all());
    refuse_unlike::<All>(&schema).unwrap();
}

#[test]
fn tuples_and_single_values_are_records_too() {
    let pairs = vec![(1_u32, Some("a".to_owned())), (2, None)];
    let schema = schema_of::<(u32, Option<String>)>();
    assert_eq!(types(&schema), ["f0 BIGINT", "f1 STRING"]);
    let batch = rows(&schema, &pairs).unwrap();
    assert_eq!(records::<(u32, Option<String>)>(&batch).unwrap(), pairs);
    let schema = schema_of::<String>();
    assert_eq!(types(&schema), ["f0 STRING"]);
    let batch = rows(&schema, &["x", "y"]).unwrap();
    assert_eq!(records::<String>(&batch).unwrap(), ["x", "y"]);
}

#[test]
fn columns_that_nobody_wants_are_not_written_and_declared_types_count() {
    let millis = DataType::Timestamp(TimeUnit::Microsecond, None);
    let schema = Arc::new(Schema::new(vec![
        Field::new("double", DataType::Decimal128(10, 3), true),
        Field::new("at", millis, true),
        Field::new("missing", DataType::Int32, true),
    ]));
    #[derive(Serialize)]
    struct Some3 {
        at: EventTime,
        other: Vec<u8>,
        double: f64,
    }
    let record = Some3 { at: EventTime(1_234), other: vec![1], double: 0.125 };
    let batch = rows(&schema, &[record]).unwrap();
    let back = records::<BTreeMap<String, serde_json::Value>>(&batch).unwrap();
    let back = serde_json::to_string(&back).unwrap();
    assert_eq!(back, r#"[{"at":"1970-01-01T00:00:01.234","double":"0.125","missing":null}]"#);
}

#[test]
fn points_in_time_are_read_as_numbers_or_text() {
    let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let schema = Arc::new(Schema::new(vec![Field::new("at", utc, true)]));
    let batch = rows(&schema, &[("",)]);
    assert!(batch.is_ok(), "f0 is no column: nothing is written");
    let batch = rows(&schema, &[BTreeMap::from([("at", 1_500_i64)])]).unwrap();
    assert_eq!(records::<EventTime>(&batch).unwrap(), [EventTime(1_500)]);
    let text = records::<String>(&batch).unwrap();
    assert_eq!(text[0].trim_end_matches(['0', 'Z']), "1970-01-01T00:00:01.5");
}

#[test]
fn what_does_not_fit_is_refused_with_its_field() {
    let schema = schema_of::<All>();
    let refused = |change: fn(&mut All)| {
        let mut record = all().remove(0);
        change(&mut record);
        rows(&schema, &[record]).unwrap_err()
    };
    assert_eq!(
        refused(|r| r.count = u64::MAX),
        "field `count`: the number 18446744073709551615 does not fit BIGINT"
    );
    #[derive(Serialize)]
    struct Other {
        inner: BTreeMap<&'static str, i64>,
    }
    let narrow = rows(&schema, &[Other { inner: BTreeMap::from([("a", 300)]) }]).unwrap_err();
    assert_eq!(narrow, "field `inner.a`: the number 300 does not fit TINYINT");
    // A record refused in its middle leaves nothing behind.
    let mut columns = Columns::new(&schema).unwrap();
    write(&all()[0], &mut columns, None).unwrap();
    columns.row_done();
    let mut bad = all().remove(1);
    bad.count = u64::MAX;
    write(&bad, &mut columns, None).unwrap_err();
    columns.truncate(1);
    write(&all()[2], &mut columns, None).unwrap();
    columns.row_done();
    let batch = columns.finish().unwrap();
    assert_eq!(records::<All>(&batch).unwrap(), [all().remove(0), all().remove(2)]);
}

#[test]
fn values_that_a_record_does_not_take_are_refused_with_their_field() {
    let fields =
        vec![Field::new("count", DataType::Int64, true), Field::new("text", DataType::Utf8, true)];
    let schema = Arc::new(Schema::new(fields));
    #[derive(Debug, Serialize, Deserialize)]
    struct Row {
        count: u8,
        text: String,
    }
    let given = |count: i64, text: Option<&str>| {
        let row = serde_json::json!({"count": count, "text": text});
        records::<Row>(&rows(&schema, &[row]).unwrap())
    };
    assert_eq!(given(7, Some("x")).unwrap()[0].count, 7);
    let out_of_range = given(300, Some("x")).unwrap_err();
    assert!(out_of_range.starts_with("field `count`: invalid value: integer `300`"));
    assert_eq!(given(1, None).unwrap_err(), "field `text`: it is NULL, and the field is no Option");
}

#[test]
fn types_without_columns_and_columns_without_fields_are_named() {
    #[derive(Clone, Serialize, Deserialize)]
    enum Shape {
        Circle(f64),
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct Drawing {
        id: i64,
        shape: Vec<Shape>,
    }
    let error = columns_of::<Drawing>().unwrap_err();
    assert_eq!(
        error.message,
        "field `shape.[]` of Drawing is the enum Shape, which is no SQL type"
    );
    #[derive(Clone, Serialize, Deserialize)]
    struct Count {
        word: String,
        count: u64,
    }
    let schema = |fields: &[(&str, DataType)]| {
        let fields = fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    let text = DataType::Utf8;
    let missing =
        refuse_unlike::<Count>(&schema(&[("word", text.clone()), ("cnt", DataType::Int64)]));
    let missing = missing.unwrap_err();
    assert_eq!(missing.message, "Count has a field `count`, the query no such column");
    assert_eq!(missing.label.as_deref(), None);
    assert_eq!(missing.help[0], "columns are word, cnt");
    let other = refuse_unlike::<Count>(&schema(&[("count", text.clone()), ("word", text.clone())]));
    assert_eq!(
        other.unwrap_err().message,
        "column `count` is STRING, field `count` of Count is a u64"
    );
    let places = refuse_unlike::<(String, i64)>(&schema(&[("a", text)]));
    assert_eq!(
        places.unwrap_err().message,
        "(alloc::string::String, i64) has 2 values, the query has 1 columns"
    );
}

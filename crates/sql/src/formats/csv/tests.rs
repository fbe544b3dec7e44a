use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, TimeUnit};
use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::connectors::testing::table;

fn schema(columns: Vec<(&str, DataType)>) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, of)| Field::new(name, of, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn csv(options: &[(&str, &str)]) -> Csv {
    let table = table(&[], &[&[("connector", "filesystem")], options].concat());
    Csv::of(&Options::check(&table, OPTIONS).unwrap(), "")
}

fn read(
    csv: &Csv,
    record: &SchemaRef,
    wanted: &SchemaRef,
    records: &[&str],
) -> (RecordBatch, Vec<String>) {
    let mut columns = Columns::new(wanted).unwrap();
    let mut reader = CsvReader::new(csv.clone(), record, &columns);
    let refused = records.iter().filter_map(|r| reader.read(r.as_bytes(), &mut columns).err());
    let refused = refused.collect();
    (columns.finish().unwrap(), refused)
}

fn write(csv: &Csv, data: &RecordBatch) -> Vec<String> {
    let rows = Rows::new(csv, data).unwrap();
    let line = |row| {
        let mut out = Vec::new();
        rows.write(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..data.num_rows()).map(line).collect()
}

fn people() -> SchemaRef {
    let row = DataType::Struct(
        vec![Field::new("x", DataType::Int32, true), Field::new("y", DataType::Utf8, true)].into(),
    );
    schema(vec![
        ("id", DataType::Int32),
        ("name", DataType::Utf8),
        ("score", DataType::Decimal128(10, 2)),
        ("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("tags", DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))),
        ("row", row),
    ])
}

#[test]
fn fields_are_columns_in_order() {
    let csv = csv(&[]);
    let lines = [
        "1,Ann,12.50,2020-12-30 12:13:14.123,a;b,5;q",
        "2,\"Bo, \"\"B\"\"\nC\",,,,",
        "3,,0.00,1970-01-01 00:00:00,x,6;",
    ];
    let (data, refused) = read(&csv, &people(), &people(), &lines);
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!(write(&csv, &data), lines);
}

#[test]
fn a_refused_record_leaves_nothing_behind() {
    let csv = csv(&[]);
    let bad =
        ["1,Ann", "x,Ann,1,1970-01-01,,", "1,Ann,12.5x,,,", "1,A,1,yesterday,,", "1,A,1,,a,x;y"];
    let good = "7,G,1.00,1970-01-01 00:00:00,a,1;b";
    let all: Vec<&str> = bad.iter().flat_map(|bad| [*bad, good]).collect();
    let (data, refused) = read(&csv, &people(), &people(), &all);
    assert_eq!(write(&csv, &data), vec![good; bad.len()]);
    expect![[r#"
        2 fields, expected are 6
        field `id`: "x" is no INT
        field `score`: "12.5x" is no number
        field `at`: "yesterday" is no timestamp like 2020-12-30 12:13:14.123
        field `row`: "x" is no INT"#]]
    .assert_eq(&refused.join("\n"));
    let ignoring = tests::csv(&[("csv.ignore-parse-errors", "true")]);
    let (data, refused) = read(&ignoring, &people(), &people(), &["x,Ann,1,1970-01-01,,"]);
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!(write(&csv, &data), [",Ann,1.00,1970-01-01 00:00:00,,"]);
}

#[test]
fn dialects_are_followed() {
    let two = schema(vec![("a", DataType::Utf8), ("b", DataType::Utf8)]);
    for (options, lines) in [
        (&[("csv.field-delimiter", "|")][..], &["x|y,z", "\"a|b\"|c"][..]),
        (&[("csv.field-delimiter", "\\t")], &["x\ty z"]),
        (&[("csv.quote-character", "'")], &["'a,b',c\"d"]),
        (&[("csv.escape-character", "\\")], &["\"a\\\"b\",c"]),
        (&[("csv.disable-quote-character", "true")], &["\"a,b\""]),
        (&[("csv.null-literal", "n/a")], &["n/a,x"]),
    ] {
        let csv = csv(options);
        let (data, refused) = read(&csv, &two, &two, lines);
        assert_eq!(refused, Vec::<String>::new(), "{options:?}");
        assert_eq!(write(&csv, &data), lines, "{options:?}");
    }
    let nulls = csv(&[("csv.null-literal", "n/a")]);
    let (data, _) = read(&nulls, &two, &two, &["n/a,"]);
    use datafusion::arrow::array::Array;
    assert!(data.column(0).is_null(0) && data.column(1).is_valid(0));
}

#[test]
fn columns_may_be_some_of_the_fields_or_named_by_a_header() {
    let wanted = schema(vec![
        ("name", DataType::Utf8),
        ("row", DataType::Struct(vec![Field::new("y", DataType::Utf8, true)].into())),
    ]);
    let csv = csv(&[]);
    let (data, _) = read(&csv, &people(), &wanted, &["not read,Ann,,,,5;q"]);
    assert_eq!(write(&csv, &data), ["Ann,q"]);

    let two = schema(vec![("a", DataType::Utf8), ("b", DataType::Int32)]);
    let mut columns = Columns::new(&two).unwrap();
    let mut reader = CsvReader::new(csv.clone(), &two, &columns);
    reader.header("\u{feff}b,\"more\",a".as_bytes(), &columns).unwrap();
    reader.read(b"1,2,x", &mut columns).unwrap();
    assert_eq!(write(&csv, &columns.finish().unwrap()), ["x,1"]);
    let reason = reader.header(b"b,c", &columns).unwrap_err();
    assert_eq!(reason, "the header has no field `a`; fields are b, c");
    let mut header = Vec::new();
    Rows::header(&csv, &schema(vec![("a,b", DataType::Utf8), ("c", DataType::Utf8)]), &mut header);
    assert_eq!(header, b"\"a,b\",c");
}

#[test]
fn what_has_no_form_is_named() {
    let nested =
        DataType::List(Arc::new(Field::new("item", people().field(5).data_type().clone(), true)));
    assert_eq!(Csv::check(&schema(vec![("n", nested.clone())])), Err(("n".into(), nested)));
}

proptest! {
    #[test]
    fn texts_survive(a: String, b: String) {
        let two = schema(vec![("a", DataType::Utf8), ("b", DataType::Utf8)]);
        let columns: Vec<datafusion::arrow::array::ArrayRef> = vec![
            Arc::new(datafusion::arrow::array::StringArray::from(vec![a])),
            Arc::new(datafusion::arrow::array::StringArray::from(vec![b])),
        ];
        let data = RecordBatch::try_new(Arc::clone(&two), columns).unwrap();
        let csv = csv(&[]);
        let lines = write(&csv, &data);
        let (again, refused) = read(&csv, &two, &two, &[&lines[0]]);
        prop_assert_eq!(refused, Vec::<String>::new());
        prop_assert_eq!(again, data);
    }
}

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use expect_test::expect;

use super::*;
use crate::connectors::source as source_of;
use crate::connectors::testing::{MILLIS, cx, message, read_all, read_in_pieces, table};

fn made(columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Vec<String> {
    let options = [&[("connector", "datagen"), ("scan.splits", "1")], options].concat();
    let source = source_of(&table(columns, &options), None, &cx()).unwrap();
    assert!(source.bounded);
    let rows = read_all(&*source.source).lines();
    assert_eq!(rows, read_in_pieces(&*source.source, 3).lines());
    rows
}

#[test]
fn a_sequence_counts_and_ends_the_table() {
    let columns =
        [("n", DataType::Int32), ("d", DataType::Decimal128(10, 2)), ("s", DataType::Utf8)];
    let rows = made(
        &columns,
        &[
            ("fields.n.kind", "sequence"),
            ("fields.n.start", "5"),
            ("fields.n.end", "8"),
            ("fields.d.kind", "sequence"),
            ("fields.d.start", "-1"),
            ("fields.d.end", "100"),
            ("fields.s.length", "3"),
        ],
    );
    expect![[r#"
        +I[5, -1.00, dcd]
        +I[6, 0.00, cae]
        +I[7, 1.00, 411]
        +I[8, 2.00, 24d]"#]]
    .assert_eq(&rows.join("\n"));
}

#[test]
fn random_values_keep_to_their_range() {
    let rows = made(
        &[("n", DataType::Int32), ("f", DataType::Float64), ("d", DataType::Decimal128(5, 1))],
        &[
            ("number-of-rows", "500"),
            ("fields.n.min", "-3"),
            ("fields.n.max", "3"),
            ("fields.f.min", "-1.5"),
            ("fields.f.max", "1.5"),
            ("fields.d.max", "9.9"),
            ("fields.d.min", "0"),
        ],
    );
    let mut seen = std::collections::BTreeSet::new();
    for row in &rows {
        let parts: Vec<f64> =
            row[3..row.len() - 1].split(", ").map(|v| v.parse().unwrap()).collect();
        assert!((-3.0..=3.0).contains(&parts[0]) && (-1.5..=1.5).contains(&parts[1]), "{row}");
        assert!((0.0..=9.9).contains(&parts[2]), "{row}");
        seen.insert(parts[0] as i64);
    }
    assert_eq!(seen, (-3..=3).collect());
}

#[test]
fn every_type_is_made() {
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int8, true)));
    let row = DataType::Struct(
        vec![Field::new("x", DataType::Boolean, true), Field::new("l", list.clone(), true)].into(),
    );
    let columns = [
        ("b", DataType::Boolean),
        ("s", DataType::Utf8),
        ("bin", DataType::Binary),
        ("date", DataType::Date32),
        ("time", DataType::Time32(TimeUnit::Millisecond)),
        ("at", MILLIS),
        ("at9", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
        ("list", list),
        ("row", row),
        ("i", DataType::Int64),
    ];
    let options = [
        ("number-of-rows", "1"),
        ("fields.s.length", "20"),
        ("fields.bin.length", "2"),
        ("fields.at.max-past", "1 d"),
        ("fields.list.length", "2"),
        ("fields.row.l.length", "1"),
        ("fields.row.l.element.max", "0"),
    ];
    let rows = made(&columns, &options);
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains("2020-09-13 12:26:40Z"), "{rows:?}");
}

#[test]
fn null_rates_are_kept() {
    let rows = made(
        &[("n", DataType::Int64)],
        &[("number-of-rows", "1000"), ("fields.n.null-rate", "0.25")],
    );
    let nulls = rows.iter().filter(|row| *row == "+I[null]").count();
    assert!((200..300).contains(&nulls), "{nulls}");
}

#[test]
fn a_rate_is_kept_and_splits_share() {
    let table = table(
        &[("n", DataType::Int64)],
        &[
            ("connector", "datagen"),
            ("rows-per-second", "100"),
            ("scan.splits", "2"),
            ("fields.n.kind", "sequence"),
            ("fields.n.start", "0"),
            ("fields.n.end", "1000000"),
        ],
    );
    let source = source_of(&table, None, &cx()).unwrap().source;
    let split = SplitId("1-of-2".into());
    let mut reader = source.open(&split, None, Wake::none()).unwrap();
    let elapsed = Duration::from_millis(95);
    let given = reader.read(1000, elapsed, ProcessingTime(0), SplitTag(0)).unwrap();
    assert_eq!(given.batch.len(), 5);
    assert!(matches!(given.status, headwater_connect::ReadStatus::After(_)));
}

#[test]
fn wrong_options_are_named() {
    let fails = |options: &[(&str, &str)]| {
        let options = [&[("connector", "datagen")], options].concat();
        message(source_of(&table(&[("num", DataType::Int8)], &options), None, &cx()))
    };
    expect![[r#"
        HW-O001: option 'fields.nmu.min' is of a column that the table does not have (did you mean `num`?)
          help: columns are num"#]]
    .assert_eq(&fails(&[("fields.nmu.min", "1")]));
    expect!["HW-O002: the range of column `num` has no values, or some beyond its type"]
        .assert_eq(&fails(&[("fields.num.max", "200")]));
    expect![[r#"
        HW-O003: table `t` has no option 'fields.num.end', which a sequence needs
          help: 'fields.num.end': where a sequence, and the table, ends"#]]
    .assert_eq(&fails(&[("fields.num.kind", "sequence"), ("fields.num.start", "1")]));
    expect![[r#"
        HW-O002: option 'fields.num.kind' can't be 'rnd'
          help: it is one of 'random', 'sequence'"#]]
    .assert_eq(&fails(&[("fields.num.kind", "rnd")]));
    assert!(fails(&[("row-per-second", "5")]).contains("did you mean `rows-per-second`?"));
}

use std::sync::Arc;

use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    TimestampMillisecondArray, UInt8Array,
};
use arrow::datatypes::Int32Type;
use expect_test::{Expect, expect};

use super::*;

/// Two rows of many types, the second of which is NULLs as far as it goes.
fn types() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![7, -1]))),
        ("name", Arc::new(StringArray::from(vec![Some("a,\"b\"\x1b[2J"), None]))),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![Some(12345), None])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        ("ratio", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN)]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![Some(1_700_000_000_250), None]))),
        (
            "seen",
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(1_700_000_000_000), None])
                    .with_timezone("UTC"),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![Some(19_000), None]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        (
            "tags",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
                Some(vec![Some(1), None]),
                None,
            ])),
        ),
        ("raw", Arc::new(BinaryArray::from(vec![Some(&b"\x01\xff"[..]), None]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

fn check(mode: Mode, expected: Expect) {
    expected.assert_eq(&Printer::whole(mode).print(&types()).unwrap());
}

#[test]
fn every_mode_shows_every_type() {
    check(
        Mode::Json,
        expect![[r#"
        {"id":7,"name":"a,\"b\"\u001b[2J","price":123.45,"ratio":0.5,"at":"2023-11-14T22:13:20.250","seen":"2023-11-14T22:13:20Z","day":"2022-01-08","ok":true,"tags":[1,null],"raw":"01ff"}
        {"id":-1,"name":null,"price":null,"ratio":null,"at":null,"seen":null,"day":null,"ok":null,"tags":null,"raw":null}
    "#]],
    );
    check(
        Mode::Csv,
        expect![[r#"
        id,name,price,ratio,at,seen,day,ok,tags,raw
        7,"a,""b""[2J",123.45,0.5,2023-11-14 22:13:20.250,2023-11-14 22:13:20Z,2022-01-08,true,"[1, NULL]",01ff
        -1,,,NaN,,,,,,
    "#]],
    );
    check(
        Mode::Vertical,
        expect![[r#"
        ─[ row 1 ]────────────────────
        id    │ 7
        name  │ a,"b"\u{1b}[2J
        price │ 123.45
        ratio │ 0.5
        at    │ 2023-11-14 22:13:20.250
        seen  │ 2023-11-14 22:13:20Z
        day   │ 2022-01-08
        ok    │ true
        tags  │ [1, NULL]
        raw   │ 01ff
        ─[ row 2 ]────────────────────
        id    │ -1
        name  │ NULL
        price │ NULL
        ratio │ NaN
        at    │ NULL
        seen  │ NULL
        day   │ NULL
        ok    │ NULL
        tags  │ NULL
        raw   │ NULL
    "#]],
    );
    expect![[r#"
        ┌────┬────────────────┬────────┬───────┬─────────────────────────┬──────────────────────┬────────────┬──────┬───────────┬──────┐
        │ id ┆ name           ┆  price ┆ ratio ┆ at                      ┆ seen                 ┆ day        ┆ ok   ┆ tags      ┆ raw  │
        ╞════╪════════════════╪════════╪═══════╪═════════════════════════╪══════════════════════╪════════════╪══════╪═══════════╪══════╡
        │  7 ┆ a,"b"\u{1b}[2J ┆ 123.45 ┆   0.5 ┆ 2023-11-14 22:13:20.250 ┆ 2023-11-14 22:13:20Z ┆ 2022-01-08 ┆ true ┆ [1, NULL] ┆ 01ff │
        │ -1 ┆ NULL           ┆   NULL ┆   NaN ┆ NULL                    ┆ NULL                 ┆ NULL       ┆ NULL ┆ NULL      ┆ NULL │
        └────┴────────────────┴────────┴───────┴─────────────────────────┴──────────────────────┴────────────┴──────┴───────────┴──────┘
    "#]].assert_eq(&box_table(&Cells::of(&types()).unwrap(), Some(200)).unwrap());
}

fn counts(kinds: Option<Vec<u8>>, rows: &[(&str, i64)]) -> Chunk {
    let names: StringArray = rows.iter().map(|(name, _)| Some(*name)).collect();
    let counts: Int64Array = rows.iter().map(|(_, count)| Some(*count)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![("op", Arc::new(names)), ("n", Arc::new(counts))];
    Chunk {
        data: RecordBatch::try_from_iter(columns).unwrap(),
        kinds: kinds.map(UInt8Array::from),
        read_at: None,
    }
}

#[test]
fn changes_say_what_they_do() {
    let chunk = counts(Some(vec![0, 1, 2, 3]), &[("a", 1), ("a", 1), ("a", 2), ("b", 10)]);
    let rows = with_ops(&chunk).unwrap();
    expect![[r#"
        {"_op":"+I","op":"a","n":1}
        {"_op":"-U","op":"a","n":1}
        {"_op":"+U","op":"a","n":2}
        {"_op":"-D","op":"b","n":10}
    "#]]
    .assert_eq(&Printer::growing(Mode::Json).print(&rows).unwrap());
    expect![[r#"
        _op  op   n
        ───  ──  ──
        +I   a    1
        -U   a    1
        +U   a    2
        -D   b   10
    "#]]
    .assert_eq(&Printer::growing(Mode::Changelog).print(&rows).unwrap());
}

#[test]
fn pieces_share_one_header() {
    let mut printer = Printer::growing(Mode::Csv);
    let piece = counts(None, &[("a", 1)]).data;
    let text = printer.print(&piece).unwrap() + &printer.print(&piece).unwrap();
    assert_eq!(text, "op,n\na,1\na,1\n");
    assert_eq!(printer.rows, 2);

    let mut printer = Printer::growing(Mode::Vertical);
    let text = printer.print(&piece).unwrap() + &printer.print(&piece).unwrap();
    assert!(text.contains("[ row 1 ]") && text.contains("[ row 2 ]"), "{text}");
}

#[test]
fn a_growing_table_repeats_its_header_for_wider_values_and_every_40_rows() {
    let mut printer = Printer::growing(Mode::Table);
    let mut print = |name, n| printer.print(&counts(None, &[(name, n)]).data).unwrap();
    expect![[r#"
        op  n
        ──  ─
        a   1
    "#]]
    .assert_eq(&print("a", 1));
    expect![[r#"
        b   2
    "#]]
    .assert_eq(&print("b", 2));
    expect![[r#"
        op      n
        ──────  ─
        longer  3
    "#]]
    .assert_eq(&print("longer", 3));
    let rest: String = (0..40).map(|_| print("c", 4)).collect();
    assert_eq!(rest.matches("op").count(), 1, "{rest}");
}

#[test]
fn a_frame_is_as_wide_and_high_as_it_may_be() {
    let long = "x".repeat(100);
    let chunk = counts(None, &[(&long, 1), ("b", 2)]);
    let frame = frame_table(&Cells::of(&chunk.data).unwrap(), 30);
    assert_eq!(frame.lines().count(), 6, "{frame}");
    assert!(frame.lines().all(|line| line.chars().count() <= 30), "{frame}");
    assert!(frame.contains("xxx…"), "{frame}");
}

#[test]
fn modes_have_names() {
    for mode in [Mode::Table, Mode::Vertical, Mode::Json, Mode::Csv, Mode::Changelog] {
        assert_eq!(mode.to_string().to_uppercase().parse(), Ok(mode));
    }
    assert_eq!("jsonl".parse(), Ok(Mode::Json));
    assert!("tabel".parse::<Mode>().is_err());
}

//! Texts made to break parsers: an answer soon, and no stack overflow.
//!
//! Tests run on threads with 2 MB of stack.

use std::time::{Duration, Instant};

use crate::error::codes;
use crate::syntax::parse;

/// What a text is answered with: nothing, or an error's code.
fn answer(text: &str) -> Option<&'static str> {
    let began = Instant::now();
    let code = parse(text).err().map(|e| {
        // Drawing it takes no longer.
        let _ = e.render(text, true);
        e.code
    });
    assert!(began.elapsed() < Duration::from_secs(20), "{:.60} took {:?}", text, began.elapsed());
    code
}

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("SELECT {}{inner}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn nesting_has_a_bound() {
    assert_eq!(answer(&nested("(", "1", ")", 150)), None);
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("(", "", ""),
        ("f(", "1", ")"),
        ("ARRAY[", "1", "]"),
        ("CASE WHEN a THEN ", "1", " END"),
        ("CAST(", "1", " AS INT)"),
        ("(SELECT ", "1", ")"),
        ("NOT ", "a", ""),
        ("- ", "a", ""),
        ("a = (", "1", ")"),
        ("a IN (SELECT ", "1", ")"),
        ("EXISTS (SELECT ", "1", ")"),
        ("a[", "1", "]"),
        ("a BETWEEN ", "1", " AND 2"),
    ] {
        let code = answer(&nested(open, inner, close, 10_000));
        assert_eq!(code, Some(codes::TOO_DEEP), "{open}");
    }
    assert_eq!(answer(&nested("INTERVAL ", "'1' DAY", "", 10_000)), Some(codes::SYNTAX));
    let types = format!("SELECT CAST(a AS {}INT{})", "ARRAY<".repeat(10_000), ">".repeat(10_000));
    assert_eq!(answer(&types), Some(codes::TOO_DEEP));
    let types = format!("SELECT a::{}INT{}", "ARRAY<".repeat(10_000), ">".repeat(10_000));
    assert_eq!(answer(&types), Some(codes::TOO_DEEP));
    let table = format!("SELECT * FROM {}t{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(answer(&table), Some(codes::TOO_DEEP));
    let table = format!("CREATE TABLE t (a {}INT{})", "ROW<x ".repeat(10_000), ">".repeat(10_000));
    assert_eq!(answer(&table), Some(codes::TOO_DEEP));
}

#[test]
fn as_deep_as_the_bound_is_read() {
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("f(", "1", ")"),
        ("ARRAY[", "1", "]"),
        ("CASE WHEN a THEN ", "1", " END"),
        ("CAST(", "1", " AS INT)"),
        ("(SELECT ", "1", ")"),
        ("a IN (SELECT ", "1", ")"),
        ("COALESCE(TRIM(", "a", "))"),
    ] {
        let text = nested(open, inner, close, 90);
        assert_eq!(answer(&text), None, "{open}");
        // And when the innermost is wrong: each level would be tried again.
        let wrong = nested(open, "1 2 3", close, 90);
        assert!(answer(&wrong).is_some(), "{open}");
    }
    let table = format!("SELECT * FROM {}t{}", "(".repeat(150), ")".repeat(150));
    assert_eq!(answer(&table), None);
    let table = format!("SELECT * FROM {}t t t{}", "(".repeat(150), ")".repeat(150));
    assert!(answer(&table).is_some());
}

#[test]
fn doubled_parentheses_do_not_double_the_time() {
    let open = "SELECT * FROM ((".repeat(60);
    let close = ") AS a JOIN b ON TRUE)".repeat(60);
    assert_eq!(answer(&format!("{open}t{close}")), Some(codes::TOO_DEEP));
    assert_eq!(answer(&format!("{open}t t t{close}")), Some(codes::TOO_DEEP));
    let few = format!("{}t{}", "SELECT * FROM ((".repeat(5), ") AS a JOIN b ON TRUE)".repeat(5));
    assert_eq!(answer(&few), None);
}

#[test]
fn reserved_words_tried_twice_do_not_take_for_ever() {
    for open in ["NOT (", "SUBSTRING(", "POSITION(", "TRIM(", "OVERLAY(", "EXISTS(", "CEIL("] {
        let text = nested(open, "1 2 3", ")", 150);
        assert!(answer(&text).is_some(), "{open}");
    }
}

#[test]
fn chains_of_and_or_and_concatenation_have_no_bound() {
    let chain = |op: &str, n: usize| format!("SELECT {}", vec!["a = 1"; n].join(op));
    assert_eq!(answer(&chain(" OR ", 40_000)), None);
    assert_eq!(answer(&chain(" AND ", 40_000)), None);
    let text = format!("SELECT {}", vec!["a"; 150_000].join(" || "));
    assert_eq!(answer(&text), None);
    let mixed = format!("SELECT {}", vec!["a AND b OR c"; 50_000].join(" AND "));
    assert_eq!(answer(&mixed), None);
}

#[test]
fn other_chains_have_one() {
    let chain = |item: &str, op: &str, n: usize| format!("SELECT {}", vec![item; n].join(op));
    for op in [" + ", " * ", " - ", " = ", " % ", " & ", " || a + ", " -> "] {
        assert_eq!(answer(&chain("a", op, 10_000)), Some(codes::TOO_DEEP), "{op}");
    }
    for postfix in [
        " IS NULL",
        "::INT",
        " IN (1)",
        " LIKE 'a'",
        " AT TIME ZONE 'UTC'",
        " BETWEEN 1 AND 2",
        " COLLATE x",
    ] {
        let text = format!("SELECT a{}", postfix.repeat(10_000));
        assert_eq!(answer(&text), Some(codes::TOO_DEEP), "{postfix}");
    }
    for (item, op) in [("SELECT 1", " UNION ALL "), ("SELECT 1", " EXCEPT ")] {
        let text = vec![item; 10_000].join(op);
        assert_eq!(answer(&text), Some(codes::TOO_DEEP), "{op}");
    }
    for op in [" JOIN ", ", ", " CROSS JOIN "] {
        let text = format!("SELECT * FROM {}", vec!["t"; 10_000].join(op));
        assert_eq!(answer(&text), Some(codes::TOO_DEEP), "{op}");
    }
    let ctes: Vec<String> =
        (1..10_000).map(|i| format!("c{i} AS (SELECT * FROM c{})", i - 1)).collect();
    let text = format!("WITH c0 AS (SELECT 1), {} SELECT * FROM c9999", ctes.join(", "));
    assert_eq!(answer(&text), Some(codes::TOO_DEEP));
    assert_eq!(answer(&vec!["SELECT 1"; 400].join(" UNION ALL ")), None);
    assert_eq!(answer(&chain("a", " + ", 400)), None);
}

#[test]
fn wide_texts_are_read() {
    let list: Vec<String> = (0..150_000).map(|i| i.to_string()).collect();
    assert_eq!(answer(&format!("SELECT a FROM t WHERE a IN ({})", list.join(","))), None);
    assert_eq!(answer(&format!("SELECT {}", list.join(","))), None);
    let rows: Vec<String> = (0..60_000).map(|i| format!("({i}, -1)")).collect();
    assert_eq!(answer(&format!("INSERT INTO t VALUES {}", rows.join(","))), None);
    let columns: Vec<String> = (0..20_000).map(|i| format!("c{i} INT NOT NULL")).collect();
    assert_eq!(answer(&format!("CREATE TABLE t ({})", columns.join(","))), None);
    let columns: Vec<String> =
        (0..5_000).map(|i| format!("c{i} INT METADATA FROM 'k{i}'")).collect();
    assert_eq!(answer(&format!("CREATE TABLE t ({})", columns.join(","))), None);
    let whens = "WHEN a = 1 THEN 2 ".repeat(40_000);
    assert_eq!(answer(&format!("SELECT CASE {whens} END")), None);
}

#[test]
fn a_megabyte_is_read_and_more_is_not() {
    let text = |n: usize| format!("SELECT '{}'", "x".repeat(n));
    assert_eq!(answer(&text((1 << 20) - 9)), None);
    assert_eq!(answer(&text(1 << 20)), Some(codes::TOO_LARGE));
    assert_eq!(answer(&"SELECT 1;".repeat(5_000)), None);
    assert_eq!(answer(&"SELECT 1;".repeat(100_000)), Some(codes::TOO_LARGE));
    assert_eq!(answer(&"x".repeat(17 << 20)), Some(codes::TOO_LARGE));
}

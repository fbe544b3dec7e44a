//! `expression → value`, evaluated by DataFusion: once as constants, and once with every literal
//! made a column, so that both ways of a function are seen.
//!
//! A case that starts with `!` takes constants only.

use std::ops::ControlFlow;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::common::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{Expr, Statement, Value, visit_expressions_mut};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

use super::*;

mod collections;
mod json;
mod numeric;
mod text;
mod time;

/// The generic dialect with the hooks of [`syntax`].
#[derive(Debug)]
struct Hooked;

impl Dialect for Hooked {
    fn dialect(&self) -> std::any::TypeId {
        GenericDialect {}.dialect()
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_' || c == '$'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        self.is_identifier_start(c) || c.is_ascii_digit()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '`'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        syntax::prefix(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        _: u8,
    ) -> Option<Result<Expr, ParserError>> {
        syntax::infix(parser, expr)
    }
}

fn session(zone: &str, mode: Mode) -> SessionContext {
    let mut config = SessionConfig::new()
        .set_bool("datafusion.sql_parser.enable_ident_normalization", false)
        .set_bool("datafusion.sql_parser.parse_float_as_decimal", true)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    config.options_mut().execution.time_zone = Some(zone.into());
    let context = SessionContext::new_with_config(config);
    let mut state = context.state();
    register(&mut state, mode).unwrap();
    SessionContext::new_with_state(state)
}

fn parse(sql: &str) -> Result<Statement, String> {
    let mut parser = Parser::new(&Hooked).try_with_sql(sql).map_err(|e| e.to_string())?;
    parser.parse_statement().map_err(|e| e.to_string())
}

fn run(context: &SessionContext, mut statement: Statement) -> Result<Vec<RecordBatch>, String> {
    rewrite_all(&mut statement).map_err(|e| e.message)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result: Result<Vec<RecordBatch>, DataFusionError> = runtime.block_on(async {
        let parsed = Parsed::Statement(Box::new(statement));
        let plan = context.state().statement_to_plan(parsed).await?;
        context.execute_logical_plan(plan).await?.collect().await
    });
    result.map_err(|e| e.strip_backtrace())
}

/// The values of the first column.
fn values(batches: &[RecordBatch], zone: &str) -> Vec<String> {
    let zone = super::time::zone::Zone::named(zone).unwrap();
    let mut all = Vec::new();
    for batch in batches {
        let texts = convert::texts(batch.column(0), zone).unwrap();
        let text = |row| if texts.is_null(row) { "NULL" } else { texts.value(row) };
        all.extend((0..texts.len()).map(|row| text(row).to_owned()));
    }
    all
}

fn constant(expr: &str, zone: &str) -> Result<String, String> {
    let batches = run(&session(zone, Mode::Streaming), parse(&format!("SELECT {expr}"))?)?;
    Ok(values(&batches, zone).remove(0))
}

/// The statement over two rows that hold its literals; none where it has none that can be a column.
fn with_columns(expr: &str) -> Result<Option<Statement>, String> {
    let mut literals: Vec<String> = Vec::new();
    let mut statement = parse(&format!("SELECT {expr} AS answer FROM replaced"))?;
    let _ = visit_expressions_mut(&mut statement, |expr| {
        if let Expr::Value(value) = expr
            && matches!(value.value, Value::SingleQuotedString(_) | Value::Number(..))
        {
            let name = format!("c{}", literals.len());
            literals.push(expr.to_string());
            *expr = Expr::Identifier(name.as_str().into());
        }
        ControlFlow::<()>::Continue(())
    });
    if literals.is_empty() {
        return Ok(None);
    }
    let names: Vec<_> = (0..literals.len()).map(|i| format!("c{i}")).collect();
    let row = format!("({})", literals.join(", "));
    let table = format!("(VALUES {row}, {row}) AS replaced({})", names.join(", "));
    let sql = statement.to_string().replace("FROM replaced", &format!("FROM {table}"));
    parse(&sql).map(Some)
}

fn columns(expr: &str, zone: &str) -> Option<Result<Vec<String>, String>> {
    let statement = with_columns(expr).transpose()?;
    let answer = statement.and_then(|statement| run(&session(zone, Mode::Streaming), statement));
    Some(answer.map(|batches| values(&batches, zone)))
}

/// Checks cases in a time zone; all that fail are told at once.
fn check_in(zone: &str, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expr, expected) in cases {
        let (expr, constants_only) = match expr.strip_prefix('!') {
            Some(expr) => (expr, true),
            None => (*expr, expr.contains("INTERVAL")),
        };
        match constant(expr, zone) {
            Ok(got) if got == *expected => {}
            got => wrong.push(format!("{expr}\n  expected {expected}\n  got      {got:?}")),
        }
        if constants_only {
            continue;
        }
        match columns(expr, zone) {
            None => {}
            Some(Ok(got)) if got == [*expected, *expected] => {}
            Some(got) => {
                wrong.push(format!("{expr} of columns\n  expected {expected}\n  got      {got:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Checks cases in UTC.
fn check(cases: &[(&str, &str)]) {
    check_in("UTC", cases);
}

/// Checks that each expression fails with a message that contains a text.
fn check_errors(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expr, expected) in cases {
        match constant(expr, "UTC") {
            Err(message) if message.contains(expected) => {}
            got => wrong.push(format!("{expr}\n  expected {expected}\n  got      {got:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_listed_function_is_there() {
    let context = session("UTC", Mode::Batch);
    let state = context.state();
    let known = |name: &str| {
        state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name)
    };
    for (name, how) in names::FUNCTIONS {
        let there = match how {
            names::How::Ours => usage(name).is_some(),
            names::How::Same => known(name),
            names::How::Renamed(to) => known(to),
            names::How::Planner => known(name),
            names::How::Rewritten => true,
        };
        assert!(there, "{name} is listed as {how:?}, but is not there");
    }
    assert!(names::FUNCTIONS.is_sorted_by_key(|(name, _)| *name), "sorted, for the search");
}

#[test]
fn rewriting_twice_is_rewriting_once() {
    let texts = [
        "SELECT FLOOR(a TO DAY), CAST(a AS STRING), EXTRACT(DAY FROM a), ARRAY_SORT(a, FALSE)",
        "SELECT TIMESTAMPADD(DAY, 1, a), IF(a, 1, 2), MOD(a, 2), UNIX_TIMESTAMP(a), CHAR_LENGTH(a)",
        "SELECT JSON_VALUE(a, '$.b' RETURNING INT DEFAULT 1 ON EMPTY), a IS JSON, TIMESTAMP '2024-01-01'",
        "SELECT a SIMILAR TO 'b', POSITION('a' IN a), CAST(a AS DECIMAL)",
        "SELECT ARRAY_REMOVE(a, 1), ARRAY_PREPEND(a, 1), TYPEOF(a, TRUE), (a, b) OVERLAPS (c, d)",
    ];
    for text in texts {
        let mut once = parse(text).unwrap();
        rewrite_all(&mut once).unwrap();
        let mut twice = once.clone();
        rewrite_all(&mut twice).unwrap();
        // what wraps a call in a test for NULL may wrap it again, with the same answer
        if !text.contains("ARRAY_REMOVE") {
            assert_eq!(once.to_string(), twice.to_string());
        }
        assert_ne!(once.to_string(), text);
    }
}

#[test]
fn java_classes_are_known_by_name() {
    for class in names::JAVA_CLASSES {
        assert!(of_java_class(class).is_some_and(|name| usage(name).is_some()), "{class}");
    }
    assert_eq!(of_java_class("org.example.Other"), None);
}

#[test]
fn wrong_calls_name_the_function_and_the_argument() {
    check_errors(&[
        (
            "SPLIT_INDEX('a', 'b')",
            "function SPLIT_INDEX takes 3 arguments, got 2: SPLIT_INDEX(string, delimiter, index)",
        ),
        (
            "SPLIT_INDEX('a', 'b', 'c')",
            "argument 3 (index) of function SPLIT_INDEX(string, delimiter, index) must be an \
             integer, got STRING; a CAST makes one of a string",
        ),
        (
            "CONCAT('a', 1)",
            "argument 2 (string) of function CONCAT(string, ...) must be a STRING, got BIGINT; \
             write CAST(... AS STRING)",
        ),
        ("LPAD('a')", "function LPAD takes 3 arguments, got 1"),
        ("LOCATE('a')", "function LOCATE takes 2 to 3 arguments, got 1"),
        ("MD5()", "function MD5 takes 1 argument, got 0: MD5(value)"),
        ("HOUR(1)", "argument 1 (time) of function HOUR(time) must be a DATE, TIME, TIMESTAMP"),
        ("CARDINALITY(1)", "argument 1 must be an ARRAY or a MAP, got BIGINT"),
        ("IF(TRUE, 1)", "function IF got 2 arguments"),
        ("RAND(1)", "RAND with a seed is not supported"),
        ("AVG('a')", "argument of AVG(number) must be a number, got STRING"),
    ]);
}

#[test]
fn conditions() {
    check(&[
        ("IF(1 < 2, 'a', 'b')", "a"),
        ("IF(CAST(NULL AS BOOLEAN), 'a', 'b')", "b"),
        ("!IF(TRUE, 1, 1 / 0)", "1"),
        ("IFNULL(CAST(NULL AS INT), 5)", "5"),
        ("NULLIF(5, 5)", "NULL"),
        ("NULLIF(5, 0)", "5"),
        ("COALESCE(NULL, NULL, 'default')", "default"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
        ("CASE WHEN 1 > 2 THEN 'a' END", "NULL"),
        ("GREATEST(1, 3, 2)", "3"),
        ("LEAST(1, 3, 2)", "1"),
        ("GREATEST(1, CAST(NULL AS INT), 2)", "NULL"),
        ("LEAST(CAST(NULL AS INT), 1)", "NULL"),
        ("GREATEST('b', 'a')", "b"),
        ("LEAST(1.5, 1)", "1.0"),
        ("5 BETWEEN SYMMETRIC 7 AND 3", "TRUE"),
        ("5 NOT BETWEEN SYMMETRIC 7 AND 3", "FALSE"),
        ("12 BETWEEN ASYMMETRIC 15 AND 12", "FALSE"),
        ("NULL IS JSON", "FALSE"),
    ]);
}

#[test]
fn casts_to_string() {
    check(&[
        ("CAST(TRUE AS STRING)", "TRUE"),
        ("CAST(1 AS VARCHAR)", "1"),
        ("CAST(1.50 AS STRING)", "1.50"),
        ("CAST(CAST(1 AS DOUBLE) AS STRING)", "1.0"),
        ("CAST(CAST(12345678 AS DOUBLE) AS STRING)", "1.2345678E7"),
        ("CAST(CAST(0.0001 AS DOUBLE) AS STRING)", "1.0E-4"),
        ("CAST(CAST(0.001 AS DOUBLE) AS STRING)", "0.001"),
        ("CAST(CAST(1.1 AS FLOAT) AS STRING)", "1.1"),
        ("CAST('abcdef' AS VARCHAR(3))", "abc"),
        ("CAST('ab' AS CHAR(4))", "ab  "),
        ("CAST(CAST(NULL AS INT) AS STRING)", "NULL"),
        ("CAST(NULL AS STRING)", "NULL"),
        ("CAST(TIMESTAMP '2024-01-02 03:04:05' AS STRING)", "2024-01-02 03:04:05.000"),
        ("CAST(TIMESTAMP '2024-01-02 03:04:05.123456' AS STRING)", "2024-01-02 03:04:05.123456"),
        ("CAST(DATE '2024-01-02' AS STRING)", "2024-01-02"),
        ("CAST(ARRAY[1, 2] AS STRING)", "[1, 2]"),
        ("CAST(MAP['a', 1] AS STRING)", "{a=1}"),
        ("TRY_CAST('x' AS INT)", "NULL"),
        ("TRY_CAST('42' AS INT)", "42"),
        ("CAST('42' AS BIGINT)", "42"),
        ("CAST('abc' AS BYTES)", "abc"),
        ("CAST(2.5 AS DECIMAL)", "3"),
        ("TYPEOF(CAST(1 AS DECIMAL))", "DECIMAL(10, 0)"),
        ("TYPEOF(CAST(1 AS DECIMAL(5)))", "DECIMAL(5, 0)"),
        ("TYPEOF('a')", "STRING"),
        ("TYPEOF(ARRAY['a'])", "ARRAY<STRING>"),
        ("TYPEOF(MAP['a', CAST(1 AS INT)])", "MAP<STRING, INT>"),
        ("TYPEOF(CAST('2024-01-01' AS TIMESTAMP))", "TIMESTAMP(6)"),
        ("TYPEOF(CAST('2024-01-01' AS TIMESTAMP(3)))", "TIMESTAMP(3)"),
        ("TYPEOF(CAST('2024-01-01' AS TIMESTAMP_LTZ(3)))", "TIMESTAMP_LTZ(3)"),
        ("TYPEOF(TIMESTAMP '2024-01-01 00:00:00')", "TIMESTAMP(3)"),
        ("TYPEOF(CAST(NULL AS STRING), TRUE)", "STRING"),
    ]);
    check_errors(&[("CAST('x' AS INT)", "x")]);
}

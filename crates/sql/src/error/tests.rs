use datafusion::common::{Column, DataFusionError, Diagnostic, SchemaError, TableReference};
use datafusion::sql::sqlparser::parser::ParserError;
use expect_test::expect;

use super::*;

fn span(line: u64, from: u64, to: u64) -> Span {
    Span { start: Location::new(line, from), end: Location::new(line, to) }
}

#[test]
fn draws_code_line_carets_and_help() {
    let text = "SELECT chanel, COUNT(*) FROM bid GROUP BY channel;";
    let error = SqlError::new(codes::UNKNOWN_COLUMN, "no column `chanel` in table bid")
        .at(span(1, 8, 14))
        .names("chanel", "columns", ["auction", "bidder", "price", "channel", "url"]);
    expect![[r#"
        error[HW-P004]: no column `chanel` in table bid
          1 │ SELECT chanel, COUNT(*) FROM bid GROUP BY channel;
            ·        ^^^^^^ did you mean `channel`?
          help: columns are auction, bidder, price, channel, url
          more: headwater error HW-P004"#]]
    .assert_eq(&error.render(text, false));
}

#[test]
fn draws_the_right_line_with_tabs_and_other_alphabets() {
    let text = "SELECT 'Öl',\n\tприве\nFROM t";
    let error = SqlError::new(codes::UNKNOWN_COLUMN, "no column `приве`").at(span(2, 2, 7));
    expect![[r#"
        error[HW-P004]: no column `приве`
          2 │  приве
            ·  ^^^^^
          more: headwater error HW-P004"#]]
    .assert_eq(&error.render(text, false));
}

#[test]
fn draws_part_of_a_long_line() {
    let text = format!("SELECT {}oops{} FROM t", "a, ".repeat(100), ", b".repeat(100));
    let error = SqlError::new(codes::SYNTAX, "no").at(span(1, 308, 312));
    let drawn = error.render(&text, false);
    let lines: Vec<&str> = drawn.lines().collect();
    let at = lines[1].chars().collect::<Vec<_>>().iter().position(|&c| c == 'o');
    let caret = lines[2].chars().position(|c| c == '^');
    assert_eq!(at, caret, "{drawn}");
    assert!(lines[1].chars().count() < 140, "{drawn}");
    assert!(lines[1].ends_with('…') && lines[1].contains("│ … "), "{drawn}");
}

#[test]
fn draws_a_place_behind_the_text_and_one_that_is_not_there() {
    let error = SqlError::new(codes::SYNTAX, "expected an expression").at(span(1, 99, 100));
    expect![[r#"
        error[HW-S001]: expected an expression
          1 │ SELECT
            ·       ^
          more: headwater error HW-S001"#]]
    .assert_eq(&error.render("SELECT", false));
    let error = SqlError::new(codes::SYNTAX, "odd").at(span(7, 1, 2)).label("here");
    expect![[r#"
        error[HW-S001]: odd
          help: here
          more: headwater error HW-S001"#]]
    .assert_eq(&error.render("SELECT", false));
}

#[test]
fn colours_only_when_asked() {
    let error = SqlError::new(codes::SYNTAX, "no").at(span(1, 1, 2)).help("do");
    assert!(error.render("x", true).contains("\x1b[1;31m"));
    assert!(!error.render("x", false).contains('\x1b'));
}

#[test]
fn parser_errors_keep_their_place() {
    let error = SqlError::from(ParserError::ParserError(
        "Expected: ), found: EOF at Line: 2, Column: 5".into(),
    ));
    assert_eq!(error.message, "expected `)`, found the end of the text");
    assert_eq!(error.span, Some(span(2, 5, 6)));
    assert_eq!(error.code, codes::SYNTAX);
    let error = SqlError::from(ParserError::RecursionLimitExceeded);
    assert_eq!(error.code, codes::TOO_DEEP);
}

#[test]
fn datafusion_errors_get_codes_places_and_names() {
    let field = |name: &str| Column::new(Some(TableReference::bare("bid")), name);
    let inner = DataFusionError::SchemaError(
        Box::new(SchemaError::FieldNotFound {
            field: Box::new(Column::from_name("chanel")),
            valid_fields: vec![field("auction"), field("channel")],
        }),
        Box::new(None),
    );
    let at = datafusion::common::Span::new(
        datafusion::common::Location { line: 1, column: 8 },
        datafusion::common::Location { line: 1, column: 14 },
    );
    let error = DataFusionError::Diagnostic(
        Box::new(Diagnostic::new_error("column 'chanel' not found", Some(at))),
        Box::new(inner),
    );
    let error = SqlError::from(error.context("while planning"));
    assert_eq!(error.code, codes::UNKNOWN_COLUMN);
    assert_eq!(error.message, "no column `chanel` in table bid");
    assert_eq!(error.label.as_deref(), Some("did you mean `channel`?"));
    assert_eq!(error.span, Some(span(1, 8, 14)));
}

#[test]
fn plan_errors_are_told_apart() {
    let code = |m: &str| SqlError::from(DataFusionError::Plan(m.into())).code;
    assert_eq!(code("table 'datafusion.public.bids' not found"), codes::UNKNOWN_TABLE);
    assert_eq!(code("Invalid function 'cuont'.\nDid you mean 'count'?"), codes::UNKNOWN_FUNCTION);
    assert_eq!(code("Cannot coerce arithmetic expression Int64 + Utf8"), codes::TYPE_MISMATCH);
    assert_eq!(code("Something else"), codes::PLAN);
    let error = SqlError::from(DataFusionError::Plan(
        "Invalid function 'cuont'.\nDid you mean 'count'?".into(),
    ));
    assert_eq!(error.message, "no function `cuont`");
    assert_eq!(error.label.as_deref(), Some("did you mean `count`?"));
}

#[test]
fn our_own_error_comes_back_out_of_datafusion() {
    let own = SqlError::new(codes::BAD_WINDOW, "window size must be positive")
        .at(span(3, 1, 4))
        .help("try INTERVAL '1' MINUTE");
    let through = DataFusionError::from(own.clone()).context("planning");
    assert_eq!(SqlError::from(through), own);
    let shared = DataFusionError::Shared(std::sync::Arc::new(DataFusionError::from(own.clone())));
    assert_eq!(SqlError::from(shared), own);
}

#[test]
fn engine_errors_keep_hint_and_cause() {
    let error = headwater_core::Error::connector("cannot read topic \"bids\"")
        .because(std::io::Error::other("refused"))
        .hint("is the broker there?");
    let error = SqlError::from(error);
    assert_eq!(error.code, codes::CONNECTOR);
    assert_eq!(error.message, "cannot read topic \"bids\": refused");
    assert_eq!(error.help, ["is the broker there?"]);
}

#[test]
fn long_lists_of_names_are_cut() {
    let names: Vec<String> = (0..40).map(|i| format!("c{i}")).collect();
    let error = SqlError::new(codes::UNKNOWN_COLUMN, "no").names(
        "zzz",
        "columns",
        names.iter().map(String::as_str),
    );
    assert!(error.help[0].ends_with("c29 and 10 more"), "{}", error.help[0]);
    assert_eq!(error.label, None);
}

//! Windows as other systems write them, refused with the right form.
//!
//! Spark's `window(time, size, slide)` has the two lengths in the other order than Flink's `HOP`:
//! to guess would give wrong windows silently.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Value,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::types::is_word;
use crate::error::{SqlError, SqlResult, codes};

/// Refuses a call that is another system's window.
pub(super) fn check_call(function: &Function) -> SqlResult<()> {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return Ok(()) };
    let args = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    let arg = |i: usize| match args.get(i) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) => Some(expr),
        _ => None,
    };
    let time = arg(0).map_or_else(|| "time".to_owned(), Expr::to_string);
    let (whose, right) = match (name.value.to_ascii_lowercase().as_str(), args.len()) {
        ("window", 2) => (
            "window(time, size) is Spark's",
            format!(
                "FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR({time}), {})) … GROUP BY window_start, \
                 window_end",
                length(arg(1))
            ),
        ),
        ("window", 3 | 4) => (
            "window(time, size, slide) is Spark's",
            format!(
                "FROM TABLE(HOP(TABLE t, DESCRIPTOR({time}), {}, {})) … GROUP BY window_start, \
                 window_end; the slide comes first",
                length(arg(2)),
                length(arg(1))
            ),
        ),
        ("session_window", 2) => (
            "session_window(time, gap) is Spark's",
            format!(
                "FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR({time}), {}))",
                length(arg(1))
            ),
        ),
        _ => return Ok(()),
    };
    Err(SqlError::new(codes::FOREIGN_WINDOW, format!("{whose} window"))
        .at(name.span)
        .help(format!("write {right}")))
}

/// `'10 minutes'` as an interval.
fn length(expr: Option<&Expr>) -> String {
    let text = match expr {
        Some(Expr::Value(v)) => match &v.value {
            Value::SingleQuotedString(text) => text.trim().to_owned(),
            _ => return expr.map_or_else(String::new, Expr::to_string),
        },
        Some(other) => return other.to_string(),
        None => return "INTERVAL '1' MINUTE".into(),
    };
    match text.split_once(' ') {
        Some((number, unit)) => {
            let unit = unit.trim().to_ascii_uppercase();
            format!("INTERVAL '{number}' {}", unit.strip_suffix('S').unwrap_or(&unit))
        }
        None => format!("INTERVAL '{text}'"),
    }
}

/// Refuses ksqlDB's `WINDOW TUMBLING (SIZE 1 HOUR)` by its words, because it does not parse.
pub(super) fn check_tokens(tokens: &[TokenWithSpan]) -> SqlResult<()> {
    let words: Vec<&TokenWithSpan> =
        tokens.iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    for three in words.windows(3) {
        let [first, second, third] = three else { continue };
        if !is_word(&first.token, "WINDOW") || third.token != Token::LParen {
            continue;
        }
        let right = if is_word(&second.token, "TUMBLING") {
            "TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), size))"
        } else if is_word(&second.token, "HOPPING") {
            "TABLE(HOP(TABLE t, DESCRIPTOR(time), slide, size)): the slide comes first"
        } else if is_word(&second.token, "SESSION") {
            "TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(time), gap))"
        } else {
            continue;
        };
        return Err(SqlError::new(
            codes::FOREIGN_WINDOW,
            "WINDOW TUMBLING, HOPPING and SESSION are ksqlDB's windows",
        )
        .at(first.span.union(&second.span))
        .help(format!("write FROM {right}")));
    }
    Ok(())
}

//! Hints: comments that say something, `/*+ … */`.
//!
//! A query hint, behind SELECT, stays where sqlparser puts it: in the select's `optimizer_hints`.
//! A table hint, behind a table's name, becomes the table's `with_hints`, each a call such as
//! `OPTIONS('key' = 'value')`. Read both with [`query_hints`] and [`table_options`].

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Select,
    Spanned, Value,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::TableOption;
use super::dialect::FlinkDialect;
use crate::error::{Location, Span, SqlError, SqlResult, codes, nearest};

/// A hint on a query, such as `STATE_TTL('t' = '1d')`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryHint {
    /// Its name in capitals.
    pub name: String,
    /// Its arguments: `key = value` pairs, or keys alone.
    pub args: Vec<(String, Option<String>)>,
}

/// Query hints of Flink; all but `STATE_TTL` choose between ways to join.
const QUERY_HINTS: &[&str] = &[
    "STATE_TTL",
    "BROADCAST",
    "SHUFFLE_HASH",
    "SHUFFLE_MERGE",
    "NEST_LOOP",
    "LOOKUP",
    "MULTI_JOIN",
    "JSON_AGGREGATE_WRAPPED",
    "EARLY_FIRE",
];

/// The table hints of a statement, by the place where the name in front of each ends.
#[derive(Debug, Default)]
pub(super) struct TableHints(BTreeMap<(u64, u64), (Vec<Expr>, Span)>);

impl TableHints {
    /// Takes the hints behind a name that ends here.
    pub(super) fn take(&mut self, end: Location) -> Option<Vec<Expr>> {
        self.0.remove(&(end.line, end.column)).map(|(hints, _)| hints)
    }

    /// An error if a hint is left that no table took.
    pub(super) fn finish(self) -> SqlResult<()> {
        match self.0.into_values().next() {
            None => Ok(()),
            Some((_, span)) => {
                Err(SqlError::new(codes::HINT, "a hint follows SELECT or a table's name")
                    .at(span)
                    .help("FROM t /*+ OPTIONS('key' = 'value') */")
                    .help("SELECT /*+ STATE_TTL('t' = '1d') */ …"))
            }
        }
    }
}

/// Finds the table hints in a statement's tokens.
///
/// # Errors
/// When a hint can't be read.
pub(super) fn table_hints(tokens: &[TokenWithSpan]) -> SqlResult<TableHints> {
    let mut hints = TableHints::default();
    let mut before: Option<&TokenWithSpan> = None;
    for token in tokens {
        let Token::Whitespace(space) = &token.token else {
            before = Some(token);
            continue;
        };
        let Whitespace::MultiLineComment(comment) = space else { continue };
        let Some(text) = comment.strip_prefix('+') else { continue };
        match before {
            Some(t) if is_select(&t.token) => {
                check_query_hint(text, token.span)?;
            }
            Some(t) => {
                let calls = calls(text, token.span)?;
                for call in &calls {
                    table_hint_options(call).map_err(|e| e.or_at(token.span))?;
                }
                let end = t.span.end;
                hints.0.insert((end.line, end.column), (calls, token.span));
            }
            None => {}
        }
    }
    Ok(hints)
}

fn is_select(token: &Token) -> bool {
    matches!(token, Token::Word(w) if w.keyword == Keyword::SELECT)
}

/// Reads `NAME(args), NAME(args)`.
fn calls(text: &str, span: Span) -> SqlResult<Vec<Expr>> {
    let unreadable = |why: String| {
        SqlError::new(codes::HINT, format!("a hint can't be read: {why}"))
            .at(span)
            .help("a hint is written NAME('key' = 'value', …)")
    };
    let dialect = FlinkDialect::for_tokens(text.len());
    let tokens =
        Tokenizer::new(&dialect, text).tokenize().map_err(|e| unreadable(e.message.clone()))?;
    let mut parser = Parser::new(&dialect).with_tokens(tokens).with_recursion_limit(20);
    let mut calls = Vec::new();
    while parser.peek_token_ref().token != Token::EOF {
        let call = parser.parse_expr().map_err(|e| unreadable(SqlError::from(e).message))?;
        calls.push(call);
        let _ = parser.consume_token(&Token::Comma);
    }
    Ok(calls)
}

fn check_query_hint(text: &str, span: Span) -> SqlResult<Vec<QueryHint>> {
    calls(text, span)?
        .iter()
        .map(|call| {
            let hint = query_hint(call).ok_or_else(|| {
                SqlError::new(codes::HINT, format!("`{call}` is not a hint"))
                    .at(span)
                    .help("a hint is written NAME('key' = 'value', …)")
            })?;
            if QUERY_HINTS.contains(&hint.name.as_str()) {
                return Ok(hint);
            }
            let error = SqlError::new(codes::HINT, format!("no query hint `{}`", hint.name))
                .at(span)
                .help(format!("hints are {}", QUERY_HINTS.join(", ")));
            Err(match nearest(&hint.name, QUERY_HINTS.iter().copied()) {
                Some(near) => error.label(format!("did you mean `{near}`?")),
                None if hint.name == "OPTIONS" => {
                    error.label("OPTIONS stands behind the table's name")
                }
                None => error,
            })
        })
        .collect()
}

fn query_hint(call: &Expr) -> Option<QueryHint> {
    let Expr::Function(function) = call else { return None };
    let name = function.name.to_string().to_ascii_uppercase();
    let args = arguments(function)?
        .into_iter()
        .map(|arg| match arg {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                Some((text_of(left)?, Some(text_of(right)?)))
            }
            other => Some((text_of(other)?, None)),
        })
        .collect::<Option<_>>()?;
    Some(QueryHint { name, args })
}

fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    match &function.args {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            })
            .collect(),
    }
}

fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            Value::Number(number, _) => Some(number.clone()),
            Value::Boolean(b) => Some(b.to_string()),
            _ => None,
        },
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(names) => {
            Some(names.iter().map(|n| n.value.as_str()).collect::<Vec<_>>().join("."))
        }
        _ => None,
    }
}

/// The hints of a select.
///
/// # Errors
/// When a hint can't be read; [`super::parse`] has checked them.
pub fn query_hints(select: &Select) -> SqlResult<Vec<QueryHint>> {
    let mut hints = Vec::new();
    for hint in &select.optimizer_hints {
        hints.extend(check_query_hint(&hint.text, select.select_token.0.span)?);
    }
    Ok(hints)
}

/// The options that a table's `with_hints` carry, later ones over earlier ones.
///
/// # Errors
/// When a hint is not `OPTIONS('key' = 'value', …)`.
pub fn table_options(with_hints: &[Expr]) -> SqlResult<Vec<TableOption>> {
    let mut options = Vec::new();
    for hint in with_hints {
        options.extend(table_hint_options(hint)?);
    }
    Ok(options)
}

fn table_hint_options(call: &Expr) -> SqlResult<Vec<TableOption>> {
    let wrong = || {
        SqlError::new(codes::HINT, format!("`{call}` is not a table hint"))
            .help("a table hint is written /*+ OPTIONS('key' = 'value', …) */")
    };
    let hint = query_hint(call).ok_or_else(wrong)?;
    if hint.name != "OPTIONS" {
        return Err(wrong());
    }
    let span = call.span();
    hint.args
        .into_iter()
        .map(|(key, value)| {
            let value = value.ok_or_else(wrong)?;
            Ok(TableOption { key, value, span, value_span: span })
        })
        .collect()
}

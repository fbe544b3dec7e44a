//! The text: Flink SQL's dialect, read by our own parser of statements around sqlparser's parser
//! of queries.
//!
//! Invariants: queries and expressions are sqlparser's, in one normal form (see [`tvf`], [`hints`]
//! and [`emit`](mod@emit)); what is not supported is refused by name, never left out silently; whatever the
//! text is, the answer comes in time that grows linearly with it and with a bounded stack (see
//! [`limits`]).

mod chars;
pub mod dialect;
pub mod emit;
mod foreign;
pub mod group_window;
pub mod hints;
pub mod interval;
pub mod limits;
mod normalize;
mod parser;
pub mod print;
mod statement;
pub mod tvf;
pub mod types;
pub mod variables;

pub use emit::{Emit, emit};
pub use group_window::{GroupWindow, WindowProperty, group_window, window_property};
pub use hints::{QueryHint, query_hints, table_options};
pub use interval::interval_ms;
pub use statement::*;
pub use tvf::{TableRef, WindowKind, WindowTvf, window_tvf};

use std::cell::RefCell;

use datafusion::sql::sqlparser::ast::{Expr, Query};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::error::{Location, SqlError, SqlResult, codes};
use crate::stack::with_room;
use chars::Places;
use dialect::FlinkDialect;
use types::is_word;

/// Parses all statements of a text.
///
/// # Errors
/// The first error of the text; nothing is given of a text that has one.
pub fn parse(text: &str) -> SqlResult<Vec<Parsed>> {
    with_room(|| parse_all(text))
}

fn parse_all(text: &str) -> SqlResult<Vec<Parsed>> {
    let places = RefCell::new(Places::new(text));
    let mut parsed = Vec::new();
    let statements = split(&tokenize(text)?).0;
    if statements.len() > limits::MAX_STATEMENTS {
        return Err(SqlError::new(
            codes::TOO_LARGE,
            format!(
                "the text has {} statements, at most {} are read",
                statements.len(),
                limits::MAX_STATEMENTS
            ),
        ));
    }
    for tokens in statements {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { continue };
        let place = first.span;
        let span = places.borrow_mut().bytes(first.span.start.span_to(last.span.end));
        if span.len() > limits::MAX_STATEMENT {
            return Err(SqlError::new(
                codes::TOO_LARGE,
                format!(
                    "a statement has {} bytes, at most {} are read",
                    span.len(),
                    limits::MAX_STATEMENT
                ),
            )
            .at(place)
            .help("put long lists of values into a file and read it as a table"));
        }
        let statement = parser::parse_statement(text, &places, tokens)?;
        parsed.push(Parsed { statement, span });
    }
    Ok(parsed)
}

/// Parses a text of one query.
///
/// # Errors
/// When it is not one query.
pub fn parse_query(text: &str) -> SqlResult<Box<Query>> {
    match parse(text)?.pop() {
        Some(Parsed { statement: Statement::Query(query), span }) if span.start == 0 => Ok(query),
        _ => Err(SqlError::new(codes::SYNTAX, "expected one query")),
    }
}

/// Parses a text of one expression.
///
/// # Errors
/// When it is not one expression.
pub fn parse_expr(text: &str) -> SqlResult<Expr> {
    with_room(|| parser::parse_one_expr(text, tokenize(text)?))
}

/// Whether a text ends within a statement, so that a shell reads another line.
///
/// A text that can't be read at all is complete: reading on would not help, but for a string, name
/// or comment that is open.
pub fn is_open(text: &str) -> bool {
    match tokenize(text) {
        Err(error) => {
            let message = error.message.to_ascii_lowercase();
            ["unterminated", "the end of the text", "no end"].iter().any(|m| message.contains(m))
        }
        Ok(tokens) => {
            let last = tokens.iter().rev().find(|t| !is_space(t));
            match last {
                None => false,
                Some(token) if token.token == Token::SemiColon => split(&tokens).1,
                Some(_) => true,
            }
        }
    }
}

fn tokenize(text: &str) -> SqlResult<Vec<TokenWithSpan>> {
    if text.len() > limits::MAX_TEXT {
        return Err(SqlError::new(
            codes::TOO_LARGE,
            format!("the text has {} bytes, at most {} are read", text.len(), limits::MAX_TEXT),
        ));
    }
    let dialect = FlinkDialect::for_tokens(0);
    Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|e| {
        let at = e.location;
        let message = e.message.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned();
        let mut letters = message.chars();
        let message: String = match letters.next() {
            Some(first) => first.to_lowercase().chain(letters).collect(),
            None => "a sign can't be read".into(),
        };
        SqlError::new(
            codes::TOKEN,
            match message.contains("multi-line comment") {
                true => "a comment has no end".to_owned(),
                false => message.replace("EOF", "the end of the text"),
            },
        )
        .at(at.span_to(Location::new(at.line, at.column + 1)))
        .help("text goes in single quotes, names in backticks; a quote within is doubled")
    })
}

fn is_space(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// A space that says nothing: a hint does.
fn is_blank(token: &TokenWithSpan) -> bool {
    match &token.token {
        Token::Whitespace(Whitespace::MultiLineComment(comment)) => !comment.starts_with('+'),
        Token::Whitespace(_) => true,
        _ => false,
    }
}

/// The tokens of each statement, without semicolons, and without blanks around them; and whether
/// the last one is a statement set that has no end yet.
fn split(tokens: &[TokenWithSpan]) -> (Vec<Vec<TokenWithSpan>>, bool) {
    let mut statements = Vec::new();
    let mut current: Vec<TokenWithSpan> = Vec::new();
    for token in tokens {
        let ends = || !begins_set(&current) || ends_set(&current);
        if token.token == Token::SemiColon && ends() {
            statements.push(std::mem::take(&mut current));
        } else if !(current.is_empty() && is_blank(token)) {
            current.push(token.clone());
        }
    }
    let open = begins_set(&current) && !ends_set(&current);
    statements.push(current);
    for statement in &mut statements {
        while statement.last().is_some_and(is_blank) {
            statement.pop();
        }
    }
    statements.retain(|statement| !statement.is_empty());
    (statements, open)
}

fn begins_set(tokens: &[TokenWithSpan]) -> bool {
    // EXPLAIN may have some details in front of STATEMENT SET.
    let mut words = tokens.iter().filter(|t| !is_space(t)).take(16).map(|t| &t.token).peekable();
    let first = words.next();
    let is = |token: Option<&Token>, word: &str| token.is_some_and(|t| is_word(t, word));
    if is(first, "BEGIN") || is(first, "EXECUTE") {
        return is(words.next(), "STATEMENT") && is(words.next(), "SET");
    }
    if !is(first, "EXPLAIN") {
        return false;
    }
    while let Some(word) = words.next() {
        if is_word(word, "STATEMENT") {
            return is(words.peek().copied(), "SET");
        }
    }
    false
}

/// Whether the last word is the END of a set: it follows a semicolon or BEGIN.
fn ends_set(tokens: &[TokenWithSpan]) -> bool {
    let mut back = tokens.iter().rev().filter(|t| !is_space(t)).map(|t| &t.token);
    back.next().is_some_and(|t| is_word(t, "END"))
        && back.next().is_some_and(|t| *t == Token::SemiColon || is_word(t, "BEGIN"))
}

#[cfg(test)]
mod tests;

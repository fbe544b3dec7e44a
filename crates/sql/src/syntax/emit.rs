//! `EMIT …`: when a query gives its results.
//!
//! sqlparser has no such clause, but one that stands at the same place: `SETTINGS key = value`.
//! So `EMIT CHANGES` is handed to it as `SETTINGS emit = 'changes'`, and [`emit`] reads it back
//! from the query.

use datafusion::sql::sqlparser::ast::{Expr, Query, Value};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::interval::interval_ms;
use super::types::is_word;
use crate::error::{SqlError, SqlResult};

const KEY: &str = "emit";

/// When a query gives its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emit {
    /// `EMIT FINAL`, `EMIT ON WINDOW CLOSE`: once, when they do not change any more.
    Final,
    /// `EMIT CHANGES`: whenever they change.
    Changes,
    /// `EMIT EVERY INTERVAL …`: as they are, at most this often.
    Every {
        /// The time between.
        ms: i64,
    },
}

/// Writes `EMIT …` as `SETTINGS emit = …`.
pub(super) fn rewrite(tokens: &mut Vec<TokenWithSpan>) {
    let words: Vec<usize> = (0..tokens.len()).filter(|&i| !is_space(&tokens[i].token)).collect();
    let at = |n: usize| words.get(n).map(|&i| &tokens[i].token);
    let is = |n: usize, word: &str| at(n).is_some_and(|t| is_word(t, word));
    let mut found = Vec::new();
    for n in 0..words.len() {
        if !is(n, "EMIT") || n == 0 {
            continue;
        }
        if is(n + 1, "ON") && is(n + 2, "WINDOW") && is(n + 3, "CLOSE") {
            found.push((n, 4, Some("final")));
        } else if is(n + 1, "FINAL") {
            found.push((n, 2, Some("final")));
        } else if is(n + 1, "CHANGES") {
            found.push((n, 2, Some("changes")));
        } else if is(n + 1, "EVERY") {
            found.push((n, 2, None));
        }
    }
    for (n, length, value) in found.into_iter().rev() {
        let span = tokens[words[n]].span;
        let mut new =
            vec![word("SETTINGS", Keyword::SETTINGS), word(KEY, Keyword::NoKeyword), Token::Eq];
        new.extend(value.map(|v| Token::SingleQuotedString(v.to_owned())));
        let new = new.into_iter().map(|token| TokenWithSpan { token, span });
        tokens.splice(words[n]..=words[n + length - 1], new);
    }
}

fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

fn word(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style: None, keyword })
}

/// When a query gives its results, if it says.
///
/// # Errors
/// When it says something else in its settings, or the interval is wrong.
pub fn emit(query: &Query) -> SqlResult<Option<Emit>> {
    let Some(settings) = &query.settings else { return Ok(None) };
    let [setting] = settings.as_slice() else {
        return Err(SqlError::unsupported("the clause SETTINGS"));
    };
    if setting.key.value != KEY {
        return Err(SqlError::unsupported("the clause SETTINGS").at(setting.key.span));
    }
    Ok(Some(match &setting.value {
        Expr::Value(value) if value.value == Value::SingleQuotedString("final".into()) => {
            Emit::Final
        }
        Expr::Value(value) if value.value == Value::SingleQuotedString("changes".into()) => {
            Emit::Changes
        }
        every => Emit::Every { ms: interval_ms(every)? },
    }))
}

//! Bounds on a statement, checked on its tokens before it is parsed.
//!
//! A parser that descends uses stack in proportion to nesting, and so does everything that later
//! walks the tree. What makes trees deep is bounded here: brackets, operators in a row, set
//! operations, joins, chains of WITH. What only makes them wide, such as IN lists, is not.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::types::is_word;
use crate::error::{Span, SqlError, SqlResult, codes};

/// The longest statement, in bytes.
pub const MAX_STATEMENT: usize = 1 << 20;
/// The longest text, in bytes.
pub const MAX_TEXT: usize = 16 << 20;
/// The most statements of a text: even a short one takes some kilobytes once it is read.
pub const MAX_STATEMENTS: usize = 10_000;
/// How deep brackets may be nested.
pub const MAX_DEPTH: usize = 200;
/// How deep sqlparser may descend: a bracket takes it several steps.
pub(super) const MAX_RECURSION: usize = 1_000;
/// How many operators may follow one another, AND, OR and || left out.
const MAX_OPERATORS: usize = 500;
/// How many tables, joins, set operations or WITH queries one level may have.
const MAX_PARTS: usize = 500;
/// How deep types may be nested.
const MAX_TYPES: usize = 32;
/// How often a subquery may be tried: each doubled parenthesis around one doubles it.
const MAX_TRIES: usize = 1_024;

/// What is counted within one pair of brackets.
#[derive(Clone)]
struct Level {
    operators: usize,
    betweens: usize,
    parts: usize,
    in_from: bool,
    tries: usize,
}

impl Level {
    fn new(tries: usize) -> Self {
        Level { operators: 0, betweens: 0, parts: 0, in_from: false, tries }
    }
}

/// Checks a statement's tokens.
///
/// # Errors
/// When a bound is passed; the error names it.
pub(super) fn check(tokens: &[TokenWithSpan]) -> SqlResult<()> {
    let mut levels = vec![Level::new(1)];
    let mut types = 0_usize;
    let mut opened = 0_usize;
    let mut before: [Option<&Token>; 2] = [None, None];
    for TokenWithSpan { token, span } in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        let Some(level) = levels.last_mut() else { break };
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                opened += 1;
                if is_keyword(before[0], Keyword::AS) {
                    part(level, *span)?;
                }
                let tries = level.tries;
                levels.push(Level::new(tries));
                if levels.len() > MAX_DEPTH {
                    return Err(too_deep(
                        *span,
                        format!("brackets are nested more than {MAX_DEPTH} deep"),
                    ));
                }
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                if levels.len() > 1 {
                    levels.pop();
                }
            }
            Token::Comma => {
                level.operators = 0;
                level.betweens = 0;
                if level.in_from {
                    part(level, *span)?;
                }
            }
            Token::Word(word) => {
                if word.keyword == Keyword::INTERVAL && is_keyword(before[0], Keyword::INTERVAL) {
                    // sqlparser descends at each without counting.
                    return Err(SqlError::new(codes::SYNTAX, "INTERVAL is there twice").at(*span));
                }
                if matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES) {
                    // Of several parentheses in a row, sqlparser tries a subquery at each.
                    level.tries = level.tries.saturating_mul(opened.max(1));
                    if level.tries > MAX_TRIES {
                        return Err(too_deep(
                            *span,
                            "subqueries in several parentheses are nested too deep".into(),
                        )
                        .help("leave out parentheses that are not needed"));
                    }
                }
                // IS DISTINCT FROM and METADATA FROM name no tables.
                let names_tables = !is_keyword(before[0], Keyword::DISTINCT)
                    && !before[0].is_some_and(|t| is_word(t, "METADATA"));
                if word.keyword != Keyword::FROM || names_tables {
                    keyword(level, word.keyword, *span)?;
                }
            }
            Token::Lt if type_opens(before[0]) => {
                types += 1;
                if types > MAX_TYPES {
                    return Err(too_deep(
                        *span,
                        format!("types are nested more than {MAX_TYPES} deep"),
                    ));
                }
            }
            Token::Gt => {
                types = types.saturating_sub(1);
                operator(level, *span)?;
            }
            Token::ShiftRight => {
                types = types.saturating_sub(2);
                operator(level, *span)?;
            }
            // The next INSERT of a statement set.
            Token::SemiColon => *level = Level::new(1),
            Token::StringConcat | Token::Period | Token::EOF => {}
            Token::Number(..) => {}
            token if is_text(token) => {}
            _ => operator(level, *span)?,
        }
        if !matches!(token, Token::LParen) {
            opened = 0;
        }
        before = [Some(token), before[0]];
    }
    Ok(())
}

fn keyword(level: &mut Level, keyword: Keyword, span: Span) -> SqlResult<()> {
    match keyword {
        Keyword::AND => level.operators = 0,
        Keyword::OR
        | Keyword::WHEN
        | Keyword::THEN
        | Keyword::ELSE
        | Keyword::SELECT
        | Keyword::HAVING
        | Keyword::ON
        | Keyword::SET => {
            level.operators = 0;
            level.betweens = 0;
        }
        Keyword::FROM => {
            level.in_from = true;
            level.operators = 0;
        }
        Keyword::WHERE | Keyword::GROUP | Keyword::ORDER | Keyword::LIMIT | Keyword::WINDOW => {
            level.in_from = false;
            level.operators = 0;
            level.betweens = 0;
        }
        Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
            level.in_from = false;
            part(level, span)?;
        }
        Keyword::JOIN => part(level, span)?,
        Keyword::BETWEEN => {
            level.betweens += 1;
            if level.betweens > MAX_OPERATORS {
                return Err(too_deep(span, format!("more than {MAX_OPERATORS} BETWEENs in a row")));
            }
        }
        Keyword::IS
        | Keyword::IN
        | Keyword::LIKE
        | Keyword::ILIKE
        | Keyword::RLIKE
        | Keyword::REGEXP
        | Keyword::SIMILAR
        | Keyword::AT
        | Keyword::DIV
        | Keyword::XOR
        | Keyword::NOT
        | Keyword::COLLATE
        | Keyword::OVERLAPS
        | Keyword::MEMBER
        | Keyword::OPERATOR => operator(level, span)?,
        _ => {}
    }
    Ok(())
}

fn operator(level: &mut Level, span: Span) -> SqlResult<()> {
    level.operators += 1;
    if level.operators > MAX_OPERATORS {
        return Err(too_deep(span, format!("more than {MAX_OPERATORS} operators in a row"))
            .help("AND, OR and || may follow one another without bound"));
    }
    Ok(())
}

fn part(level: &mut Level, span: Span) -> SqlResult<()> {
    level.parts += 1;
    if level.parts > MAX_PARTS {
        return Err(too_deep(
            span,
            format!("more than {MAX_PARTS} tables, joins, set operations or WITH queries"),
        ));
    }
    Ok(())
}

fn too_deep(span: Span, message: String) -> SqlError {
    SqlError::new(codes::TOO_DEEP, message).at(span)
}

fn is_keyword(token: Option<&Token>, keyword: Keyword) -> bool {
    matches!(token, Some(Token::Word(w)) if w.keyword == keyword)
}

fn type_opens(token: Option<&Token>) -> bool {
    const NAMES: [&str; 5] = ["ARRAY", "MAP", "ROW", "MULTISET", "STRUCT"];
    matches!(token, Some(Token::Word(w)) if NAMES.iter().any(|n| w.value.eq_ignore_ascii_case(n)))
}

fn is_text(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
    )
}

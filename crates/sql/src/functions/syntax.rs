//! Calls that sqlparser does not read: the JSON functions with their clauses, `IS JSON`,
//! `MAP[…]` and `BETWEEN SYMMETRIC`.
//!
//! The dialect calls [`prefix`] and [`infix`] from its hooks of the same name. What they make is
//! plain: a function call with positional arguments (see [`super::json`]).

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, UnaryOperator, Value,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

type Parsed<T = Expr> = Result<T, ParserError>;

/// A call of a function.
pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// A string literal.
pub(crate) fn text(value: impl Into<String>) -> Expr {
    Expr::value(Value::SingleQuotedString(value.into()))
}

/// NULL.
pub(crate) fn null() -> Expr {
    Expr::value(Value::Null)
}

/// Whether token `n` from here is an unquoted word, in any case.
fn is_word(parser: &Parser<'_>, n: usize, word: &str) -> bool {
    match parser.peek_nth_token_ref(n).token {
        Token::Word(ref w) => w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word),
        _ => false,
    }
}

/// Takes a word if it is next.
fn word(parser: &mut Parser<'_>, word: &str) -> bool {
    let there = is_word(parser, 0, word);
    if there {
        parser.next_token();
    }
    there
}

fn expect_word(parser: &mut Parser<'_>, wanted: &str) -> Parsed<()> {
    if word(parser, wanted) { Ok(()) } else { parser.expected(wanted, parser.peek_token()) }
}

/// Reads what starts here, if it is one of the calls of this module.
pub fn prefix(parser: &mut Parser<'_>) -> Option<Parsed> {
    let name = match parser.peek_token_ref().token {
        Token::Word(ref word) if word.quote_style.is_none() => word.value.to_uppercase(),
        _ => return None,
    };
    let read: fn(&mut Parser<'_>) -> Parsed =
        match (name.as_str(), &parser.peek_nth_token_ref(1).token) {
            ("JSON_VALUE", Token::LParen) => json_value,
            ("JSON_QUERY", Token::LParen) => json_query,
            ("JSON_EXISTS", Token::LParen) => json_exists,
            ("JSON_OBJECT", Token::LParen) => json_object,
            ("JSON_ARRAY", Token::LParen) => json_array,
            ("JSON_OBJECTAGG" | "JSON_ARRAYAGG", Token::LParen) => {
                return Some(Err(ParserError::ParserError(format!("{name} is not supported"))));
            }
            ("MAP", Token::LBracket) => map,
            ("TRIM", Token::LParen) if of_spaces(parser) => trim_spaces,
            _ => return None,
        };
    parser.next_token();
    parser.next_token();
    Some(read(parser))
}

/// Whether `TRIM(` goes on without saying what is trimmed.
fn of_spaces(parser: &Parser<'_>) -> bool {
    let side = ["LEADING", "TRAILING", "BOTH"].into_iter().any(|side| is_word(parser, 2, side));
    side && is_word(parser, 3, "FROM")
}

/// `TRIM(LEADING FROM text)`: of spaces.
fn trim_spaces(parser: &mut Parser<'_>) -> Parsed {
    let trim_where = Some(parser.parse_trim_where()?);
    expect_word(parser, "FROM")?;
    let expr = Box::new(parser.parse_expr()?);
    parser.expect_token(&Token::RParen)?;
    let trim_what = Some(Box::new(text(" ")));
    Ok(Expr::Trim { expr, trim_where, trim_what, trim_characters: None })
}

/// Reads what follows on an expression, if it is one of the predicates of this module.
pub fn infix(parser: &mut Parser<'_>, expr: &Expr) -> Option<Parsed> {
    let negated = is_word(parser, 0, "NOT");
    if is_word(parser, usize::from(negated), "BETWEEN") {
        let at = usize::from(negated) + 1;
        if !is_word(parser, at, "SYMMETRIC") && !is_word(parser, at, "ASYMMETRIC") {
            return None;
        }
        if negated {
            parser.next_token();
        }
        parser.next_token();
        return Some(between(parser, expr, negated));
    }
    let negated = is_word(parser, 1, "NOT");
    if !is_word(parser, 0, "IS") || !is_word(parser, 1 + usize::from(negated), "JSON") {
        return None;
    }
    for _ in 0..2 + usize::from(negated) {
        parser.next_token();
    }
    let kinds = ["VALUE", "SCALAR", "ARRAY", "OBJECT"];
    let kind = kinds.into_iter().find(|kind| word(parser, kind)).unwrap_or("VALUE");
    let is = call("is_json", vec![expr.clone(), text(kind)]);
    Some(Ok(if negated { not(is) } else { is }))
}

/// NOT.
pub(crate) fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(expr)) }
}

/// An expression in parentheses.
pub(crate) fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn between(parser: &mut Parser<'_>, expr: &Expr, negated: bool) -> Parsed {
    let symmetric = is_word(parser, 0, "SYMMETRIC");
    parser.next_token();
    // the plain predicate is parsed, and turned around for the other half
    let parsed = parser.parse_between(expr.clone(), negated)?;
    match parsed {
        Expr::Between { expr, negated, low, high } if symmetric => {
            let turned =
                Expr::Between { expr: expr.clone(), negated, low: high.clone(), high: low.clone() };
            let op = if negated { BinaryOperator::And } else { BinaryOperator::Or };
            let straight = Expr::Between { expr, negated, low, high };
            Ok(nested(Expr::BinaryOp { left: Box::new(straight), op, right: Box::new(turned) }))
        }
        other => Ok(other),
    }
}

fn map(parser: &mut Parser<'_>) -> Parsed {
    let entries = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RBracket)?;
    if entries.len() % 2 == 1 {
        return parser.expected("a value for the last key of MAP[...]", parser.peek_token());
    }
    Ok(call("make_map", entries))
}

fn json_and_path(parser: &mut Parser<'_>) -> Parsed<Vec<Expr>> {
    let json = parser.parse_expr()?;
    parser.expect_token(&Token::Comma)?;
    Ok(vec![json, parser.parse_expr()?])
}

/// `ON EMPTY` or `ON ERROR`; the word is given back.
fn on(parser: &mut Parser<'_>) -> Parsed<&'static str> {
    expect_word(parser, "ON")?;
    if word(parser, "EMPTY") {
        return Ok("EMPTY");
    }
    expect_word(parser, "ERROR")?;
    Ok("ERROR")
}

fn json_value(parser: &mut Parser<'_>) -> Parsed {
    let mut args = json_and_path(parser)?;
    let returning = if word(parser, "RETURNING") { Some(parser.parse_data_type()?) } else { None };
    let mut empty = (text("NULL"), null());
    let mut error = (text("NULL"), null());
    let mut fails = false;
    while !parser.consume_token(&Token::RParen) {
        let behaviour = if word(parser, "NULL") {
            (text("NULL"), null())
        } else if word(parser, "ERROR") {
            (text("ERROR"), null())
        } else if parser.parse_keyword(Keyword::DEFAULT) {
            (text("DEFAULT"), call("to_string", vec![parser.parse_expr()?]))
        } else {
            return parser.expected("NULL, ERROR or DEFAULT", parser.peek_token());
        };
        match on(parser)? {
            "EMPTY" => empty = behaviour,
            _ => {
                fails = behaviour.0 == text("ERROR");
                error = behaviour;
            }
        }
    }
    args.extend([empty.0, empty.1, error.0, error.1]);
    let value = call("json_value_of", args);
    Ok(match returning {
        None => value,
        Some(data_type) => Expr::Cast {
            kind: if fails { CastKind::Cast } else { CastKind::TryCast },
            expr: Box::new(value),
            data_type,
            array: false,
            format: None,
        },
    })
}

fn json_query(parser: &mut Parser<'_>) -> Parsed {
    let mut args = json_and_path(parser)?;
    if word(parser, "RETURNING") {
        let data_type = parser.parse_data_type()?;
        if !super::casts::is_string(&data_type) {
            let message =
                format!("JSON_QUERY ... RETURNING {data_type} is not supported, but STRING is");
            return Err(ParserError::ParserError(message));
        }
    }
    let mut wrapper = "WITHOUT";
    if word(parser, "WITH") {
        wrapper = "UNCONDITIONAL";
        if word(parser, "CONDITIONAL") {
            wrapper = "CONDITIONAL";
        } else {
            word(parser, "UNCONDITIONAL");
        }
        word(parser, "ARRAY");
        expect_word(parser, "WRAPPER")?;
    } else if word(parser, "WITHOUT") {
        word(parser, "ARRAY");
        expect_word(parser, "WRAPPER")?;
    }
    let (mut empty, mut error) = ("NULL", "NULL");
    while !parser.consume_token(&Token::RParen) {
        let behaviour = if word(parser, "NULL") {
            "NULL"
        } else if word(parser, "ERROR") {
            "ERROR"
        } else {
            expect_word(parser, "EMPTY")?;
            if word(parser, "OBJECT") {
                "OBJECT"
            } else {
                expect_word(parser, "ARRAY")?;
                "ARRAY"
            }
        };
        match on(parser)? {
            "EMPTY" => empty = behaviour,
            _ => error = behaviour,
        }
    }
    args.extend([text(wrapper), text(empty), text(error)]);
    Ok(call("json_query_of", args))
}

fn json_exists(parser: &mut Parser<'_>) -> Parsed {
    let mut args = json_and_path(parser)?;
    let words = ["TRUE", "FALSE", "UNKNOWN", "ERROR"];
    let behaviour = words.into_iter().find(|behaviour| word(parser, behaviour));
    if behaviour.is_some() && on(parser)? != "ERROR" {
        return parser.expected("ON ERROR", parser.peek_token());
    }
    parser.expect_token(&Token::RParen)?;
    args.push(text(behaviour.unwrap_or("FALSE")));
    Ok(call("json_exists_of", args))
}

/// `NULL ON NULL` or `ABSENT ON NULL`, and the closing parenthesis.
fn on_null(parser: &mut Parser<'_>, default: &'static str) -> Parsed<&'static str> {
    let ahead = is_word(parser, 1, "ON");
    let behaviour = ["NULL", "ABSENT"].into_iter().find(|word| ahead && is_word(parser, 0, word));
    if behaviour.is_some() {
        parser.next_token();
        expect_word(parser, "ON")?;
        expect_word(parser, "NULL")?;
    }
    parser.expect_token(&Token::RParen)?;
    Ok(behaviour.unwrap_or(default))
}

/// A 1 for each value that a JSON constructor gives, so that it is not quoted once more; else a 0.
fn nested_flags(values: &[Expr]) -> Expr {
    let is_json = |value: &Expr| match value {
        Expr::Function(function) => {
            let name = function.name.to_string();
            matches!(name.as_str(), "json_object_of" | "json_array_of" | "json_query_of")
        }
        _ => false,
    };
    text(values.iter().map(|value| if is_json(value) { '1' } else { '0' }).collect::<String>())
}

fn json_object(parser: &mut Parser<'_>) -> Parsed {
    let mut values = Vec::new();
    let ends = |parser: &Parser<'_>| {
        parser.peek_token_ref().token == Token::RParen || is_word(parser, 1, "ON")
    };
    while !ends(parser) {
        let follows = &parser.peek_nth_token_ref(1).token;
        if !matches!(follows, Token::Comma | Token::Period | Token::LParen) {
            word(parser, "KEY");
        }
        values.push(parser.parse_expr()?);
        if !parser.consume_token(&Token::Colon) {
            expect_word(parser, "VALUE")?;
        }
        values.push(parser.parse_expr()?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let behaviour = on_null(parser, "NULL")?;
    let mut args = vec![text(behaviour), nested_flags(&values)];
    args.extend(values);
    Ok(call("json_object_of", args))
}

fn json_array(parser: &mut Parser<'_>) -> Parsed {
    let mut values = Vec::new();
    let ends = |parser: &Parser<'_>| {
        parser.peek_token_ref().token == Token::RParen || is_word(parser, 1, "ON")
    };
    while !ends(parser) {
        values.push(parser.parse_expr()?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let behaviour = on_null(parser, "ABSENT")?;
    let mut args = vec![text(behaviour), nested_flags(&values)];
    args.extend(values);
    Ok(call("json_array_of", args))
}

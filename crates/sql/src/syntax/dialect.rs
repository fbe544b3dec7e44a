//! What sqlparser must know of Flink's SQL: how names are written, and the expressions that it
//! does not read by itself.
//!
//! Invariant: parsing ends. Where sqlparser tries one reading after another, nesting can multiply
//! the tries, so each expression costs fuel and a text has fuel in proportion to its length.

use std::cell::Cell;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName,
};
use datafusion::sql::sqlparser::dialect::{Dialect, Precedence};
use datafusion::sql::sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::types::parse_type;
use crate::functions::syntax as functions;

/// The name of the call that stands for `TABLE t PARTITION BY k`, until [`super::tvf`] reads it.
pub(super) const PARTITIONED: &str = "PARTITIONED";

/// Flink SQL.
#[derive(Debug)]
pub struct FlinkDialect {
    fuel: Cell<usize>,
}

type Parse<T> = Result<T, ParserError>;

impl FlinkDialect {
    /// A dialect that reads this many tokens.
    pub fn for_tokens(tokens: usize) -> Self {
        FlinkDialect { fuel: Cell::new(tokens.saturating_mul(64).saturating_add(10_000)) }
    }

    fn burn(&self) -> Parse<()> {
        match self.fuel.get().checked_sub(1) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            // The one error that sqlparser does not take as a reason to try something else.
            None => Err(ParserError::RecursionLimitExceeded),
        }
    }

    fn prefix(&self, parser: &mut Parser) -> Option<Parse<Expr>> {
        if let Err(e) = self.burn() {
            return Some(Err(e));
        }
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        if word.quote_style.is_some() {
            return None;
        }
        let kind = match word.keyword {
            Keyword::CAST => CastKind::Cast,
            Keyword::TRY_CAST => CastKind::TryCast,
            Keyword::TABLE => {
                return match &parser.peek_nth_token_ref(1).token {
                    Token::Word(_) | Token::LParen | Token::SingleQuotedString(_) => {
                        Some(parse_table_argument(parser))
                    }
                    _ => None,
                };
            }
            _ => return functions::prefix(parser),
        };
        (parser.peek_nth_token_ref(1).token == Token::LParen).then(|| parse_cast(parser, kind))
    }
}

impl Dialect for FlinkDialect {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || ch == '"'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    // Read so that it can be refused by its name.
    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_comment_optimizer_hint(&self) -> bool {
        true
    }

    // EMIT is handed to the parser as SETTINGS, see `emit`.
    fn supports_settings(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn support_map_literal_syntax(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    // Words with a form of their own: as names they would be tried again where the form is wrong,
    // and the error would be about the name.
    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        matches!(
            keyword,
            Keyword::CASE
                | Keyword::CAST
                | Keyword::EXISTS
                | Keyword::EXTRACT
                | Keyword::INTERVAL
                | Keyword::NOT
                | Keyword::OVERLAY
                | Keyword::SUBSTRING
                | Keyword::TRIM
                | Keyword::TRY_CAST
        )
    }

    fn is_column_alias(&self, keyword: &Keyword, _parser: &mut Parser) -> bool {
        *keyword != Keyword::SETTINGS && !RESERVED_FOR_COLUMN_ALIAS.contains(keyword)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.prefix(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let Some(op) = chain_operator(&parser.peek_token_ref().token) else {
            return functions::infix(parser, left);
        };
        let of = match op {
            BinaryOperator::And => Precedence::And,
            BinaryOperator::Or => Precedence::Or,
            _ => Precedence::MulDivModOp,
        };
        (self.prec_value(of) == precedence).then(|| parse_chain(parser, left, op, precedence))
    }
}

fn chain_operator(token: &Token) -> Option<BinaryOperator> {
    match token {
        Token::StringConcat => Some(BinaryOperator::StringConcat),
        Token::Word(word) if word.keyword == Keyword::AND => Some(BinaryOperator::And),
        Token::Word(word) if word.keyword == Keyword::OR => Some(BinaryOperator::Or),
        _ => None,
    }
}

/// `a AND b AND c …` at once: a long chain becomes a tree that is not deep.
///
/// sqlparser would nest it to the left, and a chain of a hundred thousand would overflow the stack
/// of whoever walks it. These three operators are associative, so the tree's form does not matter.
fn parse_chain(
    parser: &mut Parser,
    left: &Expr,
    op: BinaryOperator,
    precedence: u8,
) -> Parse<Expr> {
    let mut rest = Vec::new();
    while chain_operator(&parser.peek_token_ref().token).as_ref() == Some(&op) {
        parser.next_token();
        rest.push(parser.parse_subexpr(precedence)?);
    }
    Ok(join(left.clone(), rest, &op))
}

fn join(first: Expr, mut rest: Vec<Expr>, op: &BinaryOperator) -> Expr {
    const NESTED_TO_THE_LEFT: usize = 64;
    let pair = |left: Expr, right: Expr| Expr::BinaryOp {
        left: Box::new(left),
        op: op.clone(),
        right: Box::new(right),
    };
    if rest.len() < NESTED_TO_THE_LEFT {
        return rest.into_iter().fold(first, pair);
    }
    let mut right = rest.split_off(rest.len() / 2);
    let middle = right.remove(0);
    pair(join(first, rest, op), join(middle, right, op))
}

/// `CAST(x AS type)`, with all the types that a table may have.
fn parse_cast(parser: &mut Parser, kind: CastKind) -> Parse<Expr> {
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let expr = parser.parse_expr()?;
    parser.expect_keyword(Keyword::AS)?;
    let data_type = parse_type(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None })
}

/// `TABLE t`, `TABLE (query)` and `TABLE t PARTITION BY (k, …)` as an argument.
fn parse_table_argument(parser: &mut Parser) -> Parse<Expr> {
    parser.next_token();
    let table = if parser.consume_token(&Token::LParen) {
        let query = parser.parse_query()?;
        parser.expect_token(&Token::RParen)?;
        Expr::Subquery(query)
    } else {
        let mut parts = vec![parser.parse_identifier()?];
        while parser.consume_token(&Token::Period) {
            parts.push(parser.parse_identifier()?);
        }
        if parts.len() == 1 {
            Expr::Identifier(parts.remove(0))
        } else {
            Expr::CompoundIdentifier(parts)
        }
    };
    if !parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
        return Ok(table);
    }
    let keys: Vec<Ident> = if parser.consume_token(&Token::LParen) {
        let keys = parser.parse_comma_separated(Parser::parse_identifier)?;
        parser.expect_token(&Token::RParen)?;
        keys
    } else {
        // Without parentheses a comma ends the keys: the next argument follows.
        vec![parser.parse_identifier()?]
    };
    let args = std::iter::once(table)
        .chain(keys.into_iter().map(Expr::Identifier))
        .map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e)))
        .collect();
    Ok(Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(PARTITIONED)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }))
}

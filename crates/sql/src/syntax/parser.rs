//! The parser of statements: which statement it is, and the parts that sqlparser does not know.
//!
//! Each statement has a parser of its own over its tokens, so nothing reads past its end.

mod create;
mod insert;
mod query;
mod show;
mod table;

use std::cell::RefCell;

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, ObjectNamePart, Query, VisitMut};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::chars::Places;
use super::dialect::FlinkDialect;
use super::hints::{TableHints, table_hints};
use super::normalize::normalize;
use super::types::{BAD_DECIMAL, BAD_PRECISION, TYPE_NAMES, UNKNOWN, UNSUPPORTED, is_word};
use super::{Statement, emit, foreign, limits};
use crate::error::{Location, Span, SqlError, SqlResult, codes, did_you_mean};

/// Parses the tokens of one statement.
pub(super) fn parse_statement(
    text: &str,
    places: &RefCell<Places<'_>>,
    mut tokens: Vec<TokenWithSpan>,
) -> SqlResult<Statement> {
    limits::check(&tokens)?;
    foreign::check_tokens(&tokens)?;
    let end = tokens.last().map_or(Location::new(1, 1), |t| t.span.end);
    let end = end.span_to(Location::new(end.line, end.column + 1));
    let hints = table_hints(&tokens)?;
    emit::rewrite(&mut tokens);
    let dialect = FlinkDialect::for_tokens(tokens.len());
    let parser = Parser::new(&dialect)
        .with_recursion_limit(limits::MAX_RECURSION)
        .with_tokens_with_locations(tokens);
    let mut statements = StatementParser { parser, hints, end, places, text };
    let statement = statements.statement().and_then(|statement| {
        statements.expect_end()?;
        Ok(statement)
    });
    // What a hint is about is known only where all was read.
    match statement {
        Ok(statement) => statements.hints.finish().map(|()| statement),
        Err(error) => Err(error.or_at(end)),
    }
}

/// Parses the tokens of one expression.
pub(super) fn parse_one_expr(text: &str, tokens: Vec<TokenWithSpan>) -> SqlResult<Expr> {
    limits::check(&tokens)?;
    let end = tokens.last().map_or(Location::new(1, 1), |t| t.span.end);
    let end = end.span_to(Location::new(end.line, end.column + 1));
    let dialect = FlinkDialect::for_tokens(tokens.len());
    let parser = Parser::new(&dialect)
        .with_recursion_limit(limits::MAX_RECURSION)
        .with_tokens_with_locations(tokens);
    let places = RefCell::new(Places::new(text));
    let mut parser =
        StatementParser { parser, hints: TableHints::default(), end, places: &places, text };
    let expr = parser.expr()?;
    parser.expect_end()?;
    Ok(expr)
}

/// A parser over the tokens of one statement.
struct StatementParser<'a, 't> {
    parser: Parser<'a>,
    hints: TableHints,
    /// The place behind the last token.
    end: Span,
    places: &'a RefCell<Places<'t>>,
    text: &'a str,
}

/// The words that begin statements, for the nearest one.
const STATEMENTS: &[&str] = &[
    "SELECT",
    "WITH",
    "VALUES",
    "INSERT",
    "EXECUTE",
    "CREATE",
    "DROP",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "EXPLAIN",
    "SET",
    "RESET",
    "USE",
    "COPY",
    "SUBSCRIBE",
    "BEGIN",
];

impl StatementParser<'_, '_> {
    fn statement(&mut self) -> SqlResult<Statement> {
        let Token::Word(word) = &self.peek().token else {
            return match self.peek().token {
                Token::LParen => self.query().map(Statement::Query),
                _ => Err(self.unexpected("a statement")),
            };
        };
        let (word, span) = (word.value.clone(), self.peek().span);
        match word.to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" | "VALUES" => self.query().map(Statement::Query),
            "CREATE" => self.create(),
            "INSERT" => self.insert().map(Statement::Insert),
            "EXECUTE" => self.execute(),
            "BEGIN" => self.begin(),
            "EXPLAIN" => self.explain(),
            "SET" => self.set(),
            "RESET" => self.reset(),
            "SHOW" => self.show(),
            "DESCRIBE" | "DESC" => self.describe(),
            "DROP" => self.drop(),
            "USE" => self.use_(),
            "COPY" => self.copy(),
            "SUBSCRIBE" => self.subscribe(),
            _ => Err(unknown_statement(&word, span)),
        }
    }

    fn peek(&self) -> &TokenWithSpan {
        self.parser.peek_token_ref()
    }

    /// Where the next token is; at the end the place behind the last one.
    fn here(&self) -> Span {
        match self.peek() {
            t if t.token == Token::EOF => self.end,
            t => t.span,
        }
    }

    fn peek_word(&self, n: usize, word: &str) -> bool {
        is_word(&self.parser.peek_nth_token_ref(n).token, word)
    }

    /// Takes this word if it is next.
    fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    /// Takes these words if they are next.
    fn words(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(n, word)| self.peek_word(n, word));
        if found {
            for _ in words {
                self.parser.next_token();
            }
        }
        found
    }

    /// Takes one of these words.
    fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.word(word))
    }

    fn expect_word(&mut self, word: &str) -> SqlResult<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    fn expect(&mut self, token: &Token) -> SqlResult<()> {
        if self.parser.consume_token(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{token}`")))
        }
    }

    fn expect_end(&mut self) -> SqlResult<()> {
        match self.peek().token {
            Token::EOF => Ok(()),
            _ => Err(self.unexpected("the end of the statement")),
        }
    }

    /// The error that something else was expected here.
    fn unexpected(&self, expected: &str) -> SqlError {
        let found = match &self.peek().token {
            Token::EOF => "the end of the statement".to_owned(),
            token => format!("`{token}`"),
        };
        SqlError::new(codes::SYNTAX, format!("expected {expected}, found {found}")).at(self.here())
    }

    fn name(&mut self) -> SqlResult<Ident> {
        match self.peek().token {
            Token::Word(_) => self.take(|p| p.parse_identifier()),
            _ => Err(self.unexpected("a name")),
        }
    }

    fn object_name(&mut self) -> SqlResult<ObjectName> {
        let mut parts = vec![ObjectNamePart::Identifier(self.name()?)];
        while self.parser.consume_token(&Token::Period) {
            parts.push(ObjectNamePart::Identifier(self.name()?));
        }
        Ok(ObjectName(parts))
    }

    fn string(&mut self, what: &str) -> SqlResult<(String, Span)> {
        let span = self.peek().span;
        let text = match &self.peek().token {
            Token::SingleQuotedString(text) | Token::UnicodeStringLiteral(text) => text.clone(),
            _ => return Err(self.unexpected(what)),
        };
        self.parser.next_token();
        Ok((text, span))
    }

    /// `(item, item)`.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> SqlResult<T>) -> SqlResult<Vec<T>> {
        self.expect(&Token::LParen)?;
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if !self.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        if !self.parser.consume_token(&Token::RParen) {
            return Err(self.unexpected("`,` or `)`"));
        }
        Ok(items)
    }

    fn if_not_exists(&mut self) -> bool {
        self.words(&["IF", "NOT", "EXISTS"])
    }

    /// Runs one of sqlparser's parsers.
    fn take<T>(
        &mut self,
        parse: impl FnOnce(
            &mut Parser<'_>,
        ) -> Result<T, datafusion::sql::sqlparser::parser::ParserError>,
    ) -> SqlResult<T> {
        parse(&mut self.parser).map_err(|e| self.explain_error(e.into()))
    }

    fn normalized<T: VisitMut>(&mut self, mut tree: T) -> SqlResult<T> {
        normalize(&mut tree, &mut self.hints)?;
        Ok(tree)
    }

    fn query(&mut self) -> SqlResult<Box<Query>> {
        let query = self.take(|p| p.parse_query())?;
        self.normalized(query)
    }

    fn expr(&mut self) -> SqlResult<Expr> {
        let expr = self.take(|p| p.parse_expr())?;
        self.normalized(expr)
    }

    /// The text between two places.
    fn text(&self, from: Location, to: Location) -> String {
        let mut places = self.places.borrow_mut();
        let start = places.byte(from);
        let end = places.byte(to).max(start);
        self.text.get(start..end).unwrap_or_default().to_owned()
    }

    /// The place behind the token that was taken last.
    fn last_end(&self) -> Location {
        match self.parser.get_current_token() {
            t if t.token == Token::EOF => self.end.start,
            t => t.span.end,
        }
    }

    /// Gives sqlparser's errors our codes, the width of the token they point at and a hint.
    fn explain_error(&self, mut error: SqlError) -> SqlError {
        if error.span.is_none() {
            // Too deep: where it stopped. Otherwise the end came too soon.
            let deep = error.code == codes::TOO_DEEP;
            error = error.at(if deep { self.here() } else { self.end });
        }
        if let Some(name) = error.message.strip_prefix(UNKNOWN) {
            error.code = codes::UNKNOWN_TYPE;
            let name = name.trim().trim_matches('`').to_owned();
            let near = did_you_mean(&name, TYPE_NAMES.iter().copied());
            error.label = near.map(String::into_boxed_str);
        } else if let Some(what) = error.message.strip_prefix(UNSUPPORTED) {
            let what = what.trim().to_owned();
            error.code = codes::UNSUPPORTED;
            error.message = format!("the type {what} is not supported");
        }
        if error.message.starts_with(BAD_PRECISION) || error.message.starts_with(BAD_DECIMAL) {
            error.code = codes::UNKNOWN_TYPE;
        }
        // Of a word that it took already, sqlparser tells the place behind.
        let last = self.parser.get_current_token();
        if error.message.ends_with(&format!("found `{}`", last.token)) {
            return error.at(last.span);
        }
        match error.span {
            Some(span) => {
                let width = self.width(span.start);
                error.at(span
                    .start
                    .span_to(Location::new(span.start.line, span.start.column + width)))
            }
            None => error,
        }
    }

    /// How many letters the word or sign at a place has.
    fn width(&self, at: Location) -> u64 {
        let byte = self.places.borrow_mut().byte(at);
        let rest = self.text.get(byte..).unwrap_or_default();
        let word = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count();
        u64::try_from(word).unwrap_or(1).clamp(1, 80)
    }
}

fn unknown_statement(word: &str, span: Span) -> SqlError {
    let help = match word.to_ascii_uppercase().as_str() {
        "ALTER" => "DROP it and CREATE it again",
        "UPDATE" | "DELETE" | "MERGE" | "TRUNCATE" => {
            "tables are read and appended to; a sink with a primary key is updated by INSERT INTO"
        }
        "ADD" | "REMOVE" => "JARs can't be loaded",
        "LOAD" | "UNLOAD" => "there are no modules; all functions are there",
        "COMPILE" => "the plan is kept with the checkpoint",
        "ANALYZE" => "there are no statistics to keep; EXPLAIN ANALYZE SELECT … shows how one ran",
        "COMMIT" | "ROLLBACK" | "START" => "there are no transactions across statements",
        "STOP" => "Ctrl-C stops a job, with a checkpoint",
        "CALL" | "GRANT" | "REVOKE" | "REPLACE" | "CACHE" | "COMMENT" | "PREPARE" | "DECLARE" => "",
        _ => {
            let error = SqlError::new(codes::UNKNOWN_STATEMENT, format!("no statement `{word}`"))
                .at(span)
                .help(
                    "statements begin with SELECT, INSERT INTO, CREATE, DROP, SHOW, EXPLAIN, SET",
                );
            return match did_you_mean(word, STATEMENTS.iter().copied()) {
                Some(near) => error.label(near),
                None => error,
            };
        }
    };
    let error =
        SqlError::unsupported(format!("the statement {}", word.to_ascii_uppercase())).at(span);
    if help.is_empty() { error } else { error.help(help) }
}

/// Whether a query begins here.
fn begins_query(token: &Token) -> bool {
    match token {
        Token::LParen => true,
        Token::Word(word) => {
            matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES)
        }
        _ => false,
    }
}

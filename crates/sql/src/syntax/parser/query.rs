//! `EXPLAIN`, `COPY`, `SUBSCRIBE`, `SET`, `RESET`.

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Setting, Value};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::StatementParser;
use crate::error::{SqlError, SqlResult, codes};
use crate::syntax::normalize::select_all;
use crate::syntax::tvf::named;
use crate::syntax::{Copy, Explain, ExplainDetail, Statement};

impl StatementParser<'_, '_> {
    /// `EXPLAIN [ANALYZE] [details] [PLAN FOR] statement`.
    pub(super) fn explain(&mut self) -> SqlResult<Statement> {
        self.expect_word("EXPLAIN")?;
        let analyze = self.word("ANALYZE");
        let parenthesis = matches!(self.peek().token, Token::LParen) && self.is_detail(1);
        if parenthesis {
            self.parser.next_token();
        }
        let mut details = Vec::new();
        while self.is_detail(0) {
            details.extend(self.detail());
            if !self.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        if parenthesis {
            self.expect(&Token::RParen)?;
        }
        if self.word("PLAN") {
            self.expect_word("FOR")?;
        }
        let at = self.here();
        let of =
            if self.peek_word(0, "STATEMENT") { self.statement_set()? } else { self.statement()? };
        match of {
            Statement::Query(_)
            | Statement::Insert(_)
            | Statement::StatementSet(_)
            | Statement::CreateTableAs(..) => {
                Ok(Statement::Explain(Explain { details, analyze, of: Box::new(of) }))
            }
            _ => Err(SqlError::new(codes::SYNTAX, "EXPLAIN is for queries and INSERT").at(at)),
        }
    }

    fn is_detail(&self, n: usize) -> bool {
        DETAILS.iter().any(|(word, _)| self.peek_word(n, word))
    }

    fn detail(&mut self) -> Option<ExplainDetail> {
        DETAILS.iter().find(|(word, _)| self.word(word)).map(|(_, detail)| *detail)
    }

    /// `COPY query TO 'path' [WITH] ('format' = 'csv', …)`.
    pub(super) fn copy(&mut self) -> SqlResult<Statement> {
        self.expect_word("COPY")?;
        let query = if self.parser.consume_token(&Token::LParen) {
            let query = self.query()?;
            self.expect(&Token::RParen)?;
            query
        } else {
            let name = self.object_name()?;
            Box::new(select_all(named(idents(name))))
        };
        self.expect_word("TO")?;
        let (path, _) = self.string("a path in quotes")?;
        let with = self.word("WITH");
        let options =
            if with || self.peek().token == Token::LParen { self.options()? } else { Vec::new() };
        Ok(Statement::Copy(Copy { query, path, options }))
    }

    /// `SUBSCRIBE TO t` is `SELECT * FROM t EMIT CHANGES`.
    pub(super) fn subscribe(&mut self) -> SqlResult<Statement> {
        self.expect_word("SUBSCRIBE")?;
        self.expect_word("TO")?;
        let mut query = if self.parser.consume_token(&Token::LParen) {
            let query = self.query()?;
            self.expect(&Token::RParen)?;
            query
        } else {
            let name = self.object_name()?;
            Box::new(select_all(named(idents(name))))
        };
        if query.settings.is_none() {
            let value = Expr::value(Value::SingleQuotedString("changes".into()));
            query.settings = Some(vec![Setting { key: Ident::new("emit"), value }]);
        }
        Ok(Statement::Query(query))
    }

    /// `SET ['key' = 'value']`; the older form without quotes as well.
    pub(super) fn set(&mut self) -> SqlResult<Statement> {
        self.expect_word("SET")?;
        if self.peek().token == Token::EOF {
            return Ok(Statement::Set { key: None, value: None });
        }
        if self.peek_word(0, "TIME") && self.peek_word(1, "ZONE") {
            return Err(SqlError::unsupported("SET TIME ZONE")
                .at(self.here())
                .help("write SET 'table.local-time-zone' = 'Europe/Berlin'"));
        }
        let key = self.option_key()?.0;
        if self.peek().token == Token::EOF {
            return Ok(Statement::Set { key: Some(key), value: None });
        }
        if !self.word("TO") {
            self.expect(&Token::Eq)?;
        }
        let value = match self.peek().token {
            Token::SingleQuotedString(_) => self.string("a value")?.0,
            Token::EOF => return Err(self.unexpected("a value")),
            _ => {
                // As written: 10 min, true, my-job.
                let start = self.here().start;
                while self.peek().token != Token::EOF {
                    self.parser.next_token();
                }
                self.text(start, self.end.start).trim().to_owned()
            }
        };
        Ok(Statement::Set { key: Some(key), value: Some(value) })
    }

    pub(super) fn reset(&mut self) -> SqlResult<Statement> {
        self.expect_word("RESET")?;
        if self.peek().token == Token::EOF || self.word("ALL") {
            return Ok(Statement::Reset(None));
        }
        Ok(Statement::Reset(Some(self.option_key()?.0)))
    }
}

/// The details by their names; Flink's and ours.
const DETAILS: &[(&str, ExplainDetail)] = &[
    ("CHANGELOG_MODE", ExplainDetail::ChangelogMode),
    ("STATE", ExplainDetail::State),
    ("PLAN_ADVICE", ExplainDetail::PlanAdvice),
    ("ESTIMATED_COST", ExplainDetail::EstimatedCost),
    ("JSON_EXECUTION_PLAN", ExplainDetail::Json),
    ("JSON", ExplainDetail::Json),
    ("LOGICAL", ExplainDetail::Logical),
    ("VERBOSE", ExplainDetail::Logical),
];

pub(super) fn idents(name: ObjectName) -> Vec<Ident> {
    name.0.into_iter().filter_map(|part| part.as_ident().cloned()).collect()
}

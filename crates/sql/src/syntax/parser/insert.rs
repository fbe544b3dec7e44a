//! `INSERT INTO`, and statement sets.

use datafusion::sql::sqlparser::ast::Spanned;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::{StatementParser, begins_query};
use crate::error::{Span, SqlError, SqlResult, codes};
use crate::syntax::hints::table_options;
use crate::syntax::{Insert, Statement};

impl StatementParser<'_, '_> {
    /// `INSERT {INTO | OVERWRITE} t [PARTITION (…)] [(columns)] query`.
    pub(super) fn insert(&mut self) -> SqlResult<Insert> {
        self.expect_word("INSERT")?;
        let overwrite = self.word("OVERWRITE");
        if !overwrite {
            self.expect_word("INTO")?;
        }
        self.word("TABLE");
        let target = self.object_name()?;
        let mut hints = Vec::new();
        if let Some(calls) = self.hints.take(target.span().end) {
            hints = table_options(&calls)?;
        }
        let mut partition = Vec::new();
        if self.word("PARTITION") {
            partition = self.list(|p| {
                let name = p.name()?;
                p.expect(&Token::Eq)?;
                Ok((name, p.expr()?))
            })?;
        }
        let mut columns = Vec::new();
        if self.peek().token == Token::LParen
            && !begins_query(&self.parser.peek_nth_token_ref(1).token)
        {
            columns = self.list(Self::name)?;
        }
        if !begins_query(&self.peek().token) {
            return Err(self.unexpected("SELECT, VALUES, WITH or a list of columns"));
        }
        let query = self.query()?;
        Ok(Insert { target, columns, partition, overwrite, hints, query })
    }

    /// `EXECUTE STATEMENT SET …`, `EXECUTE INSERT …`, `EXECUTE SELECT …`.
    pub(super) fn execute(&mut self) -> SqlResult<Statement> {
        self.expect_word("EXECUTE")?;
        match &self.peek().token {
            _ if self.peek_word(0, "STATEMENT") => self.statement_set(),
            _ if self.peek_word(0, "INSERT") => self.insert().map(Statement::Insert),
            token if begins_query(token) => self.query().map(Statement::Query),
            _ if self.peek_word(0, "PLAN") => Err(SqlError::unsupported("EXECUTE PLAN")
                .at(self.here())
                .help("the plan is kept with the checkpoint")),
            _ => Err(self.unexpected("STATEMENT SET, INSERT or SELECT")),
        }
    }

    /// `BEGIN STATEMENT SET; … END`.
    pub(super) fn begin(&mut self) -> SqlResult<Statement> {
        let span = self.here();
        self.expect_word("BEGIN")?;
        if !self.words(&["STATEMENT", "SET"]) {
            return Err(SqlError::unsupported("BEGIN of a transaction")
                .at(span)
                .help("BEGIN STATEMENT SET; INSERT …; INSERT …; END; runs inserts as one job"));
        }
        if !self.parser.consume_token(&Token::SemiColon) {
            return Err(self.set_error("expected `;` behind BEGIN STATEMENT SET"));
        }
        self.inserts(span)
    }

    /// `STATEMENT SET BEGIN … END`.
    pub(super) fn statement_set(&mut self) -> SqlResult<Statement> {
        let span = self.here();
        self.expect_word("STATEMENT")?;
        self.expect_word("SET")?;
        if !self.word("BEGIN") {
            return Err(self.set_error("expected BEGIN behind STATEMENT SET"));
        }
        self.inserts(span)
    }

    fn inserts(&mut self, set: Span) -> SqlResult<Statement> {
        let mut inserts = Vec::new();
        loop {
            if self.word("END") {
                break;
            }
            if self.peek().token == Token::EOF {
                return Err(SqlError::new(codes::STATEMENT_SET, "the statement set has no END")
                    .at(set)
                    .help("write EXECUTE STATEMENT SET BEGIN INSERT …; INSERT …; END;"));
            }
            if !self.peek_word(0, "INSERT") {
                return Err(self.set_error("only INSERT stands in a statement set"));
            }
            inserts.push(self.insert()?);
            if !self.parser.consume_token(&Token::SemiColon) {
                return Err(self.set_error("expected `;` behind an INSERT of a statement set"));
            }
        }
        if inserts.is_empty() {
            return Err(SqlError::new(codes::STATEMENT_SET, "the statement set is empty").at(set));
        }
        Ok(Statement::StatementSet(inserts))
    }

    fn set_error(&self, message: &str) -> SqlError {
        SqlError::new(codes::STATEMENT_SET, message).at(self.here())
    }
}

//! `CREATE TABLE`: columns, watermark, key, options, `LIKE` and `AS`.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::StatementParser;
use super::create::Modifiers;
use super::query::idents;
use crate::error::{Span, SqlError, SqlResult, codes};
use crate::syntax::normalize::select_all;
use crate::syntax::tvf::named;
use crate::syntax::types::parse_type;
use crate::syntax::{
    Column, CreateTable, Like, LikeFeature, LikeRule, LikeStrategy, Statement, TableOption,
    Watermark,
};

impl StatementParser<'_, '_> {
    /// `TABLE [IF NOT EXISTS] t [(…)] [COMMENT …] [PARTITIONED BY (…)] [WITH (…)] [LIKE … | AS …]`.
    pub(super) fn create_table(&mut self, modifiers: Modifiers) -> SqlResult<Statement> {
        let if_not_exists = self.if_not_exists();
        let mut table = CreateTable {
            name: self.object_name()?,
            if_not_exists,
            temporary: modifiers.temporary,
            columns: Vec::new(),
            primary_key: Vec::new(),
            watermark: None,
            partitioned_by: Vec::new(),
            options: Vec::new(),
            like: None,
            comment: None,
        };
        if self.peek().token == Token::LParen {
            self.list(|p| p.element(&mut table))?;
        }
        // `CREATE SINK s FROM v` is a table and an insert of all of v.
        let from = if self.word("FROM") { Some(self.object_name()?) } else { None };
        table.comment = self.comment()?;
        if self.peek_word(0, "DISTRIBUTED") {
            return Err(SqlError::unsupported("DISTRIBUTED BY").at(self.here()));
        }
        if self.words(&["PARTITIONED", "BY"]) {
            table.partitioned_by = self.list(Self::name)?;
        }
        if self.word("WITH") {
            table.options = self.options()?;
        }
        if let Some(from) = from {
            let query = Box::new(select_all(named(idents(from))));
            return Ok(Statement::CreateTableAs(table, query));
        }
        if self.word("LIKE") {
            table.like = Some(self.like()?);
        } else if self.word("AS") {
            let query = self.query()?;
            return Ok(Statement::CreateTableAs(table, query));
        }
        Ok(Statement::CreateTable(table))
    }

    /// A column, or a clause that stands among them.
    fn element(&mut self, table: &mut CreateTable) -> SqlResult<()> {
        let span = self.here();
        if self.words(&["WATERMARK", "FOR"]) {
            if table.watermark.is_some() {
                return Err(
                    SqlError::new(codes::REPEATED_CLAUSE, "a table has one watermark").at(span)
                );
            }
            let column = self.name()?;
            if self.peek().token == Token::Period {
                return Err(SqlError::unsupported("a watermark for a field of a row")
                    .at(column.span)
                    .help("make it a computed column: ts AS row.ts"));
            }
            self.expect_word("AS")?;
            table.watermark = Some(Watermark { column, expr: self.expr()? });
            return Ok(());
        }
        let named_constraint = self.peek_word(0, "CONSTRAINT");
        if named_constraint {
            self.word("CONSTRAINT");
            self.name()?;
        }
        if self.words(&["PRIMARY", "KEY"]) {
            let columns = self.list(Self::name)?;
            self.not_enforced();
            return set_key(table, columns, span);
        }
        if self.peek_word(0, "UNIQUE")
            && !matches!(self.parser.peek_nth_token_ref(1).token, Token::Word(_))
        {
            return Err(SqlError::unsupported("UNIQUE").at(span).help("use PRIMARY KEY"));
        }
        if self.words(&["PERIOD", "FOR"]) {
            return Err(SqlError::unsupported("PERIOD FOR SYSTEM_TIME").at(span));
        }
        if named_constraint {
            return Err(self.unexpected("PRIMARY KEY"));
        }
        let column = self.column(table)?;
        table.columns.push(column);
        Ok(())
    }

    fn not_enforced(&mut self) {
        if !self.words(&["NOT", "ENFORCED"]) {
            self.word("ENFORCED");
        }
    }

    /// `name TYPE …`, `name AS expr`, `name TYPE METADATA …`.
    fn column(&mut self, table: &mut CreateTable) -> SqlResult<Column> {
        let name = self.name()?;
        if self.word("AS") {
            let expr = self.expr()?;
            return Ok(Column::Computed { name, expr, comment: self.comment()? });
        }
        let data_type = self.take(parse_type)?;
        let mut not_null = false;
        let mut comment = None;
        loop {
            let span = self.here();
            if self.words(&["NOT", "NULL"]) {
                not_null = true;
            } else if self.word("NULL") {
            } else if self.words(&["PRIMARY", "KEY"]) {
                self.not_enforced();
                set_key(table, vec![name.clone()], span)?;
            } else if self.peek_word(0, "COMMENT") {
                comment = self.comment()?;
            } else if self.words(&["GENERATED", "ALWAYS", "AS"]) {
                let expr = self.expr()?;
                self.word("STORED");
                self.word("VIRTUAL");
                return Ok(Column::Computed { name, expr, comment });
            } else if self.word("METADATA") {
                let from = match self.word("FROM") {
                    true => Some(self.string("the connector's name of it in quotes")?.0),
                    false => None,
                };
                let is_virtual = self.word("VIRTUAL");
                let comment = self.comment()?.or(comment);
                return Ok(Column::Metadata {
                    name,
                    data_type,
                    not_null,
                    from,
                    is_virtual,
                    comment,
                });
            } else if let Some(clause) =
                self.one_of(&["DEFAULT", "UNIQUE", "CHECK", "REFERENCES", "COLLATE"])
            {
                return Err(SqlError::unsupported(format!("{clause} of a column")).at(span));
            } else {
                return Ok(Column::Physical { name, data_type, not_null, comment });
            }
        }
    }

    /// `('key' = 'value', …)`; keys may be bare, and an option is there once.
    pub(super) fn options(&mut self) -> SqlResult<Vec<TableOption>> {
        if self.peek().token == Token::LParen
            && self.parser.peek_nth_token_ref(1).token == Token::RParen
        {
            self.parser.next_token();
            self.parser.next_token();
            return Ok(Vec::new());
        }
        let mut seen = std::collections::BTreeSet::new();
        self.list(|p| {
            let (key, span) = p.option_key()?;
            if !seen.insert(key.clone()) {
                return Err(SqlError::new(
                    codes::REPEATED_CLAUSE,
                    format!("option '{key}' is there twice"),
                )
                .at(span));
            }
            // `format csv`, as COPY is written elsewhere, needs no sign.
            let _ = p.parser.consume_token(&Token::Eq);
            let (value, value_span) = p.option_value()?;
            Ok(TableOption { key, value, span, value_span })
        })
    }

    /// `'a.b'`, or the words `a.b` without quotes.
    pub(super) fn option_key(&mut self) -> SqlResult<(String, Span)> {
        if matches!(self.peek().token, Token::SingleQuotedString(_)) {
            return self.string("a key");
        }
        let mut span = self.here();
        let mut key = String::new();
        loop {
            match &self.peek().token {
                Token::Word(word) => key.push_str(&word.value),
                _ => return Err(self.unexpected("a key in quotes")),
            }
            span = span.union(&self.here());
            self.parser.next_token();
            match self.peek().token {
                Token::Period => key.push('.'),
                Token::Minus => key.push('-'),
                _ => return Ok((key, span)),
            }
            self.parser.next_token();
        }
    }

    fn option_value(&mut self) -> SqlResult<(String, Span)> {
        let span = self.here();
        let value = match &self.peek().token {
            Token::SingleQuotedString(text) | Token::Number(text, _) => text.clone(),
            Token::Word(word) if word.quote_style.is_none() => word.value.clone(),
            _ => return Err(self.unexpected("a value in quotes")),
        };
        self.parser.next_token();
        Ok((value, span))
    }

    /// `LIKE t [(rules)]`.
    fn like(&mut self) -> SqlResult<Like> {
        let table = self.object_name()?;
        let mut rules = Vec::new();
        if self.parser.consume_token(&Token::LParen) {
            while self.peek().token != Token::RParen {
                rules.push(self.like_rule()?);
            }
            self.expect(&Token::RParen)?;
        }
        Ok(Like { table, rules })
    }

    fn like_rule(&mut self) -> SqlResult<LikeRule> {
        let strategy = match self.one_of(&["INCLUDING", "EXCLUDING", "OVERWRITING"]) {
            Some("INCLUDING") => LikeStrategy::Including,
            Some("EXCLUDING") => LikeStrategy::Excluding,
            Some(_) => LikeStrategy::Overwriting,
            None => return Err(self.unexpected("INCLUDING, EXCLUDING or OVERWRITING")),
        };
        let span = self.here();
        let feature = match self.one_of(&[
            "ALL",
            "CONSTRAINTS",
            "DISTRIBUTION",
            "GENERATED",
            "METADATA",
            "OPTIONS",
            "PARTITIONS",
            "WATERMARKS",
        ]) {
            Some("ALL") => LikeFeature::All,
            Some("CONSTRAINTS") => LikeFeature::Constraints,
            Some("DISTRIBUTION") => LikeFeature::Distribution,
            Some("GENERATED") => LikeFeature::Generated,
            Some("METADATA") => LikeFeature::Metadata,
            Some("OPTIONS") => LikeFeature::Options,
            Some("PARTITIONS") => LikeFeature::Partitions,
            Some(_) => LikeFeature::Watermarks,
            None => {
                return Err(self.unexpected(
                    "ALL, CONSTRAINTS, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS",
                ));
            }
        };
        let fixed = matches!(
            feature,
            LikeFeature::All | LikeFeature::Constraints | LikeFeature::Partitions
        );
        if strategy == LikeStrategy::Overwriting && fixed {
            return Err(SqlError::new(
                codes::BAD_LIKE,
                "only GENERATED, METADATA, OPTIONS and WATERMARKS can be overwritten",
            )
            .at(span));
        }
        Ok(LikeRule { strategy, feature })
    }
}

fn set_key(table: &mut CreateTable, columns: Vec<Ident>, span: Span) -> SqlResult<()> {
    if !table.primary_key.is_empty() {
        return Err(SqlError::new(codes::REPEATED_CLAUSE, "a table has one primary key").at(span));
    }
    table.primary_key = columns;
    Ok(())
}

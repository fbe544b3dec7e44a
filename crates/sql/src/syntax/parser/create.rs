//! `CREATE VIEW` and `CREATE FUNCTION`; which `CREATE` it is.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{StatementParser, begins_query};
use crate::error::{SqlError, SqlResult, codes};
use crate::syntax::{CreateFunction, CreateView, Statement};

/// What may stand between CREATE and the kind of thing.
#[derive(Clone, Copy)]
pub(super) struct Modifiers {
    pub(super) or_replace: bool,
    pub(super) temporary: bool,
}

impl StatementParser<'_, '_> {
    pub(super) fn create(&mut self) -> SqlResult<Statement> {
        self.expect_word("CREATE")?;
        let or_replace = self.words(&["OR", "REPLACE"]);
        let temporary = self.word("TEMPORARY") || self.word("TEMP");
        self.word("SYSTEM");
        let modifiers = Modifiers { or_replace, temporary };
        let span = self.here();
        match self.one_of(&["TABLE", "SOURCE", "SINK", "VIEW", "FUNCTION", "MATERIALIZED"]) {
            Some("VIEW") => self.create_view(modifiers, false),
            Some("FUNCTION") => self.create_function(modifiers),
            Some("MATERIALIZED") if self.word("VIEW") => self.create_view(modifiers, true),
            Some("MATERIALIZED") => Err(SqlError::unsupported("CREATE MATERIALIZED TABLE")
                .at(span)
                .help("use CREATE MATERIALIZED VIEW, or CREATE TABLE … AS")),
            Some(kind) => {
                if or_replace {
                    return Err(SqlError::unsupported(format!("CREATE OR REPLACE {kind}"))
                        .at(span)
                        .help("DROP it first, or write CREATE TABLE IF NOT EXISTS"));
                }
                self.create_table(modifiers)
            }
            None => {
                const REFUSED: &[&str] = &[
                    "CATALOG",
                    "DATABASE",
                    "SCHEMA",
                    "INDEX",
                    "CONNECTION",
                    "SECRET",
                    "MODEL",
                    "STREAM",
                    "EXTERNAL",
                    "TYPE",
                    "SEQUENCE",
                    "ROLE",
                    "USER",
                ];
                match self.one_of(REFUSED) {
                    Some("STREAM" | "EXTERNAL") => {
                        Err(SqlError::unsupported("CREATE STREAM or EXTERNAL TABLE")
                            .at(span)
                            .help("write CREATE TABLE t (…) WITH ('connector' = …)"))
                    }
                    Some(what) => Err(SqlError::unsupported(format!("CREATE {what}")).at(span)),
                    None => Err(self.unexpected("TABLE, VIEW or FUNCTION")),
                }
            }
        }
    }

    /// `VIEW [IF NOT EXISTS] v [(columns)] [COMMENT '…'] AS query`.
    fn create_view(&mut self, modifiers: Modifiers, materialized: bool) -> SqlResult<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name()?;
        let mut columns = Vec::new();
        if self.peek().token == Token::LParen {
            columns = self.list(|p| {
                let name = p.name()?;
                p.comment()?;
                Ok(name)
            })?;
        }
        let comment = self.comment()?;
        self.expect_word("AS")?;
        if !begins_query(&self.peek().token) {
            return Err(self.unexpected("a query"));
        }
        let start = self.here().start;
        let query = self.query()?;
        let text = self.text(start, self.last_end());
        Ok(Statement::CreateView(CreateView {
            name,
            temporary: modifiers.temporary,
            or_replace: modifiers.or_replace,
            if_not_exists,
            materialized,
            columns,
            comment,
            query,
            text,
        }))
    }

    /// `FUNCTION [IF NOT EXISTS] f AS 'class' [LANGUAGE …]`, in either order.
    fn create_function(&mut self, modifiers: Modifiers) -> SqlResult<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name()?;
        if self.peek().token == Token::LParen {
            return Err(SqlError::unsupported("a function with its code in the text")
                .at(self.here())
                .help("register it from Rust, then CREATE FUNCTION f AS 'its name'"));
        }
        let mut class = None;
        let mut language = None;
        loop {
            let span = self.here();
            if self.word("AS") {
                if class.is_some() {
                    return Err(SqlError::new(codes::REPEATED_CLAUSE, "AS is there twice").at(span));
                }
                class = Some(self.string("the function's class or name in quotes")?);
            } else if self.word("LANGUAGE") {
                language = Some(self.language()?);
            } else if self.peek_word(0, "USING") {
                return Err(SqlError::unsupported("USING JAR")
                    .at(span)
                    .help("Java classes can't be loaded; register a Rust function of that name"));
            } else {
                break;
            }
        }
        let Some((class, class_span)) = class else { return Err(self.unexpected("AS 'class'")) };
        Ok(Statement::CreateFunction(CreateFunction {
            name,
            if_not_exists,
            temporary: modifiers.temporary,
            class,
            class_span,
            language: language.unwrap_or_else(|| "java".into()),
        }))
    }

    fn language(&mut self) -> SqlResult<String> {
        let span = self.here();
        match self.one_of(&["JAVA", "SCALA", "RUST", "PYTHON", "WASM", "SQL"]) {
            Some("SQL") => Err(SqlError::unsupported("a function in SQL").at(span)),
            Some(language) => Ok(language.to_ascii_lowercase()),
            None => Err(self.unexpected("JAVA, SCALA, RUST, PYTHON or WASM")),
        }
    }

    /// `[COMMENT '…']`.
    pub(super) fn comment(&mut self) -> SqlResult<Option<String>> {
        if !self.word("COMMENT") {
            return Ok(None);
        }
        Ok(Some(self.string("a comment in quotes")?.0))
    }
}

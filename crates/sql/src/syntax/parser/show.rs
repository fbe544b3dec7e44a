//! `SHOW`, `DESCRIBE`, `DROP`, `USE`.

use super::StatementParser;
use crate::error::{SqlError, SqlResult};
use crate::syntax::{Drop, ObjectKind, Show, ShowWhat, Statement};

impl StatementParser<'_, '_> {
    pub(super) fn show(&mut self) -> SqlResult<Statement> {
        self.expect_word("SHOW")?;
        let what = if self.words(&["CREATE", "TABLE"]) || self.words(&["CREATE", "SOURCE"]) {
            ShowWhat::CreateTable(self.object_name()?)
        } else if self.words(&["CREATE", "VIEW"]) {
            ShowWhat::CreateView(self.object_name()?)
        } else if self.words(&["CURRENT", "CATALOG"]) {
            ShowWhat::CurrentCatalog
        } else if self.words(&["CURRENT", "DATABASE"]) {
            ShowWhat::CurrentDatabase
        } else if self.words(&["USER", "FUNCTIONS"]) {
            ShowWhat::Functions { user_only: true }
        } else if self.word("COLUMNS") {
            if !self.word("IN") {
                self.expect_word("FROM")?;
            }
            ShowWhat::Columns(self.object_name()?)
        } else {
            self.show_list()?
        };
        if self.word("FROM") || self.word("IN") {
            // There is one database.
            self.object_name()?;
        }
        let negated = self.word("NOT");
        let like = if negated || self.peek_word(0, "LIKE") {
            self.expect_word("LIKE")?;
            Some((self.string("a pattern in quotes")?.0, negated))
        } else {
            None
        };
        Ok(Statement::Show(Show { what, like }))
    }

    fn show_list(&mut self) -> SqlResult<ShowWhat> {
        const WORDS: &[&str] = &[
            "TABLES",
            "SOURCES",
            "SINKS",
            "VIEWS",
            "FUNCTIONS",
            "CATALOGS",
            "DATABASES",
            "CONNECTORS",
            "FORMATS",
            "JOBS",
        ];
        let span = self.here();
        Ok(match self.one_of(WORDS) {
            Some("TABLES" | "SOURCES" | "SINKS") => ShowWhat::Tables,
            Some("VIEWS") => ShowWhat::Views,
            Some("FUNCTIONS") => ShowWhat::Functions { user_only: false },
            Some("CATALOGS") => ShowWhat::Catalogs,
            Some("DATABASES") => ShowWhat::Databases,
            Some("CONNECTORS") => ShowWhat::Connectors,
            Some("FORMATS") => ShowWhat::Formats,
            Some("JOBS") => ShowWhat::Jobs,
            _ => {
                const REFUSED: &[&str] =
                    &["MODULES", "JARS", "PARTITIONS", "PROCEDURES", "MODELS", "FULL"];
                if let Some(what) = self.one_of(REFUSED) {
                    return Err(SqlError::unsupported(format!("SHOW {what}")).at(span));
                }
                return Err(self.unexpected("TABLES, VIEWS, FUNCTIONS, COLUMNS or CREATE TABLE"));
            }
        })
    }

    pub(super) fn describe(&mut self) -> SqlResult<Statement> {
        self.parser.next_token();
        self.word("EXTENDED");
        self.word("TABLE");
        Ok(Statement::Describe(self.object_name()?))
    }

    pub(super) fn drop(&mut self) -> SqlResult<Statement> {
        self.expect_word("DROP")?;
        let temporary = self.word("TEMPORARY");
        self.word("SYSTEM");
        self.word("MATERIALIZED");
        let span = self.here();
        let kind = match self.one_of(&["TABLE", "SOURCE", "SINK", "VIEW", "FUNCTION"]) {
            Some("VIEW") => ObjectKind::View,
            Some("FUNCTION") => ObjectKind::Function,
            Some(_) => ObjectKind::Table,
            None => {
                if let Some(what) = self.one_of(&["CATALOG", "DATABASE", "SCHEMA", "MODEL"]) {
                    return Err(SqlError::unsupported(format!("DROP {what}")).at(span));
                }
                return Err(self.unexpected("TABLE, VIEW or FUNCTION"));
            }
        };
        let if_exists = self.words(&["IF", "EXISTS"]);
        let name = self.object_name()?;
        Ok(Statement::Drop(Drop { kind, name, if_exists, temporary }))
    }

    pub(super) fn use_(&mut self) -> SqlResult<Statement> {
        self.expect_word("USE")?;
        if self.peek_word(0, "MODULES") {
            return Err(SqlError::unsupported("USE MODULES").at(self.here()));
        }
        if !self.word("CATALOG") {
            self.word("DATABASE");
        }
        Ok(Statement::Use(self.object_name()?))
    }
}

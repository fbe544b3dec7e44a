//! A table: its columns, key, watermark and options.

use std::collections::BTreeMap;

use datafusion::arrow::datatypes::{Field, SchemaRef};
use datafusion::sql::sqlparser::ast::{Expr, Query};

use crate::error::{Span, SqlError, SqlResult, codes};

/// A table as it was declared.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// All columns in the order declared: physical, metadata and computed ones.
    pub schema: SchemaRef,
    /// What each column of the schema is.
    pub columns: Vec<ColumnKind>,
    /// The columns of the primary key, as indices into the schema.
    pub primary_key: Vec<usize>,
    /// The time column, as an index into the schema, and the watermark after a row.
    pub watermark: Option<(usize, Expr)>,
    /// The options as written, but for `connector` all are the connector's to check.
    pub options: BTreeMap<String, String>,
    /// Where each option is written in the text of the statement: of the key, and of the value.
    pub option_spans: BTreeMap<String, (Span, Span)>,
    /// The columns by which a file sink makes folders, as indices into the schema.
    pub partitioned_by: Vec<usize>,
    /// What it is.
    pub comment: Option<String>,
    /// What each column is, by name.
    pub column_comments: BTreeMap<String, String>,
    /// Forgotten at the end of the session.
    pub temporary: bool,
}

/// What a column is.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are a few columns to a table")]
pub enum ColumnKind {
    /// A field of the records.
    Physical,
    /// Computed from the others when read; not written.
    Computed(Expr),
    /// Given by the connector beside the record.
    Metadata {
        /// The connector's name of it.
        key: String,
        /// Whether it is left out when writing.
        is_virtual: bool,
    },
}

/// A view: a query with a name.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: String,
    /// The columns' names, if given.
    pub columns: Vec<String>,
    /// The query; its spans are those of the statement that made the view.
    pub query: Box<Query>,
    /// The query's text as written.
    pub text: String,
    /// `MATERIALIZED`: its result is maintained.
    pub materialized: bool,
    /// What it is.
    pub comment: Option<String>,
    /// Forgotten at the end of the session.
    pub temporary: bool,
}

/// A function made by `CREATE FUNCTION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The Java class or the name under which a Rust function is registered.
    pub class: String,
    /// The language in lower case.
    pub language: String,
    /// Forgotten at the end of the session.
    pub temporary: bool,
}

impl Table {
    /// The value of an option.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// The table's connector.
    ///
    /// # Errors
    /// When there is none.
    pub fn connector(&self) -> SqlResult<&str> {
        self.option("connector").ok_or_else(|| {
            SqlError::new(
                codes::MISSING_OPTION,
                format!("table `{}` has no option 'connector'", self.name),
            )
            .help("add WITH ('connector' = 'kafka' | 'filesystem' | 'datagen' | …)")
        })
    }

    /// An error about the key of an option, with its place.
    pub fn key_error(&self, key: &str, code: &'static str, message: impl Into<String>) -> SqlError {
        let error = SqlError::new(code, message);
        match self.option_spans.get(key) {
            Some((span, _)) => error.at(*span),
            None => error,
        }
    }

    /// An error about the value of an option, with its place.
    pub fn value_error(
        &self,
        key: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> SqlError {
        let error = SqlError::new(code, message);
        match self.option_spans.get(key) {
            Some((_, span)) => error.at(*span),
            None => error,
        }
    }

    /// The index of a column.
    ///
    /// # Errors
    /// When there is none, with the nearest name.
    pub fn column(&self, name: &str) -> SqlResult<usize> {
        self.schema.index_of(name).map_err(|_| {
            SqlError::new(
                codes::UNKNOWN_COLUMN,
                format!("no column `{name}` in table {}", self.name),
            )
            .names(
                name,
                "columns",
                self.schema.fields().iter().map(|f| f.name().as_str()),
            )
        })
    }

    /// The columns that a record has: physical ones, as indices into the schema.
    pub fn physical(&self) -> Vec<usize> {
        self.indices(|kind| matches!(kind, ColumnKind::Physical))
    }

    /// The columns that the connector reads: physical and metadata ones.
    pub fn read_columns(&self) -> Vec<usize> {
        self.indices(|kind| !matches!(kind, ColumnKind::Computed(_)))
    }

    /// The columns that are written: physical ones and metadata that is not virtual.
    pub fn written_columns(&self) -> Vec<usize> {
        self.indices(|kind| {
            matches!(kind, ColumnKind::Physical | ColumnKind::Metadata { is_virtual: false, .. })
        })
    }

    /// A column.
    pub fn field(&self, index: usize) -> &Field {
        self.schema.field(index)
    }

    fn indices(&self, wanted: impl Fn(&ColumnKind) -> bool) -> Vec<usize> {
        (0..self.columns.len()).filter(|&i| wanted(&self.columns[i])).collect()
    }
}

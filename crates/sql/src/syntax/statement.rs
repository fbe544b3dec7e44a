//! What a text can say: the statements, in the terms of Flink SQL.
//!
//! Queries and expressions are sqlparser's; what is around them is ours. Aliases of other systems
//! are gone here: each thing has one form, which `SHOW CREATE` prints.

use std::ops::Range;

use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident, ObjectName, Query};

use crate::error::Span;

/// A statement and where its text is.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement.
    pub statement: Statement,
    /// The bytes of the text that are the statement, without the semicolon.
    pub span: Range<usize>,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `CREATE TABLE`, also with `LIKE`.
    CreateTable(CreateTable),
    /// `CREATE TABLE … AS query`: a table, and an insert into it.
    CreateTableAs(CreateTable, Box<Query>),
    /// `CREATE VIEW`.
    CreateView(CreateView),
    /// `CREATE FUNCTION`.
    CreateFunction(CreateFunction),
    /// `INSERT INTO`.
    Insert(Insert),
    /// `EXECUTE STATEMENT SET BEGIN … END`: inserts that run as one job.
    StatementSet(Vec<Insert>),
    /// A query.
    Query(Box<Query>),
    /// `EXPLAIN`.
    Explain(Explain),
    /// `SET`: a setting, or (without key) the list of all.
    Set {
        /// The key.
        key: Option<String>,
        /// The value; none: show it.
        value: Option<String>,
    },
    /// `RESET`: one setting, or all.
    Reset(Option<String>),
    /// `SHOW`.
    Show(Show),
    /// `DESCRIBE`.
    Describe(ObjectName),
    /// `DROP`.
    Drop(Drop),
    /// `USE`: the name of a catalog or database.
    Use(ObjectName),
    /// `COPY query TO 'path'`.
    Copy(Copy),
}

/// `CREATE [TEMPORARY] TABLE`.
#[derive(Clone, Debug)]
pub struct CreateTable {
    /// Its name.
    pub name: ObjectName,
    /// Nothing is done where there is such a table.
    pub if_not_exists: bool,
    /// Forgotten at the end of the session.
    pub temporary: bool,
    /// The columns in order.
    pub columns: Vec<Column>,
    /// The primary key's columns.
    pub primary_key: Vec<Ident>,
    /// The watermark.
    pub watermark: Option<Watermark>,
    /// The columns by which a file sink makes folders.
    pub partitioned_by: Vec<Ident>,
    /// The options as written.
    pub options: Vec<TableOption>,
    /// The table it is made from.
    pub like: Option<Like>,
    /// What it is.
    pub comment: Option<String>,
}

/// A column.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are a few columns to a table")]
pub enum Column {
    /// A field of the records.
    Physical {
        /// Its name.
        name: Ident,
        /// Its type.
        data_type: DataType,
        /// Whether NULL is excluded.
        not_null: bool,
        /// What it is.
        comment: Option<String>,
    },
    /// `name AS expression`.
    Computed {
        /// Its name.
        name: Ident,
        /// Its value.
        expr: Expr,
        /// What it is.
        comment: Option<String>,
    },
    /// `name TYPE METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata {
        /// Its name.
        name: Ident,
        /// Its type.
        data_type: DataType,
        /// Whether NULL is excluded.
        not_null: bool,
        /// The connector's name of it, if another.
        from: Option<String>,
        /// Whether it is left out when writing.
        is_virtual: bool,
        /// What it is.
        comment: Option<String>,
    },
}

impl Column {
    /// The column's name.
    pub fn name(&self) -> &Ident {
        match self {
            Column::Physical { name, .. }
            | Column::Computed { name, .. }
            | Column::Metadata { name, .. } => name,
        }
    }
}

/// `WATERMARK FOR column AS expr`.
#[derive(Clone, Debug)]
pub struct Watermark {
    /// The time column.
    pub column: Ident,
    /// The watermark after a row.
    pub expr: Expr,
}

/// `'key' = 'value'`.
#[derive(Clone, Debug)]
pub struct TableOption {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where the key is written.
    pub span: Span,
    /// Where the value is written.
    pub value_span: Span,
}

/// `LIKE table (INCLUDING … EXCLUDING … OVERWRITING …)`.
#[derive(Clone, Debug)]
pub struct Like {
    /// The table that is taken over.
    pub table: ObjectName,
    /// What of it, in the order written.
    pub rules: Vec<LikeRule>,
}

/// One of the rules of a [`Like`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LikeRule {
    /// How.
    pub strategy: LikeStrategy,
    /// What.
    pub feature: LikeFeature,
}

/// How a feature of the other table is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikeStrategy {
    /// Taken over; the same thing given here as well is an error.
    Including,
    /// Left away.
    Excluding,
    /// Taken over; what is given here wins.
    Overwriting,
}

/// The features of a table that [`Like`] takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikeFeature {
    /// All of them.
    All,
    /// The primary key.
    Constraints,
    /// Distribution: not known here, and ignored.
    Distribution,
    /// Computed columns.
    Generated,
    /// Metadata columns.
    Metadata,
    /// Options.
    Options,
    /// `PARTITIONED BY`.
    Partitions,
    /// The watermark.
    Watermarks,
}

/// `CREATE [OR REPLACE] [TEMPORARY] VIEW`.
#[derive(Clone, Debug)]
pub struct CreateView {
    /// Its name.
    pub name: ObjectName,
    /// Forgotten at the end of the session.
    pub temporary: bool,
    /// A view of this name is replaced.
    pub or_replace: bool,
    /// Nothing is done where there is such a view.
    pub if_not_exists: bool,
    /// `MATERIALIZED`: its result is maintained.
    pub materialized: bool,
    /// The columns' names, if given.
    pub columns: Vec<Ident>,
    /// What it is.
    pub comment: Option<String>,
    /// The query.
    pub query: Box<Query>,
    /// The query's text as written.
    pub text: String,
}

/// `CREATE [TEMPORARY] [SYSTEM] FUNCTION name AS 'what' [LANGUAGE …]`.
#[derive(Clone, Debug)]
pub struct CreateFunction {
    /// Its name.
    pub name: ObjectName,
    /// Nothing is done where there is such a function.
    pub if_not_exists: bool,
    /// Forgotten at the end of the session.
    pub temporary: bool,
    /// The Java class or the name under which a Rust function is registered.
    pub class: String,
    /// Where the class is written.
    pub class_span: Span,
    /// The language in lower case: `java` unless another is given.
    pub language: String,
}

/// `INSERT INTO`.
#[derive(Clone, Debug)]
pub struct Insert {
    /// The table that is written to.
    pub target: ObjectName,
    /// Its columns that are given; none: all.
    pub columns: Vec<Ident>,
    /// `PARTITION (a = 1)`: columns with one value for all rows.
    pub partition: Vec<(Ident, Expr)>,
    /// `INSERT OVERWRITE`.
    pub overwrite: bool,
    /// `/*+ OPTIONS('key' = 'value') */` behind the target.
    pub hints: Vec<TableOption>,
    /// What is written.
    pub query: Box<Query>,
}

/// `EXPLAIN`.
#[derive(Clone, Debug)]
pub struct Explain {
    /// What is shown beside the plan.
    pub details: Vec<ExplainDetail>,
    /// `ANALYZE`: with the figures of a run.
    pub analyze: bool,
    /// The statement.
    pub of: Box<Statement>,
}

/// What `EXPLAIN` shows beside the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainDetail {
    /// Which kinds of changes each step gives.
    ChangelogMode,
    /// The state kept, and how it grows.
    State,
    /// Advice about the plan.
    PlanAdvice,
    /// Estimates of rows.
    EstimatedCost,
    /// The plan as JSON.
    Json,
    /// The logical plan too.
    Logical,
}

/// `SHOW`.
#[derive(Clone, Debug)]
pub struct Show {
    /// What.
    pub what: ShowWhat,
    /// `[NOT] LIKE 'pattern'`: the pattern and whether it is negated.
    pub like: Option<(String, bool)>,
}

/// What `SHOW` shows.
#[derive(Clone, Debug)]
pub enum ShowWhat {
    /// Tables, and views with them.
    Tables,
    /// Views.
    Views,
    /// Functions; only the created ones where true.
    Functions {
        /// `SHOW USER FUNCTIONS`.
        user_only: bool,
    },
    /// Columns of a table.
    Columns(ObjectName),
    /// The statement that makes a table.
    CreateTable(ObjectName),
    /// The statement that makes a view.
    CreateView(ObjectName),
    /// Catalogs.
    Catalogs,
    /// Databases.
    Databases,
    /// The catalog in use.
    CurrentCatalog,
    /// The database in use.
    CurrentDatabase,
    /// Connectors.
    Connectors,
    /// Formats.
    Formats,
    /// Jobs.
    Jobs,
}

/// `DROP`.
#[derive(Clone, Debug)]
pub struct Drop {
    /// What kind of thing.
    pub kind: ObjectKind,
    /// Its name.
    pub name: ObjectName,
    /// Nothing is done where there is none.
    pub if_exists: bool,
    /// `TEMPORARY`.
    pub temporary: bool,
}

/// The kinds of things in a catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A view.
    View,
    /// A function.
    Function,
}

impl ObjectKind {
    /// The kind in lower case.
    pub fn name(self) -> &'static str {
        match self {
            ObjectKind::Table => "table",
            ObjectKind::View => "view",
            ObjectKind::Function => "function",
        }
    }
}

/// `COPY query TO 'path' [(FORMAT csv, …)]`.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What is written.
    pub query: Box<Query>,
    /// The file or folder.
    pub path: String,
    /// Options such as `format`.
    pub options: Vec<TableOption>,
}

//! Errors of the layers below, told as SQL errors with their place.
//!
//! DataFusion's errors nest: a context around a diagnostic around a schema error. The place comes
//! from the diagnostic, the code from the innermost error; an [`SqlError`] that went through
//! DataFusion comes out as it was.

use datafusion::arrow::error::ArrowError;
use datafusion::common::{Column, DataFusionError, Diagnostic, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;
use headwater_core::{Error, ErrorKind};

use super::planned::{planned, sql_types};
use super::{Location, Span, SqlError, codes};

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        let code = match error.kind() {
            // An operator's rows were read; what failed is computed of them.
            ErrorKind::Data if message.starts_with("operator ") => codes::EVALUATION,
            ErrorKind::Config => codes::CONFIG,
            ErrorKind::Plan => codes::PLAN,
            ErrorKind::Data => codes::BAD_RECORD,
            ErrorKind::Connector => codes::CONNECTOR,
            ErrorKind::State => codes::STATE,
            ErrorKind::Fenced => codes::FENCED,
            ErrorKind::Transient => codes::TRANSIENT,
            ErrorKind::User => codes::USER_CODE,
            _ => codes::INTERNAL,
        };
        let mut cause = std::error::Error::source(&error);
        while let Some(e) = cause {
            message.push_str(&format!(": {e}"));
            cause = e.source();
        }
        let mut out = SqlError::new(code, message);
        out.help.extend(error.hint_text().map(str::to_owned));
        out
    }
}

/// For jobs whose `main` returns errors of the engine: the help becomes the hint.
impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        let plan = Error::plan(format!("{} [{}]", error.message, error.code));
        let label = error.label.iter().map(|label| label.to_string());
        let help: Vec<String> = label.chain(error.help.iter().cloned()).collect();
        if help.is_empty() { plan } else { plan.hint(help.join("; ")) }
    }
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

impl From<ArrowError> for SqlError {
    fn from(error: ArrowError) -> Self {
        let code = match &error {
            ArrowError::NotYetImplemented(_) => codes::NOT_IMPLEMENTED,
            ArrowError::ComputeError(_)
            | ArrowError::DivideByZero
            | ArrowError::ArithmeticOverflow(_)
            | ArrowError::CastError(_)
            | ArrowError::InvalidArgumentError(_)
            | ArrowError::OffsetOverflowError(_) => codes::EVALUATION,
            ArrowError::ParseError(_)
            | ArrowError::CsvError(_)
            | ArrowError::JsonError(_)
            | ArrowError::AvroError(_)
            | ArrowError::ParquetError(_)
            | ArrowError::IpcError(_) => codes::BAD_RECORD,
            ArrowError::MemoryError(_) => codes::RESOURCES,
            ArrowError::SchemaError(_) => codes::TYPE_MISMATCH,
            ArrowError::IoError(..) => codes::CONNECTOR,
            ArrowError::ExternalError(_) => codes::EVALUATION,
            _ => codes::INTERNAL,
        };
        if let ArrowError::ExternalError(source) = error {
            return external(source, code);
        }
        SqlError::new(code, sentence(&error.to_string()))
    }
}

impl From<ParserError> for SqlError {
    fn from(error: ParserError) -> Self {
        let (code, message) = match error {
            ParserError::TokenizerError(m) => (codes::TOKEN, m),
            ParserError::ParserError(m) => (codes::SYNTAX, m),
            ParserError::RecursionLimitExceeded => {
                return SqlError::new(codes::TOO_DEEP, "the statement is nested too deep");
            }
        };
        let (message, at) = place(&message);
        let error = SqlError::new(code, expectation(message));
        match at {
            Some(start) => error.at(start.span_to(Location::new(start.line, start.column + 1))),
            None => error,
        }
    }
}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::Context(_, inner) => SqlError::from(*inner),
            DataFusionError::Shared(inner) => shared(&inner),
            DataFusionError::Collection(errors) => match errors.into_iter().next() {
                Some(first) => SqlError::from(first),
                None => SqlError::internal("an empty list of errors"),
            },
            DataFusionError::Diagnostic(diagnostic, inner) => {
                diagnosed(&diagnostic, (*inner).into())
            }
            DataFusionError::External(source) => external(source, codes::EVALUATION),
            DataFusionError::ArrowError(e, _) => SqlError::from(*e),
            DataFusionError::SQL(e, _) => SqlError::from(*e),
            DataFusionError::SchemaError(e, _) => schema_error(&e),
            DataFusionError::NotImplemented(m) => {
                SqlError::new(codes::NOT_IMPLEMENTED, sql_types(&sentence(&m)))
            }
            DataFusionError::Plan(m) => planned(&m),
            DataFusionError::Configuration(m) => SqlError::new(codes::BAD_SETTING, sentence(&m)),
            // A function's types are looked at again where it is made to run.
            DataFusionError::Execution(m) if m.contains("coercion failed with") => planned(&m),
            DataFusionError::Execution(m) => SqlError::new(codes::EVALUATION, sentence(&m)),
            DataFusionError::ResourcesExhausted(m) => SqlError::new(codes::RESOURCES, sentence(&m)),
            DataFusionError::ParquetError(e) => SqlError::new(codes::BAD_RECORD, e.to_string()),
            DataFusionError::ObjectStore(e) => SqlError::new(codes::CONNECTOR, e.to_string()),
            DataFusionError::IoError(e) => SqlError::new(codes::CONNECTOR, e.to_string()),
            other => SqlError::internal(sentence(&other.strip_backtrace())),
        }
    }
}

/// An error that several have: it can't be taken apart, so what is needed is copied.
fn shared(error: &DataFusionError) -> SqlError {
    match error {
        DataFusionError::Context(_, inner) => shared(inner),
        DataFusionError::Shared(inner) => shared(inner),
        DataFusionError::Diagnostic(diagnostic, inner) => diagnosed(diagnostic, shared(inner)),
        DataFusionError::SchemaError(e, _) => schema_error(e),
        DataFusionError::Plan(m) => planned(m),
        DataFusionError::External(source) => match source.downcast_ref::<SqlError>() {
            Some(own) => own.clone(),
            None => SqlError::new(codes::EVALUATION, sentence(&source.to_string())),
        },
        DataFusionError::ArrowError(e, _) => {
            SqlError::new(codes::EVALUATION, sentence(&e.to_string()))
        }
        other => SqlError::new(codes::EVALUATION, sentence(&other.strip_backtrace())),
    }
}

fn external(source: Box<dyn std::error::Error + Send + Sync>, code: &'static str) -> SqlError {
    let source = match source.downcast::<SqlError>() {
        Ok(own) => return *own,
        Err(source) => source,
    };
    let source = match source.downcast::<DataFusionError>() {
        Ok(inner) => return SqlError::from(*inner),
        Err(source) => source,
    };
    match source.downcast::<Error>() {
        Ok(engine) => SqlError::from(*engine),
        Err(source) => SqlError::new(code, sentence(&source.to_string())),
    }
}

/// Adds a diagnostic's place and helps to the error it came with.
fn diagnosed(diagnostic: &Diagnostic, mut error: SqlError) -> SqlError {
    if let Some(span) = diagnostic.span {
        error = error.or_at(Span {
            start: Location::new(span.start.line, span.start.column),
            end: Location::new(span.end.line, span.end.column),
        });
    }
    for note in &diagnostic.notes {
        // Names that are near or possible are told by the error itself.
        if !note.message.contains("ossible ") {
            error.help.push(sql_types(&sentence(&note.message)));
        }
    }
    for help in &diagnostic.helps {
        let text = sentence(&help.message);
        if !text.contains("id you mean") && !text.contains("ossible ") {
            error.help.push(sql_types(&text));
        }
    }
    error
}

fn schema_error(error: &SchemaError) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => SqlError::new(
            codes::AMBIGUOUS_COLUMN,
            format!("column `{}` is ambiguous: several tables have it", field.name),
        )
        .help("write the table's name or alias in front of it"),
        SchemaError::DuplicateQualifiedField { qualifier, name } => SqlError::new(
            codes::AMBIGUOUS_COLUMN,
            format!("two columns are named `{qualifier}`.`{name}`"),
        )
        .help("give one of them another name with AS"),
        SchemaError::DuplicateUnqualifiedField { name } => {
            SqlError::new(codes::AMBIGUOUS_COLUMN, format!("two columns are named `{name}`"))
                .help("give one of them another name with AS")
        }
    }
}

fn unknown_column(field: &Column, valid: &[Column]) -> SqlError {
    let of_table = |c: &&Column| field.relation.is_none() || c.relation == field.relation;
    let mut known: Vec<&str> = Vec::new();
    for column in valid.iter().filter(of_table) {
        if !known.contains(&column.name.as_str()) {
            known.push(&column.name);
        }
    }
    let tables: Vec<String> =
        valid.iter().filter_map(|c| c.relation.as_ref().map(|r| r.table().to_owned())).collect();
    let one_table = tables.first().filter(|t| tables.iter().all(|o| o == *t));
    let place = match (&field.relation, one_table) {
        (Some(relation), _) if !known.is_empty() => format!(" in table {relation}"),
        (Some(relation), _) => {
            let mut tables = tables;
            tables.dedup();
            return SqlError::new(
                codes::UNKNOWN_TABLE,
                format!("no table or alias `{relation}` in this query"),
            )
            .names(relation.table(), "tables", tables.iter().map(String::as_str));
        }
        (None, Some(table)) => format!(" in table {table}"),
        (None, None) => String::new(),
    };
    SqlError::new(codes::UNKNOWN_COLUMN, format!("no column `{}`{place}", field.name)).names(
        &field.name,
        "columns",
        known,
    )
}

/// Splits `message at Line: 1, Column: 5`.
fn place(message: &str) -> (&str, Option<Location>) {
    let parts = message.rsplit_once(" at Line: ").and_then(|(text, at)| {
        let (line, column) = at.split_once(", Column: ")?;
        let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
        Some((text, Location::new(line.trim().parse().ok()?, digits.parse().ok()?)))
    });
    match parts {
        Some((text, at)) => (text, Some(at)),
        None => (message, None),
    }
}

/// `Expected: a, found: b` as a sentence.
fn expectation(message: &str) -> String {
    let parts = message
        .strip_prefix("Expected: ")
        .or_else(|| message.strip_prefix("Expected "))
        .and_then(|rest| rest.split_once(", found: "));
    let Some((expected, found)) = parts else { return sentence(message) };
    let sign = expected.chars().all(|c| c.is_ascii_punctuation());
    let expected = if sign { format!("`{expected}`") } else { expected.to_owned() };
    let found = match found {
        "EOF" => "the end of the text".to_owned(),
        found => format!("`{found}`"),
    };
    format!("expected {expected}, found {found}")
}

/// The first letter small where it begins an ordinary word, no prefixes, backtraces or stop.
pub(super) fn sentence(message: &str) -> String {
    let text = message.split("\n\nbacktrace").next().unwrap_or(message).trim();
    let text = text.strip_prefix("Error during planning: ").unwrap_or(text);
    let text = text.strip_prefix("Execution error: ").unwrap_or(text);
    let text = text.trim_end_matches('.').replace('\n', " ");
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text,
    }
}

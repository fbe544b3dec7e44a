//! The errors of SQL: a code, a sentence, the place in the text and what to do about it.
//!
//! Invariants: every code is in [`codes::CODES`] with a page; a message is a lower-case sentence
//! without a final stop that names what and where; a span counts lines and characters from 1 in
//! the text that was given to [`crate::syntax::parse`].

pub mod codes;
mod convert;
mod nearest;
mod planned;
mod render;

use std::fmt;

pub use codes::{Code, explain};
pub use datafusion::sql::sqlparser::tokenizer::{Location, Span};
pub use nearest::{did_you_mean, nearest};

/// The result type of SQL.
pub type SqlResult<T> = Result<T, SqlError>;

/// Why a statement was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The stable code, of [`codes`].
    pub code: &'static str,
    /// A lower-case sentence: what and where.
    pub message: String,
    /// The place in the text.
    pub span: Option<Span>,
    /// A word or two written beside the carets.
    pub label: Option<Box<str>>,
    /// What the reader can do, a line each.
    pub help: Vec<String>,
}

impl SqlError {
    /// An error without a place.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        SqlError { code, message: message.into(), span: None, label: None, help: Vec::new() }
    }

    /// Refuses a clause, statement or feature that is not supported, and names it.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        SqlError::new(codes::UNSUPPORTED, format!("{what} is not supported"))
    }

    /// Our bug.
    pub fn internal(message: impl Into<String>) -> Self {
        SqlError::new(codes::INTERNAL, message)
    }

    /// Sets the place; a span of no place leaves it as it is.
    pub fn at(mut self, span: Span) -> Self {
        if span.start.line > 0 {
            self.span = Some(span);
        }
        self
    }

    /// Sets the place if there is none yet.
    pub fn or_at(self, span: Span) -> Self {
        if self.span.is_none() { self.at(span) } else { self }
    }

    /// Sets what is written beside the carets.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into().into_boxed_str());
        self
    }

    /// Adds a line of help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Puts the place in front of the message: `context: message`.
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Says which names there are: the nearest beside the carets, all of them as help.
    ///
    /// `what` is a plural such as `columns`.
    pub fn names<'a>(
        mut self,
        wanted: &str,
        what: &str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        if let Some(name) = nearest(wanted, names.iter().copied()) {
            self = self.label(format!("did you mean `{name}`?"));
        }
        self.help.push(list(what, &names));
        self
    }
}

/// `columns are a, b, c`, cut where there are many.
fn list(what: &str, names: &[&str]) -> String {
    const SHOWN: usize = 30;
    if names.is_empty() {
        return format!("there are no {what}");
    }
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{what} are {shown} and {more} more"),
        _ => format!("{what} are {shown}"),
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}

#[cfg(test)]
mod tests;

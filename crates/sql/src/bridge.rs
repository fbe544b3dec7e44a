//! Between streams of Rust and tables of SQL, within one job: records become rows, rows records.
//!
//! A record's fields are columns by the names that serde gives them; a tuple's are `f0`, `f1` and so
//! on, a record that is one value is the column `f0`. Types are looked at when a table or stream is
//! made, values when they come: what does not fit is refused with the path of its field.
//!
//! What this does not do: carry enums whose variants have data; they have no SQL type.
//!
//! Reading order: [`columns`] → [`write`](mod@write) → [`read`] → [`from_stream`] → [`to_stream`].

pub(crate) mod columns;
pub(crate) mod from_stream;
pub(crate) mod read;
pub(crate) mod to_stream;
pub(crate) mod write;

use std::fmt;

/// Why a value is refused, and where in its record it is.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Innermost first.
    path: Vec<String>,
    message: String,
    /// It is NULL where there must be a value.
    null: bool,
}

impl Refused {
    fn new(message: impl Into<String>) -> Self {
        Refused { path: Vec::new(), message: message.into(), null: false }
    }

    /// NULL, where a type has no place for it.
    fn null() -> Self {
        Refused { null: true, ..Refused::new("it is NULL, and the field is no Option") }
    }

    /// Whether the value is NULL where there must be one.
    pub(crate) fn is_null(&self) -> bool {
        self.null
    }

    /// The same, in a field.
    fn within(mut self, field: &str) -> Self {
        self.path.push(field.to_owned());
        self
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            let path: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
            write!(f, "field `{}`: ", path.join("."))?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl serde::ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Refused::new(message.to_string())
    }
}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Refused::new(message.to_string())
    }
}

/// The name of a type without its modules.
pub(crate) fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    if name.contains(['<', '(', '[']) { name } else { name.rsplit("::").next().unwrap_or(name) }
}

#[cfg(test)]
mod tests;

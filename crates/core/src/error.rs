//! The one error type of the engine: what kind, what happened and where, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

/// The engine's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed, by what the reader does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option, path or flag is wrong: fix the configuration.
    Config,
    /// The job's topology is wrong: fix the program.
    Plan,
    /// A record is wrong.
    Data,
    /// A source or sink failed.
    Connector,
    /// State or a checkpoint cannot be read, or does not match.
    State,
    /// Another attempt owns the job now.
    Fenced,
    /// A retry may help.
    Transient,
    /// User code failed or panicked.
    User,
    /// Our bug.
    Internal,
}

/// An error with its kind, a lower-case sentence that names what and where, and a hint.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(message: impl Into<String>) -> Self {
            Error::new(ErrorKind::$kind, message)
        })*
    };
}

impl Error {
    /// Creates an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), hint: None, source: None }))
    }

    constructors! {
        /// A wrong option, path or flag.
        config => Config,
        /// A wrong topology.
        plan => Plan,
        /// A wrong record.
        data => Data,
        /// A failing source or sink.
        connector => Connector,
        /// Unreadable or mismatching state.
        state => State,
        /// Another attempt owns the job.
        fenced => Fenced,
        /// Worth a retry.
        transient => Transient,
        /// User code failed.
        user => User,
        /// Our bug.
        internal => Internal,
    }

    /// Adds what the reader can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts the place in front of the message: `context: message`.
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the reader can do, if anything is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The message, every cause below it, and the hint, on one line each.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(e) = cause {
            text.push_str(&format!("\n  caused by: {e}"));
            cause = e.source();
        }
        if let Some(hint) = self.hint_text() {
            text.push_str(&format!("\n  help: {hint}"));
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_has_cause_and_hint() {
        let e = Error::config("cannot open \"x\"")
            .because(std::io::Error::other("no such file"))
            .hint("check the path")
            .within("source \"orders\"");
        assert_eq!(
            e.report(),
            "source \"orders\": cannot open \"x\"\n  caused by: no such file\n  help: check the path"
        );
    }
}

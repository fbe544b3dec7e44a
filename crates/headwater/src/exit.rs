//! How a process ends: exit codes by what the reader does about them, and the printed error.

use std::process::{ExitCode, Termination};

use headwater_core::{Error, ErrorKind};

/// The exit code of a program whose `main` is a job.
///
/// | code | meaning |
/// |---|---|
/// | 0 | done; also stopped by a first Ctrl-C, with a checkpoint |
/// | 1 | the job failed |
/// | 2 | wrong usage, configuration or topology |
/// | 3 | a source or sink cannot be reached or failed |
/// | 4 | state refused: a damaged checkpoint, or one that does not match |
/// | 101 | our bug |
/// | 130 | ended at once, by a second Ctrl-C |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "return it from `main`"]
pub struct Exit(u8);

impl Exit {
    /// Done, or stopped with a checkpoint.
    pub const OK: Exit = Exit(0);
    /// The job failed.
    pub const FAILED: Exit = Exit(1);
    /// Wrong usage, configuration or topology.
    pub const USAGE: Exit = Exit(2);
    /// A source or sink cannot be reached or failed.
    pub const UNREACHABLE: Exit = Exit(3);
    /// State was refused.
    pub const STATE: Exit = Exit(4);
    /// Our bug.
    pub const BUG: Exit = Exit(101);
    /// Ended at once by a second Ctrl-C.
    pub const INTERRUPTED: Exit = Exit(130);

    /// The code for an error of that kind.
    pub fn of(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::Config | ErrorKind::Plan => Exit::USAGE,
            ErrorKind::Connector => Exit::UNREACHABLE,
            ErrorKind::State => Exit::STATE,
            ErrorKind::Internal => Exit::BUG,
            _ => Exit::FAILED,
        }
    }

    /// Prints an error to the standard error, with its causes and what to do, and gives its code.
    pub fn report(error: &Error) -> Exit {
        eprintln!("{}", error_text(error));
        Exit::of(error.kind())
    }

    /// The code as a number.
    pub fn code(self) -> u8 {
        self.0
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.0)
    }
}

fn error_text(error: &Error) -> String {
    let mut text = format!("error: {}", error.report());
    if error.kind() == ErrorKind::Internal {
        let version = crate::VERSION;
        text.push_str(&format!("\n  help: this is a bug in headwater {version}, please report it"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_the_code_of_what_to_do_about_it() {
        let code = |kind| Exit::of(kind).code();
        assert_eq!([code(ErrorKind::Config), code(ErrorKind::Plan)], [2, 2]);
        assert_eq!([code(ErrorKind::Connector), code(ErrorKind::State)], [3, 4]);
        let failures = [ErrorKind::Data, ErrorKind::User, ErrorKind::Fenced, ErrorKind::Transient];
        assert_eq!(failures.map(code), [1; 4]);
        assert_eq!(code(ErrorKind::Internal), 101);
    }

    #[test]
    fn an_error_is_printed_with_cause_and_help() {
        let error = Error::config("cannot open \"x\"")
            .because(std::io::Error::other("no such file"))
            .hint("check the path");
        let text = "error: cannot open \"x\"\n  caused by: no such file\n  help: check the path";
        assert_eq!(error_text(&error), text);
        assert!(error_text(&Error::internal("hm")).contains("is a bug in headwater"));
    }
}

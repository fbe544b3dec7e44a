//! What a terminal wants: colour or none, redrawing or not; and printing that survives `| head`.

use std::io::{ErrorKind, IsTerminal, Write};

/// Whether to colour what goes to `stream`: on a terminal, unless `NO_COLOR` is set or `TERM` is
/// `dumb`; `CLICOLOR_FORCE` overrides that.
pub fn colour(stream: &impl IsTerminal) -> bool {
    decide_colour(stream.is_terminal(), |name| std::env::var(name).ok())
}

fn decide_colour(terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| env(name).is_some_and(|value| !value.is_empty() && value != "0");
    let none = env("NO_COLOR").is_some_and(|value| !value.is_empty());
    set("CLICOLOR_FORCE") || (terminal && !none && !is_dumb(&env))
}

/// Whether lines on `stream` can be drawn again in place.
pub fn can_redraw(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && !is_dumb(|name| std::env::var(name).ok())
}

fn is_dumb(env: impl Fn(&str) -> Option<String>) -> bool {
    env("TERM").is_some_and(|term| term == "dumb")
}

/// Prints results to the standard output; false when nobody reads it any more.
pub fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(e) => {
            // A reader that has seen enough, as in `| head`, is no failure.
            if e.kind() != ErrorKind::BrokenPipe {
                eprintln!("error: cannot write to the standard output\n  caused by: {e}");
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let decide = |terminal, env: &'static [(&str, &str)]| {
            decide_colour(terminal, |name| {
                env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(decide(true, &[("TERM", "xterm")]));
        assert!(!decide(false, &[]));
        assert!(!decide(true, &[("NO_COLOR", "0")]));
        assert!(decide(true, &[("NO_COLOR", "")]));
        assert!(!decide(true, &[("TERM", "dumb")]));
        assert!(decide(false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(!decide(false, &[("CLICOLOR_FORCE", "0")]));
    }
}

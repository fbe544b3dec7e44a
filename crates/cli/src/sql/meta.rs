//! The shell's own commands: psql's spelling (`\dt`), and DuckDB's (`.tables`) for the same.

use std::time::Duration;

use super::output::Mode;

/// A command to the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    /// What commands there are.
    Help,
    /// Leave.
    Quit,
    /// All tables and views.
    Tables,
    /// The columns of one; without a name, all tables.
    Describe(Option<String>),
    /// All functions.
    Functions,
    /// Whether times are told; the other way round without a word.
    Timing(Option<bool>),
    /// How rows are shown; without a name, tell.
    Mode(Option<Mode>),
    /// One line per column instead of one per row; the other way round without a word.
    Expanded(Option<bool>),
    /// Run a file.
    Include(String),
    /// Write results to a file; without a name, to the terminal again.
    Output(Option<String>),
    /// How the last query runs.
    Plan,
    /// The last query again and again, with so long in between.
    Watch(Duration),
    /// The page of an error code.
    Error(String),
}

/// Spellings, argument and meaning of a command, as the help shows them.
struct Command {
    names: &'static [&'static str],
    argument: &'static str,
    help: &'static str,
}

const COMMANDS: &[Command] = &[
    Command { names: &["\\?", "\\h", ".help"], argument: "", help: "this help" },
    Command { names: &["\\q", ".quit", ".exit"], argument: "", help: "leave (also Ctrl-D)" },
    Command { names: &["\\dt", ".tables"], argument: "", help: "tables and views" },
    Command { names: &["\\d", ".schema"], argument: "[TABLE]", help: "columns of a table" },
    Command { names: &["\\df", ".functions"], argument: "", help: "functions" },
    Command {
        names: &["\\mode", ".mode"],
        argument: "[table|vertical|json|csv|changelog]",
        help: "how rows are shown",
    },
    Command {
        names: &["\\x", ".expanded"],
        argument: "[on|off]",
        help: "one line per column (mode vertical)",
    },
    Command {
        names: &["\\timing", ".timer"],
        argument: "[on|off]",
        help: "tell how long statements take",
    },
    Command { names: &["\\i", ".read"], argument: "FILE", help: "run a file" },
    Command {
        names: &["\\o", ".output"],
        argument: "[FILE]",
        help: "write results to a file; without one, to the terminal again",
    },
    Command {
        names: &["\\plan", ".plan"],
        argument: "",
        help: "how the last query runs (EXPLAIN)",
    },
    Command {
        names: &["\\watch", ".watch"],
        argument: "[SECONDS]",
        help: "run the last query again and again, until Ctrl-C",
    },
    Command { names: &["\\error", ".error"], argument: "CODE", help: "explain an error" },
];

/// All spellings, for completion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().flat_map(|command| command.names.iter().copied())
}

/// Whether a line is a command to the shell: those need no semicolon.
pub(super) fn is_meta(line: &str) -> bool {
    let line = line.trim_start();
    let mut chars = line.chars();
    match chars.next() {
        Some('\\') => true,
        // Not `.5`.
        Some('.') => chars.next().is_some_and(char::is_alphabetic),
        _ => matches!(word(line), "help" | "quit" | "exit" | "HELP" | "QUIT" | "EXIT"),
    }
}

/// The only word of a line, without its semicolon.
fn word(line: &str) -> &str {
    line.trim().trim_end_matches(';').trim_end()
}

/// Reads a line for which [`is_meta`] holds.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn parse(line: &str) -> Result<Meta, String> {
    let line = word(line);
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = unquoted(argument.trim());
    let given = (!argument.is_empty()).then(|| argument.to_owned());
    let needed = |what: &str| given.clone().ok_or_else(|| format!("{name} needs {what}"));
    let meta = match name {
        "\\?" | "\\h" | "\\help" | ".help" | "help" | "HELP" => Meta::Help,
        "\\q" | ".quit" | ".exit" | ".q" | "quit" | "exit" | "QUIT" | "EXIT" => Meta::Quit,
        "\\dt" | "\\dv" | ".tables" => Meta::Tables,
        "\\d" | ".schema" | ".describe" => Meta::Describe(given),
        "\\df" | ".functions" => Meta::Functions,
        "\\timing" | ".timer" | ".timing" => Meta::Timing(switch(name, argument)?),
        "\\x" | ".expanded" => Meta::Expanded(switch(name, argument)?),
        "\\mode" | ".mode" => Meta::Mode(given.map(|mode| mode.parse()).transpose()?),
        "\\i" | ".read" => Meta::Include(needed("a file")?),
        "\\o" | ".output" => Meta::Output(given.filter(|file| file != "stdout")),
        "\\plan" | ".plan" => Meta::Plan,
        "\\watch" | ".watch" => Meta::Watch(seconds(name, argument)?),
        "\\error" | ".error" => Meta::Error(needed("a code, such as HW-P004")?),
        other => {
            let nearest = headwater_sql::error::nearest(other, names());
            let nearest = nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            return Err(format!("there is no command {other}{nearest} (\\? lists them)"));
        }
    };
    Ok(meta)
}

fn unquoted(argument: &str) -> &str {
    let inner = argument.strip_prefix('\'').and_then(|a| a.strip_suffix('\''));
    inner.unwrap_or(argument)
}

fn switch(name: &str, argument: &str) -> Result<Option<bool>, String> {
    match argument.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "on" | "true" | "1" => Ok(Some(true)),
        "off" | "false" | "0" => Ok(Some(false)),
        other => Err(format!("{name} takes on or off, not {other:?}")),
    }
}

/// A time in seconds, two unless it is said.
fn seconds(name: &str, argument: &str) -> Result<Duration, String> {
    if argument.is_empty() {
        return Ok(Duration::from_secs(2));
    }
    let given = argument.parse().ok().filter(|seconds| (0.01..=86_400.0).contains(seconds));
    let given: f64 = given.ok_or_else(|| format!("{name} takes seconds, not {argument:?}"))?;
    Ok(Duration::from_secs_f64(given))
}

/// The help of the shell.
pub(super) fn help() -> String {
    let mut text = String::from(
        "Statements end with a semicolon and may go over several lines. Tab completes, Ctrl-R \
         searches what was typed before,\nCtrl-C ends a query or drops what is typed, Ctrl-D leaves.\n\n",
    );
    for command in COMMANDS {
        let spellings = format!("{} {}", command.names.join("  "), command.argument);
        text.push_str(&format!("  {spellings:<58} {}\n", command.help));
    }
    text.push_str(
        "\nTry:\n  SELECT * FROM bid LIMIT 5;\n  \
         SELECT channel, COUNT(*) AS bids, MAX(price) AS top FROM bid GROUP BY channel;\n  \
         SELECT * FROM 'orders.csv';            a file is a table\n  \
         SHOW TABLES;  DESCRIBE bid;  EXPLAIN SELECT …;  SET 'key' = 'value';\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_mean_the_same() {
        for (psql, duckdb, meta) in [
            ("\\?", ".help", Meta::Help),
            ("\\q", ".quit", Meta::Quit),
            ("\\dt", ".tables", Meta::Tables),
            ("\\d bid", ".schema bid", Meta::Describe(Some("bid".to_owned()))),
            ("\\d", ".schema", Meta::Describe(None)),
            ("\\df", ".functions", Meta::Functions),
            ("\\timing off", ".timer off", Meta::Timing(Some(false))),
            ("\\timing", ".timer", Meta::Timing(None)),
            ("\\x", ".expanded", Meta::Expanded(None)),
            ("\\mode csv", ".mode csv", Meta::Mode(Some(Mode::Csv))),
            ("\\i 'a b.sql'", ".read a b.sql", Meta::Include("a b.sql".to_owned())),
            ("\\o out.csv", ".output out.csv", Meta::Output(Some("out.csv".to_owned()))),
            ("\\o", ".output stdout", Meta::Output(None)),
            ("\\plan", ".plan;", Meta::Plan),
            ("\\watch", ".watch 2", Meta::Watch(Duration::from_secs(2))),
            ("\\watch 0.5", ".watch 0.5;", Meta::Watch(Duration::from_millis(500))),
            ("\\error HW-P004", ".error HW-P004;", Meta::Error("HW-P004".to_owned())),
        ] {
            assert!(is_meta(psql) && is_meta(duckdb));
            assert_eq!(parse(psql), Ok(meta.clone()), "{psql}");
            assert_eq!(parse(duckdb), Ok(meta), "{duckdb}");
        }
        assert_eq!(parse(" quit ; "), Ok(Meta::Quit));
    }

    #[test]
    fn statements_are_no_commands() {
        for line in ["SELECT 1;", ".5 + 1;", "", "helper;", "quite;"] {
            assert!(!is_meta(line), "{line}");
        }
        assert!(is_meta("  help"));
        assert!(is_meta("exit;"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |line: &str| parse(line).unwrap_err();
        assert!(wrong("\\tming").contains("did you mean \\timing?"), "{}", wrong("\\tming"));
        assert_eq!(wrong("\\timing maybe"), "\\timing takes on or off, not \"maybe\"");
        assert_eq!(wrong("\\i"), "\\i needs a file");
        assert_eq!(wrong("\\watch soon"), "\\watch takes seconds, not \"soon\"");
        assert_eq!(wrong("\\watch 0"), "\\watch takes seconds, not \"0\"");
        assert!(wrong("\\mode tabel").contains("table, vertical, json, csv, changelog"));
    }

    #[test]
    fn every_command_of_the_help_is_read() {
        for name in names() {
            assert!(is_meta(name), "{name}");
            let line = match name.trim_start_matches(['\\', '.']) {
                "i" | "read" | "error" => format!("{name} x"),
                _ => name.to_owned(),
            };
            assert!(parse(&line).is_ok(), "{name}");
            assert!(help().contains(name), "{name}");
        }
    }
}

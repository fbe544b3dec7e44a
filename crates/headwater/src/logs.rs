//! Logs of a program whose `main` is a job: to the standard error, for people or as JSON lines.
//!
//! The engine only emits `tracing` events; who embeds it chooses the subscriber. This module is
//! called by [`crate::main`] and the `headwater` command, never by the library.

use std::io::IsTerminal;

use headwater_core::{Error, Result};
use tracing_subscriber::EnvFilter;

use crate::cli::terminal;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// Human on a terminal, JSON otherwise.
    pub fn automatic() -> Self {
        if std::io::stderr().is_terminal() { LogFormat::Human } else { LogFormat::Json }
    }
}

/// What is logged without a filter: `warn`; `-v` info, `-vv` debug, `-vvv` trace, `-q` errors only.
pub fn level(verbose: u8, quiet: bool) -> &'static str {
    match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    }
}

/// Sends logs of `level` and above to the standard error; the environment variable `HEADWATER_LOG`
/// (`debug`, `headwater_runtime=trace,warn`) overrides the level.
///
/// # Errors
/// Kind `Config` if the variable is no filter. A subscriber that is already installed stays.
pub fn init(format: LogFormat, level: &str) -> Result<()> {
    let filter = std::env::var("HEADWATER_LOG").unwrap_or_else(|_| level.to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|e| {
        Error::config(format!("HEADWATER_LOG is no filter of logs: {filter:?}"))
            .because(e)
            .hint("use a level (error, warn, info, debug, trace) or target=level,…")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A subscriber of the embedding program goes first.
    let _ = match format {
        LogFormat::Human => {
            builder.with_ansi(terminal::colour(&std::io::stderr())).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_v_says_more_and_q_wins() {
        let levels: Vec<_> = (0..5).map(|v| level(v, false)).collect();
        assert_eq!(levels, ["warn", "info", "debug", "trace", "trace"]);
        assert_eq!(level(2, true), "error");
    }
}

//! `headwater sql`, and what goes with it: `check`, `run`, `connectors` and `error`.
//!
//! [`shell`] runs texts; [`prompt`] takes them from a person, with [`scan`], [`meta`] and
//! [`complete`]; results are shown by [`output`], [`live`] (with [`fold`]) and [`jobs`], both with [`silence`].
//! `headwater run` ([`run`]) makes one job of a file, with the flags that all jobs have.

use std::io::{IsTerminal, Read};
use std::num::NonZeroUsize;
use std::time::Duration;

use headwater::cli::terminal;
use headwater::{Config, Error, Exit, Result};
use headwater_sql::session::{Session, SessionOptions};

mod complete;
pub(crate) mod connectors;
mod files;
mod fold;
mod interrupts;
mod jobs;
mod live;
mod meta;
mod names;
mod output;
mod prompt;
#[cfg(test)]
mod reference;
pub(crate) mod run;
mod samples;
mod scan;
mod script;
mod shell;
mod silence;
mod tty;
mod variables;
mod why;

use interrupts::Interrupts;
use output::Mode;
use shell::{Failed, Flow, Manner, Shell, read_file};
use variables::Variables;

/// What to run, and how to show it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  headwater sql\n  \
    headwater sql -c \"SELECT COUNT(*) FROM 'orders.csv'\"\n  \
    headwater sql -c \"SELECT * FROM bid\" --for 5s | head\n  \
    headwater sql -f queries.sql --output csv > result.csv")]
pub(crate) struct SqlArgs {
    /// Run this text and leave; may be given more than once
    #[arg(short, long, value_name = "TEXT")]
    command: Vec<String>,
    /// Run these files and leave; `-` is the standard input
    #[arg(short, long, value_name = "FILE")]
    file: Vec<String>,
    /// How rows are shown [default: table on a terminal, json elsewhere]
    #[arg(short, long, value_enum)]
    output: Option<Mode>,
    /// End each live query and job after this long (10s, 5m)
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    live_for: Option<Duration>,
    /// Worker threads; the answer does not depend on it [default: all cores]
    #[arg(long, value_name = "N", env = "HEADWATER_WORKERS")]
    workers: Option<NonZeroUsize>,
    #[command(flatten)]
    variables: Variables,
    /// Run jobs although they hold state that could never be freed
    #[arg(long)]
    allow_unbounded_state: bool,
    /// Without the sample tables person, auction and bid
    #[arg(long)]
    no_samples: bool,
    /// Do not run ~/.headwaterrc first
    #[arg(long)]
    no_init: bool,
}

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headwater check job.sql")]
pub(crate) struct CheckArgs {
    /// The file with the statements
    #[arg(value_name = "FILE.sql")]
    file: String,
    #[command(flatten)]
    variables: Variables,
    /// Accept jobs that hold state that could never be freed
    #[arg(long)]
    allow_unbounded_state: bool,
    /// With the sample tables that `headwater sql` has; `headwater run` has none
    #[arg(long)]
    samples: bool,
}

/// Which code to explain.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headwater error HW-P004")]
pub(crate) struct ErrorArgs {
    /// The code of an error, such as HW-P004
    #[arg(value_name = "CODE")]
    code: String,
}

/// Runs the shell.
///
/// # Errors
/// What keeps it from starting.
pub(crate) fn run(args: &SqlArgs, quiet: bool) -> Result<Exit> {
    let text = texts(args)?;
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let asks = text.is_none() && stdin.is_terminal() && stdout.is_terminal();
    let draws = terminal::can_redraw(&stdout);
    let manner = Manner {
        mode: args.output.unwrap_or(if draws { Mode::Table } else { Mode::Json }),
        timing: draws,
        quiet,
        on_terminal: draws,
        colour: terminal::colour(&std::io::stderr()),
        live_for: args.live_for,
    };
    let interrupts =
        Interrupts::watch(!asks).map_err(|e| Error::config("cannot handle Ctrl-C").because(e))?;
    let workers = args.workers.map_or(Config::default().workers, NonZeroUsize::get);
    let session = Session::new(SessionOptions {
        config: Config { workers, ..Config::default() },
        allow_unbounded_state: args.allow_unbounded_state,
        cancelled: Some(interrupts.flag()),
        ..SessionOptions::default()
    });
    let session = match session {
        Ok(session) => session,
        Err(e) => {
            eprintln!("{}", e.render("", manner.colour));
            return Ok(shell::exit(&e));
        }
    };
    let mut shell = Shell::new(session, manner, interrupts, args.variables.clone());
    if let Err(Failed(exit)) = prepare(&mut shell, args, asks) {
        return Ok(exit);
    }
    if asks {
        greet(&shell, args);
        return Ok(prompt::talk(&mut shell));
    }
    let text = match text {
        Some(text) => text,
        None => standard_input()?,
    };
    Ok(match shell.run(&text) {
        Ok(_) => Exit::OK,
        Err(Failed(exit)) => exit,
    })
}

/// The texts of the flags, one after the other; none where there are no such flags.
fn texts(args: &SqlArgs) -> Result<Option<String>> {
    if args.command.is_empty() && args.file.is_empty() {
        return Ok(None);
    }
    if !args.command.is_empty() && !args.file.is_empty() {
        return Err(Error::config("-c and -f exclude each other")
            .hint("put the text into the file, or give \\i FILE within -c"));
    }
    let mut text = String::new();
    for command in &args.command {
        text.push_str(command);
        // A text given by itself needs no semicolon, but the next one would go on with it.
        let ends = command.trim_end().ends_with(';') || meta::is_meta(command);
        text.push_str(if ends { "\n" } else { "\n;\n" });
    }
    for file in &args.file {
        match file.as_str() {
            "-" => text.push_str(&standard_input()?),
            file => text.push_str(
                &std::fs::read_to_string(file)
                    .map_err(|e| Error::config(format!("cannot read {file}")).because(e))?,
            ),
        }
        text.push('\n');
    }
    Ok(Some(text))
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Error::config("cannot read the standard input").because(e))?;
    Ok(text)
}

/// Makes the sample tables, and runs what its user wants run first.
fn prepare(shell: &mut Shell, args: &SqlArgs, asks: bool) -> std::result::Result<(), Failed> {
    let quiet = std::mem::replace(&mut shell.manner.quiet, true);
    if !args.no_samples {
        shell.make_samples()?;
    }
    if asks && !args.no_init {
        let file = std::env::home_dir().map(|home| home.join(".headwaterrc"));
        if let Some(text) = file.and_then(|file| std::fs::read_to_string(file).ok())
            && let Ok(Flow::Leave) = shell.run(&text)
        {
            return Err(Failed(Exit::OK));
        }
    }
    shell.manner.quiet = quiet;
    Ok(())
}

fn greet(shell: &Shell, args: &SqlArgs) {
    let samples = if args.no_samples { "" } else { " Sample tables: person, auction, bid." };
    shell.tell(&format!(
        "headwater {}, in-process engine. \\? help, \\q quit.{samples}",
        headwater::VERSION
    ));
}

/// Plans a file's statements and runs none.
///
/// # Errors
/// What keeps it from starting.
pub(crate) fn check(args: &CheckArgs, quiet: bool) -> Result<Exit> {
    let colour = terminal::colour(&std::io::stderr());
    let text = match read_file(&args.file) {
        Ok(text) => text,
        Err(Failed(exit)) => return Ok(exit),
    };
    let text = match args.variables.put_into(&text) {
        Ok(text) => text,
        Err(e) => {
            eprintln!("{}: {}", args.file, e.render(&text, colour));
            return Ok(shell::exit(&e));
        }
    };
    let checked = Session::new(SessionOptions {
        allow_unbounded_state: args.allow_unbounded_state,
        ..SessionOptions::default()
    })
    .and_then(|mut session| {
        if args.samples {
            samples::Samples::make(&mut session)?;
        }
        let text = script::statements(&text);
        files::declare(&mut session, &text)?;
        session.check(&text)
    });
    match checked {
        Ok(statements) => {
            if !quiet {
                let plural = if statements == 1 { "" } else { "s" };
                eprintln!("{}: {statements} statement{plural} can be run", args.file);
            }
            Ok(Exit::OK)
        }
        Err(e) => {
            eprintln!("{}: {}", args.file, e.render(&text, colour));
            Ok(shell::exit(&e))
        }
    }
}

/// Prints the page of an error code.
///
/// # Errors
/// When there is no such code.
pub(crate) fn explain(args: &ErrorArgs) -> Result<Exit> {
    let page = shell::page(&args.code).map_err(|why| {
        Error::config(why).hint("the code is in brackets behind `error`, such as HW-P004")
    })?;
    terminal::print(&page);
    Ok(Exit::OK)
}

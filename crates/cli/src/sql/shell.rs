//! Runs texts: statements through the session, commands by itself, and shows what they give.
//!
//! The same for what is typed, a file, `-c` and the standard input; only who comes next differs:
//! a person at the prompt goes on after an error, a script ends at it.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use headwater::Exit;
use headwater::cli::{terminal, units};
use headwater_sql::error::{SqlError, codes, did_you_mean, explain};
use headwater_sql::session::{Outcome, RowSet, Session};
use headwater_sql::syntax::{Parsed, Statement, parse};

use super::interrupts::Interrupts;
use super::meta::{self, Meta};
use super::output::{Mode, Printer};
use super::samples::Samples;
use super::script::{Piece, alone, pieces};
use super::variables::Variables;
use super::{files, jobs, live};

/// Of a result that is drawn as a table on a terminal, so many rows are shown.
const MOST_ROWS: usize = 200;
/// Files may include files this deep.
const DEEPEST: usize = 16;

/// How the shell behaves.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// How rows are shown.
    pub(super) mode: Mode,
    /// Whether times are told.
    pub(super) timing: bool,
    /// Only results and errors are told.
    pub(super) quiet: bool,
    /// Somebody reads what is told as it comes.
    pub(super) on_terminal: bool,
    /// Errors are in colour.
    pub(super) colour: bool,
    /// Live queries end after this long.
    pub(super) live_for: Option<Duration>,
}

/// See the module documentation.
pub(super) struct Shell {
    pub(super) session: Session,
    pub(super) manner: Manner,
    pub(super) interrupts: Interrupts,
    samples: Samples,
    variables: Variables,
    out: Out,
    depth: usize,
    /// The last query that was run.
    last: Option<String>,
}

/// Where results go.
enum Out {
    Stdout,
    File(File, String),
}

/// What comes after a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next one.
    Next,
    /// Nothing: it was told to leave, or nobody reads results any more.
    Leave,
}

/// A text that could not be run; why has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed(pub(super) Exit);

impl Shell {
    pub(super) fn new(
        session: Session,
        manner: Manner,
        interrupts: Interrupts,
        variables: Variables,
    ) -> Shell {
        let samples = Samples::default();
        let out = Out::Stdout;
        Shell { session, manner, interrupts, samples, variables, out, depth: 0, last: None }
    }

    /// Makes the sample tables.
    pub(super) fn make_samples(&mut self) -> Result<(), Failed> {
        self.samples = Samples::make(&mut self.session).map_err(|e| self.failed(&e, ""))?;
        Ok(())
    }

    /// Runs a text to its end or first error.
    pub(super) fn run(&mut self, text: &str) -> Result<Flow, Failed> {
        for piece in pieces(text) {
            let flow = match piece {
                Piece::Meta(line) => self.command(&line)?,
                Piece::Statements(range) => self.statements(&alone(text, &range))?,
            };
            if flow == Flow::Leave {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn statements(&mut self, text: &str) -> Result<Flow, Failed> {
        let text = &self.variables.put_into(text).map_err(|e| self.failed(&e, text))?;
        let parsed = parse(text).map_err(|e| self.failed(&e, text))?;
        for statement in &parsed {
            if self.statement(statement, text)? == Flow::Leave {
                return Ok(Flow::Leave);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Parsed, text: &str) -> Result<Flow, Failed> {
        let started = Instant::now();
        self.interrupts.clear();
        let own = text.get(statement.span.clone()).unwrap_or(text);
        if let Statement::Query(_) = &statement.statement {
            self.last = Some(own.to_owned());
        }
        let outcome = files::declare(&mut self.session, own)
            .and_then(|()| self.samples.give_way(&mut self.session, &statement.statement))
            .and_then(|()| self.session.run(statement))
            .map_err(|e| self.failed(&e, text))?;
        match outcome {
            Outcome::Done(said) => {
                self.tell(&self.timed(said, started));
                Ok(Flow::Next)
            }
            Outcome::Text(text) => Ok(self.put(&format!("{}\n", text.trim_end_matches('\n')))),
            Outcome::Rows(rows) => self.rows(&rows, started),
            Outcome::Live(query) => live::attend(self, *query, started, text),
            Outcome::Job(job) => jobs::attend(self, *job, started, text),
        }
    }

    /// Shows a result that is there as a whole.
    fn rows(&mut self, result: &RowSet, started: Instant) -> Result<Flow, Failed> {
        let rows = concat_batches(&result.schema, &result.batches).map_err(|e| self.no_text(&e))?;
        let mode = self.manner.mode;
        let cut = mode == Mode::Table && self.draws();
        let shown = if cut { rows.slice(0, rows.num_rows().min(MOST_ROWS)) } else { rows.clone() };
        let text = Printer::whole(mode).print(&shown).map_err(|e| self.no_text(&e))?;
        let flow = self.put(&text);
        if !matches!(mode, Mode::Json | Mode::Csv) {
            let count = count_rows(rows.num_rows() as u64);
            let count = match rows.num_rows() - shown.num_rows() {
                0 => count,
                _ => format!("{MOST_ROWS} of {count} shown (all of them: \\mode csv, or \\o FILE)"),
            };
            self.tell(&self.timed(count, started));
        }
        for warning in &result.warnings {
            self.tell(&format!("warning: {warning}"));
        }
        Ok(flow)
    }

    /// Whether results are drawn on a terminal.
    pub(super) fn draws(&self) -> bool {
        self.manner.on_terminal && matches!(self.out, Out::Stdout)
    }

    /// Puts out a result.
    pub(super) fn put(&mut self, text: &str) -> Flow {
        match &mut self.out {
            Out::Stdout if terminal::print(text) => Flow::Next,
            Out::Stdout => Flow::Leave,
            Out::File(file, name) => {
                if let Err(e) = file.write_all(text.as_bytes()) {
                    eprintln!("error: cannot write to {name}: {e}; results go to the terminal");
                    self.out = Out::Stdout;
                }
                Flow::Next
            }
        }
    }

    /// Says something that is no result.
    pub(super) fn tell(&self, text: &str) {
        if !self.manner.quiet && !text.is_empty() {
            eprintln!("{text}");
        }
    }

    /// What was done, and how long it took if that is asked for.
    pub(super) fn timed(&self, said: String, started: Instant) -> String {
        if !self.manner.timing {
            return said;
        }
        format!("{said} · {}", units::duration(started.elapsed()))
    }

    /// Tells an error of a text.
    pub(super) fn failed(&self, error: &SqlError, text: &str) -> Failed {
        if error.code == codes::CANCELLED {
            eprintln!("cancelled");
        } else {
            eprintln!("{}", error.render(text, self.manner.colour));
        }
        Failed(exit(error))
    }

    /// Tells that values can't be shown.
    pub(super) fn no_text(&self, error: &ArrowError) -> Failed {
        eprintln!("error: cannot show the result: {error}");
        Failed(Exit::BUG)
    }

    fn command(&mut self, line: &str) -> Result<Flow, Failed> {
        let command = match meta::parse(line) {
            Ok(command) => command,
            Err(why) => {
                eprintln!("error: {why}");
                return Err(Failed(Exit::USAGE));
            }
        };
        match command {
            Meta::Help => Ok(self.put(&meta::help())),
            Meta::Quit => Ok(Flow::Leave),
            Meta::Tables | Meta::Describe(None) => self.statements("SHOW TABLES"),
            Meta::Functions => self.statements("SHOW FUNCTIONS"),
            Meta::Describe(Some(name)) => {
                self.statements(&format!("DESCRIBE `{}`", name.trim_matches('`')))
            }
            Meta::Timing(on) => {
                self.manner.timing = on.unwrap_or(!self.manner.timing);
                self.tell(if self.manner.timing { "timing is on" } else { "timing is off" });
                Ok(Flow::Next)
            }
            Meta::Mode(mode) => {
                self.manner.mode = mode.unwrap_or(self.manner.mode);
                self.tell(&format!("mode is {}", self.manner.mode));
                Ok(Flow::Next)
            }
            Meta::Expanded(on) => {
                let on = on.unwrap_or(self.manner.mode != Mode::Vertical);
                self.manner.mode = if on { Mode::Vertical } else { Mode::Table };
                self.tell(&format!("mode is {}", self.manner.mode));
                Ok(Flow::Next)
            }
            Meta::Include(file) => self.include(&file),
            Meta::Output(file) => self.output(file),
            Meta::Plan => {
                let text = self.last_query()?;
                self.statements(&format!("EXPLAIN {text}"))
            }
            Meta::Watch(every) => self.watch(every),
            Meta::Error(code) => match page(&code) {
                Ok(page) => Ok(self.put(&page)),
                Err(why) => {
                    eprintln!("error: {why}");
                    Err(Failed(Exit::USAGE))
                }
            },
        }
    }

    fn last_query(&self) -> Result<String, Failed> {
        self.last.clone().ok_or_else(|| {
            eprintln!("error: no query was run yet");
            Failed(Exit::USAGE)
        })
    }

    /// Runs the last query again and again until Ctrl-C.
    fn watch(&mut self, every: Duration) -> Result<Flow, Failed> {
        let text = self.last_query()?;
        loop {
            if self.statements(&text)? == Flow::Leave {
                return Ok(Flow::Leave);
            }
            let next = Instant::now() + every;
            while Instant::now() < next {
                if self.interrupts.pressed() {
                    return Ok(Flow::Next);
                }
                std::thread::sleep(Duration::from_millis(10).min(every));
            }
        }
    }

    fn include(&mut self, file: &str) -> Result<Flow, Failed> {
        let text = read_file(file)?;
        if self.depth == DEEPEST {
            eprintln!(
                "error: files include files more than {DEEPEST} deep; does {file} include itself?"
            );
            return Err(Failed(Exit::USAGE));
        }
        self.depth += 1;
        let flow = self.run(&text);
        self.depth -= 1;
        // To leave a file is not to leave the shell.
        flow.map(|_| Flow::Next)
    }

    fn output(&mut self, file: Option<String>) -> Result<Flow, Failed> {
        self.out = match file {
            None => Out::Stdout,
            Some(name) => match File::create(&name) {
                Ok(file) => Out::File(file, name),
                Err(e) => {
                    eprintln!("error: cannot write to {name}: {e}");
                    return Err(Failed(Exit::USAGE));
                }
            },
        };
        Ok(Flow::Next)
    }
}

/// `1 row`, `2 412 rows`.
pub(super) fn count_rows(rows: u64) -> String {
    format!("{} row{}", units::count(rows), if rows == 1 { "" } else { "s" })
}

/// Reads a text, or tells why not.
pub(super) fn read_file(file: &str) -> Result<String, Failed> {
    std::fs::read_to_string(file).map_err(|e| {
        eprintln!("error: cannot read {file}: {e}");
        Failed(Exit::USAGE)
    })
}

/// The exit code of an error: by what the reader does about it.
pub(super) fn exit(error: &SqlError) -> Exit {
    match error.code {
        codes::INTERNAL => Exit::BUG,
        codes::CONNECTOR => Exit::UNREACHABLE,
        codes::STATE | codes::PLAN_CHANGED => Exit::STATE,
        codes::CONFIG => Exit::USAGE,
        codes::CANCELLED => Exit::INTERRUPTED,
        code if code.starts_with("HW-R") => Exit::FAILED,
        _ => Exit::USAGE,
    }
}

/// The page of an error code.
///
/// # Errors
/// A sentence where there is no such code.
pub(super) fn page(code: &str) -> Result<String, String> {
    let Some(found) = explain(code) else {
        let nearest = did_you_mean(code, codes::CODES.iter().map(|c| c.code));
        let nearest = nearest.map(|n| format!("; {n}")).unwrap_or_default();
        return Err(format!("there is no error code {code:?}{nearest}"));
    };
    Ok(format!("{}: {}\n\n{}\n", found.code, found.title, found.page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_error_decides_how_a_script_ends() {
        let code = |code| exit(&SqlError::new(code, "x")).code();
        assert_eq!(
            [code(codes::SYNTAX), code(codes::UNKNOWN_TABLE), code(codes::BAD_OPTION)],
            [2; 3]
        );
        assert_eq!([code(codes::EVALUATION), code(codes::BAD_RECORD)], [1; 2]);
        assert_eq!(
            [code(codes::CONNECTOR), code(codes::STATE), code(codes::INTERNAL)],
            [3, 4, 101]
        );
    }

    #[test]
    fn pages_are_found_and_near_codes_named() {
        for code in codes::CODES {
            let page = page(code.code).unwrap();
            assert!(page.starts_with(&format!("{}: {}\n\n", code.code, code.title)), "{page}");
        }
        assert!(page("hw-p004").unwrap().starts_with("HW-P004: no such column\n\n"));
        assert!(page("HW-P0004").unwrap_err().contains("did you mean `HW-P00"));
        assert_eq!(page("x").unwrap_err(), "there is no error code \"x\"");
        assert_eq!((count_rows(1), count_rows(2_000)), ("1 row".into(), "2 000 rows".into()));
    }
}

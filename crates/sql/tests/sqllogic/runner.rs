//! Runs the blocks of a file.

use std::path::Path;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use headwater_runtime::{Config, RestartStrategy};
use headwater_sql::error::{SqlError, SqlResult};
use headwater_sql::rows::Chunk;
use headwater_sql::session::{LiveEvent, Outcome, Session, SessionOptions, collect};

use super::case::{Block, parse, print};

/// What became of a file.
#[derive(Default)]
pub struct Report {
    /// Statements with an answer, each counted once whatever the number of modes.
    pub queries: usize,
    /// Statements that fail, and must.
    pub errors: usize,
    /// What was not as expected, with the line.
    pub failures: Vec<String>,
}

/// Runs a file; with `accept` its expectations become what was found.
pub fn run_file(path: &Path, accept: bool) -> Report {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut blocks, after) = parse(&text);
    let dir = tempfile::tempdir().unwrap();
    let mut runner = Runner { session: session(2), dir: dir.path().display().to_string() };
    let mut report = Report::default();
    for block in &mut blocks {
        match block.head[0].as_str() {
            "query" | "changelog" | "text" => report.queries += 1,
            "error" => report.errors += 1,
            _ => {}
        }
        match runner.run(block) {
            Ok(None) => {}
            Ok(Some(found)) => {
                if block.expected.as_ref() == Some(&found) {
                    continue;
                }
                if accept {
                    block.expected = Some(found);
                    continue;
                }
                let expected = block.expected.clone().unwrap_or_default();
                report.failures.push(format!(
                    "{}: {}\nexpected:\n{}\nfound:\n{}",
                    block.line,
                    block.body,
                    expected.join("\n"),
                    found.join("\n")
                ));
            }
            Err(message) => {
                report.failures.push(format!("{}: {}\n{message}", block.line, block.body));
            }
        }
    }
    if accept {
        let new = print(&blocks, &after);
        if new != text {
            std::fs::write(path, new).unwrap();
        }
    }
    report
}

/// A session with so many workers whose jobs do not restart.
pub fn session(workers: usize) -> Session {
    let mut config = Config { workers, restart: RestartStrategy::None, ..Config::default() };
    config.checkpoints.interval = Some(Duration::from_millis(200));
    Session::new(SessionOptions {
        config,
        allow_unbounded_state: true,
        ..SessionOptions::default()
    })
    .unwrap()
}

struct Runner {
    session: Session,
    dir: String,
}

impl Runner {
    /// Runs a block and gives what it found, if that is to be compared.
    fn run(&mut self, block: &Block) -> Result<Option<Vec<String>>, String> {
        let text = block.body.replace("${DIR}", &self.dir);
        let words: Vec<&str> = block.head.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["file", name] => {
                let path = Path::new(&self.dir).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, format!("{text}\n")).unwrap();
                Ok(None)
            }
            ["statement"] => self.statement(&text).map(|()| None),
            ["error", options @ ..] => self.error(&text, options).map(Some),
            ["query", options @ ..] => self.query(&text, options).map(Some),
            ["changelog"] => self.changelog(&text).map(Some),
            ["text"] => self.text(&text).map(Some),
            ["output", name] => Ok(Some(files(&Path::new(&self.dir).join(name)))),
            other => Err(format!("no such block: {}", other.join(" "))),
        }
    }

    fn statement(&mut self, text: &str) -> Result<(), String> {
        self.statement_of(text).map_err(|e| e.render(text, false))
    }

    fn statement_of(&mut self, text: &str) -> SqlResult<()> {
        for outcome in self.session.execute(text)? {
            match outcome {
                Outcome::Job(mut job) => _ = job.wait()?,
                Outcome::Live(mut live) => _ = collect(&mut live)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn error(&mut self, text: &str, options: &[&str]) -> Result<Vec<String>, String> {
        let mode = options.iter().find(|o| ["streaming", "batch"].contains(*o));
        if let Some(mode) = mode {
            self.set_mode(mode);
        }
        let answer = self.refusal(text);
        if mode.is_some() {
            self.set_mode("automatic");
        }
        match answer {
            Ok(()) => Err("it did not fail".to_owned()),
            Err(error) => Ok(error_lines(&error, options, &self.dir)),
        }
    }

    /// Runs what should fail; what has no end is stopped when it did not fail soon.
    fn refusal(&mut self, text: &str) -> SqlResult<()> {
        let until = Instant::now() + Duration::from_secs(5);
        for outcome in self.session.execute(text)? {
            match outcome {
                Outcome::Job(mut job) if job.bounded => _ = job.wait()?,
                Outcome::Live(mut live) => {
                    while !matches!(live.next(Duration::from_millis(50)), LiveEvent::Ended) {
                        if Instant::now() > until {
                            live.stop();
                            return Ok(());
                        }
                    }
                    live.finish()?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn set_mode(&mut self, mode: &str) {
        self.session.settings_mut().set("execution.runtime-mode", mode).unwrap();
    }

    fn query(&mut self, text: &str, options: &[&str]) -> Result<Vec<String>, String> {
        let ordered = options.contains(&"ordered");
        let only = |mode| !options.contains(&mode);
        let mut answers = Vec::new();
        for mode in ["streaming", "batch"] {
            let other = if mode == "streaming" { "batch" } else { "streaming" };
            if !only(other) {
                continue;
            }
            self.set_mode(mode);
            let answer = self.answer(text).map_err(|e| format!("{mode}: {e}"));
            self.set_mode("automatic");
            let mut answer = answer?;
            if !ordered {
                answer.sort();
            }
            answers.push(answer);
        }
        match answers.as_slice() {
            [streaming, batch] if streaming != batch => {
                Err(format!("streaming:\n{}\nbatch:\n{}", streaming.join("\n"), batch.join("\n")))
            }
            _ => Ok(answers.pop().unwrap_or_default()),
        }
    }

    fn answer(&mut self, text: &str) -> Result<Vec<String>, String> {
        let run = |session: &mut Session| -> SqlResult<Vec<RecordBatch>> {
            let mut batches = Vec::new();
            for outcome in session.execute(text)? {
                match outcome {
                    Outcome::Rows(rows) => batches = rows.batches,
                    Outcome::Live(mut live) => batches = collect(&mut live)?,
                    _ => {}
                }
            }
            Ok(batches)
        };
        let batches = run(&mut self.session).map_err(|e| e.render(text, false))?;
        Ok(batches.iter().flat_map(rows).collect())
    }

    fn changelog(&mut self, text: &str) -> Result<Vec<String>, String> {
        self.set_mode("streaming");
        self.session.settings_mut().set("parallelism.default", "1").unwrap();
        let result = self.changes(text).map_err(|e| e.render(text, false));
        self.session.settings_mut().reset(Some("parallelism.default")).unwrap();
        self.set_mode("automatic");
        result
    }

    fn changes(&mut self, text: &str) -> SqlResult<Vec<String>> {
        let mut lines = Vec::new();
        for outcome in self.session.execute(text)? {
            let Outcome::Live(mut live) = outcome else { continue };
            loop {
                match live.next(Duration::from_millis(100)) {
                    LiveEvent::Rows(chunk) => lines.extend(changed(&chunk)),
                    LiveEvent::Nothing => {}
                    LiveEvent::Ended => break,
                }
            }
            live.finish()?;
        }
        Ok(lines)
    }

    fn text(&mut self, text: &str) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        for outcome in self.session.execute(text).map_err(|e| e.render(text, false))? {
            let said = match outcome {
                Outcome::Text(said) | Outcome::Done(said) => said,
                Outcome::Rows(found) => {
                    found.batches.iter().flat_map(rows).collect::<Vec<_>>().join("\n")
                }
                _ => String::new(),
            };
            let said = said.replace(&self.dir, "${DIR}");
            lines.extend(said.lines().filter(|l| !l.is_empty()).map(str::to_owned));
        }
        Ok(lines)
    }
}

fn error_lines(error: &SqlError, options: &[&str], dir: &str) -> Vec<String> {
    let mut lines = vec![format!("{} {}", error.code, without_ids(&error.message))];
    if options.contains(&"help") || options.contains(&"label") {
        lines.extend(error.label.iter().map(|l| format!("label: {l}")));
    }
    if options.contains(&"help") {
        lines.extend(error.help.iter().map(|h| format!("help: {h}")));
    }
    let lines = lines.iter().flat_map(|l| l.lines().map(|l| l.replace(dir, "${DIR}")));
    lines.filter(|l| !l.is_empty()).collect()
}

/// A message without the numbers of operators, which say nothing and change with the plan.
fn without_ids(message: &str) -> String {
    let part = |part: &str| match part.rsplit_once('-') {
        Some((name, id)) if id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name.to_owned()
        }
        _ => part.to_owned(),
    };
    message.split('"').map(part).collect::<Vec<_>>().join("\"")
}

fn changed(chunk: &Chunk) -> Vec<String> {
    let rows = rows(&chunk.data);
    rows.into_iter().enumerate().map(|(i, row)| format!("{} {row}", chunk.kind(i))).collect()
}

/// Each row as a line.
pub fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap())
        .collect();
    let row = |i: usize| {
        let values: Vec<String> = columns.iter().map(|c| c.value(i).to_string()).collect();
        values.join(" | ")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The lines of all files in a folder and below, sorted; hidden ones are the sink's own.
fn files(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return lines };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(['.', '_']) {
            continue;
        }
        if path.is_dir() {
            lines.extend(files(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines.sort();
    lines
}

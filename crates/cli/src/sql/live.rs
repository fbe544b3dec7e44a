//! A query whose rows come as its input does, until it ends or Ctrl-C ends it.
//!
//! On a terminal a table is drawn in place: the answer as it is by now, and a status line. Anywhere
//! else, and in other modes, each piece is printed as it comes. When nothing has come for three
//! seconds it says why, and again when the reason changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::error::ArrowError;
use headwater::MetricsSnapshot;
use headwater_sql::connectors::ChangelogMode;
use headwater_sql::rows::Chunk;
use headwater_sql::session::{LiveEvent, LiveQuery};

use super::fold::Folded;
use super::output::{Cells, Mode, Printer, box_table, frame_table, with_ops};
use super::shell::{Failed, Flow, Shell, count_rows};
use super::silence::{Silence, fold_words};
use super::tty::{self, Hush};
use super::why;
use crate::inline::{self, Inline, dim, wrap};
use crate::status::{Pace, Status, now};

/// How often the screen is drawn.
const TICK: Duration = Duration::from_millis(200);
/// A frame is not higher, however high the terminal is.
const MOST_LINES: usize = 40;
/// Lines of a frame that are no rows: borders, header, status and reason.
const OTHER_LINES: usize = 10;

/// What is shown of a query.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum View {
    InPlace { folded: Folded, inline: Inline },
    Pieces { printer: Printer, ops: bool },
}

/// A query that is attended.
struct Attended<'a> {
    shell: &'a mut Shell,
    view: View,
    /// Rows that came.
    rows: u64,
    silence: Silence,
    pace: Pace,
    closed: bool,
}

/// Shows what a query gives until it ends.
pub(super) fn attend(
    shell: &mut Shell,
    mut query: LiveQuery,
    started: Instant,
    text: &str,
) -> Result<Flow, Failed> {
    for warning in &query.warnings {
        shell.tell(&format!("warning: {warning}"));
    }
    if shell.draws() {
        let updates = query.changelog != ChangelogMode::Append;
        let other = if updates && shell.manner.mode != Mode::Changelog {
            "; \\mode changelog shows +I -U +U -D"
        } else {
            ""
        };
        let until = match query.rows_left() {
            Some(rows) => format!("until {} are there, or Ctrl-C", count_rows(rows)),
            None => "until Ctrl-C".to_owned(),
        };
        shell.tell(&format!("(live: updates {until}{other})"));
    }
    let _hush = shell.draws().then(Hush::new);
    let view = View::new(shell, &query).map_err(|e| shell.no_text(&e))?;
    let mut attended = Attended {
        shell,
        view,
        rows: 0,
        silence: Silence::default(),
        pace: Pace::default(),
        closed: false,
    };
    let stopped = attended.watch(&mut query, started)?;
    attended.conclude(&mut query, started, stopped, text)
}

impl View {
    fn new(shell: &Shell, query: &LiveQuery) -> Result<View, ArrowError> {
        if shell.draws() && shell.manner.mode == Mode::Table {
            let folded = Folded::new(Arc::clone(&query.schema), &query.changelog)?;
            return Ok(View::InPlace { folded, inline: Inline::default() });
        }
        let mode = shell.manner.mode;
        let ops = query.changelog != ChangelogMode::Append || mode == Mode::Changelog;
        Ok(View::Pieces { printer: Printer::growing(mode), ops })
    }
}

impl Attended<'_> {
    /// Shows what comes until nothing comes any more; tells whether it was stopped.
    fn watch(&mut self, query: &mut LiveQuery, started: Instant) -> Result<bool, Failed> {
        let mut stopped = false;
        loop {
            let until = Instant::now() + TICK;
            let ended = self.gather(query, until)?;
            let over = self.shell.manner.live_for.is_some_and(|most| started.elapsed() >= most);
            if !stopped && (self.closed || over || self.shell.interrupts.pressed()) {
                stopped = true;
                query.stop();
            }
            if ended {
                return Ok(stopped);
            }
            let metrics = query.job().metrics();
            if !stopped {
                self.explain_silence(query, &metrics);
            }
            self.draw(&metrics)?;
        }
    }

    /// Takes what comes until a moment; tells whether it was the last.
    fn gather(&mut self, query: &mut LiveQuery, until: Instant) -> Result<bool, Failed> {
        loop {
            match query.next(until.saturating_duration_since(Instant::now())) {
                LiveEvent::Rows(chunk) => self.take(&chunk)?,
                LiveEvent::Nothing => return Ok(false),
                LiveEvent::Ended => return Ok(true),
            }
            // Where rows come without a pause there is always something.
            if Instant::now() >= until || self.shell.interrupts.pressed() {
                return Ok(false);
            }
        }
    }

    fn take(&mut self, chunk: &Chunk) -> Result<(), Failed> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.rows += chunk.len() as u64;
        self.silence.ends();
        if self.closed {
            return Ok(());
        }
        let text = match &mut self.view {
            View::InPlace { folded, .. } => folded.take(chunk).map(|()| None),
            View::Pieces { printer, ops: true } => {
                with_ops(chunk).and_then(|rows| printer.print(&rows)).map(Some)
            }
            View::Pieces { printer, ops: false } => printer.print(&chunk.data).map(Some),
        };
        match text {
            Ok(Some(text)) => self.closed = self.shell.put(&text) == Flow::Leave,
            Ok(None) => {}
            Err(e) => return Err(self.shell.no_text(&e)),
        }
        Ok(())
    }

    /// Notes why nothing has come for a while, and tells it whenever the reason changes.
    fn explain_silence(&mut self, query: &LiveQuery, metrics: &MetricsSnapshot) {
        let changed = self.silence.lasts(&query.splits, metrics);
        if changed && matches!(self.view, View::Pieces { .. }) {
            self.shell.tell(&self.silence.sentence(self.rows).unwrap_or_default());
        }
    }

    fn draw(&mut self, metrics: &MetricsSnapshot) -> Result<(), Failed> {
        let (input, output) = self.pace.rates(why::read(metrics), self.rows);
        let View::InPlace { folded, inline } = &mut self.view else { return Ok(()) };
        let status = Status {
            rows: if folded.changes() { folded.len() as u64 } else { self.rows },
            watermark: why::watermark(metrics),
            now: now(),
            input_per_second: input,
            output_per_second: output,
            checkpoints: None,
        };
        let width = inline::columns();
        let most = tty::lines().min(MOST_LINES).saturating_sub(OTHER_LINES).max(3);
        let cells = folded.rows(most).and_then(|rows| Cells::of(&rows));
        let cells = cells.map_err(|e| self.shell.no_text(&e))?;
        let mut frame =
            if cells.rows.is_empty() { String::new() } else { frame_table(&cells, width) };
        for line in wrap(&status.line(), width) {
            frame.push_str(&format!("{}\n", dim(&line, self.shell.manner.colour)));
        }
        if let Some(why) = self.silence.sentence(self.rows) {
            for line in fold_words(&why, width) {
                frame.push_str(&format!("{line}\n"));
            }
        }
        self.closed |= !inline.draw(&frame);
        Ok(())
    }

    /// The last frame, or all rows of a query that came to its end; then how it ended.
    fn conclude(
        mut self,
        query: &mut LiveQuery,
        started: Instant,
        stopped: bool,
        text: &str,
    ) -> Result<Flow, Failed> {
        self.silence.ends();
        let mut shown = String::new();
        if let View::InPlace { folded, inline } = &mut self.view {
            let whole = folded.len() as u64 == self.rows || folded.changes();
            if !stopped && whole && folded.len() > 0 {
                let rows = folded.all().and_then(|rows| box_table(&Cells::of(&rows)?, None));
                let rows = rows.map_err(|e| self.shell.no_text(&e))?;
                self.closed |= !inline.draw(&rows);
            } else {
                if !whole {
                    let kept = folded.len();
                    shown = format!(
                        " (the newest {kept} were kept; all of them: \\mode csv, or \\o FILE)"
                    );
                }
                let metrics = query.job().metrics();
                self.draw(&metrics)?;
            }
        }
        let rows = match &self.view {
            View::InPlace { folded, .. } if folded.changes() => folded.len() as u64,
            _ => self.rows,
        };
        query.finish().map_err(|e| self.shell.failed(&e, text))?;
        if query.restarts() > 0 {
            let text = "warning: the query failed and began again; rows may have come twice";
            self.shell.tell(text);
        }
        if !matches!(self.shell.manner.mode, Mode::Json | Mode::Csv) {
            let how = if stopped { ", stopped" } else { "" };
            let line = format!("{}{shown}{how}", count_rows(rows));
            self.shell.tell(&self.shell.timed(line, started));
        }
        self.shell.interrupts.clear();
        Ok(if self.closed { Flow::Leave } else { Flow::Next })
    }
}

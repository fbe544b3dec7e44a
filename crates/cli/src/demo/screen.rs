//! Where the demo's rankings are shown: drawn in place on a terminal, else as lines or JSON lines.
//!
//! Rows go to the standard output; notes go to the standard error, except on a terminal that is
//! drawn in place, where they are part of the frame.

use headwater::cli::terminal;
use serde::Serialize;

use super::frame::{dollars, table};
use super::job::Ranking;
use super::why::Why;
use crate::inline::{self, Inline, dim, wrap};
use crate::status::{Status, clock};

/// How rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// A table on a terminal, plain lines elsewhere
    Table,
    /// One JSON object per row
    Json,
}

/// See the module documentation.
pub(super) struct Screen {
    mode: Mode,
    quiet: bool,
    rows: u64,
}

enum Mode {
    Live { latest: Option<Ranking>, note: Option<String>, inline: Inline, colour: bool },
    Lines,
    Json,
}

/// A row as JSON.
#[derive(Serialize)]
struct Row {
    window_start: String,
    window_end: String,
    place: usize,
    auction: u64,
    bids: u64,
    top_price_cents: u64,
}

impl Screen {
    pub(super) fn new(output: Output, quiet: bool) -> Screen {
        let stdout = std::io::stdout();
        let mode = match output {
            Output::Json => Mode::Json,
            Output::Table if terminal::can_redraw(&stdout) => {
                let colour = terminal::colour(&stdout);
                Mode::Live { latest: None, note: None, inline: Inline::default(), colour }
            }
            Output::Table => Mode::Lines,
        };
        Screen { mode, quiet, rows: 0 }
    }

    /// Rows shown so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Shows a ranking; false when nobody reads it any more.
    pub(super) fn ranking(&mut self, ranking: Ranking) -> bool {
        self.rows += ranking.lots.len() as u64;
        match &mut self.mode {
            Mode::Live { latest, .. } => {
                // Rankings come from all workers, so not always in order.
                if latest.as_ref().is_none_or(|l| l.window.end <= ranking.window.end) {
                    *latest = Some(ranking);
                }
                true
            }
            Mode::Lines => terminal::print(&plain(&ranking)),
            Mode::Json => terminal::print(&json(&ranking)),
        }
    }

    /// Says something that is no result.
    pub(super) fn note(&mut self, text: &str) {
        match &mut self.mode {
            Mode::Live { note, .. } => *note = Some(text.to_owned()),
            _ if self.quiet => {}
            _ => eprintln!("{text}"),
        }
    }

    /// Says why nothing is shown; a frame shows it by itself.
    pub(super) fn explain(&mut self, why: &Why) {
        if !matches!(self.mode, Mode::Live { .. }) {
            self.note(&silence(self.rows, why));
        }
    }

    /// Draws the frame again; false when nobody sees it any more.
    pub(super) fn draw(&mut self, status: &Status, why: Option<&Why>) -> bool {
        let Mode::Live { latest, note, inline, colour } = &mut self.mode else { return true };
        let width = inline::columns();
        let mut frame = latest.as_ref().map(table).unwrap_or_default();
        for line in wrap(&status.line(), width) {
            frame.push_str(&format!("{}\n", dim(&line, *colour)));
        }
        for line in why.map(|why| silence(self.rows, why)).iter().chain(note.as_ref()) {
            for line in wrap(line, width) {
                frame.push_str(&format!("{line}\n"));
            }
        }
        inline.draw(&frame)
    }

    /// The last frame stays; what follows comes below it.
    pub(super) fn close(&mut self) {
        if let Mode::Live { inline, .. } = &mut self.mode {
            inline.close();
        }
    }
}

fn silence(rows: u64, why: &Why) -> String {
    match rows {
        0 => format!("no result yet: {why}"),
        _ => format!("no new result: {why}"),
    }
}

fn plain(ranking: &Ranking) -> String {
    let (start, end) = (clock(ranking.window.start), clock(ranking.window.end));
    let line = |(place, lot): (usize, &super::job::Lot)| {
        let price = dollars(lot.top_cents);
        format!(
            "{start} to {end}  place {place:>2}  auction {}  bids {}  top {price}\n",
            lot.auction, lot.bids
        )
    };
    (1..).zip(&ranking.lots).map(line).collect()
}

fn json(ranking: &Ranking) -> String {
    let line = |(place, lot): (usize, &super::job::Lot)| {
        let row = Row {
            window_start: ranking.window.start.to_string(),
            window_end: ranking.window.end.to_string(),
            place,
            auction: lot.auction,
            bids: lot.bids,
            top_price_cents: lot.top_cents,
        };
        // Numbers and texts always have a JSON form.
        serde_json::to_string(&row).unwrap_or_default() + "\n"
    };
    (1..).zip(&ranking.lots).map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use headwater::EventTime;
    use headwater::window::Window;

    use super::*;
    use crate::demo::job::Lot;

    #[test]
    fn silence_is_explained() {
        let why = Why::NoInput;
        let reason = "source \"auction house\" has given no event";
        assert_eq!(silence(0, &why), format!("no result yet: {reason}"));
        assert_eq!(silence(9, &why), format!("no new result: {reason}"));
    }

    #[test]
    fn rows_are_lines() {
        let start = EventTime(1_700_000_000_000);
        let ranking = Ranking {
            window: Window::new(start, start + Duration::from_secs(5)),
            lots: vec![
                Lot { auction: 12_300, bids: 461, top_cents: 99_841 },
                Lot { auction: 9, bids: 4, top_cents: 5 },
            ],
        };
        expect![[r#"
            22:13:20.000 to 22:13:25.000  place  1  auction 12300  bids 461  top 998.41
            22:13:20.000 to 22:13:25.000  place  2  auction 9  bids 4  top 0.05
        "#]]
        .assert_eq(&plain(&ranking));
        expect![[r#"
            {"window_start":"2023-11-14T22:13:20.000Z","window_end":"2023-11-14T22:13:25.000Z","place":1,"auction":12300,"bids":461,"top_price_cents":99841}
            {"window_start":"2023-11-14T22:13:20.000Z","window_end":"2023-11-14T22:13:25.000Z","place":2,"auction":9,"bids":4,"top_price_cents":5}
        "#]].assert_eq(&json(&ranking));
    }
}

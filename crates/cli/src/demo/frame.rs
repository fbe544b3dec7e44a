//! What a terminal shows of the demo at one moment: the hottest auctions and a status line.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use headwater::cli::units;
use headwater::{CheckpointStats, EventTime, ProcessingTime};

use super::job::Ranking;

/// The numbers of the status line.
#[derive(Clone, Debug)]
pub(super) struct Status {
    /// Rows shown so far.
    pub(super) rows: u64,
    /// The watermark of the windows.
    pub(super) watermark: EventTime,
    /// The time on the wall.
    pub(super) now: ProcessingTime,
    /// Events read per second.
    pub(super) input_per_second: f64,
    /// Window results per second.
    pub(super) output_per_second: f64,
    /// The checkpoints so far.
    pub(super) checkpoints: CheckpointStats,
}

impl Status {
    /// The status as one line.
    pub(super) fn line(&self) -> String {
        let lag = self.now.0.saturating_sub(self.watermark.0).max(0) as f64 / 1e3;
        let watermark = match self.watermark {
            EventTime::MIN => "watermark none yet".to_owned(),
            at => format!("watermark {} ({lag:.1} s behind)", clock(at)),
        };
        let c = &self.checkpoints;
        let checkpoint = match (c.completed, c.failed) {
            (0, 0) => "no checkpoint yet".to_owned(),
            (_, failed) => {
                let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
                let size = units::bytes(c.last_bytes);
                let took = units::duration(c.last_duration);
                format!("checkpoint {} ok{failed}, {size}, {took}", c.last_epoch)
            }
        };
        format!(
            "{} rows · {watermark} · in {} · out {} · {checkpoint}",
            units::count(self.rows),
            units::rate(self.input_per_second),
            units::rate(self.output_per_second)
        )
    }
}

/// The table of a ranking, under a line that names its window.
pub(super) fn table(ranking: &Ranking) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["place", "auction", "bids", "top price"]);
    for (place, lot) in (1..).zip(&ranking.lots) {
        let (bids, price) = (units::count(lot.bids), dollars(lot.top_cents));
        table.add_row([place.to_string(), lot.auction.to_string(), bids, price]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let (start, end) = (clock(ranking.window.start), clock(ranking.window.end));
    format!("bids from {start} to {end}\n{table}\n")
}

/// The time of day in UTC, to the millisecond.
pub(super) fn clock(at: EventTime) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((_date, time)) => time.trim_end_matches('Z').to_owned(),
        None => text,
    }
}

/// Cents as an amount: `9 984.12`.
pub(super) fn dollars(cents: u64) -> String {
    format!("{}.{:02}", units::count(cents / 100), cents % 100)
}

/// A line in as many lines of up to `width` characters as it takes, broken at its dots; a part that
/// is longer is cut.
pub(super) fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in line.split(" · ") {
        let part: String = part.chars().take(width).collect();
        match lines.last_mut() {
            Some(last) if last.chars().count() + 3 + part.chars().count() <= width => {
                last.push_str(" · ");
                last.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use headwater::Epoch;
    use headwater::window::Window;

    use super::*;
    use crate::demo::job::Lot;

    #[test]
    fn a_ranking_is_a_table() {
        let start = EventTime(1_700_000_000_000);
        let lot = |auction, bids, top_cents| Lot { auction, bids, top_cents };
        let ranking = Ranking {
            window: Window::new(start, start + Duration::from_secs(5)),
            lots: vec![lot(12_300, 46_118, 99_841_205), lot(12_204, 17, 1)],
        };
        expect![[r#"
            bids from 22:13:20.000 to 22:13:25.000
            ┌───────┬─────────┬────────┬────────────┐
            │ place ┆ auction ┆   bids ┆  top price │
            ╞═══════╪═════════╪════════╪════════════╡
            │     1 ┆   12300 ┆ 46 118 ┆ 998 412.05 │
            │     2 ┆   12204 ┆     17 ┆       0.01 │
            └───────┴─────────┴────────┴────────────┘
        "#]]
        .assert_eq(&table(&ranking));
    }

    #[test]
    fn the_status_is_a_line() {
        let mut status = Status {
            rows: 28,
            watermark: EventTime(1_700_000_000_250),
            now: ProcessingTime(1_700_000_001_300),
            input_per_second: 201_300.0,
            output_per_second: 12.0,
            checkpoints: CheckpointStats {
                completed: 3,
                last_epoch: Epoch(3),
                last_bytes: 41_000,
                last_duration: Duration::from_millis(9),
                ..CheckpointStats::default()
            },
        };
        expect!["28 rows · watermark 22:13:20.250 (1.1 s behind) · in 201 k/s · out 12/s · checkpoint 3 ok, 41 kB, 9 ms"].assert_eq(&status.line());
        status.checkpoints = CheckpointStats::default();
        status.watermark = EventTime::MIN;
        expect!["28 rows · watermark none yet · in 201 k/s · out 12/s · no checkpoint yet"]
            .assert_eq(&status.line());
        status.checkpoints.failed = 2;
        assert!(status.line().contains("2 failed"));
    }

    #[test]
    fn lines_are_wrapped_at_their_dots() {
        assert_eq!(wrap("ab · cd · ef", 7), ["ab · cd", "ef"]);
        assert_eq!(wrap("ab · cd · ef", 6), ["ab", "cd", "ef"]);
        assert_eq!(wrap("äöü", 2), ["äö"]);
        assert_eq!((clock(EventTime::MIN), dollars(7)), ("none".to_owned(), "0.07".to_owned()));
    }
}

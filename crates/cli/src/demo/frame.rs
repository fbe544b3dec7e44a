//! What a terminal shows of the demo at one moment: the hottest auctions.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use headwater::cli::units;

use super::job::Ranking;
use crate::status::clock;

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

/// Cents as an amount: `9 984.12`.
pub(super) fn dollars(cents: u64) -> String {
    format!("{}.{:02}", units::count(cents / 100), cents % 100)
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
    fn cents_are_cents() {
        assert_eq!(dollars(7), "0.07");
    }
}

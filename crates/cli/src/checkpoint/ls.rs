//! `headwater checkpoint ls`: one line per checkpoint.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use headwater::cli::units;
use headwater_checkpoint::inspect::{CheckpointSummary, Listing};
use headwater_checkpoint::{Location, ManifestKind};
use serde_json::{Value, json};

/// The name of a kind of manifest.
pub(super) fn kind(kind: ManifestKind) -> &'static str {
    match kind {
        ManifestKind::AttemptStart => "attempt start",
        ManifestKind::Checkpoint => "checkpoint",
    }
}

/// The list for people; a damaged entry says so in its place.
pub(super) fn table(all: &[Listing]) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["seq", "kind", "epoch", "written", "size", "files", "entries", ""]);
    for listing in all {
        match &listing.checkpoint {
            Ok(c) => table.add_row(row(c)),
            Err(_) => table.add_row([listing.seq.to_string(), "DAMAGED".to_owned()]),
        };
    }
    for number in [0, 2, 4, 5, 6] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let damaged = all.iter().filter_map(|listing| listing.checkpoint.as_ref().err());
    let damaged: String = damaged.map(|e| format!("damaged: {e}\n")).collect();
    format!("{table}\n{damaged}")
}

fn row(c: &CheckpointSummary) -> Vec<String> {
    vec![
        c.seq.to_string(),
        kind(c.kind).to_owned(),
        c.epoch.to_string(),
        c.created.as_event_time().to_string(),
        units::bytes(c.bytes),
        c.segments.to_string(),
        units::count(c.entries),
        if c.finished { "finished".to_owned() } else { String::new() },
    ]
}

/// The list for programs.
pub(super) fn json(location: &Location, all: &[Listing]) -> Value {
    let entry = |listing: &Listing| match &listing.checkpoint {
        Ok(c) => json!({
            "seq": c.seq,
            "attempt": c.attempt,
            "kind": c.kind,
            "epoch": c.epoch,
            "created": c.created.as_event_time().to_string(),
            "finished": c.finished,
            "bytes": c.bytes,
            "segments": c.segments,
            "entries": c.entries,
        }),
        Err(e) => json!({ "seq": listing.seq, "damaged": e.to_string() }),
    };
    let checkpoints: Vec<Value> = all.iter().map(entry).collect();
    json!({ "location": location.to_string(), "checkpoints": checkpoints })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use headwater::{Epoch, Error, ProcessingTime};

    use super::*;

    fn listings() -> Vec<Listing> {
        let checkpoint = CheckpointSummary {
            seq: 12,
            attempt: 3,
            kind: ManifestKind::Checkpoint,
            epoch: Epoch(9),
            created: ProcessingTime(1_700_000_000_250),
            finished: true,
            bytes: 52_000,
            segments: 4,
            entries: 1_234,
        };
        let damaged = Error::state("manifest \"x/11.json\" is damaged (bytes 0..40)");
        vec![
            Listing { seq: 12, checkpoint: Ok(checkpoint) },
            Listing { seq: 11, checkpoint: Err(damaged) },
        ]
    }

    #[test]
    fn damage_is_part_of_the_list() {
        expect![[r#"
            ┌─────┬────────────┬───────┬──────────────────────────┬───────┬───────┬─────────┬──────────┐
            │ seq ┆ kind       ┆ epoch ┆ written                  ┆  size ┆ files ┆ entries ┆          │
            ╞═════╪════════════╪═══════╪══════════════════════════╪═══════╪═══════╪═════════╪══════════╡
            │  12 ┆ checkpoint ┆     9 ┆ 2023-11-14T22:13:20.250Z ┆ 52 kB ┆     4 ┆   1 234 ┆ finished │
            │  11 ┆ DAMAGED    ┆       ┆                          ┆       ┆       ┆         ┆          │
            └─────┴────────────┴───────┴──────────────────────────┴───────┴───────┴─────────┴──────────┘
            damaged: manifest "x/11.json" is damaged (bytes 0..40)
        "#]].assert_eq(&table(&listings()));
        let json = json(&Location::memory().unwrap(), &listings());
        expect![[r#"
            {
              "checkpoints": [
                {
                  "attempt": 3,
                  "bytes": 52000,
                  "created": "2023-11-14T22:13:20.250Z",
                  "entries": 1234,
                  "epoch": 9,
                  "finished": true,
                  "kind": "checkpoint",
                  "segments": 4,
                  "seq": 12
                },
                {
                  "damaged": "manifest \"x/11.json\" is damaged (bytes 0..40)",
                  "seq": 11
                }
              ],
              "location": "memory:"
            }"#]]
        .assert_eq(&format!("{json:#}"));
    }
}

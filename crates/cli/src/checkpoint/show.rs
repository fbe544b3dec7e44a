//! `headwater checkpoint show`: what is in one checkpoint.
//!
//! Positions of sources and committables of sinks are opaque here: only their number and size are
//! shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use headwater::cli::units;
use headwater_checkpoint::Manifest;
use headwater_checkpoint::inspect::CheckpointDetail;
use serde_json::{Value, json};

use super::ls::kind;

/// The checkpoint for people.
pub(super) fn text(detail: &CheckpointDetail) -> String {
    let m = &detail.manifest;
    let mut text = String::new();
    let finished = if m.finished { ", the job had finished" } else { "" };
    let bytes = m.segments.iter().map(|s| s.bytes).sum();
    let entries = m.segments.iter().map(|s| s.entries).sum();
    for (key, value) in [
        ("job", m.job.clone()),
        ("checkpoint", format!("{} ({}), epoch {}{finished}", m.seq, kind(m.kind), m.epoch)),
        ("written", m.created.as_event_time().to_string()),
        ("by attempt", format!("{} ({})", m.attempt, m.incarnation)),
        ("workers", format!("{}, {} key groups", m.workers, m.max_parallelism)),
        ("files", format!("{}, {}", m.segments.len(), units::bytes(bytes))),
        ("entries", format!("{}, replaced and removed ones included", units::count(entries))),
    ] {
        let _ = writeln!(text, "{key:<11} {value}");
    }
    if !detail.states.is_empty() {
        let _ = writeln!(text, "\nkeyed states\n{}", states(detail));
    }
    let _ = writeln!(text, "\nsteps\n{}", steps(m));
    text
}

fn states(detail: &CheckpointDetail) -> Table {
    let mut table = table(&["step", "state", "entries", "size", "key groups"]);
    for s in &detail.states {
        table.add_row([
            s.operator.clone(),
            s.name.clone(),
            units::count(s.entries),
            units::bytes(s.bytes),
            s.key_groups.to_string(),
        ]);
    }
    align(&mut table, 2);
    table
}

const TOTALS: [&str; 6] =
    ["records_in", "records_out", "filtered", "late", "dead_lettered", "dropped"];

fn steps(m: &Manifest) -> Table {
    let header = ["step", "in", "out", "filtered", "late", "dead-lettered", "dropped", "own state"];
    let mut table = table(&header);
    // Dead letters have totals without being a step of the topology.
    let counted = m.counters.keys().filter_map(|key| Some(key.rsplit_once('/')?.0));
    let others: BTreeSet<&str> =
        counted.filter(|step| !m.topology.iter().any(|name| name == step)).collect();
    for step in m.topology.iter().map(String::as_str).chain(others) {
        let total = |name| m.counters.get(&format!("{step}/{name}")).copied().unwrap_or(0);
        let parts = [&m.operators, &m.sinks].map(|of| of.get(step).map_or((0, 0), |p| size(p)));
        let (count, bytes) = (parts[0].0 + parts[1].0, parts[0].1 + parts[1].1);
        let own = match count {
            0 => String::new(),
            parts => format!("{parts} × {}", units::bytes(bytes / parts)),
        };
        let totals = TOTALS.map(|name| units::count(total(name)));
        table.add_row(std::iter::once(step.to_owned()).chain(totals).chain([own]));
    }
    align(&mut table, 1);
    table
}

fn size(parts: &[Vec<u8>]) -> (u64, u64) {
    (parts.len() as u64, parts.iter().map(|p| p.len() as u64).sum())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(header.to_vec());
    table
}

/// Aligns all columns but the first `left` ones to the right.
fn align(table: &mut Table, left: usize) {
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// The checkpoint for programs.
pub(super) fn json(detail: &CheckpointDetail) -> Value {
    let m = &detail.manifest;
    let states: Vec<Value> = detail
        .states
        .iter()
        .map(|s| {
            json!({
                "operator": s.operator,
                "name": s.name,
                "entries": s.entries,
                "bytes": s.bytes,
                "key_groups": s.key_groups,
                "schema": s.info.as_ref().map(|i| json!({
                    "key": i.key_schema, "namespace": i.namespace_schema, "value": i.value_schema,
                })),
            })
        })
        .collect();
    let parts = |of: &BTreeMap<String, Vec<Vec<u8>>>| -> BTreeMap<String, Value> {
        let entry = |(uid, parts): (&String, &Vec<Vec<u8>>)| {
            let (count, bytes) = size(parts);
            (uid.clone(), json!({ "parts": count, "bytes": bytes }))
        };
        of.iter().map(entry).collect()
    };
    json!({
        "job": m.job,
        "seq": m.seq,
        "attempt": m.attempt,
        "incarnation": m.incarnation,
        "kind": m.kind,
        "epoch": m.epoch,
        "created": m.created.as_event_time().to_string(),
        "finished": m.finished,
        "visible": m.visible,
        "max_parallelism": m.max_parallelism,
        "workers": m.workers,
        "topology": m.topology,
        "states": states,
        "operators": parts(&m.operators),
        "sinks": parts(&m.sinks),
        "counters": m.counters,
        "segments": m.segments,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use headwater::{Epoch, ProcessingTime};
    use headwater_checkpoint::inspect::StateDetail;

    use super::*;

    #[test]
    fn a_checkpoint_is_told_step_by_step() {
        let mut m = Manifest::empty("orders", 1024);
        (m.seq, m.attempt, m.epoch, m.workers) = (42, 40, Epoch(7), 2);
        m.incarnation = "host-1".into();
        m.created = ProcessingTime(1_700_000_000_250);
        m.topology = vec!["orders".into(), "counts".into()];
        m.operators.insert("orders".into(), vec![vec![0; 10], vec![0; 30]]);
        for (key, value) in
            [("orders/records_in", 1_000), ("counts/late", 3), ("dead-letters/records_in", 2)]
        {
            m.counters.insert(key.into(), value);
        }
        let state = StateDetail {
            operator: "counts".into(),
            name: "windows".into(),
            info: None,
            entries: 1_500,
            bytes: 41_000,
            key_groups: 900,
        };
        let detail = CheckpointDetail { manifest: m, states: vec![state] };
        expect![[r#"
            job         orders
            checkpoint  42 (checkpoint), epoch 7
            written     2023-11-14T22:13:20.250Z
            by attempt  40 (host-1)
            workers     2, 1024 key groups
            files       0, 0 B
            entries     0, replaced and removed ones included

            keyed states
            ┌────────┬─────────┬─────────┬───────┬────────────┐
            │ step   ┆ state   ┆ entries ┆  size ┆ key groups │
            ╞════════╪═════════╪═════════╪═══════╪════════════╡
            │ counts ┆ windows ┆   1 500 ┆ 41 kB ┆        900 │
            └────────┴─────────┴─────────┴───────┴────────────┘

            steps
            ┌──────────────┬───────┬─────┬──────────┬──────┬───────────────┬─────────┬───────────┐
            │ step         ┆    in ┆ out ┆ filtered ┆ late ┆ dead-lettered ┆ dropped ┆ own state │
            ╞══════════════╪═══════╪═════╪══════════╪══════╪═══════════════╪═════════╪═══════════╡
            │ orders       ┆ 1 000 ┆   0 ┆        0 ┆    0 ┆             0 ┆       0 ┆  2 × 20 B │
            │ counts       ┆     0 ┆   0 ┆        0 ┆    3 ┆             0 ┆       0 ┆           │
            │ dead-letters ┆     2 ┆   0 ┆        0 ┆    0 ┆             0 ┆       0 ┆           │
            └──────────────┴───────┴─────┴──────────┴──────┴───────────────┴─────────┴───────────┘
        "#]]
        .assert_eq(&text(&detail));
        let json = json(&detail);
        assert_eq!(json["operators"]["orders"], json!({ "parts": 2, "bytes": 40 }));
        assert_eq!(json["states"][0]["entries"], 1_500);
    }
}

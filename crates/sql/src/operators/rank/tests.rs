//! Examples, and naive models: after every batch the folded changelog is the ranking of the rows
//! that are there.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::operators::testing::{Driver, chunk, fold, init, int, schema, text, time};
use crate::operators::window::Clock;

fn spec(from: u64, to: u64, emit_rank: bool) -> TopNSpec {
    let fields = [int("k"), int("v"), text("s"), time("we")];
    let rank = emit_rank.then(|| int("rank"));
    let output: Vec<_> = fields.iter().cloned().chain(rank).collect();
    TopNSpec {
        input: schema(&fields),
        keys: vec![0],
        order: vec![SortColumn { column: 1, descending: true, nulls_first: false }],
        from,
        to,
        emit_rank,
        output: schema(&output),
        emit_update_before: true,
        ttl: None,
        window_end: None,
    }
}

#[derive(Clone, Debug)]
struct Row {
    k: i64,
    v: i64,
    s: String,
}

impl Row {
    fn text(&self) -> String {
        format!("{} {} {} NULL", self.k, self.v, self.s)
    }
}

fn naive(spec: &TopNSpec, there: &[Row], by_value: bool) -> Vec<String> {
    let mut keys: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    there.iter().for_each(|row| keys.entry(row.k).or_default().push(row));
    let mut out = Vec::new();
    for rows in keys.values_mut() {
        if by_value {
            rows.sort_by_key(|row| row.s.clone());
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.v));
        for (rank, row) in (1u64..).zip(rows.iter()) {
            if (spec.from..=spec.to).contains(&rank) {
                let rank = if spec.emit_rank { format!(" {rank}") } else { String::new() };
                out.push(format!("{}{rank}", row.text()));
            }
        }
    }
    out.sort();
    out
}

fn rows() -> impl Strategy<Value = Vec<(Row, Option<prop::sample::Index>)>> {
    let row = (0i64..3, 0i64..6, "[a-c]").prop_map(|(k, v, s)| Row { k, v, s });
    prop::collection::vec((row, prop::option::weighted(0.4, any::<prop::sample::Index>())), 1..60)
}

proptest! {
    #[test]
    fn the_first_rows_of_each_key(
        rows in rows(), batch in 1usize..9, from in 1u64..3, more in 0u64..4,
        emit_rank: bool, retract: bool,
    ) {
        let spec = spec(from, from + more, emit_rank);
        let (mut there, mut changes): (Vec<Row>, Vec<String>) = (Vec::new(), Vec::new());
        let made = spec.clone();
        let mut append = Driver::new(move || TopN::new(&init(), made.clone()).unwrap());
        let made = spec.clone();
        let mut full = Driver::new(move || TopNOfChanges::new(&init(), made.clone()).unwrap());
        for batch in rows.chunks(batch) {
            let mut input = Vec::new();
            for (row, remove) in batch {
                match remove.filter(|_| retract && !there.is_empty()) {
                    Some(at) => {
                        input.push(format!("-D {}", there.remove(at.index(there.len())).text()));
                    }
                    None => {
                        there.push(row.clone());
                        input.push(format!("+I {}", row.text()));
                    }
                }
            }
            let input = chunk(&spec.input, &input.join(" | "));
            if retract {
                changes.extend(full.send(input));
                full.restart();
            } else {
                changes.extend(append.send(input));
                append.restart();
            }
            prop_assert_eq!(fold(&changes), naive(&spec, &there, retract));
        }
    }

    #[test]
    fn one_row_of_each_key(
        rows in rows(), batch in 1usize..9, last: bool, before: bool,
    ) {
        let spec = DeduplicateSpec {
            input: schema(&[int("k"), time("t"), text("s"), time("we")]),
            keys: vec![0],
            clock: Clock::EventTime(1),
            keep: if last { Keep::Last } else { Keep::First },
            emit_update_before: before,
            ttl: None,
        };
        let made = spec.clone();
        let mut driver = Driver::new(move || Deduplicate::new(&init(), made.clone()).unwrap());
        let mut kept: BTreeMap<i64, &Row> = BTreeMap::new();
        let mut changes = Vec::new();
        for batch in rows.chunks(batch) {
            let input: Vec<String> = batch.iter().map(|(row, _)| format!("+I {}", row.text())).collect();
            for (row, _) in batch {
                let replaces = |old: &&mut &Row| if last { row.v >= old.v } else { row.v < old.v };
                match kept.get_mut(&row.k) {
                    Some(old) if replaces(&old) => *old = row,
                    Some(_) => {}
                    None => _ = kept.insert(row.k, row),
                }
            }
            changes.extend(driver.send(chunk(&spec.input, &input.join(" | "))));
            driver.restart();
            let mut expected: Vec<String> = kept.values().map(|row| row.text()).collect();
            expected.sort();
            if before {
                prop_assert_eq!(fold(&changes), expected);
            } else {
                let mut by_key: BTreeMap<&str, &str> = BTreeMap::new();
                changes.iter().for_each(|c: &String| {
                    assert!(!c.starts_with("-U"));
                    by_key.insert(c.split(' ').nth(1).unwrap(), &c[3..]);
                });
                let mut now: Vec<String> = by_key.into_values().map(str::to_owned).collect();
                now.sort();
                prop_assert_eq!(now, expected);
            }
        }
    }
}

#[test]
fn a_batch_moves_each_rank_once() {
    let made = || TopN::new(&init(), spec(1, 2, true)).unwrap();
    let input = spec(1, 2, true).input;
    let mut driver = Driver::new(made);
    let out = driver.send(chunk(&input, "+I 1 5 a NULL | +I 1 7 b NULL | +I 1 6 c NULL"));
    assert_eq!(out, ["+I 1 7 b NULL 1", "+I 1 6 c NULL 2"]);
    assert!(driver.send(chunk(&input, "+I 1 6 late NULL")).is_empty());
    let out = driver.send(chunk(&input, "+I 1 9 d NULL"));
    let expected = ["-U 1 7 b NULL 1", "+U 1 9 d NULL 1", "-U 1 6 c NULL 2", "+U 1 7 b NULL 2"];
    assert_eq!(out, expected);
}

#[test]
fn rankings_of_windows_are_emitted_once() {
    let made = || {
        let spec = TopNSpec { keys: vec![0, 3], window_end: Some(3), ..spec(1, 2, true) };
        TopN::new(&init(), spec).unwrap()
    };
    let input = spec(1, 2, true).input;
    let mut driver = Driver::new(made);
    let rows = "+I 1 5 a 10 | +I 1 7 b 10 | +I 1 6 c 10 | +I 1 1 x 20 | +I 2 1 y 10";
    assert!(driver.send(chunk(&input, rows)).is_empty());
    assert!(driver.watermark(8).is_empty());
    driver.restart();
    let mut out = driver.watermark(9);
    out.sort();
    assert_eq!(out, ["+I 1 6 c 10 2", "+I 1 7 b 10 1", "+I 2 1 y 10 1"]);
    driver.restart();
    assert!(driver.send(chunk(&input, "+I 1 9 z 10")).is_empty());
    assert_eq!(driver.cx.counts.late, 1);
    assert_eq!(driver.watermark(i64::MAX), ["+I 1 1 x 20 1"]);
}

#[test]
fn the_first_row_by_processing_time_is_never_replaced() {
    let spec = DeduplicateSpec {
        input: schema(&[int("k"), int("v")]),
        keys: vec![0],
        clock: Clock::ProcessingTime,
        keep: Keep::First,
        emit_update_before: true,
        ttl: None,
    };
    assert!(!spec.emits_updates());
    let input = Arc::clone(&spec.input);
    let mut driver = Driver::new(move || Deduplicate::new(&init(), spec.clone()).unwrap());
    assert_eq!(driver.send(chunk(&input, "+I 1 5 | +I 1 6 | +I 2 7")), ["+I 1 5", "+I 2 7"]);
    driver.restart();
    assert_eq!(driver.send(chunk(&input, "+I 1 4 | +I 3 8")), ["+I 3 8"]);
}

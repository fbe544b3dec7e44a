//! Examples, and a naive model: after every batch the folded changelog is what a fresh computation
//! over the rows that are there gives.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::datatypes::DataType;
use proptest::prelude::*;

use super::*;
use crate::operators::aggregate::AggFunction::*;
use crate::operators::testing::{
    Driver, boolean, call, chunk, fold, init, int, output, schema, show, text,
};

fn spec(calls: Vec<AggCall>, keys: &[usize], changelog: bool) -> GroupAggregateSpec {
    let input = schema(&[int("k"), int("v"), text("s"), boolean("b")]);
    let key_fields: Vec<_> = keys.iter().map(|k| input.field(*k).clone()).collect();
    GroupAggregateSpec {
        output: output(&key_fields, &calls, &[]),
        input,
        keys: keys.to_vec(),
        aggregates: calls,
        input_is_changelog: changelog,
        emit_update_before: true,
        ttl: None,
    }
}

fn driver(spec: &GroupAggregateSpec) -> Driver<GroupAggregate> {
    let spec = spec.clone();
    Driver::new(move || GroupAggregate::new(&init(), spec.clone()).unwrap())
}

/// Without retractions also the functions that depend on the order of rows: which of several equal
/// values is taken back is not known.
fn all_calls(retract: bool) -> Vec<AggCall> {
    use DataType::{Float64, Int64, Utf8};
    let filtered = |call: AggCall| AggCall { filter: Some(3), ..call };
    let distinct = |call: AggCall| AggCall { distinct: true, ..call };
    let mut calls = vec![
        call(CountStar, &[], Int64),
        call(Count, &[1], Int64),
        call(Sum, &[1], Int64),
        call(Avg, &[1], Float64),
        call(Min, &[1], Int64),
        call(Max, &[1], Int64),
        call(Min, &[2], Utf8),
        call(Max, &[2], Utf8),
        distinct(call(Count, &[1], Int64)),
        distinct(filtered(call(Count, &[1], Int64))),
        distinct(call(Count, &[2], Int64)),
        filtered(call(Sum, &[1], Int64)),
        distinct(call(Sum, &[1], Int64)),
        filtered(call(CountStar, &[], Int64)),
    ];
    if !retract {
        calls.push(call(FirstValue, &[1], Int64));
        calls.push(call(LastValue, &[2], Utf8));
        calls.push(call(ListAgg("+".into()), &[2], Utf8));
    }
    calls
}

#[derive(Clone, Debug)]
struct Row {
    k: Option<i64>,
    v: Option<i64>,
    s: Option<String>,
    b: Option<bool>,
}

impl Row {
    fn text(&self) -> String {
        let b = self.b.map(|b| b.to_string()).unwrap_or("NULL".into());
        format!("{} {} {} {b}", show(self.k), show(self.v), show(self.s.clone()))
    }
}

/// The results over the rows that are there, by recomputation.
fn naive(rows: &[Row], retract: bool) -> Vec<String> {
    let mut groups: BTreeMap<Option<i64>, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| groups.entry(row.k).or_default().push(row));
    let result = |(k, rows): (&Option<i64>, &Vec<&Row>)| {
        let v: Vec<i64> = rows.iter().filter_map(|r| r.v).collect();
        let s: Vec<&String> = rows.iter().filter_map(|r| r.s.as_ref()).collect();
        let kept: Vec<i64> =
            rows.iter().filter(|r| r.b == Some(true)).filter_map(|r| r.v).collect();
        let some = |v: &[i64], of: i64| if v.is_empty() { None } else { Some(of) };
        let sum: i64 = v.iter().sum();
        let set: BTreeSet<i64> = v.iter().copied().collect();
        let mut values = vec![
            show(*k),
            rows.len().to_string(),
            v.len().to_string(),
            show(some(&v, sum)),
            show(some(&v, 0).map(|_| sum as f64 / v.len() as f64)),
            show(v.iter().min()),
            show(v.iter().max()),
            show(s.iter().min()),
            show(s.iter().max()),
            set.len().to_string(),
            kept.iter().collect::<BTreeSet<_>>().len().to_string(),
            s.iter().collect::<BTreeSet<_>>().len().to_string(),
            show(some(&kept, kept.iter().sum())),
            show(some(&v, set.iter().sum())),
            rows.iter().filter(|r| r.b == Some(true)).count().to_string(),
        ];
        if !retract {
            let list: Vec<&str> = s.iter().map(|s| s.as_str()).collect();
            values.push(show(v.first()));
            values.push(show(s.last()));
            values.push(show((!list.is_empty()).then(|| list.join("+"))));
        }
        values.join(" ")
    };
    let mut results: Vec<String> = groups.iter().map(result).collect();
    results.sort();
    results
}

fn rows() -> impl Strategy<Value = Vec<(Row, Option<prop::sample::Index>)>> {
    let row = (
        prop::option::weighted(0.9, 0i64..3),
        prop::option::weighted(0.8, -3i64..4),
        prop::option::weighted(0.8, "[a-c]{1,2}"),
        prop::option::weighted(0.9, any::<bool>()),
    );
    let row = row.prop_map(|(k, v, s, b)| Row { k, v, s, b });
    prop::collection::vec((row, prop::option::weighted(0.4, any::<prop::sample::Index>())), 1..40)
}

proptest! {
    #[test]
    fn groups_are_what_their_rows_say(
        rows in rows(), batches in prop::collection::vec(1usize..9, 1..8), retract: bool, before: bool,
    ) {
        let spec = GroupAggregateSpec {
            emit_update_before: before || retract,
            ..spec(all_calls(retract), &[0], retract)
        };
        let mut driver = driver(&spec);
        let (mut there, mut changes): (Vec<Row>, Vec<String>) = (Vec::new(), Vec::new());
        let mut rest = &rows[..];
        let mut batches = batches.iter().cycle();
        while !rest.is_empty() {
            let (batch, tail) = rest.split_at((*batches.next().unwrap()).min(rest.len()));
            rest = tail;
            let mut input = Vec::new();
            for (row, remove) in batch {
                match remove.filter(|_| retract && !there.is_empty()) {
                    Some(at) => {
                        let row = there.remove(at.index(there.len()));
                        input.push(format!("-U {}", row.text()));
                    }
                    None => {
                        there.push(row.clone());
                        input.push(format!("+I {}", row.text()));
                    }
                }
            }
            let out = driver.send(chunk(&spec.input, &input.join(" | ")));
            if spec.emit_update_before {
                changes.extend(out);
                prop_assert_eq!(fold(&changes), naive(&there, retract));
            } else {
                prop_assert!(out.iter().all(|row| !row.starts_with("-U")));
                changes.extend(out);
            }
            driver.restart();
        }
        if !spec.emit_update_before {
            let mut last: BTreeMap<&str, &str> = BTreeMap::new();
            changes.iter().for_each(|c| _ = last.insert(c.split(' ').nth(1).unwrap(), &c[3..]));
            let mut last: Vec<_> = last.into_values().map(str::to_owned).collect();
            last.sort();
            prop_assert_eq!(last, naive(&there, retract));
        }
        if there.is_empty() && retract {
            prop_assert!(driver.operator.tables().iter().all(|table| table.is_empty()));
        }
    }
}

#[test]
fn a_batch_changes_a_group_once_and_nothing_is_emitted_for_nothing() {
    let spec = spec(
        vec![call(CountStar, &[], DataType::Int64), call(Max, &[1], DataType::Int64)],
        &[0],
        true,
    );
    let mut driver = driver(&spec);
    let out = driver.send(chunk(&spec.input, "+I 1 5 a true | +I 1 7 a true | +I 2 1 a true"));
    assert_eq!(out, ["+I 1 2 7", "+I 2 1 1"]);
    let out = driver.send(chunk(&spec.input, "-U 1 7 a true | +U 1 6 a true"));
    assert_eq!(out, ["-U 1 2 7", "+U 1 2 6"]);
    assert!(driver.send(chunk(&spec.input, "-U 1 5 a true | +U 1 2 b false")).is_empty());
    assert_eq!(driver.send(chunk(&spec.input, "-D 2 1 a true")), ["-D 2 1 1"]);
    assert!(driver.send(chunk(&spec.input, "+I 3 1 a true | -D 3 1 a true")).is_empty());
}

#[test]
fn select_distinct_is_a_group_without_aggregates() {
    let spec = spec(vec![], &[0, 2], false);
    let mut driver = driver(&spec);
    let out = driver.send(chunk(&spec.input, "+I 1 1 a true | +I 1 2 a true | +I NULL 3 a true"));
    assert_eq!(out, ["+I 1 a", "+I NULL a"]);
    driver.restart();
    assert_eq!(driver.send(chunk(&spec.input, "+I 1 9 a true | +I 1 9 b true")), ["+I 1 b"]);
}

#[test]
fn without_keys_there_is_one_row_even_of_nothing() {
    let spec = spec(
        vec![call(CountStar, &[], DataType::Int64), call(Sum, &[1], DataType::Int64)],
        &[],
        true,
    );
    let mut nothing = driver(&spec);
    assert_eq!(nothing.watermark(i64::MAX), ["+I 0 NULL"]);
    let mut driver = driver(&spec);
    assert_eq!(driver.send(chunk(&spec.input, "+I 1 5 a true")), ["+I 1 5"]);
    driver.restart();
    assert_eq!(driver.send(chunk(&spec.input, "-D 1 5 a true")), ["-U 1 5", "+U 0 NULL"]);
    driver.restart();
    assert_eq!(driver.send(chunk(&spec.input, "+I 1 2 a true")), ["-U 0 NULL", "+U 1 2"]);
    assert!(driver.watermark(i64::MAX).is_empty());
}

#[test]
fn state_is_forgotten_after_its_time_to_live() {
    let calls = vec![AggCall { distinct: true, ..call(Count, &[1], DataType::Int64) }];
    let mut spec = spec(calls, &[0], false);
    spec.ttl = Some(Duration::from_secs(10));
    let mut driver = driver(&spec);
    driver.send(chunk(&spec.input, "+I 1 5 a true | +I 2 5 a true"));
    driver.clock(9_000);
    let row = |v: i64| chunk(&spec.input, &format!("+I 1 {v} a true"));
    assert_eq!(driver.send(row(6)), ["-U 1 1", "+U 1 2"]);
    driver.restart();
    driver.clock(15_000);
    assert_eq!(driver.send(chunk(&spec.input, "+I 2 5 a true")), ["+I 2 1"]);
    assert_eq!(driver.send(row(5)), ["-U 1 2", "+U 1 2"], "it lives, and those behind learn it");
    driver.clock(40_000);
    assert!(driver.operator.tables().iter().all(|table| table.is_empty()));
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_that_names_the_column() {
    let spec = spec(vec![call(Sum, &[1], DataType::Int64)], &[0], false);
    let mut driver = driver(&spec);
    let most = i64::MAX;
    // What does not fit in between does not matter.
    let out = driver
        .send(chunk(&spec.input, &format!("+I 1 {most} a true | +I 1 1 a true | +I 1 -1 a true")));
    assert_eq!(out, [format!("+I 1 {most}")]);
    let over = chunk(&spec.input, "+I 1 1 a true");
    let e = driver.operator.process(0, over.into(), &mut driver.cx).unwrap_err();
    assert_eq!(e.to_string(), "the sum of column \"v\" does not fit Int64");
}

#[test]
fn values_in_order_can_be_taken_back() {
    let calls = vec![
        call(FirstValue, &[1], DataType::Int64),
        call(LastValue, &[1], DataType::Int64),
        call(ListAgg("+".into()), &[2], DataType::Utf8),
    ];
    let spec = spec(calls, &[0], true);
    let mut driver = driver(&spec);
    let out = driver.send(chunk(&spec.input, "+I 1 5 a true | +I 1 6 b true | +I 1 7 c true"));
    assert_eq!(out, ["+I 1 5 7 a+b+c"]);
    driver.restart();
    let out = driver.send(chunk(&spec.input, "-U 1 5 a true | -U 1 7 c true | +U 1 8 d true"));
    assert_eq!(out, ["-U 1 5 7 a+b+c", "+U 1 6 8 b+d"]);
    let out =
        driver.send(chunk(&spec.input, "-U 1 6 b true | -U 1 8 d true | +U 1 NULL NULL true"));
    assert_eq!(out, ["-U 1 6 8 b+d", "+U 1 NULL NULL NULL"]);
}

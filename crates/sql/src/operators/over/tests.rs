//! A naive model: each row with what its frame holds, by the definition.

use datafusion::arrow::datatypes::DataType;
use proptest::prelude::*;

use super::*;
use crate::operators::aggregate::AggFunction::*;
use crate::operators::testing::{Driver, call, chunk, init, int, schema, show, time};

fn spec(frame: Frame, clock: Clock) -> OverAggregateSpec {
    let fields = [time("t"), int("k"), int("v")];
    let aggregates = vec![
        call(CountStar, &[], DataType::Int64),
        call(Sum, &[2], DataType::Int64),
        call(Min, &[2], DataType::Int64),
    ];
    let results = aggregates.iter().map(|call| call.output.as_ref().clone());
    let output: Vec<_> = fields.iter().cloned().chain(results).collect();
    OverAggregateSpec {
        input: schema(&fields),
        keys: vec![1],
        clock,
        frame,
        aggregates,
        default: None,
        output: schema(&output),
        ttl: None,
    }
}

fn driver(spec: &OverAggregateSpec) -> Driver<OverAggregate> {
    let spec = spec.clone();
    Driver::new(move || OverAggregate::new(&init(), spec.clone()).unwrap())
}

type Row = (i64, i64, Option<i64>);

/// Rows in order of time and arrival, each with its frame.
fn naive(frame: Frame, rows: &[Row]) -> Vec<String> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| row.0);
    let mut out: Vec<String> = Vec::new();
    for (at, (t, k, v)) in rows.iter().enumerate() {
        let before = |n: usize| rows[..=at].iter().filter(|row| row.1 == *k).rev().take(n).copied();
        let frame: Vec<Row> = match frame {
            Frame::RowsUnbounded => before(usize::MAX).collect(),
            Frame::Rows(n) => before(n as usize + 1).collect(),
            Frame::Row(n) => before(n as usize + 1).skip(n as usize).collect(),
            Frame::RangeUnbounded => {
                rows.iter().filter(|r| r.1 == *k && r.0 <= *t).copied().collect()
            }
            Frame::Range(ms) => {
                rows.iter().filter(|r| r.1 == *k && (t - ms..=*t).contains(&r.0)).copied().collect()
            }
        };
        let values: Vec<i64> = frame.iter().filter_map(|row| row.2).collect();
        let sum = (!values.is_empty()).then(|| values.iter().sum::<i64>());
        let min = show(values.iter().min());
        out.push(format!("+I {t} {k} {} {} {} {min}", show(*v), frame.len(), show(sum)));
    }
    out.sort();
    out
}

fn text(rows: &[Row]) -> String {
    let rows = rows.iter().map(|(t, k, v)| format!("+I {t} {k} {}", show(*v)));
    rows.collect::<Vec<_>>().join(" | ")
}

fn frames() -> impl Strategy<Value = Frame> {
    prop_oneof![
        Just(Frame::RowsUnbounded),
        Just(Frame::RangeUnbounded),
        (0u64..4).prop_map(Frame::Rows),
        (0u64..4).prop_map(Frame::Row),
        (0i64..12).prop_map(Frame::Range),
    ]
}

proptest! {
    #[test]
    fn rows_have_what_their_frames_hold(
        frame in frames(),
        mut rows in prop::collection::vec((0i64..40, 0i64..3, prop::option::of(-3i64..4)), 1..50),
        batch in 1usize..10,
    ) {
        // Nearly in order, so that watermarks can advance without making rows late.
        rows.sort_by_key(|row| row.0 / 8);
        let spec = spec(frame, Clock::EventTime(0));
        let mut driver = driver(&spec);
        let mut out = Vec::new();
        for (number, batch) in rows.chunks(batch).enumerate() {
            out.extend(driver.send(chunk(&spec.input, &text(batch))));
            let rest = &rows[((number + 1) * batch.len()).min(rows.len())..];
            let next = rest.iter().map(|row| row.0 / 8 * 8).min();
            if let Some(next) = next.filter(|_| number % 2 == 1) {
                out.extend(driver.watermark(next - 1));
                driver.restart();
            }
        }
        out.extend(driver.watermark(i64::MAX));
        out.sort();
        prop_assert_eq!(driver.cx.counts.late, 0);
        prop_assert_eq!(out, naive(frame, &rows));
    }
}

#[test]
fn late_rows_are_dropped_and_rows_leave_in_time() {
    let spec = spec(Frame::Range(10), Clock::EventTime(0));
    let mut driver = driver(&spec);
    driver.send(chunk(&spec.input, "+I 5 1 1 | +I 20 1 2"));
    assert_eq!(driver.watermark(5), ["+I 5 1 1 1 1 1"]);
    driver.restart();
    driver.send(chunk(&spec.input, "+I 5 1 9 | +I 12 1 3"));
    assert_eq!(driver.cx.counts.late, 1);
    assert_eq!(driver.watermark(20), ["+I 12 1 3 2 4 1", "+I 20 1 2 2 5 2"]);
    assert!(driver.watermark(31).is_empty());
    assert!(driver.operator.tables().iter().all(|table| table.is_empty()));
}

#[test]
fn by_processing_time_rows_leave_at_once() {
    let spec = spec(Frame::Rows(1), Clock::ProcessingTime);
    let mut driver = driver(&spec);
    let out = driver.send(chunk(&spec.input, "+I 9 1 1 | +I 3 1 2 | +I 1 1 4"));
    assert_eq!(out, ["+I 9 1 1 1 1 1", "+I 3 1 2 2 3 1", "+I 1 1 4 2 6 2"]);
    driver.restart();
    assert_eq!(driver.send(chunk(&spec.input, "+I 0 1 8 | +I 0 2 5")).len(), 2);
}

#[test]
fn rows_are_forgotten_after_their_time_to_live_but_for_those_that_wait() {
    let mut spec = spec(Frame::Rows(1), Clock::EventTime(0));
    spec.ttl = Some(Duration::from_secs(10));
    let mut driver = driver(&spec);
    driver.send(chunk(&spec.input, "+I 5 1 1 | +I 5 2 1 | +I 90 1 7"));
    assert_eq!(driver.watermark(10), ["+I 5 1 1 1 1 1", "+I 5 2 1 1 1 1"]);
    driver.clock(9_000);
    driver.send(chunk(&spec.input, "+I 20 2 4"));
    assert_eq!(driver.watermark(30), ["+I 20 2 4 2 5 1"]);
    driver.restart();
    driver.clock(15_000);
    driver.send(chunk(&spec.input, "+I 40 1 2 | +I 40 2 2"));
    // Key 1 has lost its row of time 5, key 2 was touched since.
    assert_eq!(driver.watermark(50), ["+I 40 1 2 1 2 2", "+I 40 2 2 2 6 2"]);
    driver.clock(40_000);
    assert_eq!(driver.watermark(100), ["+I 90 1 7 1 7 7"]);
    driver.clock(60_000);
    assert!(driver.operator.tables().iter().all(|table| table.is_empty()));
}

#[test]
fn a_range_of_processing_time_is_forgotten_when_it_is_over() {
    let spec = spec(Frame::Range(1_000), Clock::ProcessingTime);
    let mut driver = driver(&spec);
    driver.send(chunk(&spec.input, "+I 0 1 1 | +I 0 2 1"));
    driver.clock(900);
    assert_eq!(driver.send(chunk(&spec.input, "+I 0 1 2")), ["+I 0 1 2 2 3 1"]);
    driver.restart();
    driver.clock(1_500);
    assert_eq!(driver.send(chunk(&spec.input, "+I 0 1 5")), ["+I 0 1 5 2 7 2"]);
    driver.clock(9_000);
    assert!(driver.operator.tables().iter().all(|table| table.is_empty()));
}

#[test]
fn one_row_before_or_the_default() {
    let mut spec = spec(Frame::Row(2), Clock::EventTime(0));
    spec.aggregates = vec![call(FirstValue, &[2], DataType::Int64)];
    let fields = [time("t"), int("k"), int("v"), int("lag")];
    spec.output = schema(&fields);
    spec.default = Some(ScalarValue::Int64(Some(-1)));
    let mut driver = driver(&spec);
    driver.send(chunk(&spec.input, "+I 1 1 NULL | +I 2 1 5 | +I 3 1 6 | +I 3 2 8"));
    let out = driver.watermark(3);
    assert_eq!(out, ["+I 1 1 NULL -1", "+I 2 1 5 -1", "+I 3 1 6 NULL", "+I 3 2 8 -1"]);
    driver.restart();
    driver.send(chunk(&spec.input, "+I 4 1 7"));
    assert_eq!(driver.watermark(4), ["+I 4 1 7 5"]);
}

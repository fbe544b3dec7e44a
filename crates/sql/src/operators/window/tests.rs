//! Examples, and naive models under any order of rows, watermarks, batches and restarts.

use std::collections::BTreeMap;

use datafusion::arrow::datatypes::{DataType, Field};
use headwater_operators::Operator;
use proptest::prelude::*;

use super::*;
use crate::operators::aggregate::AggFunction::*;
use crate::operators::testing::{Driver, call, chunk, init, int, output, schema, text, time};
use crate::operators::{AggCall, aggregate::AggFunction};

fn bounds() -> [Field; 3] {
    [time("window_start"), time("window_end"), time("window_time")]
}

const ALL: [WindowColumn; 3] = [WindowColumn::Start, WindowColumn::End, WindowColumn::Time];

fn distinct(function: AggFunction, args: &[usize]) -> AggCall {
    AggCall { distinct: true, ..call(function, args, DataType::Int64) }
}

fn calls() -> Vec<AggCall> {
    vec![
        call(CountStar, &[], DataType::Int64),
        call(Sum, &[2], DataType::Int64),
        call(Max, &[2], DataType::Int64),
        distinct(Count, &[2]),
    ]
}

fn spec(windows: WindowedBy) -> WindowAggregateSpec {
    let input = schema(&[time("t"), int("k"), int("v"), time("ws"), time("we")]);
    WindowAggregateSpec {
        output: output(&[int("k")], &calls(), &bounds()),
        keys: vec![1],
        windows,
        aggregates: calls(),
        columns: ALL.to_vec(),
        input,
        input_is_changelog: false,
    }
}

fn driver(spec: &WindowAggregateSpec) -> Driver<WindowAggregate> {
    let spec = spec.clone();
    Driver::new(move || WindowAggregate::new(&init(), spec.clone()).unwrap())
}

#[derive(Clone, Debug)]
struct Row {
    t: i64,
    k: i64,
    v: i64,
    /// How far its split's watermark is above its time, if it is late there.
    late_by: Option<i64>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (-20i64..80, 0i64..3, 0i64..4, prop::option::weighted(0.1, 0i64..30));
    let row = row.prop_map(|(t, k, v, late_by)| Row { t, k, v, late_by });
    prop::collection::vec(row, 1..60)
}

/// What happens between batches.
#[derive(Clone, Debug)]
enum Step {
    Batch(usize),
    Watermark(i64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1usize..12).prop_map(Step::Batch),
        2 => (-20i64..90).prop_map(Step::Watermark),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..30)
}

/// All windows with a time, by the definition.
fn windows_of(window: Window, t: i64) -> Vec<(i64, i64)> {
    let (size, every, offset) = match window {
        Window::Tumble { size, offset } => (size, size, offset),
        Window::Hop { slide, size, offset } => (size, slide, offset),
        Window::Cumulate { step, size, offset } => {
            let start = (t - size..=t).find(|s| (s - offset).rem_euclid(size) == 0 && s + size > t);
            let start = start.unwrap();
            return (1..=size / step)
                .map(|n| (start, start + n * step))
                .filter(|w| w.1 > t)
                .collect();
        }
    };
    let starts = (t - size + 1..=t).filter(|s| (s - offset).rem_euclid(every) == 0);
    starts.map(|s| (s, s + size)).collect()
}

fn any_window() -> impl Strategy<Value = Window> {
    prop_oneof![
        (1i64..15, -3i64..4).prop_map(|(size, offset)| Window::Tumble { size, offset }),
        (1i64..8, 1i64..4, 0i64..3, -3i64..4).prop_map(|(slide, times, more, offset)| {
            Window::Hop { slide, size: slide * times + more, offset }
        }),
        (1i64..6, 1i64..5, -3i64..4).prop_map(|(step, times, offset)| Window::Cumulate {
            step,
            size: step * times,
            offset
        }),
    ]
}

/// Runs rows through an operator; returns its output and the rows with the watermarks they count
/// under.
fn run<O: Operator>(
    driver: &mut Driver<O>,
    input: &datafusion::arrow::datatypes::SchemaRef,
    rows: &[Row],
    steps: &[Step],
) -> (Vec<String>, Vec<(Row, i64)>) {
    let (mut out, mut read) = (Vec::new(), Vec::new());
    let mut watermark = i64::MIN;
    let mut rest = rows;
    let mut steps = steps.iter();
    while !rest.is_empty() {
        match steps.next().unwrap_or(&Step::Batch(5)) {
            Step::Batch(size) => {
                let (batch, tail) = rest.split_at((*size).min(rest.len()));
                rest = tail;
                let text: Vec<String> = batch
                    .iter()
                    .map(|row| {
                        let at =
                            row.late_by.map_or(String::new(), |by| format!(" @{}", row.t + by));
                        let Row { t, k, v, .. } = row;
                        format!("+I {t} {k} {v} NULL NULL{at}")
                    })
                    .collect();
                out.extend(driver.send(chunk(input, &text.join(" | "))));
                read.extend(batch.iter().map(|row| {
                    let split = row.late_by.map_or(i64::MIN, |by| row.t + by);
                    (row.clone(), watermark.max(split))
                }));
            }
            Step::Watermark(at) => {
                out.extend(driver.watermark(*at));
                watermark = watermark.max(*at);
            }
            Step::Restart => driver.restart(),
        }
    }
    out.extend(driver.watermark(i64::MAX));
    out.sort();
    (out, read)
}

fn result(k: i64, values: &[i64], (start, end): (i64, i64)) -> String {
    let sum: i64 = values.iter().sum();
    let max = values.iter().max().unwrap();
    let set: std::collections::BTreeSet<_> = values.iter().collect();
    let (count, distinct) = (values.len(), set.len());
    format!("+I {k} {count} {sum} {max} {distinct} {start} {end} {}", end - 1)
}

proptest! {
    #[test]
    fn windows_have_the_rows_that_were_in_time(
        window in any_window(), rows in rows(), steps in steps(),
    ) {
        let spec = spec(WindowedBy::Time(window, Clock::EventTime(0)));
        let mut driver = driver(&spec);
        let (out, read) = run(&mut driver, &spec.input, &rows, &steps);
        let mut windows: BTreeMap<(i64, (i64, i64)), Vec<i64>> = BTreeMap::new();
        let mut late = 0;
        for (row, watermark) in &read {
            let of_row = windows_of(window, row.t);
            let live: Vec<_> = of_row.iter().filter(|w| *watermark < w.1 - 1).collect();
            late += u64::from(live.is_empty());
            live.iter().for_each(|w| windows.entry((row.k, **w)).or_default().push(row.v));
        }
        let mut expected: Vec<String> =
            windows.iter().map(|((k, window), values)| result(*k, values, *window)).collect();
        expected.sort();
        prop_assert_eq!(out, expected);
        prop_assert_eq!(driver.cx.counts.late, late);
        prop_assert!(driver.operator.tables().iter().all(|table| table.is_empty()));
    }

    #[test]
    fn sessions_do_not_depend_on_the_order_of_rows(
        mut rows in rows(), order in prop::collection::vec(any::<u32>(), 60),
        steps in steps(), gap in 1i64..12, lag in 0i64..100,
    ) {
        rows.iter_mut().for_each(|row| row.late_by = None);
        let mut shuffled: Vec<(u32, Row)> = order.into_iter().zip(rows.clone()).collect();
        shuffled.sort_by_key(|(at, row)| (row.t + i64::from(at % (lag as u32 + 1)), *at));
        let shuffled: Vec<Row> = shuffled.into_iter().map(|(_, row)| row).collect();
        // A watermark that makes no row late.
        let (mut at, mut safe) = (0, Vec::new());
        for step in steps {
            match step {
                Step::Batch(size) => {
                    at += size;
                    safe.push(Step::Batch(size));
                }
                Step::Watermark(_) => {
                    let next = shuffled[at.min(shuffled.len())..].iter().map(|row| row.t).min();
                    safe.extend(next.map(|next| Step::Watermark(next - 1)));
                }
                Step::Restart => safe.push(Step::Restart),
            }
        }
        let spec = session_spec(gap);
        let mut driver = session_driver(&spec);
        let (out, _) = run(&mut driver, &spec.input, &shuffled, &safe);
        rows.sort_by_key(|row| (row.k, row.t));
        let sessions = rows.chunk_by(|a, b| a.k == b.k && b.t - a.t <= gap);
        let mut expected: Vec<String> = sessions.map(|rows| {
            let values: Vec<i64> = rows.iter().map(|row| row.v).collect();
            result(rows[0].k, &values, (rows[0].t, rows[rows.len() - 1].t + gap))
        }).collect();
        expected.sort();
        prop_assert_eq!(out, expected);
        prop_assert_eq!(driver.cx.counts.late, 0);
    }

    #[test]
    fn late_rows_of_sessions_do_not_depend_on_batches(
        rows in rows(), mut steps in steps(), gap in 1i64..12,
    ) {
        // Enough batches for all rows, so that both runs have the same watermarks between rows.
        steps.extend(vec![Step::Batch(5); 12]);
        let single: Vec<Step> = steps.iter().flat_map(|step| match step {
            Step::Batch(size) => vec![Step::Batch(1); *size],
            other => vec![other.clone()],
        }).collect();
        let spec = session_spec(gap);
        let mut whole = session_driver(&spec);
        let (out, _) = run(&mut whole, &spec.input, &rows, &steps);
        let mut one_by_one = session_driver(&spec);
        let (ones, _) = run(&mut one_by_one, &spec.input, &rows, &single);
        prop_assert_eq!(out, ones);
        prop_assert_eq!(whole.cx.counts.late, one_by_one.cx.counts.late);
    }
}

fn session_spec(gap: i64) -> SessionAggregateSpec {
    let of = spec(WindowedBy::Time(Window::Tumble { size: 1, offset: 0 }, Clock::EventTime(0)));
    SessionAggregateSpec {
        input: of.input,
        keys: of.keys,
        clock: Clock::EventTime(0),
        gap,
        aggregates: of.aggregates,
        columns: of.columns,
        output: of.output,
        input_is_changelog: false,
    }
}

fn session_driver(spec: &SessionAggregateSpec) -> Driver<SessionAggregate> {
    let spec = spec.clone();
    Driver::new(move || SessionAggregate::new(&init(), spec.clone()).unwrap())
}

#[test]
fn a_window_is_emitted_one_millisecond_before_its_end() {
    let spec = spec(WindowedBy::Time(Window::Tumble { size: 10, offset: 0 }, Clock::EventTime(0)));
    let mut driver = driver(&spec);
    driver
        .send(chunk(&spec.input, "+I 3 1 5 NULL NULL | +I 9 1 7 NULL NULL | +I 10 1 1 NULL NULL"));
    assert!(driver.watermark(8).is_empty());
    assert_eq!(driver.watermark(9), ["+I 1 2 12 7 2 0 10 9"]);
    driver.restart();
    // Late though the watermark has started over.
    driver.send(chunk(&spec.input, "+I 9 1 7 NULL NULL"));
    assert_eq!(driver.cx.counts.late, 1);
    assert_eq!(driver.watermark(i64::MAX), ["+I 1 1 1 1 1 10 20 19"]);
}

#[test]
fn windows_that_rows_carry_are_aggregated_again() {
    let spec = spec(WindowedBy::Attached { start: 3, end: 4 });
    let mut driver = driver(&spec);
    driver
        .send(chunk(&spec.input, "+I 0 1 5 0 10 | +I 0 1 6 0 10 | +I 0 1 7 0 20 | +I 0 2 1 10 20"));
    assert_eq!(driver.watermark(9), ["+I 1 2 11 6 2 0 10 9"]);
    driver.restart();
    driver.send(chunk(&spec.input, "+I 0 1 5 0 10"));
    assert_eq!(driver.cx.counts.late, 1);
    let mut out = driver.watermark(19);
    out.sort();
    assert_eq!(out, ["+I 1 1 7 7 1 0 20 19", "+I 2 1 1 1 1 10 20 19"]);
}

#[test]
fn windows_over_processing_time_follow_the_clock() {
    let windows = WindowedBy::Time(Window::Tumble { size: 10, offset: 0 }, Clock::ProcessingTime);
    let spec = spec(windows);
    let mut driver = driver(&spec);
    driver.clock(5);
    driver.send(chunk(&spec.input, "+I NULL 1 5 NULL NULL"));
    assert!(driver.clock(9).is_empty());
    assert!(driver.watermark(1_000).is_empty());
    driver.send(chunk(&spec.input, "+I NULL 1 6 NULL NULL"));
    assert_eq!(driver.clock(10), ["+I 1 2 11 6 2 0 10 9"]);
    driver.restart();
    driver.send(chunk(&spec.input, "+I NULL 1 6 NULL NULL"));
    assert_eq!(driver.watermark(i64::MAX), ["+I 1 1 6 6 1 10 20 19"]);
    assert_eq!(driver.cx.counts.late, 0);
}

#[test]
fn sessions_that_touch_are_one_and_late_rows_may_join_living_ones() {
    let spec = session_spec(10);
    let mut driver = session_driver(&spec);
    driver.send(chunk(&spec.input, "+I 0 1 1 NULL NULL"));
    assert!(driver.watermark(9).is_empty());
    driver.send(chunk(&spec.input, "+I 10 1 2 NULL NULL"));
    assert!(driver.watermark(19).is_empty());
    // At 5 alone it would be complete; it joins the session that ends at 20.
    driver.send(chunk(&spec.input, "+I 5 1 3 NULL NULL @18 | +I -30 1 9 NULL NULL"));
    assert_eq!(driver.watermark(20), ["+I 1 3 6 3 3 0 20 19"]);
    assert_eq!(driver.cx.counts.late, 1);
}

#[test]
fn sessions_over_processing_time_follow_the_clock() {
    let spec = SessionAggregateSpec { clock: Clock::ProcessingTime, ..session_spec(10) };
    let mut driver = session_driver(&spec);
    let row = || chunk(&session_spec(10).input, "+I NULL 1 1 NULL NULL");
    driver.clock(100);
    driver.send(row());
    assert!(driver.clock(108).is_empty());
    driver.send(row());
    assert!(driver.clock(115).is_empty());
    assert_eq!(driver.clock(119), ["+I 1 2 2 1 1 100 118 117"]);
}

#[test]
fn rows_get_their_windows() {
    let input = schema(&[time("t"), text("s")]);
    let fields: Vec<Field> = [vec![time("t"), text("s")], bounds().to_vec()].concat();
    let tumble = AssignWindowsSpec {
        window: Window::Tumble { size: 10, offset: 2 },
        clock: Clock::EventTime(0),
        columns: ALL.to_vec(),
        output: schema(&fields),
    };
    let out = Driver::new(move || AssignWindows::new(tumble.clone()).unwrap())
        .send(chunk(&input, "+I 1 a | -D 2 b | +I 11 c"));
    assert_eq!(out, ["+I 1 a -8 2 1", "-D 2 b 2 12 11", "+I 11 c 2 12 11"]);
    let hop = AssignWindowsSpec {
        window: Window::Hop { slide: 5, size: 10, offset: 0 },
        clock: Clock::EventTime(0),
        columns: vec![WindowColumn::End, WindowColumn::Start],
        output: schema(&fields[..4]),
    };
    let out = Driver::new(move || AssignWindows::new(hop.clone()).unwrap())
        .send(chunk(&input, "+I 7 a | +I 12 b"));
    assert_eq!(out, ["+I 7 a 10 0", "+I 7 a 15 5", "+I 12 b 15 5", "+I 12 b 20 10"]);
}

#[test]
fn impossible_windows_are_refused() {
    let refused = |window: Window| window.slicing().unwrap_err().to_string();
    assert_eq!(
        refused(Window::Tumble { size: 0, offset: 0 }),
        "the size of a window must be positive, got 0 ms"
    );
    assert_eq!(
        refused(Window::Cumulate { step: 3, size: 10, offset: 0 }),
        "CUMULATE: step 3 ms does not divide size 10 ms"
    );
    assert!(SessionAggregate::new(&init(), session_spec(0)).is_err());
}

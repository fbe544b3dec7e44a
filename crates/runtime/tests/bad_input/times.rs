//! Event times that are negative, far in the future, or missing.

use std::time::{Duration, SystemTime};

use expect_test::expect;
use headwater_api::Job;
use headwater_connect::collect::collect;
use headwater_connect::collection::collection;
use headwater_core::{DeadLetter, EventTime};
use headwater_operators::watermarks::Watermarks;
use headwater_operators::window::WindowSpec;
use headwater_runtime::start;
use headwater_topology::OperatorTotals;

use crate::support::{config, letters, ms};

struct Ran {
    /// Start, end and number of records of each window, in order.
    windows: Vec<(i64, i64, u64)>,
    late: Vec<Option<i64>>,
    letters: String,
    /// Of the step that stamps the records.
    totals: OperatorTotals,
}

/// Counts times in windows of 100 ms, on two workers.
fn count(times: &[Option<i64>]) -> Ran {
    let (out, late, refused) = (collect(), collect(), collect::<DeadLetter>());
    let mut job = Job::new("times");
    job.dead_letters(refused.clone());
    let windows = job
        .source("times", collection(times.to_vec()))
        .event_time(|t: &Option<i64>| t.map(EventTime), Watermarks::bounded(ms(5)))
        .named("stamp")
        .key_by(|_| 0u8)
        .window(WindowSpec::tumbling(Duration::from_millis(100)))
        .count("windows");
    windows.results().sink("out", out.clone());
    windows.late().sink("late", late.clone());
    let mut handle = start(job.build().unwrap(), config(2, None)).unwrap();
    handle.wait().unwrap();
    let of = |w: headwater_operators::window::WindowResult<u8, u64>| {
        (w.window.start.0, w.window.end.0, w.value)
    };
    let mut windows: Vec<_> = out.records().into_iter().map(of).collect();
    windows.sort_unstable();
    let totals = handle.metrics().operator("stamp").unwrap().totals;
    Ran { windows, late: late.sorted(), letters: letters(refused.records()), totals }
}

#[test]
fn negative_times_are_times() {
    let ran = count(&[Some(-250), Some(-101), Some(-100), Some(-1), Some(0), Some(99)]);
    assert_eq!(ran.windows, [(-300, -200, 1), (-200, -100, 1), (-100, 0, 2), (0, 100, 2)]);
    assert!(ran.late.is_empty() && ran.letters.is_empty());
}

#[test]
fn a_time_far_in_the_future_closes_nobodys_window() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let year = i64::try_from(now.as_millis()).unwrap() + 365 * 86_400_000;
    let ran = count(&[Some(10), Some(year), Some(20), Some(150), Some(i64::MAX - 7), Some(90)]);
    // 90 is late by its window, which 150 has closed with the 5 ms that are allowed; the one a year
    // ahead has closed nothing and is counted where it belongs, the other no window can hold.
    let start = year.div_euclid(100) * 100;
    assert_eq!(ran.windows, [(0, 100, 2), (100, 200, 1), (start, start + 100, 1)]);
    expect!["windows | event time 9223372036854775800 ms | event time 9223372036854775800 ms is out of the range of windows | 9223372036854775800"].assert_eq(&ran.letters);
    assert_eq!(ran.late, [Some(90)]);
    assert_eq!((ran.totals.future, ran.totals.records_out), (2, 6));
}

#[test]
fn a_record_without_a_time_is_dead_lettered() {
    let ran = count(&[Some(10), None, Some(i64::MIN), Some(20)]);
    assert_eq!(ran.windows, [(0, 100, 2)]);
    let totals = (ran.totals.records_in, ran.totals.records_out, ran.totals.dead_lettered);
    assert_eq!(totals, (4, 2, 2));
    expect![[r#"
        stamp | event time none | record has no event time | -9223372036854775808
        stamp | event time none | record has no event time | null"#]]
    .assert_eq(&ran.letters);
}

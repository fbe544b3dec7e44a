//! Single behaviours: panes, processing time, evictors, refusals, late records, plan errors.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use headwater_core::{
    BadRecordPolicy, Batch, EventTime, KeyGroupRange, Keyed, ProcessingTime, SplitTag, Timed,
};
use headwater_operators::operator::{BATCH_SIZE, LATE, OUT};
use headwater_operators::window::{
    Accumulation, Aggregate, CountEvictor, StandardTrigger, TimeEvictor, WindowResult, WindowSpec,
    collect, count, evicting, fold, sum,
};
use headwater_operators::{Operator, OperatorContext, OperatorInit};

use crate::driver::{Build, Cluster, Rec, Step};
use crate::model::ms;
use crate::naive::Item;

fn init() -> OperatorInit {
    OperatorInit { name: "clicks".into(), worker: 0, workers: 1, key_groups: KeyGroupRange::all(8) }
}

fn late(key: u8, time: i64, id: u32, read_under: i64) -> Step {
    Step::Batch(vec![Item { key, time, id, gap: 5, read_under }])
}

fn one(key: u8, time: i64, id: u32) -> Step {
    late(key, time, id, i64::MIN)
}

/// Runs a script and prints each result as `key [start, end) ids, pane timing @time`.
fn results(build: Build<'_>, steps: &[Step], expected: Expect) {
    let mut cluster = Cluster::<Vec<Rec>>::new(build, 1);
    cluster.run(steps);
    let mut text = String::new();
    for Timed { time, value: r, .. } in &cluster.results {
        let ids: Vec<u32> = r.value.iter().map(|rec| rec.id).collect();
        let (start, end) = (r.window.start.0, r.window.end.0);
        let window =
            if r.window.end == EventTime::MAX { "all".into() } else { format!("[{start}, {end})") };
        text += &format!("{} {window} {ids:?}, {} {:?} @{}\n", r.key, r.pane, r.timing, time.0);
    }
    let late: Vec<_> = cluster.late.iter().map(|r| (r.time.0, r.late_by, r.value.id)).collect();
    if !late.is_empty() {
        text += &format!("late {late:?}\n");
    }
    for reason in &cluster.dead_letters {
        text += &format!("refused: {reason}\n");
    }
    expected.assert_eq(&text);
}

fn lists(spec: WindowSpec<Rec>) -> impl Fn(&OperatorInit) -> Box<dyn Operator> {
    let aggregate = Arc::new(collect());
    move |init| spec.build::<u8, _>(init, &aggregate).unwrap()
}

fn with<A: Aggregate<In = Rec>>(
    lateness: i64,
    aggregate: A,
) -> impl Fn(&OperatorInit) -> Box<dyn Operator> {
    let aggregate = Arc::new(aggregate);
    let spec = ten().allowed_lateness(ms(lateness));
    move |init| spec.build::<u8, _>(init, &aggregate).unwrap()
}

fn ten() -> WindowSpec<Rec> {
    WindowSpec::tumbling(ms(10))
}

#[test]
fn panes_say_when_they_were_emitted() {
    let trigger = StandardTrigger::on_time().early_count(2);
    let spec = || ten().allowed_lateness(ms(5)).trigger(trigger.clone());
    let steps = [
        one(1, 0, 1),
        one(1, 9, 2),
        one(1, 5, 3),
        Step::Watermark(8),
        one(1, 9, 4),
        Step::Watermark(9),
        late(1, 3, 5, 9),
        // The first of its key, and already late.
        late(2, 3, 6, 13),
        Step::Watermark(13),
        late(1, 3, 7, 14),
    ];
    results(
        &lists(spec()),
        &steps,
        expect![[r#"
            1 [0, 10) [1, 2], 0 Early @9
            1 [0, 10) [1, 2, 3, 4], 1 Early @9
            1 [0, 10) [1, 2, 3, 4], 2 OnTime @9
            1 [0, 10) [1, 2, 3, 4, 5], 3 Late @9
            2 [0, 10) [6], 0 Late @9
            late [(3, 12, 7)]
        "#]],
    );
    results(
        &lists(spec().accumulation(Accumulation::Discarding)),
        &steps,
        expect![[r#"
            1 [0, 10) [1, 2], 0 Early @9
            1 [0, 10) [3, 4], 1 Early @9
            1 [0, 10) [5], 2 Late @9
            2 [0, 10) [6], 0 Late @9
            late [(3, 12, 7)]
        "#]],
    );
}

#[test]
fn early_panes_come_on_the_clock() {
    let trigger = StandardTrigger::on_time().early_every(ms(100));
    let build = lists(ten().trigger(trigger));
    let mut cluster = Cluster::<Vec<Rec>>::new(&build, 1);
    let panes = |cluster: &Cluster<'_, Vec<Rec>>| cluster.results.len();
    cluster.step(&Step::Clock(130), 0);
    assert_eq!(cluster.wake_at(), None);
    cluster.step(&one(1, 0, 1), 0);
    cluster.step(&Step::Clock(170), 0);
    cluster.step(&one(2, 0, 2), 0);
    assert_eq!((cluster.wake_at(), panes(&cluster)), (Some(200), 0));
    cluster.step(&Step::Clock(200), 0);
    assert_eq!((cluster.wake_at(), panes(&cluster)), (None, 2));
    // Nothing new, nothing emitted; then one key's alarm survives a crash.
    cluster.step(&Step::Clock(500), 0);
    assert_eq!(panes(&cluster), 2);
    let rest = [one(1, 4, 3), Step::Barrier, Step::Encode(9), Step::Crash(1), Step::Clock(600)];
    cluster.run(&rest);
    let last = cluster.results[2..].iter().map(|r| (r.value.key, r.value.pane));
    let mut last: Vec<_> = last.collect();
    last[1..].sort_unstable();
    assert_eq!(last, [(1, 1), (1, 2), (2, 1)]);
}

#[test]
fn a_global_window_emits_by_count_and_at_the_end() {
    let trigger = StandardTrigger::count(2);
    let steps = [one(1, 7, 1), one(1, 3, 2), one(2, 4, 3), one(1, 5, 4), Step::Watermark(900)];
    results(
        &lists(WindowSpec::global().trigger(trigger)),
        &steps,
        expect![[r#"
            1 all [1, 2], 0 Early @7
        "#]],
    );
    results(
        &lists(WindowSpec::global()),
        &steps,
        expect![[r#"
            1 all [1, 2, 4], 0 OnTime @7
            2 all [3], 0 OnTime @4
        "#]],
    );
}

#[test]
fn count_windows_span_their_records() {
    let steps = [one(1, 7, 1), one(1, 3, 2), one(1, 5, 3), one(1, 9, 4), one(1, 8, 5)];
    results(
        &lists(WindowSpec::count_hopping(3, 2)),
        &steps,
        expect![[r#"
            1 [3, 8) [1, 2], 0 OnTime @7
            1 [3, 10) [2, 3, 4], 0 OnTime @9
        "#]],
    );
}

#[test]
fn processing_time_windows_follow_the_clock() {
    let build = lists(ten().on_processing_time());
    let steps = [
        Step::Clock(12),
        one(1, 700, 1),
        // An event time that means nothing, and none at all, do not matter.
        Step::Watermark(5000),
        Step::Clock(19),
        one(1, i64::MIN, 2),
        one(2, 3, 3),
        Step::Clock(20),
        one(1, 0, 4),
        Step::Barrier,
        Step::Encode(9),
        Step::Crash(1),
        Step::Clock(45),
        one(1, 0, 5),
    ];
    results(
        &build,
        &steps,
        expect![[r#"
            1 [10, 20) [1, 2], 0 OnTime @19
            2 [10, 20) [3], 0 OnTime @19
            1 [20, 30) [4], 0 OnTime @29
            1 [40, 50) [5], 0 OnTime @49
        "#]],
    );
    let mut cluster = Cluster::<Vec<Rec>>::new(&build, 1);
    cluster.step(&steps[0], 0);
    cluster.step(&steps[1], 0);
    assert_eq!(cluster.wake_at(), Some(20));
}

#[test]
fn evicted_records_stay_away() {
    let steps = [one(1, 0, 1), one(1, 9, 2), one(1, 5, 3), Step::Watermark(9), late(1, 6, 4, 9)];
    let last_two = with(5, evicting(CountEvictor(2), collect()));
    let expected = expect![[r#"
        1 [0, 10) [2, 3], 0 OnTime @9
        1 [0, 10) [3, 4], 1 Late @9
    "#]];
    results(&last_two, &steps, expected);
    let newest = with(0, evicting(TimeEvictor(ms(5)), collect()));
    let expected = expect![[r#"
        1 [0, 10) [2, 3], 0 OnTime @9
    "#]];
    results(&newest, &steps[..3], expected);
    // What leaves nothing emits nothing.
    let none = with(0, evicting(CountEvictor(0), collect()));
    results(&none, &steps[..3], expect![""]);
}

#[test]
fn a_trigger_can_be_added_to_a_running_job() {
    let triggered = Cell::new(false);
    let (plain, with) = (
        lists(ten().allowed_lateness(ms(5))),
        lists(ten().allowed_lateness(ms(5)).trigger(StandardTrigger::on_time().early_count(2))),
    );
    let build = |init: &OperatorInit| {
        if triggered.replace(true) { with(init) } else { plain(init) }
    };
    let steps = [
        one(1, 0, 1),
        one(1, 11, 2),
        Step::Watermark(9),
        Step::Barrier,
        Step::Encode(9),
        Step::Crash(1),
        one(1, 12, 3),
        one(1, 13, 4),
        late(1, 2, 5, 9),
    ];
    results(
        &build,
        &steps,
        expect![[r#"
            1 [0, 10) [1], 0 OnTime @9
            1 [10, 20) [2, 3, 4], 0 Early @19
            1 [0, 10) [1, 5], 1 Late @9
            1 [10, 20) [2, 3, 4], 1 OnTime @19
        "#]],
    );
}

#[test]
fn a_record_behind_the_watermark_is_late_whatever_its_split_says() {
    // A split that was idle comes back with old records: on time for itself, too late for others.
    let kinds = [ten(), WindowSpec::hopping(ms(10), ms(5)), WindowSpec::session(ms(5))];
    for spec in kinds.into_iter().chain([WindowSpec::sliding(ms(5))]) {
        let steps = [one(1, 30, 1), Step::Watermark(40), one(1, 5, 2), Step::Barrier];
        // Neither a restore nor the watermark that starts over opens the window again.
        let again = [Step::Encode(99), Step::Crash(2), one(1, 6, 3), one(1, 47, 4)];
        let build = lists(spec);
        let mut cluster = Cluster::<Vec<Rec>>::new(&build, 1);
        cluster.run(&[steps.to_vec(), again.to_vec()].concat());
        let late: Vec<_> = cluster.late.iter().map(|r| (r.value.id, r.late_by)).collect();
        assert_eq!(late, [(2, 0), (3, 0)]);
        assert_eq!(cluster.entries(), 0);
    }
}

fn process<A: Aggregate<In = Rec>>(
    spec: &WindowSpec<Rec>,
    aggregate: A,
    times: &[i64],
) -> (headwater_core::Result<()>, OperatorContext) {
    let mut operator = spec.build::<u8, _>(&init(), &Arc::new(aggregate)).unwrap();
    let mut cx = OperatorContext::new(ProcessingTime(0));
    let record =
        |time: &i64| Timed::new(EventTime(*time), Keyed::new(1u8, Rec { id: u32::MAX, gap: 5 }));
    let batch = Batch::new(times.iter().map(record).collect::<Vec<_>>()).with_split(SplitTag(3));
    cx.enter(ProcessingTime(0), EventTime(-1000), SplitTag(3));
    let done = operator.process(0, batch, &mut cx).and_then(|()| {
        cx.enter(ProcessingTime(0), EventTime::MAX, SplitTag::NONE);
        operator.on_watermark(EventTime::MAX, &mut cx)
    });
    assert!(operator.tables().iter().all(|table| table.is_empty()));
    (done, cx)
}

#[test]
fn refused_records_follow_the_policy_and_leave_no_state() {
    let kinds = || {
        let hopping = WindowSpec::hopping(ms(10), ms(5));
        [ten(), hopping, WindowSpec::session(ms(5)), WindowSpec::sliding(ms(5))]
    };
    for spec in kinds() {
        let (done, cx) = process(&spec, count(), &[EventTime::MIN.0]);
        done.unwrap();
        assert_eq!(cx.counts.dead_lettered, 1);
        let letter = &cx.dead_letters[0];
        assert_eq!(letter.operator, "clicks");
        assert_eq!(letter.reason, "record without event time in a window over event time");
        let (done, cx) = process(&spec.bad_records(BadRecordPolicy::Skip), count(), &[i64::MIN]);
        done.unwrap();
        assert_eq!((cx.counts.dropped, cx.emitted.len()), (1, 0));
    }
    for spec in kinds() {
        let (done, _) = process(&spec.bad_records(BadRecordPolicy::Fail), count(), &[i64::MIN]);
        assert!(done.is_err());
    }
    for spec in kinds().into_iter().chain([WindowSpec::count(2), WindowSpec::global()]) {
        let (done, cx) = process(&spec, Picky, &[3, 4]);
        done.unwrap();
        assert_eq!((cx.counts.dead_lettered, cx.emitted.len()), (2, 0));
    }
}

/// Takes no record.
struct Picky;
impl Aggregate for Picky {
    type In = Rec;
    type Acc = u8;
    type Out = u8;
    fn create(&self) -> u8 {
        0
    }
    fn add(&self, _acc: &mut u8, _record: &Timed<Rec>) -> headwater_core::Result<()> {
        Err(headwater_core::Error::data("not this one"))
    }
    fn merge(&self, _acc: &mut u8, _later: &u8) -> headwater_core::Result<()> {
        Ok(())
    }
    fn finish(&self, _acc: &u8) -> headwater_core::Result<u8> {
        Ok(0)
    }
}

#[test]
fn a_result_that_does_not_fit_is_refused_with_its_window() {
    let huge = sum(|rec: &Rec| u64::from(rec.id) << 32);
    let (done, cx) = process(&ten(), huge, &[0, 1, 2]);
    done.unwrap();
    let letter = &cx.dead_letters[0];
    let reason =
        "window [1970-01-01T00:00:00.000Z, 1970-01-01T00:00:00.010Z): sum does not fit u64";
    assert_eq!(letter.reason, reason);
    assert_eq!(letter.record, r#"[1,{"start":0,"end":10}]"#);
}

#[test]
fn results_leave_in_batches_without_a_split() {
    let spec = WindowSpec::<Rec>::hopping(ms(10), ms(5));
    let mut operator = spec.build::<u64, _>(&init(), &Arc::new(count())).unwrap();
    let mut cx = OperatorContext::new(ProcessingTime(0));
    cx.enter(ProcessingTime(0), EventTime(100), SplitTag(7));
    let record = |time, key| Timed::new(EventTime(time), Keyed::new(key, Rec { id: 0, gap: 1 }));
    let keys = 1500;
    let mut records: Vec<_> = (0..keys).map(|key| record(101, key)).collect();
    records.push(record(1, 0));
    operator.process(0, Batch::new(records).with_split(SplitTag(7)), &mut cx).unwrap();
    let [(LATE, batch)] = &cx.emitted[..] else { panic!("the late record only") };
    assert_eq!((batch.len(), batch.split()), (1, SplitTag(7)));
    cx.emitted.clear();
    operator.on_watermark(EventTime::MAX, &mut cx).unwrap();
    let mut results = 0;
    for (port, batch) in cx.emitted {
        assert_eq!((port, batch.split()), (OUT, SplitTag::NONE));
        assert!(batch.len() <= BATCH_SIZE);
        results += batch.take::<WindowResult<u64, u64>>().len() as u64;
    }
    assert_eq!(results, 2 * keys);
}

#[test]
fn wrong_windows_are_refused_by_name() {
    let refused = |spec: WindowSpec<Rec>| spec.check("clicks", &count()).unwrap_err().to_string();
    let us = Duration::from_micros(1500);
    let kinds: Vec<(WindowSpec<Rec>, &str)> = vec![
        (WindowSpec::tumbling(ms(0)), "window size must be positive, got 0 ms"),
        (WindowSpec::tumbling(us), "window size must be whole milliseconds, got 1.5ms"),
        (WindowSpec::hopping(ms(5), ms(0)), "window slide must be positive, got 0 ms"),
        (
            WindowSpec::hopping(ms(5), ms(6)),
            "window slide must not be larger than the size, got 6ms for a size of 5ms",
        ),
        (
            WindowSpec::cumulative(ms(10), ms(3)),
            "maximum window size must be a multiple of the step, got 10ms and a step of 3ms",
        ),
        (WindowSpec::session(ms(0)), "session gap must be positive, got 0 ms"),
        (WindowSpec::sliding(ms(0)), "time difference must be positive, got 0 ms"),
        (
            WindowSpec::count(0),
            "count window of 0 records every 0 is not possible: both must be positive, and the size \
             not smaller",
        ),
        (WindowSpec::global().offset(ms(1)), "an offset cannot be set for global windows"),
        (
            WindowSpec::count(3).allowed_lateness(ms(1)),
            "allowed lateness cannot be set for count windows",
        ),
        (
            WindowSpec::session(ms(1)).trigger(StandardTrigger::on_time()),
            "a trigger or discarding panes cannot be set for session windows",
        ),
        (
            ten().on_processing_time().allowed_lateness(ms(1)),
            "allowed lateness cannot be set for processing-time windows",
        ),
        (
            ten().trigger(StandardTrigger::count(0)),
            "a trigger's number of records must be positive, got 0",
        ),
    ];
    for (spec, message) in kinds {
        assert_eq!(refused(spec), format!("{message} (operator \"clicks\")"));
    }
    let list = || fold(0u64, |n: &mut u64, _: &Rec| *n += 1);
    for (kind, spec) in [
        ("session", WindowSpec::session(ms(1))),
        ("sliding", WindowSpec::sliding(ms(1))),
        ("overlapping count", WindowSpec::count_hopping(2, 1)),
    ] {
        let error = spec.check("clicks", &list()).unwrap_err();
        let message = format!("{kind} windows need an aggregate that merges (operator \"clicks\")");
        assert_eq!(error.to_string(), message);
        assert!(spec.build::<u8, _>(&init(), &Arc::new(list())).is_err());
    }
    let trigger = Arc::new(StandardTrigger::count(1));
    let built = WindowSpec::count(2).build_with_trigger::<u8, _, _>(
        &init(),
        &Arc::new(count::<Rec>()),
        &trigger,
    );
    assert!(built.is_err());
}

//! Every window kind agrees with the naive model, and the model would notice if not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_core::Timed;
use headwater_operators::Operator;
use headwater_operators::OperatorInit;
use headwater_operators::window::{
    Accumulation, Aggregate, Fire, PaneTiming, StandardTrigger, Trigger, TriggerContext, Window,
    WindowAssigner, WindowResult, WindowSpec, collect, fold,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::driver::{Cluster, Rec};
use crate::input::{Input, input};
use crate::naive::{Bug, Expected, Item, Kind, Model, Windows};

pub fn ms(n: i64) -> Duration {
    Duration::from_millis(n as u64)
}

pub fn spec(kind: Kind) -> WindowSpec<Rec> {
    match kind {
        Kind::Tumbling { size, offset } => WindowSpec::tumbling(ms(size)).offset(ms(offset)),
        Kind::Hopping { size, slide, offset } => {
            WindowSpec::hopping(ms(size), ms(slide)).offset(ms(offset))
        }
        Kind::Cumulative { size, step, offset } => {
            WindowSpec::cumulative(ms(size), ms(step)).offset(ms(offset))
        }
        Kind::Session { gap } => WindowSpec::session(ms(gap)),
        Kind::SessionBy => {
            WindowSpec::session_by(|rec: &Rec| Duration::from_millis(u64::from(rec.gap)))
        }
        Kind::Sliding { difference } => WindowSpec::sliding(ms(difference)),
        Kind::Count { size, slide } => WindowSpec::count_hopping(size as u64, slide as u64),
        Kind::Global => WindowSpec::global(),
    }
}

/// How the panes of a window relate to what it contains.
#[derive(Clone, Copy, PartialEq)]
enum Panes {
    /// Exactly one, on time.
    One,
    /// The last one has everything.
    Last,
    /// Together they have everything.
    Sum,
    /// As `Last`; and there may be panes of sessions that grew later.
    Superseded,
    /// As `Sum`, and bounds may repeat.
    Repeated,
}

type Results = Vec<Timed<WindowResult<u8, Vec<Rec>>>>;

fn windows(results: &Results, panes: Panes) -> Result<Windows, String> {
    let mut found = Windows::new();
    let mut numbers: BTreeMap<(u8, i64, i64), u32> = BTreeMap::new();
    for Timed { time, value: result, .. } in results {
        let window = (result.key, result.window.start.0, result.window.end.0);
        let mut ids: Vec<u32> = result.value.iter().map(|rec| rec.id).collect();
        if result.window != Window::GLOBAL && time.0 != result.window.end.0 - 1 {
            return Err(format!("{result:?} at {time}"));
        }
        if panes == Panes::One && (result.pane, result.timing) != (0, PaneTiming::OnTime) {
            return Err(format!("more than one pane: {result:?}"));
        }
        let number = numbers.entry(window).or_default();
        if !matches!(panes, Panes::Repeated | Panes::Superseded) && result.pane != *number {
            return Err(format!("pane {number} expected: {result:?}"));
        }
        *number += 1;
        let so_far = found.entry(window).or_default();
        if !matches!(panes, Panes::Sum | Panes::Repeated) {
            so_far.clear();
        }
        so_far.append(&mut ids);
        so_far.sort_unstable();
    }
    Ok(found)
}

fn compare(
    expected: &Expected,
    results: &Results,
    late: &[Timed<Rec>],
    panes: Panes,
) -> Result<(), String> {
    let mut found = windows(results, panes)?;
    if panes == Panes::Superseded {
        found.retain(|window, ids| {
            let grew = expected.windows.iter().any(|((key, start, end), all)| {
                (*key == window.0 && *start <= window.1 && window.2 <= *end)
                    && (*start, *end) != (window.1, window.2)
                    && ids.iter().all(|id| all.contains(id))
            });
            !grew
        });
    }
    let mut late: Vec<u32> = late.iter().map(|record| record.value.id).collect();
    late.sort_unstable();
    let found = Expected { windows: found, late };
    if found == *expected { Ok(()) } else { Err(format!("found {found:#?}\nnot {expected:#?}")) }
}

type Make = dyn Fn(&OperatorInit) -> Box<dyn Operator>;

fn agrees(input: &Input, model: &Model, make: &Make, panes: Panes) -> Result<(), String> {
    let mut cluster = Cluster::<Vec<Rec>>::new(make, 1);
    cluster.run(&input.steps);
    compare(&model.run(&input.items), &cluster.results, &cluster.late, panes)?;
    if !matches!(model.kind, Kind::Count { .. }) && cluster.entries() > 0 {
        return Err(format!("{} entries are left", cluster.entries()));
    }
    Ok(())
}

fn built<A: Aggregate<In = Rec>>(
    spec: WindowSpec<Rec>,
    aggregate: A,
) -> impl Fn(&OperatorInit) -> Box<dyn Operator> {
    let aggregate = Arc::new(aggregate);
    move |init| spec.build::<u8, A>(init, &aggregate).unwrap()
}

/// Checks random inputs; returns the first disagreement.
fn check(model: &Model, make: &Make, panes: Panes) -> Result<(), String> {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config.clone(),
        prop::test_runner::TestRng::deterministic_rng(config.rng_algorithm),
    );
    let tested = runner
        .run(&input(), |input| agrees(&input, model, make, panes).map_err(TestCaseError::fail));
    tested.map_err(|e| e.to_string())
}

fn check_all(kinds: &[Kind], panes: impl Fn(i64) -> Panes) {
    for kind in kinds {
        for lateness in [0, 7] {
            let model = Model { kind: *kind, lateness, bug: Bug::None };
            let mut spec = spec(*kind);
            if lateness > 0 {
                spec = spec.allowed_lateness(ms(lateness));
            }
            if let Err(e) = check(&model, &built(spec, collect()), panes(lateness)) {
                panic!("{kind:?} lateness {lateness}: {e}");
            }
        }
    }
}

fn last_if_late(lateness: i64) -> Panes {
    if lateness == 0 { Panes::One } else { Panes::Last }
}

const HOPPING: [Kind; 4] = [
    Kind::Hopping { size: 10, slide: 2, offset: 0 },
    Kind::Hopping { size: 9, slide: 6, offset: 4 },
    // More than eight slices: running merges.
    Kind::Hopping { size: 20, slide: 1, offset: 0 },
    Kind::Hopping { size: 30, slide: 2, offset: 1 },
];
const CUMULATIVE: [Kind; 2] = [
    Kind::Cumulative { size: 12, step: 3, offset: 0 },
    Kind::Cumulative { size: 24, step: 2, offset: 5 },
];
const TUMBLING: [Kind; 2] =
    [Kind::Tumbling { size: 10, offset: 0 }, Kind::Tumbling { size: 7, offset: 3 }];

#[test]
fn tumbling() {
    check_all(&TUMBLING, last_if_late);
}

#[test]
fn hopping() {
    check_all(&HOPPING, last_if_late);
}

#[test]
fn cumulative() {
    check_all(&CUMULATIVE, last_if_late);
}

#[test]
fn sliding() {
    check_all(&[4, 11].map(|difference| Kind::Sliding { difference }), last_if_late);
}

#[test]
fn session() {
    check_all(&[Kind::Session { gap: 5 }, Kind::SessionBy], |lateness| {
        if lateness == 0 { Panes::One } else { Panes::Superseded }
    });
}

#[test]
fn count() {
    for (size, slide) in [(3, 3), (1, 1), (6, 4), (5, 1)] {
        let kind = Kind::Count { size, slide };
        let model = Model { kind, lateness: 0, bug: Bug::None };
        check(&model, &built(spec(kind), collect()), Panes::Repeated).unwrap();
    }
}

/// What cannot be merged runs on one accumulator per window.
#[test]
fn without_merging() {
    let list = || fold(Vec::new(), |list: &mut Vec<Rec>, rec: &Rec| list.push(rec.clone()));
    for kind in [HOPPING[0], CUMULATIVE[0], Kind::Count { size: 4, slide: 4 }] {
        let is_count = matches!(kind, Kind::Count { .. });
        let (lateness, panes) = if is_count { (0, Panes::Repeated) } else { (5, Panes::Last) };
        let model = Model { kind, lateness, bug: Bug::None };
        let spec = spec(kind).allowed_lateness(ms(lateness));
        check(&model, &built(spec, list()), panes).unwrap();
    }
}

/// Windows of four, written as an assigner.
struct Fours;
impl WindowAssigner<Rec> for Fours {
    fn assign(&self, record: &Timed<Rec>, windows: &mut Vec<Window>) {
        let start = record.time.0.div_euclid(4) * 4;
        windows.push(Window::new(
            headwater_core::EventTime(start),
            headwater_core::EventTime(start + 4),
        ));
    }
}

#[test]
fn custom_assigner() {
    let model = Model { kind: Kind::Tumbling { size: 4, offset: 0 }, lateness: 3, bug: Bug::None };
    let spec = WindowSpec::custom(Fours).allowed_lateness(ms(3));
    check(&model, &built(spec, collect()), Panes::Last).unwrap();
}

#[test]
fn triggers_do_not_change_the_last_pane() {
    let early = StandardTrigger::on_time().early_every(ms(5)).early_count(2);
    for kind in [TUMBLING[1], HOPPING[0], CUMULATIVE[0], Kind::Global] {
        let lateness = if matches!(kind, Kind::Global) { 0 } else { 6 };
        let model = Model { kind, lateness, bug: Bug::None };
        let with = |accumulation| {
            let spec = spec(kind).allowed_lateness(ms(lateness)).trigger(early.clone());
            built(spec.accumulation(accumulation), collect())
        };
        check(&model, &with(Accumulation::Accumulating), Panes::Last).unwrap();
        check(&model, &with(Accumulation::Discarding), Panes::Sum).unwrap();
        // Without a trigger, discarding concerns late panes.
        let spec = spec(kind).allowed_lateness(ms(lateness));
        let discarding = spec.accumulation(Accumulation::Discarding);
        check(&model, &built(discarding, collect()), Panes::Sum).unwrap();
    }
}

/// Emits three milliseconds of event time after a record, purges at every second emission.
struct AfterThree;
impl Trigger<Rec> for AfterThree {
    type State = u8;
    fn on_record(&self, record: &Timed<Rec>, _: &mut u8, cx: &mut TriggerContext) -> Fire {
        if cx.is_complete() {
            return Fire::EmitAndPurge;
        }
        if cx.event_time_alarm().is_none() {
            cx.wake_at_event_time(record.time + Duration::from_millis(3));
        }
        Fire::Wait
    }
    fn on_complete(&self, _: &mut u8, _: &mut TriggerContext) -> Fire {
        Fire::EmitAndPurge
    }
    fn on_event_time(&self, state: &mut u8, _: &mut TriggerContext) -> Fire {
        *state += 1;
        Fire::EmitAndPurge
    }
}

#[test]
fn a_trigger_of_ones_own_keeps_its_alarms() {
    for kind in [TUMBLING[0], HOPPING[0]] {
        let model = Model { kind, lateness: 6, bug: Bug::None };
        let (aggregate, trigger) = (Arc::new(collect()), Arc::new(AfterThree));
        let make = move |init: &OperatorInit| {
            let spec = spec(kind).allowed_lateness(ms(6));
            spec.build_with_trigger::<u8, _, _>(init, &aggregate, &trigger).unwrap()
        };
        check(&model, &make, Panes::Sum).unwrap();
    }
}

/// The model with a mistake in it must disagree: else the tests above prove nothing.
#[test]
fn planted_bugs_are_noticed() {
    let session = Kind::Session { gap: 5 };
    let sliding = Kind::Sliding { difference: 4 };
    let planted = [
        (TUMBLING[0], 0, Bug::EndInside),
        (HOPPING[0], 0, Bug::EndInside),
        (HOPPING[2], 0, Bug::EndInside),
        (CUMULATIVE[0], 0, Bug::EndInside),
        (sliding, 0, Bug::EndInside),
        (TUMBLING[0], 0, Bug::GoneLate),
        (HOPPING[0], 7, Bug::GoneLate),
        (session, 0, Bug::GoneLate),
        (sliding, 7, Bug::GoneLate),
        (session, 0, Bug::TouchingMerge),
    ];
    for (kind, lateness, bug) in planted {
        let spec = spec(kind).allowed_lateness(ms(lateness));
        let found = check(&Model { kind, lateness, bug }, &built(spec, collect()), Panes::Last);
        assert!(found.is_err(), "{bug:?} in {kind:?} went unnoticed");
    }
}

/// Sessions come out the same in any order of arrival, as long as nothing is late.
#[test]
fn sessions_do_not_depend_on_order() {
    let times = [0, 3, 9, 14, 15, 30, 34, 41];
    let item = |(id, time): (usize, &i64)| {
        let (id, time) = (id as u32, *time);
        Item { key: 1, time, id, gap: 6, read_under: i64::MIN }
    };
    let items: Vec<Item> = times.iter().enumerate().map(item).collect();
    let model = Model { kind: Kind::Session { gap: 6 }, lateness: 0, bug: Bug::None };
    let expected = model.run(&items);
    assert_eq!(expected.windows.len(), 4);
    let make = built(spec(model.kind), collect());
    let orders = Just(items).prop_shuffle();
    let mut runner = TestRunner::deterministic();
    let tested = runner.run(&orders, |items| {
        let mut cluster = Cluster::new(&make, 1);
        cluster.run(&[crate::driver::Step::Batch(items)]);
        compare(&expected, &cluster.results, &cluster.late, Panes::One).map_err(TestCaseError::fail)
    });
    tested.unwrap();
}

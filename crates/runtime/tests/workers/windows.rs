//! Every kind of window against the naive model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use headwater_api::Job;
use headwater_connect::collect::collect as collected;
use headwater_core::EventTime;
use headwater_operators::watermarks::Watermarks;
use headwater_operators::window::{
    Accumulation, PaneTiming, StandardTrigger, WindowResult, WindowSpec, collect,
};
use headwater_runtime::{Outcome, start};

use crate::input::{Event, Input, WORKERS, check, fixed};
use crate::naive::{Bug, Expected, Kind, Model, Windows};
use crate::support::{Mine, config, quiet_panics, wait};

type Result<T, E = String> = std::result::Result<T, E>;
type Results = Vec<WindowResult<u8, Vec<Event>>>;

fn ms(n: i64) -> Duration {
    Duration::from_millis(n as u64)
}

/// What a job gave, and how often it had to start again.
struct Ran {
    results: Results,
    late: Vec<u32>,
    restarts: u64,
}

/// Runs the windows over the input, with a panic in the middle if `crash`.
fn run(input: &Input, workers: usize, crash: bool, spec: WindowSpec<Event>) -> Result<Ran> {
    quiet_panics();
    let (out, late) = (collected(), collected::<Event>());
    let checkpoints = Arc::new(AtomicU64::new(0));
    let (mine, at) = (Mine::default(), input.middle());
    let mut job = Job::new("windows");
    let events = job
        .source("events", input.source(&checkpoints))
        .event_time(|e| EventTime(e.time), Watermarks::bounded(input.delay()))
        .map(move |e| {
            if crash && e.id == at {
                mine.step_on();
            }
            e
        });
    let windows = events.key_by(|e| e.key).window(spec).aggregate("windows", collect());
    windows.results().sink("out", out.clone());
    windows.late().sink("late", late.clone());
    let mut handle = start(job.build().unwrap(), config(workers, None)).map_err(|e| e.report())?;
    match wait(&mut handle, &checkpoints).map_err(|e| e.report())? {
        Outcome::Finished { .. } => {}
        other => return Err(format!("{other:?}")),
    }
    let mut late: Vec<u32> = late.records().into_iter().map(|e| e.id).collect();
    late.sort_unstable();
    let mut results: Results = out.records();
    for result in &mut results {
        result.value.sort();
    }
    results.sort_by_key(|r| (r.key, r.window, r.pane));
    let metrics = handle.metrics();
    let totals = metrics.operator("windows").unwrap().totals;
    let counted = (totals.records_in, totals.late, totals.records_out);
    let there = (input.events.len(), late.len(), results.len() + late.len());
    if counted != (there.0 as u64, there.1 as u64, there.2 as u64) {
        return Err(format!("counted in, late, out: {counted:?}, there are {there:?}"));
    }
    Ok(Ran { results, late, restarts: metrics.restarts })
}

/// How the panes of a window relate to what it contains.
#[derive(Clone, Copy, PartialEq)]
enum Panes {
    /// Exactly one, on time.
    One,
    /// The last one has everything; how many there are may differ, as a record within the allowed
    /// lateness may find its window emitted or not yet.
    Last,
    /// As `Last`; and sessions that grew later were emitted under their earlier bounds.
    Superseded,
    /// Bounds may repeat, as those of count windows do.
    Repeated,
}

fn contents(results: &Results, panes: Panes) -> Result<Windows> {
    let mut found = Windows::new();
    for result in results {
        if panes == Panes::One && (result.pane, result.timing) != (0, PaneTiming::OnTime) {
            return Err(format!("more than one pane: {result:?}"));
        }
        let window = (result.key, result.window.start.0, result.window.end.0);
        let so_far = found.entry(window).or_default();
        if panes != Panes::Repeated {
            so_far.clear();
        }
        so_far.extend(result.value.iter().map(|e| e.id));
        so_far.sort_unstable();
    }
    Ok(found)
}

/// Takes away sessions that a later one contains.
fn without_superseded(found: &mut Windows, expected: &Windows) {
    found.retain(|(key, start, end), ids| {
        !expected.iter().any(|((k, s, e), all)| {
            k == key
                && s <= start
                && end <= e
                && (s, e) != (start, end)
                && ids.iter().all(|id| all.contains(id))
        })
    });
}

/// Compares runs on each number of workers with the model, and with each other.
fn agrees(
    model: &Model,
    spec: &dyn Fn() -> WindowSpec<Event>,
    input: &Input,
    panes: Panes,
) -> Result<()> {
    let expected = model.run(&input.items());
    let lateness = ms(model.lateness);
    let spec = || if lateness.is_zero() { spec() } else { spec().allowed_lateness(lateness) };
    let mut runs = Vec::new();
    for (workers, crash) in WORKERS.map(|w| (w, true)).into_iter().chain([(2, false)]) {
        let ran = run(input, workers, crash, spec())
            .map_err(|e| format!("{workers} workers, crash {crash}: {e}"))?;
        if ran.restarts != u64::from(crash) {
            return Err(format!("{workers} workers: {} restarts", ran.restarts));
        }
        let mut found = contents(&ran.results, panes)?;
        if panes == Panes::Superseded {
            without_superseded(&mut found, &expected.windows);
        }
        let found = Expected { windows: found, late: ran.late.clone() };
        if found != expected {
            return Err(format!(
                "{workers} workers, crash {crash}: {}",
                differences(&found, &expected)
            ));
        }
        runs.push(ran);
    }
    if matches!(panes, Panes::One | Panes::Repeated) {
        for ran in &runs[1..] {
            if ran.results != runs[0].results {
                return Err("results differ between numbers of workers".into());
            }
        }
    }
    Ok(())
}

fn differences(found: &Expected, expected: &Expected) -> String {
    let mut text = String::new();
    let keys: std::collections::BTreeSet<_> =
        found.windows.keys().chain(expected.windows.keys()).collect();
    for key in keys {
        let (f, e) = (found.windows.get(key), expected.windows.get(key));
        if f != e {
            text.push_str(&format!("\n  {key:?}: found {f:?}, expected {e:?}"));
        }
    }
    if found.late != expected.late {
        text.push_str(&format!("\n  late: found {:?}, expected {:?}", found.late, expected.late));
    }
    text
}

/// Checks windows without and with allowed lateness.
fn check_kind(kind: Kind, split_keys: bool, spec: impl Fn() -> WindowSpec<Event>) {
    let session = matches!(kind, Kind::Session { .. } | Kind::SessionBy);
    let with_lateness = if session { Panes::Superseded } else { Panes::Last };
    for (lateness, panes) in [(0, Panes::One), (9, with_lateness)] {
        let name = format!("{kind:?}, lateness {lateness}");
        let model = Model { kind, lateness, bug: Bug::None };
        check(&name, split_keys, |input| agrees(&model, &spec, input, panes));
    }
}

#[test]
fn tumbling() {
    let kind = Kind::Tumbling { size: 10, offset: 3 };
    check_kind(kind, false, || WindowSpec::tumbling(ms(10)).offset(ms(3)));
}

#[test]
fn hopping() {
    let kind = Kind::Hopping { size: 12, slide: 4, offset: 0 };
    check_kind(kind, false, || WindowSpec::hopping(ms(12), ms(4)));
}

#[test]
fn cumulative() {
    let kind = Kind::Cumulative { size: 20, step: 5, offset: 0 };
    check_kind(kind, false, || WindowSpec::cumulative(ms(20), ms(5)));
}

#[test]
fn sliding() {
    check_kind(Kind::Sliding { difference: 6 }, false, || WindowSpec::sliding(ms(6)));
}

/// Whether a late record finds a session to join depends on the order of its key's records, so each
/// key has its split.
#[test]
fn session() {
    check_kind(Kind::Session { gap: 5 }, true, || WindowSpec::session(ms(5)));
    check_kind(Kind::SessionBy, true, || {
        WindowSpec::session_by(|e: &Event| Duration::from_millis(u64::from(e.gap)))
    });
}

#[test]
fn count() {
    for (size, slide) in [(4, 4), (6, 2)] {
        let spec = || WindowSpec::count_hopping(size as u64, slide as u64);
        let model = Model { kind: Kind::Count { size, slide }, lateness: 0, bug: Bug::None };
        let name = format!("{:?}", model.kind);
        check(&name, true, |input| agrees(&model, &spec, input, Panes::Repeated));
    }
}

/// Every pane of a global window with a trigger, by number.
#[test]
fn global_with_a_trigger() {
    let expected = |input: &Input, discarding: bool| {
        let mut of_key: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
        for event in &input.events {
            of_key.entry(event.key).or_default().push(event.id);
        }
        let mut panes = Vec::new();
        for (key, ids) in of_key {
            let fired = (3..=ids.len()).step_by(3);
            let all = ids.len();
            // And once more at the end, unless nothing has come since the last purge.
            let end = if discarding && all % 3 == 0 { None } else { Some(all) };
            for (pane, until) in fired.chain(end).enumerate() {
                let from = if discarding { (until - 1) / 3 * 3 } else { 0 };
                let mut ids = ids[from..until].to_vec();
                ids.sort_unstable();
                panes.push((key, pane as u32, ids));
            }
        }
        panes
    };
    for accumulation in [Accumulation::Accumulating, Accumulation::Discarding] {
        check(&format!("global, {accumulation:?}"), true, |input| {
            let want = expected(input, accumulation == Accumulation::Discarding);
            for workers in WORKERS {
                let trigger = StandardTrigger::on_time().early_count(3);
                let spec = WindowSpec::global().trigger(trigger).accumulation(accumulation);
                let ran = run(input, workers, true, spec)?;
                let ids = |events: &[Event]| events.iter().map(|e| e.id).collect::<Vec<_>>();
                let got: Vec<_> =
                    ran.results.iter().map(|r| (r.key, r.pane, ids(&r.value))).collect();
                if got != want {
                    return Err(format!("{workers} workers: found {got:?}\nexpected {want:?}"));
                }
            }
            Ok(())
        });
    }
}

/// The last pane of windows with an early trigger has everything, the panes before it have part.
#[test]
fn tumbling_with_an_early_trigger() {
    let kind = Kind::Tumbling { size: 10, offset: 0 };
    let model = Model { kind, lateness: 9, bug: Bug::None };
    let trigger = StandardTrigger::on_time().early_count(2);
    let spec = || WindowSpec::tumbling(ms(10)).trigger(trigger.clone());
    check("tumbling, early", false, |input| agrees(&model, &spec, input, Panes::Last));
}

/// The model with a mistake in it must disagree: else the tests above prove nothing.
#[test]
fn planted_mistakes_are_noticed() {
    let tumbling = Kind::Tumbling { size: 10, offset: 0 };
    let session = Kind::Session { gap: 5 };
    for (kind, lateness, bug) in [
        (tumbling, 0, Bug::EndInside),
        (tumbling, 0, Bug::GoneLate),
        (tumbling, 9, Bug::GoneLate),
        (session, 0, Bug::TouchingMerge),
    ] {
        let spec = || match kind {
            Kind::Session { gap } => WindowSpec::session(ms(gap)),
            _ => WindowSpec::tumbling(ms(10)),
        };
        let model = Model { kind, lateness, bug };
        let found = agrees(&model, &spec, &fixed(true), Panes::Last);
        assert!(found.is_err(), "{bug:?} in {kind:?} with lateness {lateness} went unnoticed");
    }
}

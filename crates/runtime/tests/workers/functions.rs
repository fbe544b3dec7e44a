//! Process functions with timers, broadcast rules, and the union of two sources.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use headwater_api::{Job, Stream};
use headwater_connect::collect::collect as collected;
use headwater_core::EventTime;
use headwater_operators::broadcast::{BroadcastCx, BroadcastProcess};
use headwater_operators::process::{Cx, MapState, Process, Side, States};
use headwater_operators::watermarks::Watermarks;
use headwater_operators::window::{WindowSpec, collect};
use headwater_runtime::start;

use crate::input::{Event, Input, WORKERS, check};
use crate::naive::{Bug, Kind, Model};
use crate::support::scripted::{Gate, scripted};
use crate::support::{Mine, config, quiet_panics, until, wait};

const SIZE: i64 = 10;
const BUCKETS: MapState<i64, Vec<u32>> = MapState::new("buckets");
const LATE: Side<Event> = Side::new("too late");

/// Tumbling windows of ten, made by hand: a map of buckets and a timer for each.
struct Buckets;

impl Process for Buckets {
    type Key = u8;
    type In = Event;
    type Out = Bucket;
    type State = ();

    fn declare(&self, states: &mut States<Self>) {
        states.map(&BUCKETS);
        states.side(LATE);
    }

    fn process(&self, cx: &mut Cx<'_, Self>, event: Event) -> headwater_core::Result<()> {
        let start = event.time.div_euclid(SIZE) * SIZE;
        let end = EventTime(start + SIZE - 1);
        if cx.is_late() && cx.watermark() >= end {
            cx.emit_to(LATE, event);
            return Ok(());
        }
        cx.map(&BUCKETS).or_default(&start)?.push(event.id);
        cx.timer_at(end);
        Ok(())
    }

    fn on_timer(&self, cx: &mut Cx<'_, Self>, at: EventTime) -> headwater_core::Result<()> {
        let start = at.0 + 1 - SIZE;
        let mut ids = cx.map(&BUCKETS).remove(&start)?.unwrap_or_default();
        ids.sort_unstable();
        cx.emit((*cx.key(), start, ids));
        Ok(())
    }
}

/// Key, start and ids.
type Bucket = (u8, i64, Vec<u32>);

/// The buckets and the late events that there should be.
fn expected_buckets(input: &Input) -> (Vec<Bucket>, Vec<u32>) {
    let kind = Kind::Tumbling { size: SIZE, offset: 0 };
    let expected = Model { kind, lateness: 0, bug: Bug::None }.run(&input.items());
    let windows = expected.windows.into_iter();
    (windows.map(|((key, start, _), ids)| (key, start, ids)).collect(), expected.late)
}

#[test]
fn a_process_function_with_timers() {
    quiet_panics();
    check("timers", false, |input| {
        let (want, late) = expected_buckets(input);
        for workers in WORKERS {
            let (out, side) = (collected(), collected::<Event>());
            let checkpoints = Arc::new(AtomicU64::new(0));
            let (mine, at) = (Mine::default(), input.middle());
            let mut job = Job::new("timers");
            let buckets = job
                .source("events", input.source(&checkpoints))
                .event_time(|e| EventTime(e.time), Watermarks::bounded(input.delay()))
                .inspect(move |e| {
                    if e.id == at {
                        mine.step_on()
                    }
                })
                .key_by(|e| e.key)
                .process("buckets", Buckets);
            buckets.sink("out", out.clone());
            buckets.side(LATE).sink("late", side.clone());
            let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
            wait(&mut handle, &checkpoints).map_err(|e| e.report())?;
            let mut too_late: Vec<u32> = side.records().iter().map(|e| e.id).collect();
            too_late.sort_unstable();
            if handle.metrics().restarts != 1 {
                return Err(format!("{workers} workers: not restarted"));
            }
            if (out.sorted(), &too_late) != (want.clone(), &late) {
                let found = (out.sorted(), too_late);
                return Err(format!("{workers} workers: {found:?}\nexpected {:?}", (want, late)));
            }
        }
        Ok(())
    });
}

/// Multiplies events by what the rule for their key says, and counts them per key.
struct Priced {
    applied: Arc<AtomicU64>,
}

impl Process for Priced {
    type Key = u8;
    type In = Event;
    /// Id, price, number within the key.
    type Out = (u32, u64, u64);
    type State = u64;

    fn process(&self, cx: &mut Cx<'_, Self>, event: Event) -> headwater_core::Result<()> {
        let price = cx.rules()?.get(&(event.key % 4)).copied().unwrap_or(0);
        *cx.state() += 1;
        let number = *cx.state();
        cx.emit((event.id, price * u64::from(event.id), number));
        Ok(())
    }
}

impl BroadcastProcess for Priced {
    type Update = (u8, u64);
    type RuleKey = u8;
    type Rule = u64;

    fn on_broadcast(
        &self,
        cx: &mut BroadcastCx<'_, Self>,
        (key, price): (u8, u64),
    ) -> headwater_core::Result<()> {
        cx.rules().insert(key, price);
        self.applied.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// No order is kept between the two inputs, so the events wait until all workers have all rules.
#[test]
fn broadcast_rules() {
    quiet_panics();
    let rules: Vec<(u8, u64)> = vec![(0, 3), (1, 5), (2, 1), (2, 7), (3, 11)];
    let price_of: BTreeMap<u8, u64> = rules.iter().copied().collect();
    check("rules", true, |input| {
        let mut numbers: BTreeMap<u8, u64> = BTreeMap::new();
        let priced = input.events.iter().map(|e| {
            let number = numbers.entry(e.key).or_default();
            *number += 1;
            (e.id, price_of[&(e.key % 4)] * u64::from(e.id), *number)
        });
        let want: Vec<_> = priced.collect();
        for workers in WORKERS {
            let (out, applied) = (collected(), Arc::new(AtomicU64::new(0)));
            let (ready, checkpoints) = (Arc::new(AtomicBool::new(false)), Arc::default());
            let (mine, at) = (Mine::default(), input.middle());
            let mut job = Job::new("rules");
            let updates = job.source("updates", scripted(rules.clone()));
            job.source(
                "events",
                input.source(&checkpoints).gate(0, Gate::Open(Arc::clone(&ready))),
            )
            .inspect(move |e| {
                if e.id == at {
                    mine.step_on()
                }
            })
            .key_by(|e| e.key)
            .process_with_broadcast("priced", &updates, Priced { applied: Arc::clone(&applied) })
            .sink("out", out.clone());
            let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
            let all = (workers * rules.len()) as u64;
            until("the rules", || applied.load(SeqCst) == all);
            ready.store(true, SeqCst);
            wait(&mut handle, &checkpoints).map_err(|e| e.report())?;
            if handle.metrics().restarts != 1 || out.sorted() != want {
                let (restarts, found) = (handle.metrics().restarts, out.sorted());
                return Err(format!(
                    "{workers} workers, {restarts} restarts: {found:?}\nnot {want:?}"
                ));
            }
        }
        Ok(())
    });
}

/// Two sources with splits and watermarks of their own feed the same windows.
#[test]
fn the_union_of_two_sources() {
    check("union", false, |input| union_agrees(input, false));
}

/// The same with one step behind the union that stamps the records of both.
#[test]
fn the_union_of_two_sources_stamped_together() {
    check("union, stamped together", false, |input| union_agrees(input, true));
}

fn union_agrees(input: &Input, together: bool) -> Result<(), String> {
    quiet_panics();
    let kind = Kind::Hopping { size: 8, slide: 4, offset: 0 };
    // The second source has the same events some time later, in other splits, with other ids.
    let shifted = |e: &Event| Event { id: e.id + 10_000, time: e.time + 13, ..e.clone() };
    let second = Input {
        events: input.events.iter().map(shifted).collect(),
        splits: input.splits % 3 + 1,
        step: input.step * 2,
        delay: input.delay + if together { 0 } else { 2 },
    };
    let items = [input.items(), second.items()].concat();
    let want = Model { kind, lateness: 0, bug: Bug::None }.run(&items);
    for workers in WORKERS {
        let (out, late) = (collected(), collected::<Event>());
        let checkpoints = Arc::new(AtomicU64::new(0));
        let (mine, at) = (Mine::default(), input.middle());
        let mut job = Job::new("union");
        let stamp = |events: Stream<Event>, input: &Input| {
            events.event_time(|e| EventTime(e.time), Watermarks::bounded(input.delay()))
        };
        let first = job.source("first", input.source(&checkpoints));
        let other = job.source("second", second.source(&checkpoints));
        let both = match together {
            true => stamp(first.union(&other), input),
            false => stamp(first, input).union(&stamp(other, &second)),
        };
        let windows = both
            .inspect(move |e| {
                if e.id == at {
                    mine.step_on()
                }
            })
            .key_by(|e| e.key)
            .window(WindowSpec::hopping(Duration::from_millis(8), Duration::from_millis(4)))
            .aggregate("windows", collect());
        windows.results().sink("out", out.clone());
        windows.late().sink("late", late.clone());
        let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
        wait(&mut handle, &checkpoints).map_err(|e| e.report())?;
        let mut found = BTreeMap::new();
        for result in out.records() {
            let mut ids: Vec<u32> = result.value.iter().map(|e| e.id).collect();
            ids.sort_unstable();
            let window = (result.key, result.window.start.0, result.window.end.0);
            if found.insert(window, ids).is_some() {
                return Err(format!("{workers} workers: window {window:?} came twice"));
            }
        }
        let mut too_late: Vec<u32> = late.records().iter().map(|e| e.id).collect();
        too_late.sort_unstable();
        if (&found, &too_late) != (&want.windows, &want.late) {
            let found = (found, too_late);
            return Err(format!("{workers} workers: {found:?}\nexpected {want:?}"));
        }
        if handle.metrics().restarts != 1 {
            return Err(format!("{workers} workers: not restarted"));
        }
    }
    Ok(())
}

//! The probe against a naive model: random records, time, barriers and crashes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_core::{BadRecordPolicy, EventTime, Keyed, Timed};
use headwater_operators::process::ProcessOperator;
use proptest::prelude::*;

use crate::harness::Job;
use crate::probe::{CHAIN, Main, Op, Probe, SEEN_TTL, TOTAL_TTL};

const KEYS: u8 = 5;

#[derive(Clone, Debug)]
enum Step {
    Records(Vec<Input>),
    Watermark(i64),
    Wait(i64),
    Barrier,
    Encode(usize),
    Crash(usize),
}

#[derive(Clone, Debug)]
struct Input {
    key: u8,
    time: i64,
    late_by: u32,
    op: Op,
}

fn op() -> impl Strategy<Value = Op> {
    let (n, k) = (-5i64..20, 0u8..12);
    let (to, after) = (-20i64..60, 0u64..40);
    prop_oneof![
        2 => n.clone().prop_map(Op::Main),
        1 => (0u8..4).prop_map(Op::Chain),
        2 => n.clone().prop_map(Op::Set),
        2 => n.clone().prop_map(Op::Update),
        1 => Just(Op::Take),
        3 => n.clone().prop_map(Op::Push),
        1 => (0u8..20).prop_map(Op::Extend),
        2 => Just(Op::Pop),
        1 => (0u64..12, n.clone()).prop_map(|(at, n)| Op::SetAt(at, n)),
        3 => (k.clone(), n.clone()).prop_map(|(k, n)| Op::Insert(k, n)),
        1 => (k.clone(), n.clone()).prop_map(|(k, n)| Op::UpdateRow(k, n)),
        2 => k.prop_map(Op::Remove),
        2 => n.clone().prop_map(Op::Reduce),
        2 => n.clone().prop_map(Op::Aggregate),
        5 => to.clone().prop_map(Op::Timer),
        2 => to.clone().prop_map(Op::CancelTimer),
        4 => after.prop_map(Op::After),
        2 => (-20i64..40).prop_map(Op::CancelAfter),
        1 => n.clone().prop_map(Op::Aside),
        1 => to.prop_map(Op::EmitAt),
        1 => n.prop_map(Op::Fail),
        2 => Just(Op::Clear),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let time = prop_oneof![9 => 0i64..200, 1 => Just(i64::MIN)];
    let late_by = prop_oneof![3 => Just(0u32), 1 => 1u32..50];
    (0..KEYS, time, late_by, op()).prop_map(|(key, time, late_by, op)| {
        let late_by = if time == i64::MIN { 0 } else { late_by };
        Input { key, time, late_by, op }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => proptest::collection::vec(input(), 1..8).prop_map(Step::Records),
        4 => (1i64..60).prop_map(Step::Watermark),
        3 => (1i64..30).prop_map(Step::Wait),
        2 => Just(Step::Barrier),
        3 => (1usize..6).prop_map(Step::Encode),
        1 => (1usize..4).prop_map(Step::Crash),
    ];
    proptest::collection::vec(step, 1..60)
}

#[derive(Clone, Default)]
struct KeyModel {
    main: Option<Main>,
    total: Option<i64>,
    total_expiry: Option<i64>,
    items: Vec<i64>,
    seen: BTreeMap<u8, i64>,
    seen_expiry: Option<i64>,
    sum: Option<i64>,
    max: Option<i64>,
    timers: BTreeSet<i64>,
    processing_timers: BTreeSet<i64>,
}

/// Emissions of one key in order: time, lateness, text.
type Out = BTreeMap<u8, Vec<(i64, u32, String)>>;

#[derive(Clone)]
struct Model {
    keys: BTreeMap<u8, KeyModel>,
    watermark: i64,
    now: i64,
}

#[derive(Default)]
struct Emitted {
    out: Out,
    odd: Vec<i64>,
    notes: Vec<String>,
    refused: usize,
}

impl Model {
    fn new() -> Self {
        Model { keys: BTreeMap::new(), watermark: i64::MIN, now: 0 }
    }

    fn record(&mut self, input: &Input, emitted: &mut Emitted) {
        let Input { key, time, late_by, ref op } = *input;
        let k = self.keys.entry(key).or_default();
        let out = emitted.out.entry(key).or_default();
        let mut emit = |text: String| out.push((time, late_by, text));
        let touch_total = |k: &mut KeyModel| {
            if time != i64::MIN {
                k.total_expiry = k.total_expiry.max(Some(time + TOTAL_TTL));
            }
        };
        let touch_seen =
            |k: &mut KeyModel, now: i64| k.seen_expiry = k.seen_expiry.max(Some(now + SEEN_TTL));
        match *op {
            Op::Main(n) => k.main.get_or_insert_default().n += n,
            Op::Chain(n) => k.main.get_or_insert_default().chain = n,
            Op::Set(n) => {
                touch_total(k);
                k.total = Some(n);
            }
            Op::Update(n) => {
                touch_total(k);
                *k.total.get_or_insert(0) += n;
            }
            Op::Take => {
                k.total_expiry = None;
                if let Some(n) = k.total.take() {
                    emit(format!("took {n}"));
                }
            }
            Op::Push(n) => k.items.push(n),
            Op::Extend(n) => k.items.extend((0..n).map(i64::from)),
            Op::Pop => {
                if let Some(n) = k.items.pop() {
                    emit(format!("popped {n}"));
                }
            }
            Op::SetAt(at, n) => {
                if let Some(item) = k.items.get_mut(at as usize) {
                    *item = n;
                }
            }
            Op::Insert(row, n) => {
                touch_seen(k, self.now);
                k.seen.insert(row, n);
            }
            Op::UpdateRow(row, n) => {
                touch_seen(k, self.now);
                *k.seen.entry(row).or_default() += n;
            }
            Op::Remove(row) => {
                if let Some(n) = k.seen.remove(&row) {
                    emit(format!("removed {n}"));
                }
            }
            Op::Reduce(n) => *k.sum.get_or_insert(0) += n,
            Op::Aggregate(n) if n < 0 => {
                emitted.refused += 1;
                return;
            }
            Op::Aggregate(n) => k.max = k.max.max(Some(n)),
            Op::Timer(after) => {
                k.timers.insert(time.saturating_add(after));
            }
            Op::CancelTimer(after) => {
                let cancelled = k.timers.remove(&time.saturating_add(after));
                emit(format!("cancelled {cancelled}"));
            }
            Op::After(ms) => {
                k.processing_timers.insert(self.now + ms as i64);
            }
            Op::CancelAfter(ms) => {
                let cancelled = k.processing_timers.remove(&(self.now + ms));
                emit(format!("cancelled {cancelled}"));
            }
            Op::Aside(n) if n % 2 == 0 => {
                emitted.notes.push(format!("{n} is even"));
                return;
            }
            Op::Aside(n) => emitted.odd.push(n),
            Op::EmitAt(after) => {
                let at = time.saturating_add(after);
                let read_under = self.watermark.max(time.saturating_add(i64::from(late_by) - 1));
                let late = late_by > 0 && at <= read_under;
                let late_by = if late { (read_under - at + 1) as u32 } else { 0 };
                out.push((at, late_by, "at".into()));
            }
            Op::Fail(n) => {
                k.main.get_or_insert_default().n += n;
                emitted.refused += 1;
                return;
            }
            Op::Clear => {
                let (timers, processing) = (&mut k.timers, &mut k.processing_timers);
                let (timers, processing) = (std::mem::take(timers), std::mem::take(processing));
                *k = KeyModel { timers, processing_timers: processing, ..Default::default() };
            }
        }
        out.push((time, late_by, show(key, k, "record")));
    }

    fn advance(&mut self, watermark: i64, emitted: &mut Emitted) {
        self.watermark = watermark;
        for (key, k) in &mut self.keys {
            let out = emitted.out.entry(*key).or_default();
            loop {
                let timer = k.timers.first().copied().filter(|at| *at <= watermark);
                match (timer, k.total_expiry.filter(|at| *at <= watermark)) {
                    (None, None) => break,
                    (Some(at), expiry) if expiry.is_none_or(|e| at <= e) => {
                        k.timers.remove(&at);
                        out.push((at, 0, show(*key, k, "timer")));
                        if let Some(main) = k.main.as_mut().filter(|main| main.chain > 0) {
                            main.chain -= 1;
                            k.timers.insert(at.saturating_add(CHAIN));
                        }
                    }
                    _ => (k.total, k.total_expiry) = (None, None),
                }
            }
        }
    }

    fn wait(&mut self, millis: i64, emitted: &mut Emitted) {
        self.now += millis;
        let now = self.now;
        let time = if self.watermark == i64::MIN { i64::MIN } else { self.watermark + 1 };
        for (key, k) in &mut self.keys {
            let out = emitted.out.entry(*key).or_default();
            loop {
                let timer = k.processing_timers.first().copied().filter(|at| *at <= now);
                match (timer, k.seen_expiry.filter(|at| *at <= now)) {
                    (None, None) => break,
                    (Some(at), expiry) if expiry.is_none_or(|e| at <= e) => {
                        k.processing_timers.remove(&at);
                        let why = format!("processing timer {at}");
                        out.push((time, 0, show(*key, k, &why)));
                        if let Some(main) = k.main.as_mut().filter(|main| main.chain > 0) {
                            main.chain -= 1;
                            k.processing_timers.insert(now);
                        }
                    }
                    _ => {
                        k.seen.clear();
                        k.seen_expiry = None;
                    }
                }
            }
        }
    }
}

fn show(key: u8, k: &KeyModel, why: &str) -> String {
    let main = k.main.map(|main| (main.n, main.chain));
    let seen: Vec<(u8, i64)> = k.seen.iter().map(|(k, n)| (*k, *n)).collect();
    let KeyModel { total, items, sum, max, .. } = k;
    format!("{key} {why}: {main:?} {total:?} {items:?} {seen:?} {sum:?} {max:?}")
}

/// What the job has emitted, per key in order. Texts tell their key; those that do not come right
/// before or after one of the same call that does.
fn check(job: &mut Job, want: Emitted, single_key: Option<&[Input]>) {
    let mut got: Out = BTreeMap::new();
    let mut waiting: Vec<(i64, u32, String)> = Vec::new();
    for Timed { time, late_by, value } in job.take::<String>(0) {
        let key = value.split_once(' ').and_then(|(key, _)| key.parse::<u8>().ok());
        waiting.push((time.0, late_by, value));
        if let Some(key) = key {
            got.entry(key).or_default().append(&mut waiting);
        }
    }
    assert!(waiting.is_empty(), "{waiting:?} after {single_key:?}");
    let want_out: Out = want.out.into_iter().filter(|(_, out)| !out.is_empty()).collect();
    assert_eq!(got, want_out);
    assert_eq!(sorted(job.values::<i64>(2)), sorted(want.odd));
    assert_eq!(sorted(job.values::<String>(3)), sorted(want.notes));
    let letters = job.dead_letters();
    assert_eq!(letters.len(), want.refused);
    for letter in letters {
        assert_eq!(letter.operator, "step");
        assert!(letter.reason.starts_with("key "), "{letter:?}");
        assert!(letter.record.contains("Fail") || letter.record.contains("Aggregate"));
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

fn run(steps: Vec<Step>) {
    let make = |init: &_| ProcessOperator::new(init, Arc::new(Probe), BadRecordPolicy::DeadLetter);
    let mut job = Job::new(2, make);
    let mut model = Model::new();
    let (mut at_barrier, mut complete) = (Model::new(), Model::new());
    for step in steps {
        let mut want = Emitted::default();
        match step {
            Step::Records(inputs) => {
                inputs.iter().for_each(|input| model.record(input, &mut want));
                let timed = inputs.iter().map(|i| Timed {
                    time: EventTime(i.time),
                    late_by: i.late_by,
                    value: Keyed::new(i.key, i.op.clone()),
                });
                job.keyed(0, timed.collect()).unwrap();
                check(&mut job, want, Some(&inputs));
            }
            Step::Watermark(by) => {
                let to = if model.watermark == i64::MIN { by } else { model.watermark + by };
                model.advance(to, &mut want);
                job.advance(to).unwrap();
                check(&mut job, want, None);
            }
            Step::Wait(by) => {
                model.wait(by, &mut want);
                job.wait(by).unwrap();
                check(&mut job, want, None);
            }
            Step::Barrier => {
                if job.complete() {
                    complete = at_barrier.clone();
                }
                job.barrier();
                at_barrier = model.clone();
            }
            Step::Encode(budget) => {
                if job.encode(budget) {
                    complete = at_barrier.clone();
                }
            }
            Step::Crash(workers) => {
                job.crash(workers);
                // Processing time does not go back.
                model = Model { now: model.now, ..complete.clone() };
                job.watermark = EventTime(model.watermark);
            }
        }
    }
    finish(job, model);
}

/// Clears every key and ends the input: no entry may be left.
fn finish(mut job: Job, mut model: Model) {
    let mut want = Emitted::default();
    let clear = |key| Input { key, time: 0, late_by: 0, op: Op::Clear };
    let clears: Vec<Input> = (0..KEYS).map(clear).collect();
    clears.iter().for_each(|input| model.record(input, &mut want));
    let timed = clears.iter().map(|i| Timed::new(EventTime(0), Keyed::new(i.key, i.op.clone())));
    job.keyed(0, timed.collect()).unwrap();
    model.wait(1000, &mut want);
    job.wait(1000).unwrap();
    model.advance(i64::MAX, &mut want);
    job.advance(i64::MAX).unwrap();
    check(&mut job, want, None);
    assert_eq!(job.entries(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_process_function_is_its_model(steps in steps()) {
        run(steps);
    }
}

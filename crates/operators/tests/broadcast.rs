//! Broadcast state: against a naive model, and case by case.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "process/harness.rs"]
mod harness;

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_core::{BadRecordPolicy, Error, ErrorKind, EventTime, Keyed, Result, Timed};
use headwater_operators::Operator;
use headwater_operators::broadcast::{
    BROADCAST, BroadcastCx, BroadcastOperator, BroadcastProcess, KEYED,
};
use headwater_operators::process::{Cx, Process, ProcessOperator, Side, States};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::harness::{Job, init};

/// Prices what is bought by the price list, and adds it up per buyer.
struct Shop;
const UNPRICED: Side<(u8, String)> = Side::new("unpriced");

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Update {
    Price(String, u64),
    Withdraw(String),
    /// Pays out every buyer's total, and starts over.
    PayOut,
    Nonsense,
}

impl Process for Shop {
    type Key = u8;
    type In = String;
    type Out = (u8, String, u64);
    type State = u64;

    fn declare(&self, states: &mut States<Self>) {
        states.side(UNPRICED);
    }

    fn process(&self, cx: &mut Cx<Self>, item: String) -> Result<()> {
        let Some(price) = cx.rules()?.get(&item) else {
            cx.emit_to(UNPRICED, (*cx.key(), item));
            return Ok(());
        };
        *cx.state() += price;
        let total = *cx.state();
        cx.emit((*cx.key(), item, total));
        let now = cx.event_time();
        cx.timer_at(now);
        Ok(())
    }

    fn on_timer(&self, cx: &mut Cx<Self>, _at: EventTime) -> Result<()> {
        let prices = cx.rules()?.len() as u64;
        cx.emit((*cx.key(), "prices".into(), prices));
        Ok(())
    }
}

impl BroadcastProcess for Shop {
    type Update = Update;
    type RuleKey = String;
    type Rule = u64;

    fn on_broadcast(&self, cx: &mut BroadcastCx<Self>, update: Update) -> Result<()> {
        match update {
            Update::Price(item, price) => drop(cx.rules().insert(item, price)),
            Update::Withdraw(item) => drop(cx.rules().remove(&item)),
            Update::PayOut => cx.for_each_key(|cx| {
                let total = *cx.state();
                cx.emit((*cx.key(), format!("of {} prices", cx.rules()?.len()), total));
                cx.clear_state();
                Ok(())
            })?,
            Update::Nonsense => {
                cx.for_each_key(|cx| {
                    cx.emit((0, "never seen".into(), 0));
                    Ok(())
                })?;
                return Err(Error::data("nonsense"));
            }
        }
        Ok(())
    }
}

fn shop(init: &headwater_operators::OperatorInit) -> Result<BroadcastOperator<Shop>> {
    BroadcastOperator::new(init, Arc::new(Shop), BadRecordPolicy::DeadLetter)
}

#[derive(Clone, Debug)]
enum Step {
    Buy(u8, u8, i64),
    Update(Update),
    Watermark(i64),
    Barrier,
    Encode(usize),
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let item = |n: u8| format!("item {n}");
    let update = prop_oneof![
        6 => (0u8..5, 1u64..100).prop_map(move |(n, p)| Update::Price(item(n), p)),
        2 => (0u8..5).prop_map(move |n| Update::Withdraw(item(n))),
        2 => Just(Update::PayOut),
        1 => Just(Update::Nonsense),
    ];
    let step = prop_oneof![
        10 => (0u8..9, 0u8..5, 0i64..100).prop_map(|(k, n, t)| Step::Buy(k, n, t)),
        5 => update.prop_map(Step::Update),
        2 => (1i64..30).prop_map(Step::Watermark),
        2 => Just(Step::Barrier),
        3 => (1usize..6).prop_map(Step::Encode),
        1 => (1usize..4).prop_map(Step::Crash),
    ];
    proptest::collection::vec(step, 1..80)
}

#[derive(Clone, Default)]
struct Model {
    prices: BTreeMap<String, u64>,
    totals: BTreeMap<u8, u64>,
    timers: Vec<(i64, u8)>,
    watermark: i64,
}

impl Model {
    /// The expected output, and the number of workers' refusals.
    fn step(&mut self, step: &Step, workers: usize) -> (Vec<(u8, String, u64)>, usize) {
        let mut out = Vec::new();
        match step {
            Step::Buy(buyer, n, time) => {
                let item = format!("item {n}");
                if let Some(price) = self.prices.get(&item) {
                    let total = self.totals.entry(*buyer).or_default();
                    *total += price;
                    out.push((*buyer, item, *total));
                    if !self.timers.contains(&(*time, *buyer)) {
                        self.timers.push((*time, *buyer));
                    }
                }
            }
            Step::Update(Update::Price(item, price)) => {
                self.prices.insert(item.clone(), *price);
            }
            Step::Update(Update::Withdraw(item)) => {
                self.prices.remove(item);
            }
            Step::Update(Update::PayOut) => {
                let prices = self.prices.len();
                let totals = std::mem::take(&mut self.totals).into_iter();
                out.extend(totals.map(|(buyer, n)| (buyer, format!("of {prices} prices"), n)));
            }
            Step::Update(Update::Nonsense) => return (out, workers),
            Step::Watermark(by) => {
                self.watermark += by;
                let prices = self.prices.len() as u64;
                let due = self.timers.extract_if(.., |(at, _)| *at <= self.watermark);
                out.extend(due.map(|(_, buyer)| (buyer, "prices".to_owned(), prices)));
            }
            Step::Barrier | Step::Encode(_) | Step::Crash(_) => {}
        }
        (out, 0)
    }
}

fn run(steps: Vec<Step>) {
    let mut job = Job::new(2, shop);
    let mut model = Model::default();
    let (mut at_barrier, mut complete) = (Model::default(), Model::default());
    for step in steps {
        let (mut want, refused) = model.step(&step, job.workers.len());
        match step {
            Step::Buy(buyer, n, time) => {
                let record = Keyed::new(buyer, format!("item {n}"));
                job.keyed(KEYED, vec![Timed::new(EventTime(time), record)]).unwrap();
                let unpriced = job.values::<(u8, String)>(2);
                assert_eq!(unpriced.len() + want.len(), 1);
            }
            Step::Update(update) => {
                job.broadcast(BROADCAST, vec![Timed::new(EventTime(0), update)]).unwrap();
            }
            Step::Watermark(_) => job.advance(model.watermark).unwrap(),
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
                model = complete.clone();
                job.watermark = EventTime(model.watermark);
                if model.watermark == 0 {
                    job.watermark = EventTime::MIN;
                }
            }
        }
        let mut got = job.values::<(u8, String, u64)>(0);
        got.sort();
        want.sort();
        assert_eq!(got, want);
        assert_eq!(job.dead_letters().len(), refused);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_broadcast_process_function_is_its_model(steps in steps()) {
        run(steps);
    }
}

#[test]
fn the_rules_are_written_once_and_restored_everywhere() {
    let mut job = Job::new(3, shop);
    let updates = (0..3000u64).map(|n| Update::Price(format!("item {n}"), n));
    let updates = updates.map(|update| Timed::new(EventTime(0), update)).collect();
    job.broadcast(BROADCAST, updates).unwrap();
    job.barrier();
    job.complete();
    assert_eq!(job.complete.parts.len(), 3, "3000 rules in parts of up to 1024, of one worker");
    job.crash(4);
    for buyer in 0..40u8 {
        job.send(0, buyer, "item 2999".to_string()).unwrap();
    }
    assert_eq!(job.values::<(u8, String, u64)>(0).len(), 40);
    let crumbs = job.workers[1..].iter_mut().map(|w| w.snapshot(headwater_core::Epoch(2)).unwrap());
    assert_eq!(crumbs.map(|parts| parts.len()).sum::<usize>(), 0);
}

#[test]
fn rules_of_another_type_are_refused_by_name() {
    /// As the shop, with prices of another type.
    struct Other;
    impl Process for Other {
        type Key = u8;
        type In = ();
        type Out = ();
        type State = ();
        fn process(&self, _cx: &mut Cx<Self>, (): ()) -> Result<()> {
            Ok(())
        }
    }
    impl BroadcastProcess for Other {
        type Update = ();
        type RuleKey = String;
        type Rule = i32;
        fn on_broadcast(&self, _cx: &mut BroadcastCx<Self>, (): ()) -> Result<()> {
            Ok(())
        }
    }
    let mut job = Job::new(1, shop);
    let price = Update::Price("tea".into(), 3);
    job.broadcast(BROADCAST, vec![Timed::new(EventTime(0), price)]).unwrap();
    job.barrier();
    job.complete();
    let policy = BadRecordPolicy::Fail;
    let mut other = BroadcastOperator::new(&init(0, 1), Arc::new(Other), policy).unwrap();
    let e = other.restore(&job.complete.parts).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::State);
    assert!(e.to_string().contains("String → i32") && e.to_string().contains("U64"), "{e}");
}

#[test]
fn without_the_broadcast_input_the_attempt_fails() {
    let mut job =
        Job::new(1, |init| ProcessOperator::new(init, Arc::new(Shop), BadRecordPolicy::Skip));
    let e = job.send(0, 1u8, "tea".to_string()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Plan);
    assert!(e.to_string().contains("without its broadcast input"), "{e}");
}

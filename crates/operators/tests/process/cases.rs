//! Process functions, case by case.

use std::sync::Arc;
use std::time::Duration;

use headwater_core::{BadRecordPolicy, Error, ErrorKind, EventTime, ProcessingTime, Result};
use headwater_operators::process::{
    Cx, ListState, Process, ProcessOperator, Side, States, TimeDomain, ValueState, process_fn,
};
use serde::{Deserialize, Serialize};

use crate::harness::Job;

fn job<P: Process>(policy: BadRecordPolicy, make: impl Fn() -> P + 'static) -> Job {
    Job::new(1, move |init| ProcessOperator::new(init, Arc::new(make()), policy))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Payment {
    amount: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Alert {
    Large(String, u64),
    Quiet(String, EventTime, u64),
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Account {
    seen: Option<EventTime>,
    total: u64,
}

struct Watchdog {
    quiet: Duration,
}
const REJECTED: Side<Payment> = Side::new("rejected");

impl Process for Watchdog {
    type Key = String;
    type In = Payment;
    type Out = Alert;
    type State = Account;

    fn declare(&self, states: &mut States<Self>) {
        states.side(REJECTED);
    }

    fn process(&self, cx: &mut Cx<Self>, p: Payment) -> Result<()> {
        if p.amount == 0 {
            cx.emit_to(REJECTED, p);
            return Ok(());
        }
        let now = cx.event_time();
        let account = cx.state();
        account.seen = Some(now);
        account.total += p.amount;
        cx.timer_at(now + self.quiet);
        if p.amount > 10_000 {
            cx.emit(Alert::Large(cx.key().clone(), p.amount));
        }
        Ok(())
    }

    fn on_timer(&self, cx: &mut Cx<Self>, at: EventTime) -> Result<()> {
        if cx.state().seen.is_some_and(|t| t + self.quiet <= at) {
            let total = cx.state().total;
            cx.emit(Alert::Quiet(cx.key().clone(), at, total));
            cx.clear_state();
        }
        Ok(())
    }
}

#[test]
fn the_watchdog_barks() {
    let quiet = Duration::from_millis(100);
    let mut job = job(BadRecordPolicy::Fail, move || Watchdog { quiet });
    let ann = || "ann".to_string();
    job.send(10, ann(), Payment { amount: 5 }).unwrap();
    job.send(60, ann(), Payment { amount: 20_000 }).unwrap();
    job.send(70, ann(), Payment { amount: 0 }).unwrap();
    assert_eq!(job.values::<Alert>(0), [Alert::Large(ann(), 20_000)]);
    assert_eq!(job.values::<Payment>(2), [Payment { amount: 0 }]);
    job.barrier();
    job.complete();
    job.crash(3);
    job.advance(159).unwrap();
    assert!(job.take::<Alert>(0).is_empty());
    job.advance(160).unwrap();
    let alerts = job.take::<Alert>(0);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].time, EventTime(160));
    assert_eq!(alerts[0].value, Alert::Quiet(ann(), EventTime(160), 20_005));
    assert_eq!(job.entries(), 0);
}

#[test]
fn a_refused_record_emits_nothing_and_keeps_its_changes() {
    /// Adds up, and refuses what is over 9 after adding it.
    struct Refusing;
    impl Process for Refusing {
        type Key = String;
        type In = u64;
        type Out = u64;
        type State = u64;
        fn process(&self, cx: &mut Cx<Self>, n: u64) -> Result<()> {
            *cx.state() += n;
            let total = *cx.state();
            cx.emit(total);
            cx.timer_at(EventTime(100));
            if n > 9 { Err(Error::data(format!("{n} is too much"))) } else { Ok(()) }
        }
        fn on_timer(&self, _cx: &mut Cx<Self>, _at: EventTime) -> Result<()> {
            Err(Error::data("no timers today"))
        }
    }
    for policy in [BadRecordPolicy::DeadLetter, BadRecordPolicy::Skip] {
        let mut job = job(policy, || Refusing);
        for n in [1u64, 10, 2] {
            job.send(5, "k".to_string(), n).unwrap();
        }
        assert_eq!(job.values::<u64>(0), [1, 13]);
        job.advance(100).unwrap();
        let (letters, counts) = (job.dead_letters(), job.counts());
        if policy == BadRecordPolicy::Skip {
            assert_eq!((letters.len(), counts.dropped, counts.dead_lettered), (0, 2, 0));
            continue;
        }
        assert_eq!((letters.len(), counts.dropped, counts.dead_lettered), (2, 0, 2));
        assert_eq!(letters[0].reason, "key \"k\": 10 is too much");
        assert_eq!(letters[0].record, "10");
        assert_eq!(letters[1].reason, "key \"k\": no timers today");
        assert_eq!(letters[1].record, r#"{"key":"k","timer":"event time","at":100}"#);
    }
    let mut job = job(BadRecordPolicy::Fail, || Refusing);
    let e = job.send(5, "k".to_string(), 10u64).unwrap_err();
    assert_eq!(e.to_string(), "key \"k\": 10 is too much");
}

#[test]
fn timers_without_end_are_reported() {
    /// Registers the next timer in each one, `step` milliseconds on.
    struct Periodic {
        step: u64,
    }
    impl Process for Periodic {
        type Key = u8;
        type In = ();
        type Out = EventTime;
        type State = ();
        fn process(&self, cx: &mut Cx<Self>, (): ()) -> Result<()> {
            let now = cx.event_time();
            cx.timer_at(now);
            Ok(())
        }
        fn on_timer(&self, cx: &mut Cx<Self>, at: EventTime) -> Result<()> {
            cx.timer_at(at + Duration::from_millis(self.step));
            Ok(())
        }
    }
    let mut periodic = job(BadRecordPolicy::Skip, || Periodic { step: 10 });
    periodic.send(0, 1u8, ()).unwrap();
    periodic.advance(1_000).unwrap();
    let e = periodic.advance(i64::MAX).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::User);
    let mut stuck = job(BadRecordPolicy::Skip, || Periodic { step: 0 });
    stuck.send(0, 1u8, ()).unwrap();
    let e = stuck.advance(1).unwrap_err();
    assert!(e.to_string().contains("timers register each other without end"), "{e}");
}

#[test]
fn a_due_processing_timer_that_returns_at_once_lets_others_run() {
    struct Restless;
    impl Process for Restless {
        type Key = u8;
        type In = ();
        type Out = ProcessingTime;
        type State = ();
        fn process(&self, cx: &mut Cx<Self>, (): ()) -> Result<()> {
            cx.processing_timer_after(Duration::ZERO);
            Ok(())
        }
        fn on_processing_timer(&self, cx: &mut Cx<Self>, at: ProcessingTime) -> Result<()> {
            cx.processing_timer_at(at);
            cx.emit(at);
            Ok(())
        }
    }
    let mut job = job(BadRecordPolicy::Fail, || Restless);
    job.send(0, 1u8, ()).unwrap();
    let now = job.now;
    assert_eq!(job.workers[0].wake_at(), Some(now));
    job.workers[0].on_processing_time(&mut job.cx).unwrap();
    assert_eq!(job.values::<ProcessingTime>(0), [now]);
    assert_eq!(job.workers[0].wake_at(), Some(now));
}

#[test]
fn expiry_is_rounded_up_by_a_64th_and_moves_with_changes() {
    struct Expiring;
    const LAST: ValueState<u64> = ValueState::new("last");
    impl Process for Expiring {
        type Key = u8;
        type In = u64;
        type Out = ();
        type State = u64;
        fn declare(&self, states: &mut States<Self>) {
            let ttl = Duration::from_millis(6_400);
            states.state().ttl(ttl, TimeDomain::EventTime);
            states.value(&LAST).ttl(ttl, TimeDomain::ProcessingTime);
        }
        fn process(&self, cx: &mut Cx<Self>, n: u64) -> Result<()> {
            *cx.state() += n;
            cx.value(&LAST).set(n)
        }
    }
    let mut job = job(BadRecordPolicy::Fail, || Expiring);
    let left = |job: &mut Job, name: &str| {
        let tables = job.workers[0].tables();
        tables.into_iter().find(|t| t.info().name == name).unwrap().len()
    };
    for time in [50, 20] {
        job.send(time, 1u8, 7u64).unwrap();
    }
    job.barrier();
    job.complete();
    job.crash(1);
    job.advance(6_499).unwrap();
    assert_eq!(left(&mut job, "state"), 1);
    job.send(160, 1u8, 7u64).unwrap();
    job.advance(6_599).unwrap();
    assert_eq!(left(&mut job, "state"), 1, "a change moves the expiry");
    job.advance(6_600).unwrap();
    assert_eq!((left(&mut job, "state"), left(&mut job, "state/ttl")), (0, 0));
    assert_eq!(left(&mut job, "last"), 1);
    assert_eq!(job.workers[0].wake_at(), Some(ProcessingTime(6_400)));
    job.wait(6_399).unwrap();
    assert_eq!(left(&mut job, "last"), 1);
    job.wait(1).unwrap();
    assert_eq!(job.entries(), 0);
    assert_eq!(job.workers[0].wake_at(), None);
}

#[test]
fn a_long_list_is_written_element_by_element() {
    struct Listing;
    const ITEMS: ListState<u64> = ListState::new("items");
    impl Process for Listing {
        type Key = u8;
        type In = u64;
        type Out = Vec<u64>;
        type State = ();
        fn declare(&self, states: &mut States<Self>) {
            states.list(&ITEMS);
        }
        fn process(&self, cx: &mut Cx<Self>, n: u64) -> Result<()> {
            cx.list(&ITEMS).push(n)?;
            let all = cx.list(&ITEMS).iter()?.copied().collect();
            cx.emit(all);
            Ok(())
        }
    }
    let mut job = job(BadRecordPolicy::Fail, || Listing);
    for n in 0..1000u64 {
        job.send(0, 1u8, n).unwrap();
    }
    job.barrier();
    job.complete();
    assert_eq!(job.complete.blocks.entries, 1000);
    job.send(0, 1u8, 1000u64).unwrap();
    job.barrier();
    job.complete();
    assert_eq!(job.complete.blocks.entries, 1);
    job.crash(2);
    job.send(0, 1u8, 1001u64).unwrap();
    assert_eq!(job.values::<Vec<u64>>(0), [(0..1002).collect::<Vec<u64>>()]);
}

#[test]
fn a_closure_is_a_process_function() {
    let numbered = || {
        process_fn::<char, String, String, u32, _>(|cx, record| {
            *cx.state() += 1;
            let number = *cx.state();
            cx.emit(format!("{}{number} {record}", cx.key()));
            Ok(())
        })
    };
    let mut job = job(BadRecordPolicy::Fail, numbered);
    for (key, record) in [('a', "x"), ('b', "y"), ('a', "z")] {
        job.send(0, key, record.to_string()).unwrap();
    }
    assert_eq!(job.values::<String>(0), ["a1 x", "b1 y", "a2 z"]);
}

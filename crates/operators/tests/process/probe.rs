//! A process function that does what its records say, and then shows all it has.

use std::time::Duration;

use headwater_core::{Error, EventTime, ProcessingTime, Result, Timed};
use headwater_operators::process::{
    AggregatingState, Cx, ListState, MapState, Process, ReducingState, Side, States, TimeDomain,
    ValueState,
};
use headwater_operators::window::Aggregate;
use serde::{Deserialize, Serialize};

pub const TOTAL: ValueState<i64> = ValueState::new("total");
pub const ITEMS: ListState<i64> = ListState::new("items");
pub const SEEN: MapState<u8, i64> = MapState::new("seen");
pub const SUM: ReducingState<i64> = ReducingState::new("sum", |sum, n| *sum += n);
pub const MAX: AggregatingState<Max> = AggregatingState::new("max", Max);
pub const ODD: Side<i64> = Side::new("odd");
pub const NOTES: Side<String> = Side::new("notes");

pub const TOTAL_TTL: i64 = 40;
pub const SEEN_TTL: i64 = 30;
/// How long after a timer the next one of its chain is.
pub const CHAIN: i64 = 7;

/// The greatest value; refuses negative ones.
pub struct Max;
impl Aggregate for Max {
    type In = i64;
    type Acc = i64;
    type Out = i64;
    fn create(&self) -> i64 {
        i64::MIN
    }
    fn add(&self, acc: &mut i64, record: &Timed<i64>) -> Result<()> {
        if record.value < 0 {
            return Err(Error::data("negative"));
        }
        *acc = (*acc).max(record.value);
        Ok(())
    }
    fn merge(&self, acc: &mut i64, later: &i64) -> Result<()> {
        *acc = (*acc).max(*later);
        Ok(())
    }
    fn finish(&self, acc: &i64) -> Result<i64> {
        Ok(*acc)
    }
}

/// What a record asks for. Times are relative to the record's event time, or to processing time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Op {
    Main(i64),
    Chain(u8),
    Set(i64),
    Update(i64),
    Take,
    Push(i64),
    Extend(u8),
    Pop,
    SetAt(u64, i64),
    Insert(u8, i64),
    UpdateRow(u8, i64),
    Remove(u8),
    Reduce(i64),
    Aggregate(i64),
    Timer(i64),
    CancelTimer(i64),
    After(u64),
    CancelAfter(i64),
    Aside(i64),
    EmitAt(i64),
    Fail(i64),
    Clear,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Main {
    pub n: i64,
    pub chain: u8,
}

pub struct Probe;

impl Process for Probe {
    type Key = u8;
    type In = Op;
    type Out = String;
    type State = Main;

    fn declare(&self, states: &mut States<Self>) {
        let ttl = |ttl: i64| Duration::from_millis(ttl as u64);
        states.value(&TOTAL).ttl(ttl(TOTAL_TTL), TimeDomain::EventTime);
        states.list(&ITEMS);
        states.map(&SEEN).ttl(ttl(SEEN_TTL), TimeDomain::ProcessingTime);
        states.reducing(&SUM);
        states.aggregating(&MAX);
        states.side(ODD);
        states.side(NOTES);
    }

    fn process(&self, cx: &mut Cx<Self>, op: Op) -> Result<()> {
        let now = cx.event_time();
        match op {
            Op::Main(n) => cx.state().n += n,
            Op::Chain(n) => cx.state().chain = n,
            Op::Set(n) => cx.value(&TOTAL).set(n)?,
            Op::Update(n) => cx.value(&TOTAL).update(|total| *total += n)?,
            Op::Take => {
                if let Some(n) = cx.value(&TOTAL).take()? {
                    cx.emit(format!("took {n}"));
                }
            }
            Op::Push(n) => cx.list(&ITEMS).push(n)?,
            Op::Extend(n) => cx.list(&ITEMS).extend((0..n).map(i64::from))?,
            Op::Pop => {
                if let Some(n) = cx.list(&ITEMS).pop()? {
                    cx.emit(format!("popped {n}"));
                }
            }
            Op::SetAt(at, n) => {
                if let Some(item) = cx.list(&ITEMS).get_mut(at)? {
                    *item = n;
                }
            }
            Op::Insert(k, n) => cx.map(&SEEN).insert(k, n)?,
            Op::UpdateRow(k, n) => *cx.map(&SEEN).or_default(&k)? += n,
            Op::Remove(k) => {
                if let Some(n) = cx.map(&SEEN).remove(&k)? {
                    cx.emit(format!("removed {n}"));
                }
            }
            Op::Reduce(n) => cx.reducing(&SUM).add(n)?,
            Op::Aggregate(n) => cx.aggregating(&MAX).add(n)?,
            Op::Timer(after) => cx.timer_at(EventTime(now.0.saturating_add(after))),
            Op::CancelTimer(after) => {
                let cancelled = cx.cancel_timer(EventTime(now.0.saturating_add(after)));
                cx.emit(format!("cancelled {cancelled}"));
            }
            Op::After(ms) => {
                let at = cx.processing_timer_after(Duration::from_millis(ms));
                assert_eq!(at, cx.processing_time() + Duration::from_millis(ms));
            }
            Op::CancelAfter(ms) => {
                let at = ProcessingTime(cx.processing_time().0 + ms);
                let cancelled = cx.cancel_processing_timer(at);
                cx.emit(format!("cancelled {cancelled}"));
            }
            Op::Aside(n) => {
                cx.emit_to(if n % 2 == 0 { return self.note(cx, n) } else { ODD }, n);
            }
            Op::EmitAt(after) => cx.emit_at(EventTime(now.0.saturating_add(after)), "at".into()),
            Op::Fail(n) => {
                cx.state().n += n;
                cx.emit("never seen".into());
                cx.emit_to(ODD, n);
                cx.emit_to(NOTES, "never seen".into());
                return Err(Error::data("asked to fail"));
            }
            Op::Clear => {
                cx.clear_state();
                cx.value(&TOTAL).clear()?;
                cx.list(&ITEMS).clear()?;
                cx.map(&SEEN).clear()?;
                cx.reducing(&SUM).clear()?;
                cx.aggregating(&MAX).clear()?;
            }
        }
        self.show(cx, "record")
    }

    fn on_timer(&self, cx: &mut Cx<Self>, at: EventTime) -> Result<()> {
        assert_eq!(at, cx.event_time());
        self.show(cx, "timer")?;
        if cx.state_ref().is_some_and(|main| main.chain > 0) {
            cx.state().chain -= 1;
            cx.timer_at(EventTime(at.0.saturating_add(CHAIN)));
        }
        Ok(())
    }

    fn on_processing_timer(&self, cx: &mut Cx<Self>, at: ProcessingTime) -> Result<()> {
        assert!(at <= cx.processing_time());
        self.show(cx, &format!("processing timer {}", at.0))?;
        if cx.state_ref().is_some_and(|main| main.chain > 0) {
            cx.state().chain -= 1;
            cx.processing_timer_after(Duration::ZERO);
        }
        Ok(())
    }
}

impl Probe {
    fn note(&self, cx: &mut Cx<Self>, n: i64) -> Result<()> {
        cx.emit_to(NOTES, format!("{n} is even"));
        Ok(())
    }

    fn show(&self, cx: &mut Cx<Self>, why: &str) -> Result<()> {
        let main = cx.state_ref().map(|main| (main.n, main.chain));
        let total = cx.value(&TOTAL).get()?.copied();
        let items: Vec<i64> = cx.list(&ITEMS).iter()?.copied().collect();
        assert_eq!(cx.list(&ITEMS).len()?, items.len() as u64);
        assert_eq!(cx.list(&ITEMS).is_empty()?, items.is_empty());
        assert_eq!(cx.list(&ITEMS).get(1)?, items.get(1));
        let seen: Vec<(u8, i64)> = cx.map(&SEEN).iter()?.map(|(k, n)| (*k, *n)).collect();
        assert_eq!(cx.map(&SEEN).len()?, seen.len());
        assert_eq!(cx.map(&SEEN).is_empty()?, seen.is_empty());
        assert_eq!(cx.map(&SEEN).contains(&1)?, seen.iter().any(|(k, _)| *k == 1));
        assert_eq!(cx.map(&SEEN).get(&1)?, seen.iter().find(|(k, _)| *k == 1).map(|(_, n)| n));
        let sum = cx.reducing(&SUM).get()?.copied();
        let max = cx.aggregating(&MAX).get()?;
        let key = cx.key();
        cx.emit(format!("{key} {why}: {main:?} {total:?} {items:?} {seen:?} {sum:?} {max:?}"));
        Ok(())
    }
}

//! Runs a process function on one worker: records, timers, refusals. Shared by the plain and the
//! broadcast operator.

use std::any::Any;
use std::sync::Arc;

use headwater_core::{
    BadRecordPolicy, Batch, Error, ErrorKind, EventTime, Keyed, ProcessingTime, Result, Timed,
};
use headwater_state::StateTable;
use serde::Serialize;

use crate::operator::{BATCH_SIZE, OperatorContext, OperatorInit};
use crate::process::parts::Due;
use crate::process::{Cx, Moment, Parts, Process, States, TimeDomain};

/// Timers that may fire without end in sight (at one time, or after the end of the input) before it
/// is taken for a loop.
const RUNAWAY: usize = 1_000_000;

/// The broadcast state, if there is one.
pub(crate) type Rules<'r> = Option<&'r (dyn Any + Send)>;

/// See the module documentation.
pub(crate) struct Runner<P: Process> {
    name: String,
    pub(crate) process: Arc<P>,
    pub(crate) policy: BadRecordPolicy,
    pub(crate) parts: Parts<P::Key, P::Out, P::State>,
}

impl<P: Process> Runner<P> {
    pub(crate) fn new(
        init: &OperatorInit,
        process: Arc<P>,
        policy: BadRecordPolicy,
    ) -> Result<Self> {
        let States { tables, main, sides, .. } = States::of(&*process)?;
        let parts = Parts::new(tables, main, sides, init.key_groups);
        Ok(Runner { name: init.name.clone(), process, policy, parts })
    }

    pub(crate) fn records(
        &mut self,
        batch: Batch,
        rules: Rules<'_>,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let records = batch.take::<Keyed<P::Key, P::In>>();
        self.parts.main.warm(records.iter().map(|r| r.value.hash));
        for (at, timed) in records.into_iter().enumerate() {
            cx.at = at;
            let watermark = timed.watermark(cx.watermark());
            let Timed { time, late_by, value: Keyed { hash, key, value } } = timed;
            let now = cx.now();
            let moment = Moment { hash, key: &key, time, late_by, watermark, now };
            let copy = self.copy(&value);
            self.parts.begin_call();
            let mut user = Cx { parts: &mut self.parts, moment, rules };
            let result = self.process.process(&mut user, value);
            self.settle(result, Some(&key), &Timed { time, late_by, value: copy }, cx)?;
        }
        self.parts.flush(cx);
        Ok(())
    }

    /// A copy of a record for its dead letter: user code gets the record itself.
    pub(crate) fn copy<T: Clone>(&self, record: &T) -> Option<T> {
        (self.policy == BadRecordPolicy::DeadLetter).then(|| record.clone())
    }

    /// Event time has come to `watermark`: fires what is due, in order of time.
    pub(crate) fn event_time(
        &mut self,
        watermark: EventTime,
        rules: Rules<'_>,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let budget = self.parts.timers.table().len().saturating_add(RUNAWAY);
        let (mut fired, mut last) = (0, EventTime::MIN);
        while let Some((at, hash, key)) = self.next_timer(TimeDomain::EventTime, watermark)? {
            if at > last && watermark != EventTime::MAX {
                fired = 0;
            }
            (fired, last) = (fired + 1, at);
            if fired > budget {
                return Err(runaway(&key, at));
            }
            let now = cx.now();
            let moment = Moment { hash, key: &key, time: at, late_by: 0, watermark, now };
            self.parts.begin_call();
            let mut user = Cx { parts: &mut self.parts, moment, rules };
            let result = self.process.on_timer(&mut user, at);
            self.settle(result, Some(&key), &timer("event time", &key, at), cx)?;
        }
        self.parts.flush(cx);
        Ok(())
    }

    /// Processing time has advanced: fires what is due, in order of time.
    ///
    /// Fires no more timers than there were, so that one that registers itself at once cannot keep
    /// the worker; what is left is due at once again.
    pub(crate) fn processing_time(
        &mut self,
        rules: Rules<'_>,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let (now, watermark) = (cx.now(), cx.watermark());
        // At least one: the queue may hold nothing but cancelled ones, which are to be dropped.
        let budget = self.parts.processing_timers.table().len().max(1);
        for _ in 0..budget {
            let domain = TimeDomain::ProcessingTime;
            let found = self.next_timer(domain, now.as_event_time())?;
            let Some((at, hash, key)) = found else { break };
            let time = on_time(watermark);
            let moment = Moment { hash, key: &key, time, late_by: 0, watermark, now };
            self.parts.begin_call();
            let mut user = Cx { parts: &mut self.parts, moment, rules };
            let result = self.process.on_processing_timer(&mut user, ProcessingTime(at.0));
            self.settle(result, Some(&key), &timer("processing time", &key, at), cx)?;
        }
        self.parts.flush(cx);
        Ok(())
    }

    /// Removes what expires up to the next timer, and takes that timer.
    fn next_timer(
        &mut self,
        domain: TimeDomain,
        until: EventTime,
    ) -> Result<Option<(EventTime, u64, P::Key)>> {
        while let Some(due) = self.parts.next_due(domain, until) {
            match due {
                Due::Expiry(at) => self.parts.expire(domain, at)?,
                // None when it was cancelled.
                Due::Timer(at) => match self.parts.timers_of(domain).pop_due(at)? {
                    None => {}
                    found => return Ok(found),
                },
            }
        }
        Ok(None)
    }

    /// Judges how a call of user code went.
    pub(crate) fn settle<T: Serialize>(
        &mut self,
        result: Result<()>,
        key: Option<&P::Key>,
        record: &Timed<T>,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let located = |e: Error| match key {
            Some(key) => e.within(format!("key {}", json(key))),
            None => e,
        };
        if let Some(e) = self.parts.failed.take() {
            return Err(located(e));
        }
        if let Err(e) = result {
            // A wrong program would refuse every record.
            if matches!(e.kind(), ErrorKind::Plan | ErrorKind::Internal) {
                return Err(located(e));
            }
            self.parts.withdraw();
            cx.refuse(self.policy, &self.name, record, located(e))?;
        }
        if self.parts.out.len() >= BATCH_SIZE {
            self.parts.flush(cx);
        }
        Ok(())
    }

    /// When processing time has something to do next.
    pub(crate) fn wake_at(&self) -> Option<ProcessingTime> {
        let domain = TimeDomain::ProcessingTime;
        let due = self.parts.next_timer(domain).into_iter().chain(self.parts.next_expiry(domain));
        due.min().map(|at| ProcessingTime(at.0))
    }

    pub(crate) fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        self.parts.tables()
    }
}

/// The earliest time that is not late.
fn on_time(watermark: EventTime) -> EventTime {
    match watermark {
        EventTime::MIN => EventTime::MIN,
        EventTime(at) => EventTime(at.saturating_add(1)),
    }
}

/// What a dead letter shows in place of a record when a timer failed.
#[derive(Serialize)]
struct FailedTimer<'a, K> {
    key: &'a K,
    timer: &'static str,
    at: EventTime,
}

fn timer<'a, K>(domain: &'static str, key: &'a K, at: EventTime) -> Timed<FailedTimer<'a, K>> {
    Timed::new(at, FailedTimer { key, timer: domain, at })
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "that has no JSON form".to_owned())
}

#[cold]
fn runaway<K: Serialize>(key: &K, at: EventTime) -> Error {
    let message = format!("timers register each other without end (key {}, at {at})", json(key));
    Error::user(message).hint(
        "register a later timer in `on_timer`, and none when `cx.watermark()` is `EventTime::MAX`",
    )
}

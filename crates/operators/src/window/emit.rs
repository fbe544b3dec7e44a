//! What all window operators share: their settings, and the way out for results, late records and
//! refused ones.

use std::time::Duration;

use headwater_core::{
    BadRecordPolicy, Batch, Error, EventTime, Key, KeyGroupRange, Keyed, Record, Result, Timed,
};

use crate::operator::{BATCH_SIZE, LATE, OUT, Operator, OperatorContext};
use crate::window::aggregate::Aggregate;
use crate::window::result::{PaneTiming, Window, WindowResult};

/// What every window operator is told.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) key_groups: KeyGroupRange,
    pub(crate) lateness: Duration,
    pub(crate) policy: BadRecordPolicy,
}

/// A window operator, which can also tell what it waits for.
pub(crate) trait WindowOperator: Operator {
    /// The least watermark at which there is something to do.
    fn next_due(&self) -> Option<EventTime>;
}

/// One emission of a window: all but the value.
pub(crate) struct Firing<K> {
    pub(crate) key: K,
    pub(crate) window: Window,
    pub(crate) pane: u32,
    pub(crate) timing: PaneTiming,
}

/// Gathers what an operator emits and passes it on in batches.
pub(crate) struct Emitter<K, T, R> {
    name: String,
    policy: BadRecordPolicy,
    results: Vec<Timed<WindowResult<K, R>>>,
    late: Vec<Timed<T>>,
}

impl<K: Key, T: Record, R: Record> Emitter<K, T, R> {
    pub(crate) fn new(settings: &Settings) -> Self {
        let Settings { name, policy, .. } = settings;
        Emitter { name: name.clone(), policy: *policy, results: Vec::new(), late: Vec::new() }
    }

    /// Emits the result of `acc` with the time of the window's end.
    pub(crate) fn result<A: Aggregate<In = T, Out = R>>(
        &mut self,
        aggregate: &A,
        acc: &A::Acc,
        firing: Firing<K>,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let time = firing.window.completing();
        self.result_at(time, aggregate, acc, firing, cx)
    }

    /// Emits the result of `acc` with another time.
    pub(crate) fn result_at<A: Aggregate<In = T, Out = R>>(
        &mut self,
        time: EventTime,
        aggregate: &A,
        acc: &A::Acc,
        firing: Firing<K>,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let Firing { key, window, pane, timing } = firing;
        match aggregate.finish(acc) {
            Ok(value) => {
                let result = WindowResult { key, window, value, pane, timing };
                self.results.push(Timed::new(time, result));
                if self.results.len() >= BATCH_SIZE {
                    self.flush(cx);
                }
                Ok(())
            }
            Err(e) => {
                let e = e.within(format!("window [{}, {})", window.start, window.end));
                cx.refuse(self.policy, &self.name, &Timed::new(time, (key, window)), e)
            }
        }
    }

    /// Sends a record that has lost all its windows to the late output.
    pub(crate) fn late(&mut self, record: Timed<T>, cx: &mut OperatorContext) {
        cx.counts.late += 1;
        self.late.push(record);
    }

    /// Deals with a record that the assigner or the aggregate did not take.
    pub(crate) fn refuse(
        &self,
        record: &Timed<T>,
        error: Error,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        cx.refuse(self.policy, &self.name, record, error)
    }

    /// Passes on everything gathered. Results belong to no split; late records keep theirs.
    pub(crate) fn flush(&mut self, cx: &mut OperatorContext) {
        if !self.results.is_empty() {
            cx.emit_batch(OUT, Batch::new(std::mem::take(&mut self.results)));
        }
        cx.emit(LATE, std::mem::take(&mut self.late));
    }
}

/// Takes a keyed record apart: hash, key, and the record with its stamp.
#[inline]
pub(crate) fn unkey<K, T>(record: Timed<Keyed<K, T>>) -> (u64, K, Timed<T>) {
    let Timed { time, late_by, value: Keyed { hash, key, value } } = record;
    (hash, key, Timed { time, late_by, value })
}

//! The operator for windows with a trigger: fixed windows and the global one.
//!
//! The accumulators are in the same table as without a trigger; what a trigger needs beside them is
//! in a second one ([`Watch`]). The two have the same keys and windows: both cells are created with
//! a window's first record, and both freed when it is gone. Queues are indexes over the second
//! table; their entries may be stale and are checked against the cell when their time comes.

mod fire;

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_core::{Batch, Epoch, EventTime, Key, Keyed, ProcessingTime, Result, Timed};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use crate::operator::{Operator, OperatorContext, Port};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::FixedWindows;
use crate::window::due::pop_due;
use crate::window::emit::{Emitter, Settings, WindowOperator, unkey};
use crate::window::operator::Contents;
use crate::window::progress::Progress;
use crate::window::result::{PaneTiming, Window};
use crate::window::trigger::Trigger;

/// What is known of a window beside its contents.
#[derive(Clone, Serialize, Deserialize)]
struct Watch<S> {
    trigger: S,
    event_alarm: Option<EventTime>,
    processing_alarm: Option<ProcessingTime>,
    /// Greatest time of a record.
    latest: EventTime,
    /// Whether a record has come since the last purge.
    holds: bool,
    /// Whether the trigger was told that the window is complete.
    completed: bool,
}

impl<S: Default> Watch<S> {
    fn new(completed: bool) -> Self {
        Watch {
            trigger: S::default(),
            event_alarm: None,
            processing_alarm: None,
            latest: EventTime::MIN,
            holds: true,
            completed,
        }
    }
}

/// Windows that emit when their trigger says so.
pub(crate) struct TriggeredWindows<K, A: Aggregate, G: Trigger<A::In>> {
    settings: Settings,
    assigner: FixedWindows<A::In>,
    aggregate: Arc<A>,
    trigger: Arc<G>,
    /// Whether an emission also purges.
    discarding: bool,
    contents: Table<K, Window, Contents<A::Acc>>,
    watches: Table<K, Window, Watch<G::State>>,
    /// By watermark: alarms, completions, and when windows are gone. Slots are of `watches`.
    due: BTreeMap<EventTime, Vec<(Slot, Window)>>,
    alarms: BTreeMap<ProcessingTime, Vec<(Slot, Window)>>,
    progress: Progress,
    emitter: Emitter<K, A::In, A::Out>,
    windows: Vec<Window>,
}

impl<K: Key, A: Aggregate, G: Trigger<A::In>> TriggeredWindows<K, A, G> {
    pub(crate) fn new(
        settings: Settings,
        assigner: FixedWindows<A::In>,
        aggregate: Arc<A>,
        trigger: Arc<G>,
        discarding: bool,
    ) -> Self {
        TriggeredWindows {
            contents: Table::new("windows", settings.key_groups),
            watches: Table::new("triggers", settings.key_groups),
            due: BTreeMap::new(),
            alarms: BTreeMap::new(),
            progress: Progress::new(settings.key_groups),
            emitter: Emitter::new(&settings),
            windows: Vec::new(),
            settings,
            assigner,
            aggregate,
            trigger,
            discarding,
        }
    }

    fn take(&mut self, record: Timed<Keyed<K, A::In>>, cx: &mut OperatorContext) -> Result<()> {
        let (hash, key, record) = unkey(record);
        if let Err(e) = self.assigner.assign(&record, &mut self.windows) {
            return self.emitter.refuse(&record, e, cx);
        }
        let watermark = self.progress.of(hash, cx.watermark());
        let read_under = record.watermark(watermark);
        let mut late = !self.windows.is_empty();
        cx.counts.filtered += u64::from(!late);
        for at in 0..self.windows.len() {
            let window = self.windows[at];
            if window.is_gone(read_under, self.settings.lateness) {
                continue;
            }
            late = false;
            if let Err(e) = self.add(hash, &key, &record, window, watermark, cx)? {
                return self.emitter.refuse(&record, e, cx);
            }
        }
        if late {
            self.emitter.late(record, cx);
        }
        Ok(())
    }

    /// Adds a record to a window. The inner error is the aggregate's, who did not take the record.
    fn add(
        &mut self,
        hash: u64,
        key: &K,
        record: &Timed<A::In>,
        window: Window,
        watermark: EventTime,
        cx: &mut OperatorContext,
    ) -> Result<Result<()>> {
        let mut created = false;
        let (at, contents) = self.contents.get_or_insert_with(hash, key, &window, || {
            created = true;
            Contents { acc: self.aggregate.create(), panes: 0 }
        })?;
        if let Err(e) = self.aggregate.add(&mut contents.acc, record) {
            if created {
                self.contents.remove_at(at, &window)?;
            }
            return Ok(Err(e));
        }
        let complete = watermark.completes(window.end);
        let (slot, watch) =
            self.watches.get_or_insert_with(hash, key, &window, || Watch::new(complete))?;
        watch.latest = watch.latest.max(record.time);
        watch.holds = true;
        let fire = self.ask(slot, window, watermark, cx, |trigger, state, cx| {
            trigger.on_record(record, state, cx)
        })?;
        if created {
            let gone_at = window.gone_at(self.settings.lateness);
            let at = if complete { gone_at } else { window.completing() };
            self.due.entry(at).or_default().push((slot, window));
        }
        let timing = if complete { PaneTiming::Late } else { PaneTiming::Early };
        self.act(fire, timing, slot, window, cx)?;
        Ok(Ok(()))
    }

    /// Gives windows that were written without a trigger what they lack.
    fn adopt(&mut self) -> Result<()> {
        let mut without = Vec::new();
        for (slot, key, window, contents) in self.contents.iter() {
            let hash = self.contents.key(slot).map_or(0, |(hash, _)| hash);
            if self.watches.get(hash, key, window).is_none() {
                without.push((hash, key.clone(), *window, contents.panes > 0));
            }
        }
        for (hash, key, window, emitted) in without {
            self.watches.insert(hash, &key, &window, Watch::new(emitted))?;
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate, G: Trigger<A::In>> Operator for TriggeredWindows<K, A, G> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        for (at, record) in batch.take::<Keyed<K, A::In>>().into_iter().enumerate() {
            cx.at = at;
            self.take(record, cx)?;
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        self.progress.advance(watermark);
        while let Some((at, due)) = pop_due(&mut self.due, watermark) {
            for (slot, window) in due {
                self.on_due((at, watermark), slot, window, cx)?;
            }
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.alarms.first_key_value().map(|(time, _)| *time)
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        while let Some(first) = self.alarms.first_entry() {
            if *first.key() > cx.now() {
                break;
            }
            let (time, due) = first.remove_entry();
            for (slot, window) in due {
                self.on_alarm(time, slot, window, cx)?;
            }
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.contents, &mut self.watches]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.adopt()?;
        self.due.clear();
        self.alarms.clear();
        for (slot, _, window, watch) in self.watches.iter() {
            let gone_at = window.gone_at(self.settings.lateness);
            let at = if watch.completed { gone_at } else { window.completing() };
            self.due.entry(at).or_default().push((slot, *window));
            if let Some(time) = watch.event_alarm {
                self.due.entry(time).or_default().push((slot, *window));
            }
            if let Some(time) = watch.processing_alarm {
                self.alarms.entry(time).or_default().push((slot, *window));
            }
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate, G: Trigger<A::In>> WindowOperator for TriggeredWindows<K, A, G> {
    fn next_due(&self) -> Option<EventTime> {
        self.due.first_key_value().map(|(at, _)| *at)
    }
}

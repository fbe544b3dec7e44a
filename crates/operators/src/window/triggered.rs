//! The operator for windows with a trigger: fixed windows and the global one.
//!
//! The accumulators are in the same table as without a trigger; what a trigger needs beside them is
//! in a second one ([`Watch`]). The two have the same keys and windows: both cells are created with
//! a window's first record, and both freed when it is gone. Queues are indexes over the second table;
//! their entries may be stale and are checked against the cell when their time comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_core::{Batch, Epoch, EventTime, Key, Keyed, ProcessingTime, Result, Timed};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use crate::operator::{Operator, OperatorContext, Port};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::FixedWindows;
use crate::window::emit::{Emitter, Firing, Settings, WindowOperator, unkey};
use crate::window::operator::{Contents, pop_due};
use crate::window::progress::Progress;
use crate::window::result::{PaneTiming, Window, complete_until};
use crate::window::trigger::{Fire, Trigger, TriggerContext};

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

    /// Lets the trigger decide, and queues the alarms it sets.
    ///
    /// An alarm that is not in the future is moved there, so a trigger cannot keep us in a loop.
    fn ask(
        &mut self,
        slot: Slot,
        window: Window,
        watermark: EventTime,
        cx: &OperatorContext,
        ask: impl FnOnce(&G, &mut G::State, &mut TriggerContext) -> Fire,
    ) -> Result<Fire> {
        let Some(watch) = self.watches.get_mut_at(slot, &window)? else { return Ok(Fire::Wait) };
        let now = cx.now();
        let (event_alarm, processing_alarm) = (watch.event_alarm, watch.processing_alarm);
        let mut scene = TriggerContext { window, watermark, now, event_alarm, processing_alarm };
        let fire = ask(&self.trigger, &mut watch.trigger, &mut scene);
        if scene.event_alarm != event_alarm {
            let ended = watermark == EventTime::MAX;
            let time = scene.event_alarm.map(|time| time.max(complete_until(watermark)));
            watch.event_alarm = time.filter(|_| !ended);
            if let Some(time) = watch.event_alarm {
                push_once(self.due.entry(time).or_default(), (slot, window));
            }
        }
        if scene.processing_alarm != processing_alarm {
            let soon = ProcessingTime(now.0.saturating_add(1));
            watch.processing_alarm = scene.processing_alarm.map(|time| time.max(soon));
            if let Some(time) = watch.processing_alarm {
                push_once(self.alarms.entry(time).or_default(), (slot, window));
            }
        }
        Ok(fire)
    }

    /// Does what the trigger decided.
    fn act(
        &mut self,
        fire: Fire,
        timing: PaneTiming,
        slot: Slot,
        window: Window,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let purges = match fire {
            Fire::Wait => return Ok(()),
            Fire::Emit => self.discarding,
            Fire::EmitAndPurge | Fire::Purge => true,
        };
        let Some((hash, key)) = self.watches.key(slot) else { return Ok(()) };
        let Some(watch) = self.watches.get_at(slot, &window) else { return Ok(()) };
        let (holds, latest) = (watch.holds, watch.latest);
        let Some(contents) = self.contents.get_mut(hash, key, &window)? else { return Ok(()) };
        if !holds {
            return Ok(());
        }
        if fire != Fire::Purge && self.aggregate.prepare(&mut contents.acc, window) {
            let firing = Firing { key: key.clone(), window, pane: contents.panes, timing };
            let time = if window == Window::GLOBAL { latest } else { window.completing() };
            self.emitter.result_at(time, &*self.aggregate, &contents.acc, firing, cx)?;
            contents.panes += 1;
        }
        if purges {
            contents.acc = self.aggregate.create();
            if let Some(watch) = self.watches.get_mut_at(slot, &window)? {
                watch.holds = false;
            }
        }
        Ok(())
    }

    /// Does what is due for a window at `at`, on the way to `watermark`: its alarm, its completion,
    /// its end of life.
    fn on_due(
        &mut self,
        (at, watermark): (EventTime, EventTime),
        slot: Slot,
        window: Window,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let Some(watch) = self.watches.get_at(slot, &window) else { return Ok(()) };
        let (alarm, completed) = (watch.event_alarm, watch.completed);
        if alarm.is_some_and(|time| time <= at) {
            if let Some(watch) = self.watches.get_mut_at(slot, &window)? {
                watch.event_alarm = None;
            }
            let fire = self.ask(slot, window, watermark, cx, |trigger, state, cx| {
                trigger.on_event_time(state, cx)
            })?;
            let timing = if completed { PaneTiming::Late } else { PaneTiming::Early };
            self.act(fire, timing, slot, window, cx)?;
        }
        let gone_at = window.gone_at(self.settings.lateness);
        if at.completes(window.end) && !completed {
            if let Some(watch) = self.watches.get_mut_at(slot, &window)? {
                watch.completed = true;
            }
            let fire = self.ask(slot, window, watermark, cx, |trigger, state, cx| {
                trigger.on_complete(state, cx)
            })?;
            self.act(fire, PaneTiming::OnTime, slot, window, cx)?;
            if at < gone_at {
                self.due.entry(gone_at).or_default().push((slot, window));
            }
        }
        if at >= gone_at {
            if let Some((hash, key)) = self.watches.key(slot) {
                self.contents.remove(hash, key, &window)?;
            }
            self.watches.remove_at(slot, &window)?;
        }
        Ok(())
    }

    fn on_alarm(
        &mut self,
        time: ProcessingTime,
        slot: Slot,
        window: Window,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let Some((hash, _)) = self.watches.key(slot) else { return Ok(()) };
        let watermark = self.progress.of(hash, cx.watermark());
        let Some(watch) = self.watches.get_at(slot, &window) else { return Ok(()) };
        if watch.processing_alarm != Some(time) {
            return Ok(());
        }
        let timing = if watch.completed { PaneTiming::Late } else { PaneTiming::Early };
        if let Some(watch) = self.watches.get_mut_at(slot, &window)? {
            watch.processing_alarm = None;
        }
        let fire = self.ask(slot, window, watermark, cx, |trigger, state, cx| {
            trigger.on_processing_time(state, cx)
        })?;
        self.act(fire, timing, slot, window, cx)
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

fn push_once<E: PartialEq>(entries: &mut Vec<E>, entry: E) {
    // The usual repetition is one right after the other: the alarm that was set before is kept.
    if entries.last() != Some(&entry) {
        entries.push(entry);
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

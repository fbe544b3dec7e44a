//! Asking the trigger, and doing what it says.

use headwater_core::{EventTime, Key, ProcessingTime, Result};
use headwater_state::Slot;

use super::TriggeredWindows;
use crate::operator::OperatorContext;
use crate::window::aggregate::Aggregate;
use crate::window::due::push_once;
use crate::window::emit::Firing;
use crate::window::result::{PaneTiming, Window, complete_until};
use crate::window::trigger::{Fire, Trigger, TriggerContext};

impl<K: Key, A: Aggregate, G: Trigger<A::In>> TriggeredWindows<K, A, G> {
    /// Lets the trigger decide, and queues the alarms it sets.
    ///
    /// An alarm that is not in the future is moved there, so a trigger cannot keep us in a loop.
    pub(super) fn ask(
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
    pub(super) fn act(
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
    pub(super) fn on_due(
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

    pub(super) fn on_alarm(
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
}

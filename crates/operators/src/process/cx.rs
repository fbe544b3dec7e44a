//! What a process function acts through: key, time, state, timers and outputs.
//!
//! A context belongs to one call for one key. Calls without a `Result` (state, timers, side
//! outputs) cannot fail by what a record holds; should one fail (a value that cannot be serialized,
//! a side output that was not declared), the attempt fails after the call, whatever the policy for
//! records.

use std::any::Any;
use std::time::Duration;

use headwater_core::{EventTime, ProcessingTime, Record, Result, Timed};

use crate::process::aggregating::AggregatingView;
use crate::process::list::ListView;
use crate::process::map::MapView;
use crate::process::reducing::ReducingView;
use crate::process::value::ValueView;
use crate::process::{
    AggregatingState, ListState, MapState, Moment, Parts, Process, ReducingState, Side, ValueState,
};
use crate::window::Aggregate;

/// The context of one call of a [`Process`] function.
pub struct Cx<'a, P: Process> {
    pub(crate) parts: &'a mut Parts<P::Key, P::Out, P::State>,
    pub(crate) moment: Moment<'a, P::Key>,
    /// The broadcast state, when there is one.
    pub(crate) rules: Option<&'a (dyn Any + Send)>,
}

impl<'a, P: Process> Cx<'a, P> {
    /// The key of the record or timer.
    pub fn key(&self) -> &'a P::Key {
        self.moment.key
    }

    /// Event time of the record, or the time of the timer.
    ///
    /// In a processing-time timer: the earliest time that is not late (one millisecond after the
    /// watermark), or [`EventTime::MIN`] while there is no watermark.
    pub fn event_time(&self) -> EventTime {
        self.moment.time
    }

    /// The watermark: no further record with a time at or before it is expected.
    ///
    /// [`EventTime::MIN`] before the first one, [`EventTime::MAX`] once the input has ended.
    pub fn watermark(&self) -> EventTime {
        self.moment.watermark
    }

    /// Processing time, as of the start of this activation of the step.
    pub fn processing_time(&self) -> ProcessingTime {
        self.moment.now
    }

    /// Whether the record was late when it was read.
    pub fn is_late(&self) -> bool {
        self.moment.late_by > 0
    }

    /// The key's state for reading and changing; created by `Default` when there is none.
    ///
    /// Counts as a change; to only look, use [`Cx::state_ref`].
    pub fn state(&mut self) -> &mut P::State {
        let Moment { hash, key, .. } = self.moment;
        let parts = &mut *self.parts;
        if let Some(ttl) = &mut parts.main_ttl {
            let touched = ttl.touch(&self.moment);
            parts.failed = parts.failed.take().or(touched.err());
        }
        match parts.main.get_or_insert_with(hash, key, &(), P::State::default) {
            Ok((_, state)) => state,
            Err(e) => {
                parts.failed.get_or_insert(e);
                &mut parts.scratch
            }
        }
    }

    /// The key's state, if there is one; not a change.
    pub fn state_ref(&self) -> Option<&P::State> {
        self.parts.main.get(self.moment.hash, self.moment.key, &())
    }

    /// Removes the key's state, and its memory.
    pub fn clear_state(&mut self) {
        let Moment { hash, key, .. } = self.moment;
        let removed = self.parts.main.remove(hash, key, &()).map(drop);
        self.check(removed);
        if let Some(ttl) = &mut self.parts.main_ttl {
            let forgotten = ttl.forget(hash, key);
            self.check(forgotten);
        }
    }

    /// Emits at the main output, with the event time of the record or timer.
    pub fn emit(&mut self, out: P::Out) {
        let Moment { time, late_by, .. } = self.moment;
        self.parts.out.push(Timed { time, late_by, value: out });
    }

    /// Emits at the main output, with the event time `time`.
    ///
    /// It is late downstream if the record being processed would have been late at that time.
    pub fn emit_at(&mut self, time: EventTime, out: P::Out) {
        let mut out = Timed::new(time, out);
        if self.moment.late_by > 0 {
            out.judge(self.moment.watermark);
        }
        self.parts.out.push(out);
    }

    /// Emits at a side output, with the event time of the record or timer.
    ///
    /// The side output must have been declared; otherwise the attempt fails after this call.
    pub fn emit_to<T: Record>(&mut self, side: Side<T>, value: T) {
        let Moment { time, late_by, .. } = self.moment;
        let emitted = self.parts.sides.emit(side, Timed { time, late_by, value });
        self.check(emitted);
    }

    /// Registers an event-time timer: [`Process::on_timer`] is called once the watermark reaches
    /// `time`. Registering the same time again changes nothing.
    ///
    /// A time that the watermark has passed fires with the next watermark. A timer at
    /// [`EventTime::MAX`] fires at the end of the input; so do all that are left, and a function
    /// that registers a next timer in each one must stop when [`Cx::watermark`] is
    /// [`EventTime::MAX`].
    pub fn timer_at(&mut self, time: EventTime) {
        let registered = self.parts.timers.register(self.moment.hash, self.moment.key, time);
        self.check(registered);
    }

    /// Cancels an event-time timer of this key; true when there was one.
    pub fn cancel_timer(&mut self, time: EventTime) -> bool {
        let cancelled = self.parts.timers.cancel(self.moment.hash, self.moment.key, time);
        self.check_or_default(cancelled)
    }

    /// Registers a processing-time timer `delay` from now and returns its time, for cancelling.
    pub fn processing_timer_after(&mut self, delay: Duration) -> ProcessingTime {
        let at = self.moment.now + delay;
        self.processing_timer_at(at);
        at
    }

    /// Registers a processing-time timer: [`Process::on_processing_timer`] is called at `time` or
    /// soon after; after a restart, also if the time has passed meanwhile.
    pub fn processing_timer_at(&mut self, time: ProcessingTime) {
        let Moment { hash, key, .. } = self.moment;
        let registered = self.parts.processing_timers.register(hash, key, time.as_event_time());
        self.check(registered);
    }

    /// Cancels a processing-time timer of this key; true when there was one.
    pub fn cancel_processing_timer(&mut self, time: ProcessingTime) -> bool {
        let Moment { hash, key, .. } = self.moment;
        let cancelled = self.parts.processing_timers.cancel(hash, key, time.as_event_time());
        self.check_or_default(cancelled)
    }

    /// A further value of this key.
    pub fn value<T: Record>(&mut self, state: &ValueState<T>) -> ValueView<'_, P::Key, T> {
        ValueView(self.parts.entry(state.name, "value", self.moment))
    }

    /// A list of this key.
    pub fn list<T: Record>(&mut self, state: &ListState<T>) -> ListView<'_, P::Key, T> {
        ListView(self.parts.entry(state.name, "list", self.moment))
    }

    /// A map of this key.
    pub fn map<MK: Record + Ord, V: Record>(
        &mut self,
        state: &MapState<MK, V>,
    ) -> MapView<'_, P::Key, MK, V> {
        MapView(self.parts.entry(state.name, "map", self.moment))
    }

    /// A reduced value of this key.
    pub fn reducing<T: Record>(&mut self, state: &ReducingState<T>) -> ReducingView<'_, P::Key, T> {
        let reduce = state.reduce;
        ReducingView { entry: self.parts.entry(state.name, "reducing", self.moment), reduce }
    }

    /// An aggregated value of this key.
    pub fn aggregating<'s, A: Aggregate>(
        &'s mut self,
        state: &'s AggregatingState<A>,
    ) -> AggregatingView<'s, P::Key, A> {
        let entry = self.parts.entry(state.name, "aggregating", self.moment);
        AggregatingView { entry, aggregate: &state.aggregate }
    }

    fn check(&mut self, result: Result<()>) {
        self.check_or_default(result);
    }

    fn check_or_default<T: Default>(&mut self, result: Result<T>) -> T {
        result.unwrap_or_else(|e| {
            self.parts.failed.get_or_insert(e);
            T::default()
        })
    }
}

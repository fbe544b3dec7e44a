//! Triggers: when a window emits, besides (or instead of) when it is complete.
//!
//! A trigger is asked at four moments of a window's life: a record was added, the window was
//! completed by the watermark, and an alarm in event time or processing time that the trigger set
//! itself was reached. Its state and its alarms are kept per key and window, and checkpointed. Each
//! window has at most one alarm in each time domain; setting it again moves it.

use std::time::Duration;

use headwater_core::time::millis;
use headwater_core::{EventTime, ProcessingTime, Record, Result, Timed};
use serde::{Deserialize, Serialize};

use crate::window::assigner::{align, positive};
use crate::window::result::Window;

/// What a trigger decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fire {
    /// Nothing happens.
    Wait,
    /// Emits the window as it is.
    Emit,
    /// Emits the window, then forgets the records in it.
    EmitAndPurge,
    /// Forgets the records in the window without emitting them.
    Purge,
}

/// What a trigger knows of its window, and its alarms.
#[derive(Debug)]
pub struct TriggerContext {
    pub(crate) window: Window,
    pub(crate) watermark: EventTime,
    pub(crate) now: ProcessingTime,
    pub(crate) event_alarm: Option<EventTime>,
    pub(crate) processing_alarm: Option<ProcessingTime>,
}

impl TriggerContext {
    /// The window.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The watermark.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// Processing time.
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// Whether the watermark has completed the window.
    pub fn is_complete(&self) -> bool {
        self.watermark.completes(self.window.end)
    }

    /// Calls [`Trigger::on_event_time`] once the watermark reaches `time`; moves an earlier alarm.
    pub fn wake_at_event_time(&mut self, time: EventTime) {
        self.event_alarm = Some(time);
    }

    /// Calls [`Trigger::on_processing_time`] once processing time reaches `time`; moves an earlier
    /// alarm.
    pub fn wake_at_processing_time(&mut self, time: ProcessingTime) {
        self.processing_alarm = Some(time);
    }

    /// The alarm in processing time, if one is set.
    pub fn processing_time_alarm(&self) -> Option<ProcessingTime> {
        self.processing_alarm
    }

    /// The alarm in event time, if one is set.
    pub fn event_time_alarm(&self) -> Option<EventTime> {
        self.event_alarm
    }
}

/// Decides when a window emits.
///
/// - State: one [`Trigger::State`] per key and window, freed with the window.
/// - An emission of a window that holds no record (all were purged) does not happen.
///
/// # Examples
/// ```
/// use headwater_core::Timed;
/// use headwater_operators::window::{Fire, Trigger, TriggerContext};
///
/// /// Emits at once when a large value arrives, and at the end.
/// struct OnLarge(u64);
/// impl Trigger<u64> for OnLarge {
///     type State = ();
///     fn on_record(&self, r: &Timed<u64>, _: &mut (), cx: &mut TriggerContext) -> Fire {
///         if r.value >= self.0 || cx.is_complete() { Fire::Emit } else { Fire::Wait }
///     }
/// }
/// ```
pub trait Trigger<T>: Send + Sync + 'static {
    /// What the trigger remembers of one window of one key.
    type State: Record + Default;

    /// `record` was added to the window. The window may be complete already, if lateness is
    /// allowed.
    fn on_record(
        &self,
        record: &Timed<T>,
        state: &mut Self::State,
        cx: &mut TriggerContext,
    ) -> Fire;

    /// The watermark has completed the window; called once. Emits by default.
    fn on_complete(&self, state: &mut Self::State, cx: &mut TriggerContext) -> Fire {
        let _ = (state, cx);
        Fire::Emit
    }

    /// The alarm in event time was reached, and is now off.
    fn on_event_time(&self, state: &mut Self::State, cx: &mut TriggerContext) -> Fire {
        let _ = (state, cx);
        Fire::Wait
    }

    /// The alarm in processing time was reached, and is now off.
    fn on_processing_time(&self, state: &mut Self::State, cx: &mut TriggerContext) -> Fire {
        let _ = (state, cx);
        Fire::Wait
    }
}

/// The usual triggers, as data.
///
/// Late records within the allowed lateness emit their window at once, one pane per record (as in
/// Flink). Whether panes contain what earlier ones did is [`Accumulation`](super::Accumulation)'s
/// choice. The on-time pane is emitted even when nothing came since an early one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandardTrigger {
    early_every: Option<Duration>,
    every_records: Option<u64>,
    at_completion: bool,
}

impl StandardTrigger {
    /// Emits when the window is complete: what windows do without a trigger.
    pub const fn on_time() -> Self {
        StandardTrigger { early_every: None, every_records: None, at_completion: true }
    }

    /// Emits after every `records` records of a key in the window, and never else.
    pub const fn count(records: u64) -> Self {
        StandardTrigger { early_every: None, every_records: Some(records), at_completion: false }
    }

    /// Emits every `interval` of processing time in which records came, and never else.
    pub const fn continuous(interval: Duration) -> Self {
        StandardTrigger { early_every: Some(interval), every_records: None, at_completion: false }
    }

    /// Emits also every `interval` of processing time in which records came.
    ///
    /// The instants are whole multiples of the interval since 1970, the same for all keys.
    pub const fn early_every(mut self, interval: Duration) -> Self {
        self.early_every = Some(interval);
        self
    }

    /// Emits also after every `records` records of a key in the window.
    pub const fn early_count(mut self, records: u64) -> Self {
        self.every_records = Some(records);
        self
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// A number is zero, or a duration not in whole milliseconds; names the operator.
    pub(crate) fn check(&self, operator: &str) -> Result<()> {
        if self.every_records == Some(0) {
            let text = "a trigger's number of records must be positive, got 0";
            return Err(headwater_core::Error::plan(format!("{text} (operator {operator:?})")));
        }
        match self.early_every {
            Some(interval) => positive("a trigger's interval", interval, operator).map(drop),
            None => Ok(()),
        }
    }
}

/// What [`StandardTrigger`] remembers: the number of records since the last emission by count.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct RecordsSince(u64);

impl<T: Record> Trigger<T> for StandardTrigger {
    type State = RecordsSince;

    fn on_record(
        &self,
        _record: &Timed<T>,
        state: &mut RecordsSince,
        cx: &mut TriggerContext,
    ) -> Fire {
        if self.at_completion && cx.is_complete() {
            return Fire::Emit;
        }
        if let Some(records) = self.every_records {
            state.0 += 1;
            if state.0 >= records {
                state.0 = 0;
                // The alarm has nothing new to emit until another record comes.
                cx.processing_alarm = None;
                return Fire::Emit;
            }
        }
        if let (Some(interval), None) = (self.early_every, cx.processing_alarm) {
            let step = millis(interval);
            let next = align(cx.now.0, step, 0).saturating_add(step);
            cx.wake_at_processing_time(ProcessingTime(next));
        }
        Fire::Wait
    }

    fn on_complete(&self, _state: &mut RecordsSince, cx: &mut TriggerContext) -> Fire {
        if !self.at_completion {
            return Fire::Wait;
        }
        cx.processing_alarm = None;
        Fire::Emit
    }

    fn on_processing_time(&self, state: &mut RecordsSince, _cx: &mut TriggerContext) -> Fire {
        state.0 = 0;
        Fire::Emit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_refused() {
        let error = |t: StandardTrigger| t.check("clicks").unwrap_err().to_string();
        assert_eq!(
            error(StandardTrigger::count(0)),
            "a trigger's number of records must be positive, got 0 (operator \"clicks\")"
        );
        assert_eq!(
            error(StandardTrigger::on_time().early_every(Duration::ZERO)),
            "a trigger's interval must be positive, got 0 ms (operator \"clicks\")"
        );
    }
}

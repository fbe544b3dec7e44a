//! Windows over processing time: any window operator, run on the wall clock.
//!
//! Records are stamped with the processing time at which they arrive here, and the operator inside
//! is told the watermark `now - 1 ms`: no further record will be stamped `<=` that. So a window
//! `[start, end)` emits when the clock reaches `end`. While the job runs the clock counts as never
//! going back, so no record is late; should it have gone back across a restart, records are, until
//! it has caught up. When the input ends all windows emit (Flink drops them).
//!
//! Results have the time of their window's end on the wall clock. The event-time watermark passes
//! by unchanged, and results are not deterministic: both as in any engine.

use std::marker::PhantomData;

use headwater_core::{Batch, Epoch, EventTime, Key, Keyed, ProcessingTime, Record, Result, Timed};
use headwater_state::StateTable;

use crate::operator::{Operator, OperatorContext, Port};
use crate::window::emit::WindowOperator;

/// Runs the window operator inside on processing time.
pub(crate) struct ByProcessingTime<K, T> {
    inner: Box<dyn WindowOperator>,
    /// The watermark that `inner` was told.
    clock: EventTime,
    types: PhantomData<fn(K, T)>,
}

impl<K, T> ByProcessingTime<K, T> {
    pub(crate) fn new(inner: Box<dyn WindowOperator>) -> Self {
        ByProcessingTime { inner, clock: EventTime::MIN, types: PhantomData }
    }

    /// Calls `inner` with its own watermark in the context.
    fn inside<R>(
        &mut self,
        cx: &mut OperatorContext,
        call: impl FnOnce(&mut dyn WindowOperator, &mut OperatorContext) -> R,
    ) -> R {
        let (now, watermark, split) = (cx.now(), cx.watermark(), cx.split());
        cx.enter(now, self.clock, split);
        let result = call(&mut *self.inner, cx);
        cx.enter(now, watermark, split);
        result
    }

    fn advance(&mut self, to: EventTime, cx: &mut OperatorContext) -> Result<()> {
        if to <= self.clock {
            return Ok(());
        }
        self.clock = to;
        self.inside(cx, |inner, cx| inner.on_watermark(to, cx))
    }
}

impl<K: Key, T: Record> Operator for ByProcessingTime<K, T> {
    fn process(&mut self, port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let split = batch.split();
        let mut records = batch.take::<Keyed<K, T>>();
        let now = cx.now().as_event_time().max(EventTime(self.clock.0.saturating_add(1)));
        for Timed { time, late_by, .. } in &mut records {
            *time = now;
            *late_by = 0;
        }
        let batch = Batch::new(records).with_split(split);
        self.inside(cx, |inner, cx| inner.process(port, batch, cx))
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        match watermark {
            EventTime::MAX => self.advance(EventTime::MAX, cx),
            _ => Ok(()),
        }
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        let due = self.inner.next_due().map(|due| ProcessingTime(due.0.saturating_add(1)));
        [due, self.inner.wake_at()].into_iter().flatten().min()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.advance(EventTime(cx.now().0.saturating_sub(1)), cx)?;
        self.inside(cx, |inner, cx| inner.on_processing_time(cx))
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        self.inner.tables()
    }

    fn snapshot(&mut self, epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.inner.snapshot(epoch)
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.inner.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.inner.restored()
    }
}

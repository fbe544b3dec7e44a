//! The operator for windows that are known from the record alone and emit at their end: one
//! accumulator per key and window.
//!
//! The table holds the truth; the queue of what is due is an index over it, rebuilt after a
//! restore. A cell has exactly one entry in the queue as long as it lives: at the watermark that
//! completes its window, then (with allowed lateness) at the one under which it is gone. A window
//! that emitted has `panes > 0`. Within the allowed lateness every late record emits its window
//! again, at once, with everything that is in it (as Flink does).

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_core::{Batch, Epoch, EventTime, Key, Keyed, Result, Timed};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use crate::operator::{Operator, OperatorContext, Port};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::FixedWindows;
use crate::window::due::pop_due;
use crate::window::emit::{Emitter, Firing, Settings, WindowOperator, unkey};
use crate::window::progress::Progress;
use crate::window::result::{PaneTiming, Window};

/// State of one window of one key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Contents<Acc> {
    pub(crate) acc: Acc,
    /// How often it was emitted.
    pub(crate) panes: u32,
}

/// Windows that emit when they are complete.
pub(crate) struct EventTimeWindows<K, A: Aggregate> {
    settings: Settings,
    assigner: FixedWindows<A::In>,
    aggregate: Arc<A>,
    contents: Table<K, Window, Contents<A::Acc>>,
    /// By the watermark at which something is to be done about the window.
    due: BTreeMap<EventTime, Vec<(Slot, Window)>>,
    progress: Progress,
    emitter: Emitter<K, A::In, A::Out>,
    /// The windows of the current record.
    windows: Vec<Window>,
}

impl<K: Key, A: Aggregate> EventTimeWindows<K, A> {
    pub(crate) fn new(
        settings: Settings,
        assigner: FixedWindows<A::In>,
        aggregate: Arc<A>,
    ) -> Self {
        EventTimeWindows {
            contents: Table::new("windows", settings.key_groups),
            due: BTreeMap::new(),
            progress: Progress::new(settings.key_groups),
            emitter: Emitter::new(&settings),
            windows: Vec::new(),
            settings,
            assigner,
            aggregate,
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

    /// Adds a record to a window, and emits that if it is complete already. The inner error is the
    /// aggregate's, who did not take the record.
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
        let (slot, contents) = self.contents.get_or_insert_with(hash, key, &window, || {
            created = true;
            Contents { acc: self.aggregate.create(), panes: 0 }
        })?;
        if let Err(e) = self.aggregate.add(&mut contents.acc, record) {
            if created {
                self.contents.remove_at(slot, &window)?;
            }
            return Ok(Err(e));
        }
        let complete = watermark.completes(window.end);
        if complete && self.aggregate.prepare(&mut contents.acc, window) {
            let (key, pane) = (key.clone(), contents.panes);
            let firing = Firing { key, window, pane, timing: PaneTiming::Late };
            self.emitter.result(&*self.aggregate, &contents.acc, firing, cx)?;
        }
        contents.panes += u32::from(complete);
        if created {
            let gone_at = window.gone_at(self.settings.lateness);
            let at = if complete { gone_at } else { window.completing() };
            self.due.entry(at).or_default().push((slot, window));
        }
        Ok(Ok(()))
    }

    /// Emits a complete window if that has not been done, and frees it when it is gone at `at`.
    fn on_due(
        &mut self,
        at: EventTime,
        slot: Slot,
        window: Window,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let Some((_, key)) = self.contents.key(slot) else { return Ok(()) };
        let firing = Firing { key: key.clone(), window, pane: 0, timing: PaneTiming::OnTime };
        let gone_at = window.gone_at(self.settings.lateness);
        if at >= gone_at {
            let Some(mut last) = self.contents.remove_at(slot, &window)? else { return Ok(()) };
            if last.panes == 0 && self.aggregate.prepare(&mut last.acc, window) {
                self.emitter.result(&*self.aggregate, &last.acc, firing, cx)?;
            }
            return Ok(());
        }
        let Some(contents) = self.contents.get_mut_at(slot, &window)? else { return Ok(()) };
        if self.aggregate.prepare(&mut contents.acc, window) {
            self.emitter.result(&*self.aggregate, &contents.acc, firing, cx)?;
        }
        contents.panes += 1;
        self.due.entry(gone_at).or_default().push((slot, window));
        Ok(())
    }
}

impl<K: Key, A: Aggregate> Operator for EventTimeWindows<K, A> {
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
                self.on_due(at, slot, window, cx)?;
            }
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.contents]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.due.clear();
        for (slot, _, window, contents) in self.contents.iter() {
            let emitted = contents.panes > 0;
            let gone_at = window.gone_at(self.settings.lateness);
            let at = if emitted { gone_at } else { window.completing() };
            self.due.entry(at).or_default().push((slot, *window));
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate> WindowOperator for EventTimeWindows<K, A> {
    fn next_due(&self) -> Option<EventTime> {
        self.due.first_key_value().map(|(at, _)| *at)
    }
}

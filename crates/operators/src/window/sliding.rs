//! The operator for sliding windows in the sense of Kafka Streams: windows that differ in their
//! records, not in a grid of starts.
//!
//! With time difference `d` every record at `t` makes two windows, each `d + 1` ms wide: one that
//! ends with it, `[t - d, t + 1)`, and one that starts right after it, `[t + 1, t + d + 2)`, which
//! is emitted only if a record lies in it. So two records are in a common window exactly when their
//! times differ by at most `d`. (Kafka Streams writes both bounds inclusive.)
//!
//! A record is late when every window that could contain it is gone: the last is
//! `[t, t + d + 1)`. State: one accumulator per key and distinct record time, freed when the window
//! that starts after it is gone. A window costs as many merges as it has distinct record times.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_core::{Batch, Epoch, EventTime, Key, Keyed, Result, Timed};
use headwater_state::{Slot, StateTable, Table};

use crate::operator::{Operator, OperatorContext, Port};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::time_of;
use crate::window::due::pop_due;
use crate::window::emit::{Emitter, Firing, Settings, WindowOperator, unkey};
use crate::window::progress::Progress;
use crate::window::result::{PaneTiming, Window, complete_until};
use crate::window::slice::{Parts, merge, slicing::Slice};

/// What is to be done at a watermark.
#[derive(Default)]
struct Due {
    /// Keys with a window that ends here; a key may be named twice.
    emit: Vec<Slot>,
    /// Record times that are gone.
    times: Vec<(Slot, Slice)>,
    /// Counts of late panes, by end of window, that are gone.
    panes: Vec<(Slot, EventTime)>,
}

/// Sliding windows that emit when they are complete.
pub(crate) struct SlidingWindows<K, A: Aggregate> {
    settings: Settings,
    /// The time difference, in milliseconds.
    difference: i64,
    aggregate: Arc<A>,
    /// By record time, in parts as slices of one millisecond.
    times: Table<K, Slice, A::Acc>,
    /// Number of panes of a window, once it has had a late one.
    panes: Table<K, EventTime, u32>,
    due: BTreeMap<EventTime, Due>,
    progress: Progress,
    emitter: Emitter<K, A::In, A::Out>,
}

impl<K: Key, A: Aggregate> SlidingWindows<K, A> {
    pub(crate) fn new(settings: Settings, difference: i64, aggregate: Arc<A>) -> Self {
        SlidingWindows {
            times: Table::new("times", settings.key_groups),
            panes: Table::new("late panes", settings.key_groups),
            due: BTreeMap::new(),
            progress: Progress::new(settings.key_groups),
            emitter: Emitter::new(&settings),
            settings,
            difference,
            aggregate,
        }
    }

    /// The window that ends at `end`.
    fn window(&self, end: EventTime) -> Window {
        Window::new(EventTime(end.0 - self.difference - 1), end)
    }

    /// End of the window that ends with a record at `time`.
    fn left(time: EventTime) -> EventTime {
        EventTime(time.0 + 1)
    }

    /// End of the window that starts right after a record at `time`.
    fn right(&self, time: EventTime) -> EventTime {
        EventTime(time.0 + self.difference + 2)
    }

    fn take(&mut self, record: Timed<Keyed<K, A::In>>, cx: &mut OperatorContext) -> Result<()> {
        let (hash, key, record) = unkey(record);
        if let Err(e) = time_of(&record) {
            return self.emitter.refuse(&record, e, cx);
        }
        let time = record.time;
        let watermark = self.progress.of(hash, cx.watermark());
        let read_under = record.watermark(watermark);
        let lateness = self.settings.lateness;
        if Window::at(time.0, self.difference + 1).is_gone(read_under, lateness) {
            self.emitter.late(record, cx);
            return Ok(());
        }
        // Of the windows with the record, those that end here or later are left.
        let living = complete_until(read_under).saturating_sub(lateness);
        let from = Self::left(time).max(EventTime(living.0.saturating_add(1)));
        let part = Slice { start: time, from };
        let again = if watermark.completes(from) {
            self.emitted(hash, &key, part, watermark)?
        } else {
            Vec::new()
        };
        if let Err(e) = self.add(hash, &key, &record, part, watermark)? {
            return self.emitter.refuse(&record, e, cx);
        }
        for (end, had_data) in again {
            self.emit_late(hash, &key, end, had_data, cx)?;
        }
        Ok(())
    }

    /// Adds a record to those of its time. The inner error is the aggregate's.
    fn add(
        &mut self,
        hash: u64,
        key: &K,
        record: &Timed<A::In>,
        part: Slice,
        watermark: EventTime,
    ) -> Result<Result<()>> {
        let mut created = false;
        let (slot, acc) = self.times.get_or_insert_with(hash, key, &part, || {
            created = true;
            self.aggregate.create()
        })?;
        if let Err(e) = self.aggregate.add(acc, record) {
            if created {
                self.times.remove_at(slot, &part)?;
            }
            return Ok(Err(e));
        }
        if created {
            self.queue(slot, part, watermark);
        }
        Ok(Ok(()))
    }

    /// Queues the windows that a record time makes, and its end.
    fn queue(&mut self, slot: Slot, part: Slice, watermark: EventTime) {
        let (left, right) = (Self::left(part.start), self.right(part.start));
        let makes_left = part.from <= left;
        for end in makes_left.then_some(left).into_iter().chain([right]) {
            if !watermark.completes(end) {
                self.due.entry(EventTime::completing(end)).or_default().emit.push(slot);
            }
        }
        let gone_at = self.window(right).gone_at(self.settings.lateness);
        self.due.entry(gone_at).or_default().times.push((slot, part));
    }

    /// The complete windows that a new part will change, and whether each has been emitted.
    fn emitted(
        &self,
        hash: u64,
        key: &K,
        part: Slice,
        watermark: EventTime,
    ) -> Result<Vec<(EventTime, bool)>> {
        let (left, right) = (Self::left(part.start), self.right(part.start));
        let mut ends = Vec::new();
        for (other, _) in self.times.of_key(hash, key) {
            if other.from <= Self::left(other.start) {
                ends.push(Self::left(other.start));
            }
            ends.push(self.right(other.start));
        }
        ends.sort_unstable();
        ends.dedup();
        let is_new = |end: EventTime| ends.binary_search(&end).is_err();
        let mut found = Vec::new();
        for end in [left, right].into_iter().filter(|end| is_new(*end)) {
            found.push((end, false));
        }
        for end in ends.iter().copied().filter(|end| (left..right).contains(end)) {
            found.push((end, self.merge(hash, key, end)?.is_some()));
        }
        found.retain(|(end, _)| part.from <= *end && watermark.completes(*end));
        Ok(found)
    }

    fn emit_late(
        &mut self,
        hash: u64,
        key: &K,
        end: EventTime,
        had_data: bool,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let window = self.window(end);
        let Some(mut acc) = self.merge(hash, key, end)? else { return Ok(()) };
        let mut created = false;
        let (slot, panes) = self.panes.get_or_insert_with(hash, key, &end, || {
            created = true;
            u32::from(had_data)
        })?;
        if created {
            let gone_at = window.gone_at(self.settings.lateness);
            self.due.entry(gone_at).or_default().panes.push((slot, end));
        }
        let pane = *panes;
        *panes += 1;
        if self.aggregate.prepare(&mut acc, window) {
            let firing = Firing { key: key.clone(), window, pane, timing: PaneTiming::Late };
            self.emitter.result(&*self.aggregate, &acc, firing, cx)?;
        }
        Ok(())
    }

    fn merge(&self, hash: u64, key: &K, end: EventTime) -> Result<Option<A::Acc>> {
        let table = &self.times;
        let Some(slot) = table.find(hash, key) else { return Ok(None) };
        merge(&*self.aggregate, self.window(end), &Parts { table, slot, hash, key })
    }

    fn emit(&mut self, end: EventTime, slot: Slot, cx: &mut OperatorContext) -> Result<()> {
        let Some((hash, key)) = self.times.key(slot) else { return Ok(()) };
        let window = self.window(end);
        let parts = Parts { table: &self.times, slot, hash, key };
        if let Some(mut acc) = merge(&*self.aggregate, window, &parts)?
            && self.aggregate.prepare(&mut acc, window)
        {
            let firing = Firing { key: key.clone(), window, pane: 0, timing: PaneTiming::OnTime };
            self.emitter.result(&*self.aggregate, &acc, firing, cx)?;
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate> Operator for SlidingWindows<K, A> {
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
        while let Some((at, mut due)) = pop_due(&mut self.due, watermark) {
            due.emit.sort_unstable();
            due.emit.dedup();
            for slot in due.emit {
                self.emit(complete_until(at), slot, cx)?;
            }
            for (slot, part) in due.times {
                self.times.remove_at(slot, &part)?;
            }
            for (slot, end) in due.panes {
                self.panes.remove_at(slot, &end)?;
            }
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.times, &mut self.panes]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.due.clear();
        let mut parts = Vec::with_capacity(self.times.len());
        for (slot, _, part, _) in self.times.iter() {
            let hash = self.times.key(slot).map_or(0, |(hash, _)| hash);
            parts.push((slot, *part, self.progress.of(hash, EventTime::MIN)));
        }
        for (slot, part, watermark) in parts {
            self.queue(slot, part, watermark);
        }
        for (slot, _, end, _) in self.panes.iter() {
            let gone_at = self.window(*end).gone_at(self.settings.lateness);
            self.due.entry(gone_at).or_default().panes.push((slot, *end));
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate> WindowOperator for SlidingWindows<K, A> {
    fn next_due(&self) -> Option<EventTime> {
        self.due.first_key_value().map(|(at, _)| *at)
    }
}

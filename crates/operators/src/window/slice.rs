//! The operator for overlapping windows whose aggregate merges: hopping and cumulative.
//!
//! One accumulator per key and slice, so a record costs one update however many windows it is in.
//! When a window is complete, the slices of each key in it are merged: for few slices directly, for
//! many through running merges ([`running`]), so that a window of an hour that hops by a second
//! costs a few merges per key and second, not 3600.
//!
//! Invariants:
//! - a key with a slice in a window that has not emitted yet is queued ([`Live`]) for exactly one
//!   end, the first of those windows; when that has emitted, for the next one. A key without data
//!   in a window is not touched;
//! - a slice is freed when the last window with it is gone;
//! - which windows have emitted follows from the watermark alone (see [`Progress`]), so it needs no
//!   state. Late panes are counted in a table of their own, which is empty without late records.

mod running;
pub(crate) mod slicing;
mod slot_map;

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
use crate::window::result::{PaneTiming, complete_until};
use running::Running;
pub(crate) use running::{Parts, merge};
use slicing::{Slice, Slicing};
use slot_map::SlotMap;

/// What is to be done at a watermark.
#[derive(Default)]
struct Due {
    /// Keys whose window may emit.
    emit: Vec<Slot>,
    /// Slices that are gone.
    slices: Vec<(Slot, Slice)>,
    /// Counts of late panes, by end of window, that are gone.
    panes: Vec<(Slot, EventTime)>,
}

/// What is known of a key with windows that will emit.
struct Live<Acc> {
    /// End of the window that it is queued for.
    next: EventTime,
    running: Running<Acc>,
}

/// Hopping or cumulative windows that emit when they are complete.
pub(crate) struct SliceWindows<K, A: Aggregate> {
    settings: Settings,
    slicing: Slicing,
    aggregate: Arc<A>,
    slices: Table<K, Slice, A::Acc>,
    /// Number of panes of a window, once it has had a late one.
    panes: Table<K, EventTime, u32>,
    live: SlotMap<Live<A::Acc>>,
    due: BTreeMap<EventTime, Due>,
    progress: Progress,
    emitter: Emitter<K, A::In, A::Out>,
}

impl<K: Key, A: Aggregate> SliceWindows<K, A> {
    pub(crate) fn new(settings: Settings, slicing: Slicing, aggregate: Arc<A>) -> Self {
        SliceWindows {
            slices: Table::new("slices", settings.key_groups),
            panes: Table::new("late panes", settings.key_groups),
            live: SlotMap::default(),
            due: BTreeMap::new(),
            progress: Progress::new(settings.key_groups),
            emitter: Emitter::new(&settings),
            settings,
            slicing,
            aggregate,
        }
    }

    fn take(&mut self, record: Timed<Keyed<K, A::In>>, cx: &mut OperatorContext) -> Result<()> {
        let (hash, key, record) = unkey(record);
        let start = match time_of(&record) {
            Ok(time) => self.slicing.slice(time),
            Err(e) => return self.emitter.refuse(&record, e, cx),
        };
        let watermark = self.progress.of(hash, cx.watermark());
        let read_under = record.watermark(watermark);
        let whole = Slice { start, from: EventTime::MIN };
        let lateness = self.settings.lateness;
        let Some(from) = self.slicing.first_live_end(whole, read_under, lateness) else {
            self.emitter.late(record, cx);
            return Ok(());
        };
        let part = Slice { start, from };
        if watermark.completes(from) {
            return self.take_late(hash, &key, record, part, watermark, cx);
        }
        if let Err(e) = self.add(hash, &key, &record, part, watermark)? {
            return self.emitter.refuse(&record, e, cx);
        }
        Ok(())
    }

    /// Adds a record to a part of a slice. The inner error is the aggregate's.
    #[inline]
    fn add(
        &mut self,
        hash: u64,
        key: &K,
        record: &Timed<A::In>,
        part: Slice,
        watermark: EventTime,
    ) -> Result<Result<()>> {
        let mut created = false;
        let (slot, acc) = self.slices.get_or_insert_with(hash, key, &part, || {
            created = true;
            self.aggregate.create()
        })?;
        if let Err(e) = self.aggregate.add(acc, record) {
            if created {
                self.slices.remove_at(slot, &part)?;
            }
            return Ok(Err(e));
        }
        if created {
            self.queue(slot, part, watermark);
        } else if watermark.completes(EventTime(part.start.0 + self.slicing.width()))
            && let Some(live) = self.live.get_mut(&slot)
        {
            // It may have been merged already.
            live.running.changed(part, &self.slicing);
        }
        Ok(Ok(()))
    }

    /// Queues a new part: to be freed, and its key for the first window that has not emitted.
    fn queue(&mut self, slot: Slot, part: Slice, watermark: EventTime) {
        let last = self.slicing.window(self.slicing.last_end(part.start));
        let gone_at = last.gone_at(self.settings.lateness);
        self.due.entry(gone_at).or_default().slices.push((slot, part));
        let no_lateness = std::time::Duration::ZERO;
        if let Some(end) = self.slicing.first_live_end(part, watermark, no_lateness) {
            let live = self
                .live
                .entry(slot)
                .or_insert_with(|| Live { next: EventTime::MAX, running: Running::new() });
            live.running.changed(part, &self.slicing);
            if end < live.next {
                live.next = end;
                self.due.entry(EventTime::completing(end)).or_default().emit.push(slot);
            }
        }
    }

    /// Adds a record some of whose windows have emitted, and emits those again.
    fn take_late(
        &mut self,
        hash: u64,
        key: &K,
        record: Timed<A::In>,
        part: Slice,
        watermark: EventTime,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let complete = complete_until(watermark).min(self.slicing.last_end(part.start));
        let hop = self.slicing.hop() as usize;
        let mut emitted = Vec::new();
        for end in (part.from.0..=complete.0).step_by(hop).map(EventTime) {
            emitted.push((end, self.merge(hash, key, end)?.is_some()));
        }
        if let Err(e) = self.add(hash, key, &record, part, watermark)? {
            return self.emitter.refuse(&record, e, cx);
        }
        for (end, had_data) in emitted {
            let window = self.slicing.window(end);
            let gone_at = window.gone_at(self.settings.lateness);
            let due = &mut self.due;
            let mut created = false;
            let (slot, panes) = self.panes.get_or_insert_with(hash, key, &end, || {
                created = true;
                u32::from(had_data)
            })?;
            if created {
                due.entry(gone_at).or_default().panes.push((slot, end));
            }
            let pane = *panes;
            *panes += 1;
            let Some(mut acc) = self.merge(hash, key, end)? else { continue };
            if self.aggregate.prepare(&mut acc, window) {
                let firing = Firing { key: key.clone(), window, pane, timing: PaneTiming::Late };
                self.emitter.result(&*self.aggregate, &acc, firing, cx)?;
            }
        }
        Ok(())
    }

    /// The merged parts of a key that count for the window that ends at `end`.
    fn merge(&self, hash: u64, key: &K, end: EventTime) -> Result<Option<A::Acc>> {
        let table = &self.slices;
        let Some(slot) = table.find(hash, key) else { return Ok(None) };
        let parts = Parts { table, slot, hash, key };
        merge(&*self.aggregate, self.slicing.window(end), &parts)
    }

    /// Emits the window of a key that ends at `end`, if the key is queued for it, and queues the
    /// key for its next window.
    fn emit(&mut self, end: EventTime, slot: Slot, cx: &mut OperatorContext) -> Result<()> {
        let Some(live) = self.live.get_mut(&slot) else { return Ok(()) };
        if live.next != end {
            return Ok(());
        }
        let Some((hash, key)) = self.slices.key(slot) else { return Ok(()) };
        let window = self.slicing.window(end);
        let parts = Parts { table: &self.slices, slot, hash, key };
        let merged = live.running.window(&*self.aggregate, &self.slicing, window, &parts)?;
        if let Some(mut acc) = merged.acc
            && self.aggregate.prepare(&mut acc, window)
        {
            let firing = Firing { key: key.clone(), window, pane: 0, timing: PaneTiming::OnTime };
            self.emitter.result(&*self.aggregate, &acc, firing, cx)?;
        }
        match merged.next {
            Some(next) => {
                live.next = next;
                self.due.entry(EventTime::completing(next)).or_default().emit.push(slot);
            }
            None => {
                self.live.remove(&slot);
            }
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate> Operator for SliceWindows<K, A> {
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
            for slot in due.emit {
                self.emit(complete_until(at), slot, cx)?;
            }
            for (slot, part) in due.slices {
                self.slices.remove_at(slot, &part)?;
            }
            for (slot, end) in due.panes {
                self.panes.remove_at(slot, &end)?;
            }
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.slices, &mut self.panes]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.due.clear();
        self.live.clear();
        let mut parts = Vec::with_capacity(self.slices.len());
        for (slot, _, part, _) in self.slices.iter() {
            let hash = self.slices.key(slot).map_or(0, |(hash, _)| hash);
            parts.push((slot, *part, self.progress.of(hash, EventTime::MIN)));
        }
        for (slot, part, watermark) in parts {
            self.queue(slot, part, watermark);
        }
        for (slot, _, end, _) in self.panes.iter() {
            let gone_at = self.slicing.window(*end).gone_at(self.settings.lateness);
            self.due.entry(gone_at).or_default().panes.push((slot, *end));
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate> WindowOperator for SliceWindows<K, A> {
    fn next_due(&self) -> Option<EventTime> {
        self.due.first_key_value().map(|(at, _)| *at)
    }
}

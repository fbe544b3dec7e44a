//! The operator for session windows: runs of records of a key with less than a gap between them.
//!
//! A record makes the session `[t, t + gap)`; sessions of a key that overlap are one. Sessions that
//! only touch are two: a record exactly one gap after the last finds the session complete, and what
//! belongs together must not depend on whether the watermark has said so yet (Flink and Kafka
//! Streams merge them, if they are in time).
//!
//! A record joins the sessions that it overlaps itself, but for those that are gone under the
//! watermark it was read under, even when they still wait here; it is late when what then is its
//! session is gone. So a late record that joins a living session is accepted.
//!
//! State: a session lives under its start ([`SessionId`]), so that growing at its end, the usual
//! case, changes one cell. The queue is an index whose entries may be stale: every session that is
//! here has an entry at or before the next watermark that concerns it, and whoever finds an entry
//! looks at the cell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_core::{Batch, Epoch, EventTime, Key, Keyed, Result, Timed};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use crate::operator::{Operator, OperatorContext, Port};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::{Gap, time_of};
use crate::window::due::{pop_due, push_once};
use crate::window::emit::{Emitter, Firing, Settings, WindowOperator, unkey};
use crate::window::progress::Progress;
use crate::window::result::{PaneTiming, Window};

/// Names a session of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct SessionId {
    start: EventTime,
    /// 0; or more when the one before is gone for the records here but has yet to be emitted.
    twin: u32,
}

#[derive(Clone, Serialize, Deserialize)]
struct Session<Acc> {
    end: EventTime,
    acc: Acc,
    /// How often it, or a session merged into it, was emitted.
    panes: u32,
    /// Whether it was emitted with these bounds.
    emitted: bool,
}

impl<Acc> Session<Acc> {
    /// The next watermark that concerns it.
    fn due(&self, window: Window, lateness: Duration) -> EventTime {
        if self.emitted { window.gone_at(lateness) } else { window.completing() }
    }
}

/// Session windows that emit when they are complete.
pub(crate) struct SessionWindows<K, A: Aggregate> {
    settings: Settings,
    gap: Gap<A::In>,
    aggregate: Arc<A>,
    sessions: Table<K, SessionId, Session<A::Acc>>,
    due: BTreeMap<EventTime, Vec<(Slot, SessionId)>>,
    progress: Progress,
    emitter: Emitter<K, A::In, A::Out>,
    /// Sessions that the current record joins.
    joined: Vec<SessionId>,
}

impl<K: Key, A: Aggregate> SessionWindows<K, A> {
    pub(crate) fn new(settings: Settings, gap: Gap<A::In>, aggregate: Arc<A>) -> Self {
        SessionWindows {
            sessions: Table::new("sessions", settings.key_groups),
            due: BTreeMap::new(),
            progress: Progress::new(settings.key_groups),
            emitter: Emitter::new(&settings),
            joined: Vec::new(),
            settings,
            gap,
            aggregate,
        }
    }

    fn take(&mut self, record: Timed<Keyed<K, A::In>>, cx: &mut OperatorContext) -> Result<()> {
        let (hash, key, record) = unkey(record);
        let (time, gap) = match (time_of(&record), self.gap.of(&record.value)) {
            (Ok(time), Ok(gap)) => (time, gap),
            (Err(e), _) | (_, Err(e)) => return self.emitter.refuse(&record, e, cx),
        };
        let watermark = self.progress.of(hash, cx.watermark());
        let read_under = record.watermark(watermark);
        let window = self.join(hash, &key, Window::at(time, gap), read_under);
        if window.is_gone(read_under, self.settings.lateness) {
            self.emitter.late(record, cx);
            return Ok(());
        }
        let (slot, id) = match self.add(hash, &key, &record, window)? {
            Ok(found) => found,
            Err(e) => return self.emitter.refuse(&record, e, cx),
        };
        if watermark.completes(window.end) {
            self.emit_late(slot, id, window, cx)?;
        }
        Ok(())
    }

    /// Finds the sessions that a record joins, and the window they then are.
    fn join(&mut self, hash: u64, key: &K, record: Window, read_under: EventTime) -> Window {
        let mut window = record;
        self.joined.clear();
        for (id, session) in self.sessions.of_key(hash, key) {
            let other = Window::new(id.start, session.end);
            if other.start >= record.end {
                break;
            }
            // Only what overlaps the record itself: for a record in time that is never gone, so it
            // does not matter whether gone sessions are still here.
            if other.overlaps(record) && !other.is_gone(read_under, self.settings.lateness) {
                self.joined.push(*id);
                window.start = window.start.min(other.start);
                window.end = window.end.max(other.end);
            }
        }
        window
    }

    /// Puts a record and the sessions it joins into one. The inner error is the aggregate's.
    fn add(
        &mut self,
        hash: u64,
        key: &K,
        record: &Timed<A::In>,
        window: Window,
    ) -> Result<Result<(Slot, SessionId)>> {
        if let [id] = self.joined[..]
            && id.start == window.start
            && let Some(slot) = self.sessions.find(hash, key)
            && let Some(session) = self.sessions.get_mut_at(slot, &id)?
        {
            if let Err(e) = self.aggregate.add(&mut session.acc, record) {
                return Ok(Err(e));
            }
            let grown = session.end != window.end;
            session.end = window.end;
            if grown && session.emitted {
                session.emitted = false;
                self.due.entry(window.completing()).or_default().push((slot, id));
            }
            return Ok(Ok((slot, id)));
        }
        let mut acc = self.aggregate.create();
        let mut panes = 0;
        for id in &self.joined {
            if let Some(session) = self.sessions.get(hash, key, id) {
                self.aggregate.merge(&mut acc, &session.acc)?;
                panes = panes.max(session.panes);
            }
        }
        if let Err(e) = self.aggregate.add(&mut acc, record) {
            return Ok(Err(e));
        }
        for id in std::mem::take(&mut self.joined) {
            self.sessions.remove(hash, key, &id)?;
        }
        let mut id = SessionId { start: window.start, twin: 0 };
        while self.sessions.get(hash, key, &id).is_some() {
            id.twin += 1;
        }
        let session = Session { end: window.end, acc, panes, emitted: false };
        let slot = self.sessions.insert(hash, key, &id, session)?;
        self.due.entry(window.completing()).or_default().push((slot, id));
        Ok(Ok((slot, id)))
    }

    /// Emits a session that is complete already.
    fn emit_late(
        &mut self,
        slot: Slot,
        id: SessionId,
        window: Window,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let Some((_, key)) = self.sessions.key(slot) else { return Ok(()) };
        let key = key.clone();
        let Some(session) = self.sessions.get_mut_at(slot, &id)? else { return Ok(()) };
        if self.aggregate.prepare(&mut session.acc, window) {
            let firing = Firing { key, window, pane: session.panes, timing: PaneTiming::Late };
            self.emitter.result(&*self.aggregate, &session.acc, firing, cx)?;
            session.panes += 1;
        }
        session.emitted = true;
        self.due.entry(window.gone_at(self.settings.lateness)).or_default().push((slot, id));
        Ok(())
    }

    /// Emits a session if it is complete at `at` and was not emitted; frees it if it is gone; and
    /// sees to it that it is looked at again otherwise.
    fn on_due(
        &mut self,
        at: EventTime,
        slot: Slot,
        id: SessionId,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let lateness = self.settings.lateness;
        let Some(session) = self.sessions.get_at(slot, &id) else { return Ok(()) };
        let window = Window::new(id.start, session.end);
        let due = session.due(window, lateness);
        if due > at {
            // Sessions that merged have an entry each; they meet at the end of what became of them.
            push_once(self.due.entry(due).or_default(), (slot, id));
            return Ok(());
        }
        let Some((_, key)) = self.sessions.key(slot) else { return Ok(()) };
        let key = key.clone();
        let Some(session) = self.sessions.get_mut_at(slot, &id)? else { return Ok(()) };
        if !session.emitted {
            if self.aggregate.prepare(&mut session.acc, window) {
                let (pane, timing) = (session.panes, PaneTiming::OnTime);
                let firing = Firing { key, window, pane, timing };
                self.emitter.result(&*self.aggregate, &session.acc, firing, cx)?;
                session.panes += 1;
            }
            session.emitted = true;
        }
        if window.is_gone(at, lateness) {
            self.sessions.remove_at(slot, &id)?;
        } else {
            self.due.entry(window.gone_at(lateness)).or_default().push((slot, id));
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate> Operator for SessionWindows<K, A> {
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
            for (slot, id) in due {
                self.on_due(at, slot, id, cx)?;
            }
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.sessions]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.due.clear();
        for (slot, _, id, session) in self.sessions.iter() {
            let due = session.due(Window::new(id.start, session.end), self.settings.lateness);
            self.due.entry(due).or_default().push((slot, *id));
        }
        Ok(())
    }
}

impl<K: Key, A: Aggregate> WindowOperator for SessionWindows<K, A> {
    fn next_due(&self) -> Option<EventTime> {
        self.due.first_key_value().map(|(at, _)| *at)
    }
}

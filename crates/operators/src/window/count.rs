//! The operator for count windows: every so many records of a key, regardless of time.
//!
//! Every `slide` records of a key the last `size` of them are aggregated (at first, those there
//! are, as in Flink). Records are kept as accumulators of gcd(size, slide) records each; for
//! tumbling windows (`slide = size`) that is one, so they need no merging. Which records share a
//! window depends on the order of arrival; none is ever late. Windows that are not full when the
//! input ends are not emitted.
//!
//! A result's window runs from the least to just after the greatest record time in it.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_core::{Batch, EventTime, Key, Keyed, Result, Timed};
use headwater_state::{StateTable, Table};
use serde::{Deserialize, Serialize};

use crate::operator::{Operator, OperatorContext, Port};
use crate::window::aggregate::Aggregate;
use crate::window::emit::{Emitter, Firing, Settings, WindowOperator, unkey};
use crate::window::result::{PaneTiming, Window};

/// Consecutive records of a key.
#[derive(Clone, Serialize, Deserialize)]
struct Run<Acc> {
    acc: Acc,
    records: u64,
    earliest: EventTime,
    latest: EventTime,
}

/// The records of a key that later windows need.
#[derive(Clone, Serialize, Deserialize)]
struct Runs<Acc> {
    /// The last one may still grow.
    runs: VecDeque<Run<Acc>>,
    /// Records since the last window.
    since: u64,
}

/// Windows of a number of records.
pub(crate) struct CountWindows<K, A: Aggregate> {
    size: u64,
    slide: u64,
    width: u64,
    aggregate: Arc<A>,
    counts: Table<K, (), Runs<A::Acc>>,
    emitter: Emitter<K, A::In, A::Out>,
}

impl<K: Key, A: Aggregate> CountWindows<K, A> {
    /// Windows of `size` records, every `slide` records; `slide` must not exceed `size`.
    pub(crate) fn new(settings: &Settings, size: u64, slide: u64, aggregate: Arc<A>) -> Self {
        CountWindows {
            size,
            slide,
            width: gcd(size, slide),
            aggregate,
            counts: Table::new("counts", settings.key_groups),
            emitter: Emitter::new(settings),
        }
    }

    fn take(&mut self, record: Timed<Keyed<K, A::In>>, cx: &mut OperatorContext) -> Result<()> {
        let (hash, key, record) = unkey(record);
        let aggregate = &*self.aggregate;
        let mut created = false;
        let (slot, runs) = self.counts.get_or_insert_with(hash, &key, &(), || {
            created = true;
            Runs { runs: VecDeque::new(), since: 0 }
        })?;
        if let Err(e) = runs.add(aggregate, &record, self.width) {
            if created {
                self.counts.remove_at(slot, &())?;
            }
            return self.emitter.refuse(&record, e, cx);
        }
        if runs.since < self.slide {
            return Ok(());
        }
        runs.since = 0;
        if let Some((mut acc, window)) = runs.merge(aggregate)?
            && aggregate.prepare(&mut acc, window)
        {
            let firing = Firing { key, window, pane: 0, timing: PaneTiming::OnTime };
            let latest = runs.runs.iter().map(|run| run.latest).max().unwrap_or_default();
            self.emitter.result_at(latest, aggregate, &acc, firing, cx)?;
        }
        if self.slide == self.size {
            self.counts.remove_at(slot, &())?;
        } else {
            // The next window needs all but the first `slide` records of a full one.
            let keep = ((self.size - self.slide) / self.width) as usize;
            let surplus = runs.runs.len().saturating_sub(keep);
            runs.runs.drain(..surplus);
        }
        Ok(())
    }
}

impl<Acc: Clone> Runs<Acc> {
    fn add<A: Aggregate<Acc = Acc>>(
        &mut self,
        aggregate: &A,
        record: &Timed<A::In>,
        width: u64,
    ) -> Result<()> {
        let time = record.time;
        match self.runs.back_mut().filter(|run| run.records < width) {
            Some(run) => {
                aggregate.add(&mut run.acc, record)?;
                run.records += 1;
                run.earliest = run.earliest.min(time);
                run.latest = run.latest.max(time);
            }
            None => {
                let mut acc = aggregate.create();
                aggregate.add(&mut acc, record)?;
                self.runs.push_back(Run { acc, records: 1, earliest: time, latest: time });
            }
        }
        self.since += 1;
        Ok(())
    }

    fn merge<A: Aggregate<Acc = Acc>>(&self, aggregate: &A) -> Result<Option<(Acc, Window)>> {
        let mut merged: Option<(Acc, Window)> = None;
        for run in &self.runs {
            let window = Window::new(run.earliest, EventTime(run.latest.0.saturating_add(1)));
            match &mut merged {
                Some((acc, span)) => {
                    aggregate.merge(acc, &run.acc)?;
                    *span = Window::new(span.start.min(window.start), span.end.max(window.end));
                }
                None => merged = Some((run.acc.clone(), window)),
            }
        }
        Ok(merged)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl<K: Key, A: Aggregate> Operator for CountWindows<K, A> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        for (at, record) in batch.take::<Keyed<K, A::In>>().into_iter().enumerate() {
            cx.at = at;
            self.take(record, cx)?;
        }
        self.emitter.flush(cx);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.counts]
    }
}

impl<K: Key, A: Aggregate> WindowOperator for CountWindows<K, A> {
    fn next_due(&self) -> Option<EventTime> {
        None
    }
}

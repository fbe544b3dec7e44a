//! What a test sees of the job: outputs, counters, event time, sizes.

use std::sync::atomic::Ordering::Relaxed;

use headwater_core::{EventTime, ProcessingTime, Record, Result, Timed};
use headwater_topology::{DEAD_LETTERS, OperatorTotals, Topology};

use super::{Driver, no_such};

impl Driver {
    /// Takes out what has arrived at a sink, in order of arrival.
    ///
    /// # Errors
    /// There is no such sink, or its records are of another type.
    pub fn take<T: Record>(&mut self, sink: &str) -> Result<Vec<Timed<T>>> {
        let log = self.sinks.get(sink).ok_or_else(|| {
            let names: Vec<&str> = self.sinks.keys().map(String::as_str).collect();
            no_such("sink", sink, &names)
        })?;
        log.take()
    }

    /// The counters of a step, added up over attempts as the runtime does.
    ///
    /// # Errors
    /// There is no such step.
    pub fn totals(&self, step: &str) -> Result<OperatorTotals> {
        Ok(self.metrics[self.step_at(step)?].totals())
    }

    /// The event time that a step has reached: of an `event_time` step, what it generated.
    ///
    /// # Errors
    /// There is no such step.
    pub fn watermark_at(&self, step: &str) -> Result<EventTime> {
        let reached = &self.metrics[self.step_at(step)?].watermark;
        Ok(EventTime(reached.load(Relaxed)))
    }

    /// Number of entries of keyed state that a step holds.
    ///
    /// # Errors
    /// There is no such step.
    pub fn state_entries(&mut self, step: &str) -> Result<usize> {
        self.step_at(step)?;
        let tables = self.chain.tables();
        let own = tables.iter().filter(|(name, _)| *name == step);
        Ok(own.map(|(_, table)| table.len()).sum())
    }

    /// Whether some step asks not to read the split now, as it is too far ahead of others.
    ///
    /// # Errors
    /// There is no such source or it has ended.
    pub fn holds_back(&mut self, source: &str, split: &str) -> Result<bool> {
        let (source, split) = self.place(source, Some(split))?;
        let tag = self.sources[source].split(&split).map(|s| s.tag);
        Ok(tag.is_some_and(|tag| self.chain.holds_back(tag)))
    }

    /// Where the clock stands.
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// The topology that is run, its sinks replaced.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The place of a step's counters.
    pub(super) fn step_at(&self, step: &str) -> Result<usize> {
        let nodes = &self.topology.nodes;
        if step == DEAD_LETTERS {
            return Ok(nodes.len());
        }
        nodes.iter().position(|n| n.name == step).ok_or_else(|| {
            let names: Vec<&str> = nodes.iter().map(|n| n.name.as_str()).collect();
            no_such("step", step, &names)
        })
    }
}

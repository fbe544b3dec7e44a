//! An instance of a connected part of a topology on one worker: operators joined by direct calls.
//!
//! The runtime makes one chain per group of nodes that forward edges connect; the test driver makes
//! one of the whole topology. A chain decides nothing about threads, epochs or frontiers: it is
//! told what arrives and what the watermarks of its inputs are, and it says what leaves.
//!
//! Invariants: batches are processed in the order they are emitted on each edge; an operator sees a
//! watermark only after everything emitted before it; watermarks are passed in topological order.
//!
//! Reading order: this file (life of a batch) → [`build`] → [`time`] → [`splits`] → [`snapshot`].

mod build;
mod snapshot;
mod splits;
mod time;

use std::sync::Arc;
use std::time::Instant;

use headwater_connect::BadRecord;
use headwater_core::{
    BadRecordPolicy, Batch, DeadLetter, Error, EventTime, ProcessingTime, Result, SplitTag, Timed,
    Watermark,
};
use headwater_operators::{Operator, OperatorContext, Port};

pub use self::build::ChainInit;
pub use self::snapshot::OperatorSnapshot;
use crate::metrics::OperatorMetrics;
use crate::sink_operator::SinkOperator;

/// See the module documentation.
pub struct Chain {
    members: Vec<Member>,
    /// For each edge of the topology: where in this chain it arrives, if it comes from outside.
    arrivals: Vec<Option<(usize, Port)>>,
    /// Batches on their way, last one first.
    work: Vec<(usize, Port, Batch)>,
    /// Batches that left, by edge of the topology.
    departed: Vec<(usize, Batch)>,
    cx: OperatorContext,
    now: ProcessingTime,
    current: usize,
    dead_letters: Option<usize>,
    /// Dead letters of this chain, over all attempts. Their counters are shared by the chains of a
    /// worker, which do not pass a barrier at the same time.
    letters: u64,
    is_first: bool,
    /// Splits added so far.
    splits: u32,
}

struct Member {
    name: String,
    body: Body,
    /// One watermark per incoming edge, by edge of the topology.
    inputs: Vec<(usize, Watermark)>,
    /// What the members before it, or the source driver, told it last.
    watermark_in: EventTime,
    routes: Vec<(Port, Route)>,
    metrics: Arc<OperatorMetrics>,
    out_edges: Vec<usize>,
    /// Of a source: the members that its splits reach.
    downstream: Vec<usize>,
}

enum Body {
    Source { policy: BadRecordPolicy, watermark: Watermark },
    Operator(Box<dyn Operator>),
    Sink(SinkOperator),
}

#[derive(Clone, Copy)]
enum Route {
    Inside(usize, Port),
    /// A partitioned edge as a direct call: the other side knows no splits, as with many workers.
    Fused(usize, Port),
    Outside(usize),
}

impl Chain {
    /// Sets processing time for what follows.
    pub fn set_now(&mut self, now: ProcessingTime) {
        self.now = now;
    }

    /// The step that is, or was last, at work, and the index of the record in its batch if it works
    /// on one: for the message when it panics.
    pub fn at_work(&self) -> (&str, Option<usize>) {
        (&self.members[self.current].name, record_at(&self.cx))
    }

    /// Notes that a source is about to be opened or read, for [`Chain::at_work`].
    pub fn enter_source(&mut self, source: usize) {
        self.current = source;
        self.cx.at = NO_RECORD;
    }

    /// The member that is the given node's instance.
    pub fn member(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|m| m.name == name)
    }

    /// Takes in what a source read: good records, and bad ones for its policy.
    pub fn push_source(&mut self, member: usize, batch: Batch, bad: Vec<BadRecord>) -> Result<()> {
        self.current = member;
        let m = &mut self.members[member];
        let refused = bad.len() as u64;
        add(&m.metrics.records_in, batch.len() as u64 + refused);
        if let (Body::Source { policy, .. }, Some(first)) = (&m.body, bad.first()) {
            match policy {
                BadRecordPolicy::Fail => {
                    let message =
                        format!("cannot read a record at {}: {}", first.position, first.reason);
                    return Err(Error::data(message).within(format!("source {:?}", m.name)));
                }
                BadRecordPolicy::Skip => add(&m.metrics.dropped, refused),
                BadRecordPolicy::DeadLetter => {
                    add(&m.metrics.dead_lettered, refused);
                    let letter =
                        |b: BadRecord| DeadLetter::whole(&m.name, b.position, b.reason, b.record);
                    let letters = bad.into_iter().map(letter).collect();
                    self.send_dead_letters(letters);
                }
            }
        }
        if !batch.is_empty() {
            self.route(member, vec![(headwater_operators::operator::OUT, batch)]);
        }
        self.work_off()
    }

    /// Counts places that a source passed over.
    pub fn count_skipped(&mut self, member: usize, places: u64) {
        add(&self.members[member].metrics.skipped, places);
    }

    /// Takes in a batch that came over a partitioned edge.
    pub fn push_edge(&mut self, edge: usize, batch: Batch) -> Result<()> {
        if let Some((member, port)) = self.arrivals[edge] {
            self.work.push((member, port, batch));
        }
        self.work_off()
    }

    /// Batches that left over partitioned edges, in order, since the last call.
    pub fn take_departed(&mut self) -> std::vec::Drain<'_, (usize, Batch)> {
        self.departed.drain(..)
    }

    fn work_off(&mut self) -> Result<()> {
        while let Some((member, port, batch)) = self.work.pop() {
            self.call(member, batch.split(), batch.len(), |op, cx| op.process(port, batch, cx))?;
        }
        Ok(())
    }

    /// Calls an operator and sends on what it emitted.
    fn call(
        &mut self,
        member: usize,
        split: SplitTag,
        records: usize,
        f: impl FnOnce(&mut dyn Operator, &mut OperatorContext) -> Result<()>,
    ) -> Result<()> {
        self.current = member;
        let m = &mut self.members[member];
        let op: &mut dyn Operator = match &mut m.body {
            Body::Operator(op) => op.as_mut(),
            Body::Sink(sink) => sink,
            Body::Source { .. } => return Ok(()),
        };
        self.cx.enter(self.now, m.watermark_in, split);
        self.cx.at = NO_RECORD;
        let start = Instant::now();
        f(op, &mut self.cx).map_err(|e| located(e, &m.name, record_at(&self.cx), records))?;
        add(&m.metrics.busy_ns, start.elapsed().as_nanos() as u64);
        add(&m.metrics.records_in, records as u64);
        count(&m.metrics, &mut self.cx);
        if !self.cx.dead_letters.is_empty() {
            let letters = std::mem::take(&mut self.cx.dead_letters);
            self.send_dead_letters(letters);
        }
        if !self.cx.emitted.is_empty() {
            let mut emitted = std::mem::take(&mut self.cx.emitted);
            self.route(member, emitted.drain(..));
            self.cx.emitted = emitted;
        }
        Ok(())
    }

    /// Puts emitted batches where they go: onto the work stack in reverse, so that the first one
    /// emitted is processed first, or among the departed.
    fn route<I>(&mut self, member: usize, emitted: I)
    where
        I: IntoIterator<Item = (Port, Batch)>,
    {
        let m = &self.members[member];
        let mark = self.work.len();
        for (port, batch) in emitted {
            add(&m.metrics.records_out, batch.len() as u64);
            let mut targets =
                m.routes.iter().filter(|(p, _)| *p == port).map(|(_, r)| *r).peekable();
            let mut batch = Some(batch);
            while let Some(route) = targets.next() {
                let last = targets.peek().is_none();
                let this = if last { batch.take() } else { batch.clone() };
                let Some(this) = this else { break };
                match route {
                    Route::Inside(to, to_port) => self.work.push((to, to_port, this)),
                    Route::Fused(to, to_port) => {
                        self.work.push((to, to_port, this.with_split(SplitTag::NONE)));
                    }
                    Route::Outside(edge) => self.departed.push((edge, this)),
                }
            }
        }
        self.work[mark..].reverse();
    }

    fn send_dead_letters(&mut self, letters: Vec<DeadLetter>) {
        if let Some(sink) = self.dead_letters {
            self.letters += letters.len() as u64;
            let letters = letters.into_iter().map(|l| Timed::new(EventTime::MIN, l)).collect();
            self.work.insert(0, (sink, 0, Batch::new(letters)));
        }
    }

    /// Lets sinks whose writers were blocked try again.
    pub fn resume_sinks(&mut self) -> Result<()> {
        for member in 0..self.members.len() {
            if matches!(&self.members[member].body, Body::Sink(sink) if sink.is_blocked()) {
                self.call(member, SplitTag::NONE, 0, |op, cx| op.on_processing_time(cx))?;
                self.work_off()?;
            }
        }
        Ok(())
    }

    /// The input pauses: lets operators and sinks pass on what they hold.
    pub fn flush(&mut self) -> Result<()> {
        for member in 0..self.members.len() {
            self.call(member, SplitTag::NONE, 0, |op, cx| op.flush(cx))?;
            self.work_off()?;
        }
        Ok(())
    }

    /// Records held because a sink does not take them now.
    pub fn backlog(&self) -> usize {
        let of = |m: &Member| {
            let backlog = m.body.as_operator().map_or(0, |op| op.backlog());
            m.metrics.backlog.store(backlog as u64, std::sync::atomic::Ordering::Relaxed);
            backlog
        };
        self.members.iter().map(of).sum()
    }

    /// Notes that a source could not read for this long.
    pub fn note_blocked(&mut self, blocked: std::time::Duration) {
        for m in self.members.iter().filter(|m| matches!(m.body, Body::Source { .. })) {
            add(&m.metrics.blocked_ns, blocked.as_nanos() as u64);
        }
    }

    /// Publishes the sizes of the keyed state.
    pub fn publish_state_sizes(&mut self) {
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                let (mut entries, mut bytes) = (0, 0);
                for table in op.tables() {
                    entries += table.len() as u64;
                    bytes += table.bytes() as u64;
                }
                m.metrics.state_entries.store(entries, std::sync::atomic::Ordering::Relaxed);
                m.metrics.state_bytes.store(bytes, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
}

impl Body {
    fn as_operator(&self) -> Option<&dyn Operator> {
        match self {
            Body::Operator(op) => Some(op.as_ref()),
            Body::Sink(sink) => Some(sink),
            Body::Source { .. } => None,
        }
    }
}

/// What a context's `at` is while its operator works on no particular record: in a timer, in a
/// sink.
const NO_RECORD: usize = usize::MAX;

fn record_at(cx: &OperatorContext) -> Option<usize> {
    Some(cx.at).filter(|at| *at != NO_RECORD)
}

fn located(e: Error, operator: &str, at: Option<usize>, records: usize) -> Error {
    let place = match at {
        Some(at) if records > 0 => {
            format!("operator {operator:?}, record {} of {records} in its batch", at + 1)
        }
        _ => format!("operator {operator:?}"),
    };
    e.within(place)
}

fn add(counter: &std::sync::atomic::AtomicU64, n: u64) {
    if n > 0 {
        counter.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
    }
}

fn count(metrics: &OperatorMetrics, cx: &mut OperatorContext) {
    let counts = std::mem::take(&mut cx.counts);
    add(&metrics.filtered, counts.filtered);
    add(&metrics.late, counts.late);
    add(&metrics.dead_lettered, counts.dead_lettered);
    add(&metrics.dropped, counts.dropped);
    add(&metrics.future, counts.future);
}

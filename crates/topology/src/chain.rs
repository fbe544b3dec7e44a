//! An instance of a connected part of a topology on one worker: operators joined by direct calls.
//!
//! The runtime makes one chain per group of nodes that forward edges connect; the test driver makes
//! one of the whole topology. A chain decides nothing about threads, epochs or frontiers: it is
//! told what arrives and what the watermarks of its inputs are, and it says what leaves.
//!
//! Invariants: batches are processed in the order they are emitted on each edge; an operator sees a
//! watermark only after everything emitted before it; watermarks are passed in topological order.

use std::sync::Arc;
use std::time::Instant;

use headwater_checkpoint::SegmentBuilder;
use headwater_connect::{BadRecord, Wake, WriterContext};
use headwater_core::{
    BadRecordPolicy, Batch, DeadLetter, Epoch, Error, EventTime, KeyGroupRange, ProcessingTime,
    Result, SplitTag, Timed, Watermark,
};
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port, SplitEvent};
use headwater_state::StateTable;

use crate::graph::Topology;
use crate::metrics::{OperatorMetrics, OperatorTotals};
use crate::node::{DEAD_LETTERS, NodeId, NodeKind, Partitioning};
use crate::sink_operator::SinkOperator;

/// What a chain needs to know to be built.
pub struct ChainInit<'a> {
    /// The whole topology.
    pub topology: &'a Topology,
    /// The nodes of this chain, in topological order.
    pub nodes: &'a [NodeId],
    /// Number of this chain, and how many there are per worker.
    pub chain: (usize, usize),
    /// Index of the worker.
    pub worker: usize,
    /// Number of workers.
    pub workers: usize,
    /// Number of the attempt.
    pub attempt: u64,
    /// Whether partitioned edges are direct calls too: only with one worker.
    pub fuse_exchanges: bool,
    /// The counters of each node (by its index in the topology, then the dead letters).
    pub metrics: &'a [Arc<OperatorMetrics>],
    /// Wakes this chain.
    pub wake: Wake,
}

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

/// What an operator keeps in a checkpoint besides its tables.
#[derive(Clone, Debug, Default)]
pub struct OperatorSnapshot {
    /// Name of the operator.
    pub uid: String,
    /// Non-keyed state.
    pub parts: Vec<Vec<u8>>,
    /// What a sink's committer needs.
    pub committables: Vec<Vec<u8>>,
    /// Counters at the barrier.
    pub totals: OperatorTotals,
}

impl Chain {
    /// Builds the operators and wires them.
    ///
    /// # Errors
    /// What a factory or a sink's writer returned, with the name of the step.
    pub fn new(init: &ChainInit<'_>) -> Result<Chain> {
        let topology = init.topology;
        let position = |id: NodeId| init.nodes.iter().position(|n| *n == id);
        let mut members = Vec::with_capacity(init.nodes.len() + 1);
        for &id in init.nodes {
            members.push(build_member(init, id)?);
        }
        let mut arrivals = vec![None; topology.edges.len()];
        for (number, edge) in topology.edges.iter().enumerate() {
            let direct = matches!(edge.partitioning, Partitioning::Forward) || init.fuse_exchanges;
            let (from, to) = (position(edge.from), position(edge.to));
            if let Some(to) = to {
                members[to].inputs.push((number, Watermark::At(EventTime::MIN)));
                if !direct || from.is_none() {
                    arrivals[number] = Some((to, edge.to_port));
                }
            }
            if let Some(from) = from {
                let route = match (to, &edge.partitioning) {
                    (Some(to), Partitioning::Forward) => Route::Inside(to, edge.to_port),
                    (Some(to), _) if direct => Route::Fused(to, edge.to_port),
                    _ => Route::Outside(number),
                };
                members[from].routes.push((edge.from_port, route));
                members[from].out_edges.push(number);
            }
        }
        for source in 0..members.len() {
            members[source].downstream = downstream(&members, source);
        }
        let dead_letters = dead_letters_member(init)?.map(|member| {
            members.push(member);
            members.len() - 1
        });
        Ok(Chain {
            members,
            arrivals,
            work: Vec::new(),
            departed: Vec::new(),
            cx: OperatorContext::new(ProcessingTime::default()),
            now: ProcessingTime::default(),
            current: 0,
            dead_letters,
            letters: 0,
            is_first: init.chain.0 == 0,
            splits: 0,
        })
    }

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

    /// Tells what a source's event time is: the end, or idle, or not known.
    pub fn set_source_watermark(&mut self, member: usize, status: Watermark) {
        if let Body::Source { watermark, .. } = &mut self.members[member].body {
            *watermark = status;
        }
    }

    /// Tells the watermark of a partitioned edge that arrives here.
    pub fn set_edge_watermark(&mut self, edge: usize, watermark: EventTime) {
        if let Some((member, _)) = self.arrivals[edge] {
            set_input(&mut self.members[member].inputs, edge, Watermark::At(watermark));
        }
    }

    /// Passes watermarks through the chain; operators emit what that completes.
    pub fn advance_watermarks(&mut self) -> Result<()> {
        for member in 0..self.members.len() {
            let m = &mut self.members[member];
            let input = match &m.body {
                Body::Source { watermark, .. } => *watermark,
                _ => Watermark::min_of(m.inputs.iter().map(|(_, w)| *w)),
            };
            if let Watermark::At(at) = input
                && at > m.watermark_in
            {
                m.watermark_in = at;
                m.metrics.watermark.store(at.0, std::sync::atomic::Ordering::Relaxed);
                self.call(member, SplitTag::NONE, 0, |op, cx| op.on_watermark(at, cx))?;
                self.work_off()?;
            }
            self.pass_on(member, input);
        }
        Ok(())
    }

    fn pass_on(&mut self, member: usize, input: Watermark) {
        let m = &self.members[member];
        let output = match &m.body {
            Body::Operator(op) => op.watermark(input),
            _ => input,
        };
        if let (Body::Operator(_), Watermark::At(at)) = (&m.body, output)
            && input != output
        {
            m.metrics.watermark.store(at.0, std::sync::atomic::Ordering::Relaxed);
        }
        for at in 0..self.members[member].out_edges.len() {
            let edge = self.members[member].out_edges[at];
            for to in member + 1..self.members.len() {
                set_input(&mut self.members[to].inputs, edge, output);
            }
        }
    }

    /// The watermark that leaves over a partitioned edge.
    pub fn edge_watermark(&self, edge: usize) -> Watermark {
        let Some(from) = self.members.iter().find(|m| m.out_edges.contains(&edge)) else {
            return Watermark::Idle;
        };
        let input = match &from.body {
            Body::Source { watermark, .. } => *watermark,
            _ => Watermark::min_of(from.inputs.iter().map(|(_, w)| *w)),
        };
        match &from.body {
            Body::Operator(op) => op.watermark(input),
            _ => input,
        }
    }

    /// The earliest processing time some operator waits for.
    pub fn wake_at(&self) -> Option<ProcessingTime> {
        self.members.iter().filter_map(|m| m.body.as_operator()?.wake_at()).min()
    }

    /// Calls the operators whose processing time has come.
    pub fn on_processing_time(&mut self) -> Result<()> {
        for member in 0..self.members.len() {
            let op = self.members[member].body.as_operator();
            if op.and_then(|op| op.wake_at()).is_some_and(|at| at <= self.now) {
                self.call(member, SplitTag::NONE, 0, |op, cx| op.on_processing_time(cx))?;
                self.work_off()?;
            }
        }
        Ok(())
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

    /// Tells the steps behind `source` of a new split; returns the tag that its batches are to
    /// have.
    ///
    /// Tags are unique in a chain, and the steps know the split by `source/id`: there may be more
    /// than one source, and steps behind several of them.
    pub fn add_split(&mut self, source: usize, id: &str) -> SplitTag {
        let tag = SplitTag(self.splits);
        self.splits += 1;
        let id = format!("{}/{id}", self.members[source].name);
        self.on_split_of(source, tag, SplitEvent::Added { id: &id });
        tag
    }

    /// Tells the steps behind `source` what happened to one of its splits.
    pub fn on_split_of(&mut self, source: usize, split: SplitTag, event: SplitEvent<'_>) {
        for at in 0..self.members[source].downstream.len() {
            let member = self.members[source].downstream[at];
            self.current = member;
            if let Body::Operator(op) = &mut self.members[member].body {
                op.on_split(split, event);
            }
        }
    }

    /// Tells all operators what happened to a split: for chains with one source.
    pub fn on_split(&mut self, split: SplitTag, event: SplitEvent<'_>) {
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                op.on_split(split, event);
            }
        }
    }

    /// Whether some operator asks not to read `split` now.
    pub fn holds_back(&self, split: SplitTag) -> bool {
        self.members.iter().any(|m| m.body.as_operator().is_some_and(|op| op.holds_back(split)))
    }

    /// The barrier that closes `epoch`: freezes tables, takes non-keyed state and committables.
    ///
    /// Only when `backlog() == 0` and the previous snapshot is fully encoded.
    pub fn barrier(&mut self, epoch: Epoch) -> Result<Vec<OperatorSnapshot>> {
        let mut snapshots = Vec::with_capacity(self.members.len());
        self.cx.at = NO_RECORD;
        for (member, m) in self.members.iter_mut().enumerate() {
            self.current = member;
            let mut snapshot = OperatorSnapshot { uid: m.name.clone(), ..Default::default() };
            let within = |e: Error| e.within(format!("checkpoint of {:?}", m.name));
            match &mut m.body {
                Body::Source { .. } => {}
                Body::Operator(op) => {
                    snapshot.parts = op.snapshot(epoch).map_err(within)?;
                    for table in op.tables() {
                        table.freeze(epoch).map_err(within)?;
                    }
                }
                Body::Sink(sink) => {
                    sink.prepare(epoch).map_err(within)?;
                    snapshot.committables = sink.take_committables();
                }
            }
            snapshot.totals = match self.dead_letters == Some(member) {
                true => OperatorTotals { records_in: self.letters, ..Default::default() },
                false => m.metrics.totals(),
            };
            snapshots.push(snapshot);
        }
        Ok(snapshots)
    }

    /// Encodes about `budget` bytes per table of the last barrier; true when all is handed over.
    pub fn encode(&mut self, budget: usize, segment: &mut SegmentBuilder) -> Result<bool> {
        let mut done = true;
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                for table in op.tables() {
                    segment.operator(&m.name);
                    done &= table.encode(budget, segment)?;
                }
            }
        }
        Ok(done)
    }

    /// Every keyed table with its operator's name: for restoring.
    pub fn tables(&mut self) -> Vec<(&str, &mut dyn StateTable)> {
        let mut tables = Vec::new();
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                tables.extend(op.tables().into_iter().map(|table| (m.name.as_str(), table)));
            }
        }
        tables
    }

    /// Gives an operator the non-keyed parts of all workers, and its totals.
    pub fn restore(
        &mut self,
        uid: &str,
        parts: &[Vec<u8>],
        totals: Option<&OperatorTotals>,
    ) -> Result<()> {
        if let (DEAD_LETTERS, true, Some(totals)) = (uid, self.is_first, totals) {
            self.letters = totals.records_in;
        }
        for m in self.members.iter_mut().filter(|m| m.name == uid) {
            if let Body::Operator(op) = &mut m.body {
                op.restore(parts).map_err(|e| e.within(format!("restoring {uid:?}")))?;
            }
            if let Some(totals) = totals {
                m.metrics.restore(totals);
            }
        }
        Ok(())
    }

    /// All state is loaded; `restored` was the last closed epoch.
    pub fn restored(&mut self, restored: Epoch) -> Result<()> {
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                let mut entries = 0;
                for table in op.tables() {
                    table.start_after(restored);
                    entries += table.len() as u64;
                }
                add(&m.metrics.restored, entries);
                op.restored().map_err(|e| e.within(format!("restoring {:?}", m.name)))?;
            }
        }
        Ok(())
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

fn build_member(init: &ChainInit<'_>, id: NodeId) -> Result<Member> {
    let node = init.topology.node(id);
    let named = |e: Error| e.within(format!("{} {:?}", node.label, node.name));
    let body = match &node.kind {
        NodeKind::Source { policy, .. } => {
            Body::Source { policy: *policy, watermark: Watermark::At(EventTime::MIN) }
        }
        NodeKind::Operator(factory) => {
            let range =
                KeyGroupRange::of_worker(init.worker, init.workers, init.topology.max_parallelism);
            let operator = OperatorInit {
                name: node.name.clone(),
                worker: init.worker,
                workers: init.workers,
                key_groups: range,
            };
            Body::Operator(factory(&operator).map_err(named)?)
        }
        NodeKind::Sink(sink) => Body::Sink(SinkOperator::new(
            &node.name,
            sink.writer(&writer_context(init, &node.name)).map_err(named)?,
        )),
    };
    Ok(member(node.name.clone(), body, &init.metrics[id.0]))
}

fn dead_letters_member(init: &ChainInit<'_>) -> Result<Option<Member>> {
    let Some(sink) = &init.topology.dead_letters else { return Ok(None) };
    let mut cx = writer_context(init, DEAD_LETTERS);
    // Each chain has a writer of its own, so each is a worker of its own to the sink.
    let (chain, chains) = init.chain;
    cx.worker = init.worker * chains + chain;
    cx.workers = init.workers * chains;
    let body = Body::Sink(SinkOperator::new(DEAD_LETTERS, sink.writer(&cx)?));
    Ok(Some(member(DEAD_LETTERS.to_owned(), body, &init.metrics[init.topology.nodes.len()])))
}

fn writer_context(init: &ChainInit<'_>, name: &str) -> WriterContext {
    WriterContext {
        sink: name.to_owned(),
        worker: init.worker,
        workers: init.workers,
        attempt: init.attempt,
        wake: init.wake.clone(),
    }
}

fn member(name: String, body: Body, metrics: &Arc<OperatorMetrics>) -> Member {
    Member {
        name,
        body,
        inputs: Vec::new(),
        watermark_in: EventTime::MIN,
        routes: Vec::new(),
        metrics: Arc::clone(metrics),
        out_edges: Vec::new(),
        downstream: Vec::new(),
    }
}

/// The members that forward edges lead to from a source; none from other members.
fn downstream(members: &[Member], source: usize) -> Vec<usize> {
    let mut reached = Vec::new();
    if !matches!(members[source].body, Body::Source { .. }) {
        return reached;
    }
    let mut next = vec![source];
    while let Some(member) = next.pop() {
        for (_, route) in &members[member].routes {
            if let Route::Inside(to, _) = *route
                && !reached.contains(&to)
            {
                reached.push(to);
                next.push(to);
            }
        }
    }
    reached
}

fn set_input(inputs: &mut [(usize, Watermark)], edge: usize, watermark: Watermark) {
    if let Some((_, known)) = inputs.iter_mut().find(|(e, _)| *e == edge) {
        // Times never go back; idleness comes and goes.
        *known = match (*known, watermark) {
            (Watermark::At(old), Watermark::At(new)) => Watermark::At(old.max(new)),
            (_, new) => new,
        };
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

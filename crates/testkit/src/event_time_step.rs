//! What the driver puts around each `event_time` step, so that a test can move event time itself.
//!
//! The step's watermark is at least what [`Forced`] says. Lateness is judged inside, by the times
//! in the records alone; what is behind a forced watermark is late for windows, whose judgement
//! also looks at the watermark, but does not carry a `late_by`.
//!
//! Every method of [`Operator`] must be passed on here.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_core::{Batch, Epoch, EventTime, ProcessingTime, Result, SplitTag, Watermark};
use headwater_operators::{Operator, OperatorContext, Port, SplitEvent};
use headwater_state::StateTable;
use headwater_topology::{NodeId, NodeKind, Topology};

/// Label of the steps that generate watermarks.
const EVENT_TIME: &str = "event_time";

/// How far a test has forced the event time of each source; by node.
pub(crate) struct Forced {
    sources: Mutex<Vec<EventTime>>,
    /// Set while the watermark is being forced: then idle streams move too.
    forcing: AtomicBool,
}

impl Forced {
    pub(crate) fn new(nodes: usize) -> Self {
        let sources = Mutex::new(vec![EventTime::MIN; nodes]);
        Forced { sources, forcing: AtomicBool::new(false) }
    }

    pub(crate) fn get(&self) -> Vec<EventTime> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, sources: Vec<EventTime>) {
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = sources;
    }

    /// Forces the event time of a source; it never goes back.
    pub(crate) fn raise(&self, source: NodeId, to: EventTime) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources[source.0] = sources[source.0].max(to);
    }

    pub(crate) fn set_forcing(&self, forcing: bool) {
        self.forcing.store(forcing, SeqCst);
    }

    fn of(&self, sources: &[NodeId]) -> EventTime {
        let forced = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.iter().map(|s| forced[s.0]).min().unwrap_or(EventTime::MIN)
    }
}

/// Puts an [`EventTimeStep`] around each operator that generates watermarks.
pub(crate) fn wrap_steps(topology: &mut Topology, forced: &Arc<Forced>) {
    for id in steps(topology) {
        let sources = sources_before(topology, id);
        let kind = &mut topology.nodes[id.0].kind;
        let NodeKind::Operator(factory) = &*kind else { continue };
        let (factory, forced) = (Arc::clone(factory), Arc::clone(forced));
        *kind = NodeKind::Operator(Arc::new(move |init| {
            let (inner, forced) = (factory(init)?, Arc::clone(&forced));
            Ok(Box::new(EventTimeStep { inner, sources: sources.clone(), forced }))
        }));
    }
}

/// The steps that generate watermarks.
pub(crate) fn steps(topology: &Topology) -> Vec<NodeId> {
    let ids = (0..topology.nodes.len()).map(NodeId);
    ids.filter(|id| topology.node(*id).label == EVENT_TIME).collect()
}

fn sources_before(topology: &Topology, id: NodeId) -> Vec<NodeId> {
    let mut before = vec![id];
    let mut sources = Vec::new();
    while let Some(id) = before.pop() {
        if matches!(topology.node(id).kind, NodeKind::Source { .. }) && !sources.contains(&id) {
            sources.push(id);
        }
        before.extend(topology.edges_to(id).map(|edge| edge.from));
    }
    sources
}

struct EventTimeStep {
    inner: Box<dyn Operator>,
    sources: Vec<NodeId>,
    forced: Arc<Forced>,
}

impl Operator for EventTimeStep {
    fn process(&mut self, port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        self.inner.process(port, batch, cx)
    }
    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        self.inner.on_watermark(watermark, cx)
    }
    fn watermark(&self, input: Watermark) -> Watermark {
        let forced = self.forced.of(&self.sources);
        match self.inner.watermark(input) {
            Watermark::At(time) => Watermark::At(time.max(forced)),
            Watermark::Idle if forced > EventTime::MIN && self.forced.forcing.load(SeqCst) => {
                Watermark::At(forced)
            }
            Watermark::Idle => Watermark::Idle,
        }
    }
    fn wake_at(&self) -> Option<ProcessingTime> {
        self.inner.wake_at()
    }
    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.inner.on_processing_time(cx)
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
    fn on_split(&mut self, split: SplitTag, event: SplitEvent<'_>) {
        self.inner.on_split(split, event);
    }
    fn holds_back(&self, split: SplitTag) -> bool {
        self.inner.holds_back(split)
    }
    fn flush(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.inner.flush(cx)
    }
    fn backlog(&self) -> usize {
        self.inner.backlog()
    }
}

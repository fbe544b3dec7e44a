//! How a chain is built: its members, and which of their outputs leads where.

use std::sync::Arc;

use headwater_connect::{Wake, WriterContext};
use headwater_core::{Error, EventTime, KeyGroupRange, ProcessingTime, Result, Watermark};
use headwater_operators::{OperatorContext, OperatorInit};

use super::{Body, Chain, Member, Route};
use crate::graph::Topology;
use crate::metrics::OperatorMetrics;
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

//! Where source groups say how far their event time is, so that an idle one can follow the others.
//!
//! An idle group has no watermark of its own, but timely's frontier is a minimum over capabilities,
//! and it must keep one. So it lets its capability follow the least watermark of the active ones
//! that it meets somewhere downstream. Streams that it never meets, which may have no event time at
//! all, do not concern it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use headwater_core::{EventTime, Watermark};
use headwater_topology::{NodeId, Topology};

const IDLE: i64 = i64::MAX - 1;

/// One slot per edge that leaves a source group, and worker.
pub(crate) struct IdleBoard {
    workers: usize,
    /// By edge of the topology, then worker; edges that nobody publishes stay idle.
    slots: Vec<AtomicI64>,
    /// By edge: the published edges that meet it downstream, itself included.
    meeting: Vec<Vec<usize>>,
}

impl IdleBoard {
    /// A board on which the edges `published` are to be published by each of `workers`.
    pub(crate) fn new(topology: &Topology, published: &[usize], workers: usize) -> Self {
        let edges = topology.edges.len();
        let start = |edge| if published.contains(&edge) { EventTime::MIN.0 } else { IDLE };
        let slots = (0..edges).flat_map(|e| (0..workers).map(move |_| AtomicI64::new(start(e))));
        let reached: Vec<Vec<bool>> = (0..edges).map(|e| nodes_behind(topology, e)).collect();
        let meets = |a: usize, b: usize| reached[a].iter().zip(&reached[b]).any(|(a, b)| *a && *b);
        let meeting = |edge| published.iter().copied().filter(|p| meets(edge, *p)).collect();
        IdleBoard { workers, slots: slots.collect(), meeting: (0..edges).map(meeting).collect() }
    }

    pub(crate) fn publish(&self, edge: usize, worker: usize, watermark: Watermark) {
        let value = match watermark {
            Watermark::At(time) => time.0,
            Watermark::Idle => IDLE,
        };
        self.slots[edge * self.workers + worker].store(value, Relaxed);
    }

    /// The least watermark of the active edges that meet `edge`; `None` when all are idle or ended.
    pub(crate) fn floor(&self, edge: usize) -> Option<EventTime> {
        let of_edge = |e: &usize| &self.slots[e * self.workers..(e + 1) * self.workers];
        let values = self.meeting[edge].iter().flat_map(of_edge).map(|slot| slot.load(Relaxed));
        values.filter(|value| *value < IDLE).min().map(EventTime)
    }
}

/// Which nodes records can get to over an edge.
fn nodes_behind(topology: &Topology, edge: usize) -> Vec<bool> {
    let mut reached = vec![false; topology.nodes.len()];
    reached[topology.edges[edge].to.0] = true;
    // Edges lead from lower to higher nodes.
    for node in 0..reached.len() {
        if reached[node] {
            topology.edges_from(NodeId(node)).for_each(|e| reached[e.to.0] = true);
        }
    }
    reached
}

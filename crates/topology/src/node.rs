//! Nodes and edges of a topology.

use std::sync::Arc;

use headwater_core::{BadRecordPolicy, Result};
use headwater_operators::key_by::Partitioner;
use headwater_operators::{Operator, OperatorInit, Port};

use crate::erased::{AnySink, AnySource};

/// Name of the sink step that takes refused records.
pub const DEAD_LETTERS: &str = "dead-letters";

/// Number of a node within its topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// Builds the operator of a node on one worker.
pub type OperatorFactory = Arc<dyn Fn(&OperatorInit) -> Result<Box<dyn Operator>> + Send + Sync>;

/// Builds the partitioner of an edge for one sending worker (given: its index).
pub type PartitionerFactory = Arc<dyn Fn(usize) -> Box<dyn Partitioner> + Send + Sync>;

/// One step of a job.
#[derive(Clone)]
pub struct Node {
    /// Name, unique in the job; it is the uid that state is stored under.
    pub name: String,
    /// What it does, in a word: `map`, `window`, `source`; for `describe`.
    pub label: String,
    /// What it is.
    pub kind: NodeKind,
    /// Names of its output ports, for `describe` and metrics; the main one is `out`.
    pub outputs: Vec<String>,
}

/// What a node is.
#[derive(Clone)]
pub enum NodeKind {
    /// Records enter.
    Source {
        /// The connector.
        source: Arc<dyn AnySource>,
        /// What happens to records that cannot be read.
        policy: BadRecordPolicy,
    },
    /// Records are processed.
    Operator(OperatorFactory),
    /// Records leave.
    Sink(Arc<dyn AnySink>),
}

/// How records get from one node to the next.
#[derive(Clone)]
pub enum Partitioning {
    /// They stay on their worker: a direct call.
    Forward,
    /// They go to the worker that a partitioner names.
    Exchange {
        /// `by key`, `broadcast`, `rebalance`: for `describe`.
        label: &'static str,
        /// Makes the partitioner.
        partitioner: PartitionerFactory,
    },
}

/// A connection from an output port to an input port.
#[derive(Clone)]
pub struct Edge {
    /// Sending node.
    pub from: NodeId,
    /// Its output.
    pub from_port: Port,
    /// Receiving node.
    pub to: NodeId,
    /// Its input.
    pub to_port: Port,
    /// How records get there.
    pub partitioning: Partitioning,
}

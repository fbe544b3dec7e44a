//! Streams without their types: for front ends, such as SQL, that add steps of their own to a job.
//!
//! Invariant: whoever makes a stream with [`stream`] vouches that the node's output emits batches of
//! its record type.

use std::rc::Rc;

use headwater_core::{BadRecordPolicy, Error};
use headwater_operators::Port;
use headwater_topology::{NodeId, Partitioning};

pub use crate::job::Graph;
use crate::job::Job;
use crate::stream::Stream;

/// Where the records of a stream come from, and how they travel.
#[derive(Clone)]
pub struct Origin {
    /// The job's graph.
    pub graph: Graph,
    /// The node that emits them.
    pub node: NodeId,
    /// The output that emits them.
    pub port: Port,
    /// How they get to the next step.
    pub partitioning: Partitioning,
    /// What happens to records that a step refuses.
    pub policy: BadRecordPolicy,
    /// Whether they have event time, and watermarks come with them.
    pub timed: bool,
}

/// The graph of a job.
pub fn graph(job: &Job) -> Graph {
    Rc::clone(&job.graph)
}

/// Where a stream comes from.
pub fn origin<T>(stream: &Stream<T>) -> Origin {
    Origin {
        graph: Rc::clone(&stream.graph),
        node: stream.node,
        port: stream.port,
        partitioning: stream.partitioning.clone(),
        policy: stream.policy,
        timed: stream.timed,
    }
}

/// The stream of what output `port` of a node emits: batches of `T`.
pub fn stream<T>(graph: &Graph, node: NodeId, port: Port, timed: bool) -> Stream<T> {
    let mut stream = Stream::new(graph, node, port);
    stream.timed = timed;
    stream
}

/// Notes an error, which building the job then returns.
pub fn fail(graph: &Graph, error: Error) {
    graph.borrow_mut().fail(error);
}

//! The logical graph of a job, and an instance of it on one worker.
//!
//! A [`Topology`] is what the typed API and (later) the SQL planner build, and all that the runtime
//! and the test driver know of a job: nodes with stable names, edges that are either forward or
//! partitioned. [`chain`] runs the operators of connected forward edges by direct calls.
//!
//! Reading order: [`node`] → [`graph`] → [`chain`] → [`describe`].

pub mod chain;
pub mod describe;
pub mod erased;
pub mod graph;
pub mod metrics;
pub mod node;
pub mod sink_operator;

pub use chain::{Chain, ChainInit};
pub use graph::{Topology, TopologyBuilder};
pub use metrics::{OperatorMetrics, OperatorTotals};
pub use node::{DEAD_LETTERS, Edge, Node, NodeId, NodeKind, Partitioning};

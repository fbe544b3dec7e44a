//! The graph itself, how it is built, and what makes it valid.
//!
//! Invariants of a built topology: names are unique; nodes are in topological order (edges go from
//! lower to higher ids, as the API can only consume what exists); every node but a source has an
//! input; there is at least one source.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_connect::Sink;
use headwater_core::{DeadLetter, Error, Result};

use crate::erased::AnySink;
use crate::node::{Edge, Node, NodeId, NodeKind};

/// A job's logical graph.
#[derive(Clone)]
pub struct Topology {
    /// Name of the job.
    pub job: String,
    /// Number of key groups, fixed for the life of the job.
    pub max_parallelism: u16,
    /// Steps, in topological order.
    pub nodes: Vec<Node>,
    /// Connections.
    pub edges: Vec<Edge>,
    /// Where refused records go.
    pub dead_letters: Option<Arc<dyn AnySink>>,
}

impl Topology {
    /// The node of that id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Edges that leave a node.
    pub fn edges_from(&self, id: NodeId) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |e| e.from == id)
    }

    /// Edges that enter a node.
    pub fn edges_to(&self, id: NodeId) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |e| e.to == id)
    }

    /// Sinks by name, the dead letters included.
    pub fn sinks(&self) -> impl Iterator<Item = (&str, &Arc<dyn AnySink>)> {
        let named = self.nodes.iter().filter_map(|n| match &n.kind {
            NodeKind::Sink(sink) => Some((n.name.as_str(), sink)),
            _ => None,
        });
        named.chain(self.dead_letters.iter().map(|s| (crate::node::DEAD_LETTERS, s)))
    }

    /// Asks every source and sink to check its configuration.
    pub fn validate_connectors(&self) -> Result<()> {
        for node in &self.nodes {
            match &node.kind {
                NodeKind::Source { source, .. } => {
                    source.validate().map_err(|e| e.within(format!("source {:?}", node.name)))?;
                }
                NodeKind::Sink(sink) => {
                    sink.validate().map_err(|e| e.within(format!("sink {:?}", node.name)))?;
                }
                NodeKind::Operator(_) => {}
            }
        }
        match &self.dead_letters {
            Some(sink) => sink.validate().map_err(|e| e.within("dead letters")),
            None => Ok(()),
        }
    }
}

/// Collects nodes and edges; the first error is kept and returned at the end.
pub struct TopologyBuilder {
    topology: Topology,
    names: HashMap<String, NodeId>,
    generated: HashMap<String, usize>,
    error: Option<Error>,
    key_groups_used: bool,
}

impl TopologyBuilder {
    /// An empty graph for the job of that name.
    pub fn new(job: impl Into<String>) -> Self {
        TopologyBuilder {
            topology: Topology {
                job: job.into(),
                max_parallelism: headwater_core::key_group::DEFAULT_MAX_PARALLELISM,
                nodes: Vec::new(),
                edges: Vec::new(),
                dead_letters: None,
            },
            names: HashMap::new(),
            generated: HashMap::new(),
            error: None,
            key_groups_used: false,
        }
    }

    /// Sets the number of key groups.
    pub fn max_parallelism(&mut self, groups: u16) {
        if groups == 0 {
            self.fail(Error::plan("max parallelism must be at least 1, got 0"));
        } else if self.key_groups_used {
            let hint = "call job.max_parallelism before the first key_by";
            self.fail(Error::plan("max parallelism is set after a stream was keyed").hint(hint));
        } else {
            self.topology.max_parallelism = groups;
        }
    }

    /// The number of key groups. Partitioners take it when their edge is added, so from then on it
    /// is fixed.
    pub fn key_groups(&mut self) -> u16 {
        self.key_groups_used = true;
        self.topology.max_parallelism
    }

    /// Takes the builder out and leaves `other` in its place.
    pub fn swap_out(&mut self, other: TopologyBuilder) -> TopologyBuilder {
        std::mem::replace(self, other)
    }

    /// Sets where refused records go.
    pub fn dead_letters(&mut self, sink: impl Sink<Record = DeadLetter>) {
        self.topology.dead_letters = Some(Arc::new(sink));
    }

    /// Whether somebody said where refused records go.
    pub fn has_dead_letters(&self) -> bool {
        self.topology.dead_letters.is_some()
    }

    /// Adds a node that the user named; a name that is taken is an error.
    pub fn named(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.topology.nodes.len());
        let taken = self.names.contains_key(&node.name) || node.name == crate::node::DEAD_LETTERS;
        if taken {
            let hint = "a name is the identity of a step's state; give each step its own";
            self.fail(Error::plan(format!("two steps are named {:?}", node.name)).hint(hint));
        } else if node.name.is_empty() {
            self.fail(Error::plan(format!("a {} step has an empty name", node.label)));
        } else {
            self.names.insert(node.name.clone(), id);
        }
        self.topology.nodes.push(node);
        id
    }

    /// Adds a node without state under a generated name, `label-n`.
    pub fn unnamed(&mut self, mut node: Node) -> NodeId {
        loop {
            let number = self.generated.entry(node.label.clone()).or_default();
            *number += 1;
            node.name = format!("{}-{number}", node.label);
            if !self.names.contains_key(&node.name) {
                return self.named(node);
            }
        }
    }

    /// Whether a node has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains_key(name) || name == crate::node::DEAD_LETTERS
    }

    /// Gives a node another name.
    pub fn rename(&mut self, id: NodeId, name: &str) {
        if self.names.contains_key(name) {
            self.fail(Error::plan(format!("two steps are named {name:?}")));
            return;
        }
        let old = std::mem::replace(&mut self.topology.nodes[id.0].name, name.to_owned());
        self.names.remove(&old);
        self.names.insert(name.to_owned(), id);
    }

    /// The node of that id, for changes while building.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.topology.nodes[id.0]
    }

    /// Connects two nodes.
    pub fn connect(&mut self, edge: Edge) {
        self.topology.edges.push(edge);
    }

    /// Notes an error; the first one is what `build` returns.
    pub fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// The finished graph.
    ///
    /// # Errors
    /// Of kind `Plan`: the first mistake made while building, or a graph without a source.
    pub fn build(self) -> Result<Topology> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let has_source = |n: &Node| matches!(n.kind, NodeKind::Source { .. });
        if !self.topology.nodes.iter().any(has_source) {
            let message = format!("job {:?} has no source", self.topology.job);
            return Err(Error::plan(message).hint("start with job.source(\"name\", …)"));
        }
        Ok(self.topology)
    }
}

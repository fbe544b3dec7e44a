//! A job under construction.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_connect::{Sink, Source};
use headwater_core::{BadRecordPolicy, DeadLetter, Error, Result};
use headwater_topology::{Node, NodeKind, Topology, TopologyBuilder};

use crate::stream::Stream;

/// The graph that streams add their steps to.
pub type Graph = Rc<RefCell<TopologyBuilder>>;

/// A job under construction: where streams start, and what holds for the whole job.
///
/// ```
/// use headwater_api::Job;
/// use headwater_connect::{collection::collection, blackhole::blackhole};
///
/// let mut job = Job::new("squares");
/// job.source("numbers", collection(vec![1u64, 2, 3]))
///     .map(|n| n * n)
///     .sink("out", blackhole());
/// let topology = job.build()?;
/// assert_eq!(topology.nodes.len(), 3);
/// # Ok::<(), headwater_core::Error>(())
/// ```
pub struct Job {
    pub(crate) graph: Graph,
}

impl Job {
    /// A job of that name. The name is stored with its checkpoints.
    pub fn new(name: impl Into<String>) -> Self {
        Job { graph: Rc::new(RefCell::new(TopologyBuilder::new(name))) }
    }

    /// A stream of what `source` reads.
    ///
    /// - Shape: `Stream<T>`; order is kept within a split.
    /// - Time: none until [`Stream::event_time`], unless the source stamps its records itself.
    /// - Errors: records that cannot be read are dead-lettered; see [`Job::source_with_policy`].
    pub fn source<S: Source>(&mut self, name: &str, source: S) -> Stream<S::Record> {
        self.source_with_policy(name, source, BadRecordPolicy::DeadLetter)
    }

    /// Like [`Job::source`], with what happens to records that cannot be read.
    pub fn source_with_policy<S: Source>(
        &mut self,
        name: &str,
        source: S,
        policy: BadRecordPolicy,
    ) -> Stream<S::Record> {
        let node = Node {
            name: name.to_owned(),
            label: "source".into(),
            kind: NodeKind::Source { source: Arc::new(source), policy },
            outputs: vec!["out".into()],
        };
        let id = self.graph.borrow_mut().named(node);
        Stream::new(&self.graph, id, 0)
    }

    /// Where refused records go. Default: a JSON-lines file named after the job, in
    /// `dead-letters/`.
    pub fn dead_letters(&mut self, sink: impl Sink<Record = DeadLetter>) {
        self.graph.borrow_mut().dead_letters(sink);
    }

    /// Whether [`Job::dead_letters`] was called.
    pub fn has_dead_letters(&self) -> bool {
        self.graph.borrow().has_dead_letters()
    }

    /// The number of key groups: the most workers that can share keyed state. Fixed for the life of
    /// a job; default 1,024.
    pub fn max_parallelism(&mut self, key_groups: u16) {
        self.graph.borrow_mut().max_parallelism(key_groups);
    }

    /// The steps as text, one a line: name, kind, inputs and how records get from one to the next.
    ///
    /// Ends the building, as [`Job::build`] does; to describe a job and then run it, build it and
    /// call [`Topology::describe`] or [`Topology::describe_dot`].
    ///
    /// # Errors
    /// Of kind `Plan`: the first mistake made while building.
    pub fn describe(self) -> Result<String> {
        Ok(self.build()?.describe())
    }

    /// The finished graph.
    ///
    /// # Errors
    /// Of kind `Plan`: the first mistake made while building.
    pub fn build(self) -> Result<Topology> {
        // Streams that are still held can add nothing to a job that runs.
        let empty = RefCell::new(TopologyBuilder::new("built"));
        let swapped =
            self.graph.try_borrow_mut().map(|mut graph| graph.swap_out(empty.into_inner()));
        match swapped {
            Ok(builder) => builder.build(),
            Err(_) => Err(Error::plan("the job was built from within one of its own steps")),
        }
    }
}

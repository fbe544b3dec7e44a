//! From [`Step`]s to a topology: nodes with stable names, edges by key.
//!
//! The name of a step that has state is made of its kind and a digest of what it computes: a job
//! that is started again with the same query finds its state, and of a changed query each step that
//! still means the same.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_core::BadRecordPolicy;
use headwater_topology::erased::AnySink;
use headwater_topology::node::OperatorFactory;
use headwater_topology::{Edge, Node, NodeId, NodeKind, Partitioning, Topology, TopologyBuilder};

use super::changelog::{Before, Delivery};
use super::feed::Feed;
use super::step::{Op, Step};
use crate::error::SqlResult;
use crate::operators::exchange;

mod operators;

pub(crate) use operators::Tuning;

/// What the engine is to run.
pub(crate) struct Output {
    /// Where rows come from.
    pub step: Arc<Step>,
    /// How they reach the sink.
    pub delivery: Delivery,
    /// Name of the sink.
    pub name: String,
    /// The sink.
    pub sink: Arc<dyn AnySink>,
}

/// The topology of these outputs.
///
/// # Errors
/// When an operator cannot be made of a step.
pub(crate) fn topology(job: &str, outputs: &[Output], tuning: &Tuning) -> SqlResult<Topology> {
    let mut builder = TopologyBuilder::new(job);
    builder.max_parallelism(tuning.max_parallelism);
    add_outputs(&mut builder, outputs, tuning)?;
    Ok(builder.build()?)
}

/// Adds these outputs to a graph, with all that they come from.
///
/// # Errors
/// As [`topology`].
pub(crate) fn add_outputs(
    builder: &mut TopologyBuilder,
    outputs: &[Output],
    tuning: &Tuning,
) -> SqlResult<()> {
    let before = Before::of(outputs.iter().map(|o| (&o.step, &o.delivery)));
    let mut graph = Graph { builder, before, tuning, made: HashMap::new() };
    outputs.iter().try_for_each(|output| graph.output(output))
}

/// Adds the steps of a query to a graph, and behind them `last`, which takes its rows; that node.
///
/// # Errors
/// As [`topology`].
pub(crate) fn add_query(
    builder: &mut TopologyBuilder,
    step: &Arc<Step>,
    delivery: &Delivery,
    last: (&str, OperatorFactory),
    tuning: &Tuning,
) -> SqlResult<NodeId> {
    let before = Before::of(std::iter::once((step, delivery)));
    let mut graph = Graph { builder, before, tuning, made: HashMap::new() };
    let from = graph.rows_of(step)?;
    let (label, factory) = last;
    let node = Node {
        name: String::new(),
        label: label.to_owned(),
        kind: NodeKind::Operator(factory),
        outputs: vec!["out".to_owned()],
    };
    let id = graph.builder.unnamed(node);
    graph.connect(&from, id, &Partitioning::Forward);
    Ok(id)
}

struct Graph<'a> {
    builder: &'a mut TopologyBuilder,
    before: Before,
    tuning: &'a Tuning,
    /// The nodes that the rows of a step come from.
    made: HashMap<*const Step, Vec<NodeId>>,
}

/// How rows reach a node.
enum Way {
    Forward,
    ByKey(Vec<usize>),
    Single,
}

impl Graph<'_> {
    fn output(&mut self, output: &Output) -> SqlResult<()> {
        let mut from = self.rows_of(&output.step)?;
        if let Some((label, keys, factory)) = operators::delivery(output, self.tuning) {
            let schema = &output.step.schema;
            let partitioning = match keys {
                Some(keys) => self.by_key(keys, schema)?,
                None => Partitioning::Forward,
            };
            let name = self.free_name(format!("{label} {}", output.name));
            let node = Node {
                name,
                label: label.to_owned(),
                kind: NodeKind::Operator(factory),
                outputs: vec!["out".to_owned()],
            };
            let id = self.builder.named(node);
            self.connect(&from, id, &partitioning);
            from = vec![id];
        }
        let node = Node {
            name: self.free_name(output.name.clone()),
            label: "sink".to_owned(),
            kind: NodeKind::Sink(Arc::clone(&output.sink)),
            outputs: Vec::new(),
        };
        let id = self.builder.named(node);
        self.connect(&from, id, &Partitioning::Forward);
        Ok(())
    }

    /// The nodes that a step's rows come from.
    fn rows_of(&mut self, step: &Arc<Step>) -> SqlResult<Vec<NodeId>> {
        if let Some(made) = self.made.get(&Arc::as_ptr(step)) {
            return Ok(made.clone());
        }
        let mut from = Vec::new();
        for input in &step.inputs {
            from.extend(self.rows_of(input)?);
        }
        let made = match &step.op {
            Op::Union => from,
            _ => vec![self.node(step, &from)?],
        };
        self.made.insert(Arc::as_ptr(step), made.clone());
        Ok(made)
    }

    fn node(&mut self, step: &Arc<Step>, from: &[NodeId]) -> SqlResult<NodeId> {
        let label = step.label();
        let (name, kind) = match &step.op {
            Op::Scan { table, source } => {
                let (source, policy) = (Arc::clone(&source.0.source), source.0.bad_records);
                (Some(table.name.clone()), NodeKind::Source { source, policy })
            }
            Op::Values(batch) => {
                let source = Arc::new(Feed::of(batch.clone()));
                let policy = BadRecordPolicy::Fail;
                let name = format!("{label}-{}", step.identity.digest(label));
                (Some(name), NodeKind::Source { source, policy })
            }
            Op::Feed { feed, name } => {
                let source = Arc::clone(feed) as Arc<dyn headwater_topology::erased::AnySource>;
                // Tables whose bad records fail the query have failed it already.
                let policy = BadRecordPolicy::DeadLetter;
                (Some(name.clone()), NodeKind::Source { source, policy })
            }
            Op::Stream { stream, .. } => (None, NodeKind::Operator(stream.operator(&step.schema)?)),
            Op::Calc { .. } | Op::Correlate(_) => (None, NodeKind::Operator(self.operator(step)?)),
            Op::Watermark { table, .. } => {
                (Some(format!("{label} {table}")), NodeKind::Operator(self.operator(step)?))
            }
            _ => {
                let name = format!("{label}-{}", step.identity.digest(label));
                (Some(name), NodeKind::Operator(self.operator(step)?))
            }
        };
        let partitioning = match (way(step), step.input()) {
            (Way::Forward, _) | (_, None) => Partitioning::Forward,
            (Way::ByKey(keys), Some(input)) => self.by_key(keys, &input.schema)?,
            (Way::Single, _) => Partitioning::Exchange {
                label: "to one worker",
                partitioner: exchange::single(self.builder.key_groups()),
            },
        };
        let outputs = vec!["out".to_owned()];
        let id = match name {
            Some(name) => {
                let name = self.free_name(name);
                self.builder.named(Node { name, label: label.to_owned(), kind, outputs })
            }
            None => {
                let name = String::new();
                self.builder.unnamed(Node { name, label: label.to_owned(), kind, outputs })
            }
        };
        self.connect(from, id, &partitioning);
        if let Op::Stream { stream, .. } = &step.op {
            let (from, from_port) = (stream.node, stream.port);
            let partitioning = stream.partitioning.clone();
            self.builder.connect(Edge { from, from_port, to: id, to_port: 0, partitioning });
        }
        Ok(id)
    }

    fn operator(&self, step: &Arc<Step>) -> SqlResult<OperatorFactory> {
        operators::factory_of(step, &self.before, self.tuning)
    }

    fn by_key(
        &mut self,
        keys: Vec<usize>,
        schema: &datafusion::arrow::datatypes::SchemaRef,
    ) -> SqlResult<Partitioning> {
        let groups = self.builder.key_groups();
        let partitioner = exchange::by_key(keys, schema, groups)?;
        Ok(Partitioning::Exchange { label: "by key", partitioner })
    }

    fn connect(&mut self, from: &[NodeId], to: NodeId, partitioning: &Partitioning) {
        for from in from {
            let partitioning = partitioning.clone();
            self.builder.connect(Edge { from: *from, from_port: 0, to, to_port: 0, partitioning });
        }
    }

    /// A name that no other node has: a number is added where it is taken.
    fn free_name(&self, name: String) -> String {
        let free = |name: &String| !self.builder.has_name(name);
        if free(&name) {
            return name;
        }
        (2..).map(|n| format!("{name} {n}")).find(free).unwrap_or(name)
    }
}

/// How rows get to a step.
fn way(step: &Step) -> Way {
    let by = |keys: &[usize]| {
        if keys.is_empty() { Way::Single } else { Way::ByKey(keys.to_vec()) }
    };
    match &step.op {
        Op::Scan { .. }
        | Op::Stream { .. }
        | Op::Values(_)
        | Op::Feed { .. }
        | Op::Watermark { .. }
        | Op::Calc { .. }
        | Op::Correlate(_)
        | Op::Union => Way::Forward,
        Op::AssignWindows { window, keys } => match window.spec {
            super::nodes::WindowSpec::Session { .. } => by(keys),
            _ => Way::Forward,
        },
        Op::WindowAggregate { keys, .. }
        | Op::GroupAggregate { keys, .. }
        | Op::Deduplicate { keys, .. }
        | Op::Over { keys, .. }
        | Op::Normalize { keys } => by(keys),
        Op::WindowedGroup { keys, .. } => by(keys),
        Op::TopN(top) => by(&top.keys),
        Op::SortByTime { .. } | Op::Limit { .. } => Way::Single,
    }
}

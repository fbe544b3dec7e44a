//! How data of a writer's schema is read: as it is, or as a reader's schema wants it.
//!
//! Compiled once per pair of schemas into a table of steps; decoding follows it without looking at
//! a schema. What a reader cannot read is an error when it is met, not before: a union may hold
//! branches that never come.
//!
//! Source: Avro 1.12, "Schema Resolution".

use std::collections::HashMap;

use serde_json::Value;

use super::schema::{Field, Node, NodeId, Schema};

pub(super) type StepId = usize;

/// More steps than this are no sensible pair of schemas.
const MAX_STEPS: usize = 1 << 17;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    pub(super) root: StepId,
}

/// How one type is read.
#[derive(Debug)]
pub(super) enum Step {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    /// Bytes that the reader takes as text.
    BytesAsText,
    /// An int, long or float that the reader takes as a wider one.
    AsDouble(StepId),
    Fixed(usize),
    Decimal(Option<usize>, u32),
    /// Symbols by index.
    Enum(Vec<String>),
    Array(StepId),
    Map(StepId),
    /// Branches by index, with their names.
    Union(Vec<(String, StepId)>),
    /// One branch of the reader's union, where the writer has none.
    Branch(String, StepId),
    Record {
        fields: Vec<PlannedField>,
        defaults: Vec<(String, Value)>,
    },
    /// The reader cannot read this.
    Impossible(String),
}

/// A field in the writer's order.
#[derive(Debug)]
pub(super) struct PlannedField {
    /// The reader's name of it; without one it is skipped.
    pub(super) name: Option<String>,
    pub(super) step: StepId,
}

impl Plan {
    /// Reads what `writer` wrote as `reader` wants it, or as it is.
    pub(super) fn new(writer: &Schema, reader: Option<&Schema>) -> Result<Plan, String> {
        let mut planner = Planner { writer, steps: Vec::new(), planned: HashMap::new() };
        let root = match reader {
            None => planner.as_is(writer.root),
            Some(reader) => planner.resolve(reader, writer.root, reader.root),
        };
        match planner.steps.len() > MAX_STEPS {
            true => Err("the schemas are too complicated together".into()),
            false => Ok(Plan { steps: planner.steps, root }),
        }
    }

    pub(super) fn step(&self, id: StepId) -> &Step {
        self.steps.get(id).unwrap_or(&Step::Null)
    }
}

struct Planner<'a> {
    writer: &'a Schema,
    steps: Vec<Step>,
    /// Steps of pairs (writer's node, reader's node), which recursive types come back to.
    planned: HashMap<(NodeId, Option<NodeId>), StepId>,
}

impl Planner<'_> {
    fn add(&mut self, step: Step) -> StepId {
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// Fills a step in whose place others may already refer to.
    fn place(
        &mut self,
        pair: (NodeId, Option<NodeId>),
        step: impl FnOnce(&mut Self) -> Step,
    ) -> StepId {
        if let Some(id) = self.planned.get(&pair) {
            return *id;
        }
        let id = self.add(Step::Null);
        self.planned.insert(pair, id);
        // `Plan::new` refuses what is not planned to the end.
        if self.steps.len() <= MAX_STEPS {
            self.steps[id] = step(self);
        }
        id
    }

    fn as_is(&mut self, id: NodeId) -> StepId {
        let writer = self.writer;
        self.place((id, None), |planner| match writer.node(id) {
            Node::Null => Step::Null,
            Node::Boolean => Step::Boolean,
            Node::Int => Step::Int,
            Node::Long => Step::Long,
            Node::Float => Step::Float,
            Node::Double => Step::Double,
            Node::Bytes => Step::Bytes,
            Node::String => Step::String,
            Node::Fixed(_, size) => Step::Fixed(*size),
            Node::Decimal(fixed, scale) => {
                Step::Decimal(fixed.as_ref().map(|(_, size)| *size), *scale)
            }
            Node::Enum { symbols, .. } => Step::Enum(symbols.clone()),
            Node::Array(items) => Step::Array(planner.as_is(*items)),
            Node::Map(values) => Step::Map(planner.as_is(*values)),
            Node::Union(branches) => Step::Union(
                branches
                    .iter()
                    .map(|branch| (writer.branch_name(*branch).to_owned(), planner.as_is(*branch)))
                    .collect(),
            ),
            Node::Record { fields, .. } => {
                let field = |field: &Field| PlannedField {
                    name: Some(field.name.clone()),
                    step: planner.as_is(field.node),
                };
                Step::Record { fields: fields.iter().map(field).collect(), defaults: Vec::new() }
            }
        })
    }

    fn resolve(&mut self, reader: &Schema, from: NodeId, to: NodeId) -> StepId {
        let writer = self.writer;
        if is_leaf(writer.node(from)) && is_leaf(reader.node(to)) {
            return self.resolve_leaf(reader, from, to);
        }
        self.place((from, Some(to)), |planner| match (writer.node(from), reader.node(to)) {
            (Node::Union(branches), Node::Union(_)) => Step::Union(
                branches.iter().map(|branch| planner.branch(reader, *branch, to)).collect(),
            ),
            (Node::Union(branches), _) => Step::Union(
                branches
                    .iter()
                    .map(|branch| {
                        let name = reader.branch_name(to).to_owned();
                        (name, planner.resolve(reader, *branch, to))
                    })
                    .collect(),
            ),
            (_, Node::Union(_)) => {
                let (name, step) = planner.branch(reader, from, to);
                Step::Branch(name, step)
            }
            _ => planner.resolve_plain(reader, from, to),
        })
    }

    fn resolve_leaf(&mut self, reader: &Schema, from: NodeId, to: NodeId) -> StepId {
        let written = self.as_is(from);
        match (self.writer.node(from), reader.node(to)) {
            (Node::Int | Node::Long, Node::Float | Node::Double) | (Node::Float, Node::Double) => {
                self.add(Step::AsDouble(written))
            }
            (Node::Bytes, Node::String) => self.add(Step::BytesAsText),
            (from, to) if same(from, to) || promotes(from, to) => written,
            _ => self.add(impossible(self.writer.branch_name(from), reader.branch_name(to))),
        }
    }

    /// The branch of a reader's union that reads a writer's type that is no union.
    fn branch(&mut self, reader: &Schema, from: NodeId, to: NodeId) -> (String, StepId) {
        let Node::Union(branches) = reader.node(to) else {
            return (String::new(), self.resolve(reader, from, to));
        };
        let writer = self.writer;
        let fits = |exact: bool| {
            branches.iter().find(|branch| {
                let (from, to) = (writer.node(from), reader.node(**branch));
                if exact { same(from, to) } else { same(from, to) || promotes(from, to) }
            })
        };
        match fits(true).or_else(|| fits(false)) {
            Some(branch) => {
                (reader.branch_name(*branch).to_owned(), self.resolve(reader, from, *branch))
            }
            None => {
                let name = writer.branch_name(from).to_owned();
                let step = self.add(impossible(&name, "the reader's union"));
                (name, step)
            }
        }
    }

    fn resolve_plain(&mut self, reader: &Schema, from: NodeId, to: NodeId) -> Step {
        let writer = self.writer;
        match (writer.node(from), reader.node(to)) {
            (Node::Array(from), Node::Array(to)) => Step::Array(self.resolve(reader, *from, *to)),
            (Node::Map(from), Node::Map(to)) => Step::Map(self.resolve(reader, *from, *to)),
            (
                Node::Record { name: from_name, fields: written },
                Node::Record { name: to_name, fields: wanted },
            ) if to_name.reads(from_name) => self.resolve_record(reader, written, wanted),
            (Node::Enum { symbols, .. }, Node::Enum { symbols: known, default, .. })
                if same(writer.node(from), reader.node(to)) =>
            {
                let symbol = |symbol: &String| match (known.contains(symbol), default) {
                    (false, Some(default)) => default.clone(),
                    // A symbol that the reader does not have is judged by its serde type.
                    (true, _) | (false, None) => symbol.clone(),
                };
                Step::Enum(symbols.iter().map(symbol).collect())
            }
            _ => impossible(writer.branch_name(from), reader.branch_name(to)),
        }
    }

    fn resolve_record(&mut self, reader: &Schema, written: &[Field], wanted: &[Field]) -> Step {
        let mut taken = vec![false; wanted.len()];
        let mut fields = Vec::with_capacity(written.len());
        for field in written {
            let named = wanted.iter().position(|other| other.name == field.name);
            let at = named
                .or_else(|| wanted.iter().position(|other| other.aliases.contains(&field.name)))
                .filter(|at| !taken[*at]);
            fields.push(match at {
                Some(at) => {
                    taken[at] = true;
                    let step = self.resolve(reader, field.node, wanted[at].node);
                    PlannedField { name: Some(wanted[at].name.clone()), step }
                }
                None => PlannedField { name: None, step: self.as_is(field.node) },
            });
        }
        let mut defaults = Vec::new();
        for (field, _) in wanted.iter().zip(taken).filter(|(_, taken)| !taken) {
            match &field.default {
                Some(default) => defaults.push((field.name.clone(), default.clone())),
                None => {
                    let name = &field.name;
                    return Step::Impossible(format!("field {name:?} was not written"));
                }
            }
        }
        Step::Record { fields, defaults }
    }
}

/// Whether the type holds no other types and no names to map.
fn is_leaf(node: &Node) -> bool {
    !matches!(
        node,
        Node::Array(_) | Node::Map(_) | Node::Union(_) | Node::Record { .. } | Node::Enum { .. }
    )
}

fn impossible(from: &str, to: &str) -> Step {
    Step::Impossible(format!("{from} was written, which {to} does not read"))
}

/// Whether both are the same type, looking at names but not into it.
fn same(from: &Node, to: &Node) -> bool {
    match (from, to) {
        (Node::Null, Node::Null)
        | (Node::Boolean, Node::Boolean)
        | (Node::Int, Node::Int)
        | (Node::Long, Node::Long)
        | (Node::Float, Node::Float)
        | (Node::Double, Node::Double)
        | (Node::Bytes, Node::Bytes)
        | (Node::String, Node::String)
        | (Node::Array(_), Node::Array(_))
        | (Node::Map(_), Node::Map(_)) => true,
        (Node::Decimal(_, from), Node::Decimal(_, to)) => from == to,
        (Node::Fixed(from, size), Node::Fixed(to, wanted)) => to.reads(from) && size == wanted,
        (Node::Enum { name: from, .. }, Node::Enum { name: to, .. })
        | (Node::Record { name: from, .. }, Node::Record { name: to, .. }) => to.reads(from),
        _ => false,
    }
}

/// Whether the reader's type takes the writer's by promotion.
fn promotes(from: &Node, to: &Node) -> bool {
    matches!(
        (from, to),
        (Node::Int, Node::Long | Node::Float | Node::Double)
            | (Node::Long, Node::Float | Node::Double)
            | (Node::Float, Node::Double)
            | (Node::String, Node::Bytes)
            | (Node::Bytes, Node::String)
    )
}

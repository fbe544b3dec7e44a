//! A topology as text and as DOT: what `job.describe()` and `describe` print.

use std::fmt::Write;

use crate::graph::Topology;
use crate::node::{Edge, Node, NodeKind, Partitioning};

impl Topology {
    /// The topology as indented text, one line per step: name, kind, inputs and how they get there.
    pub fn describe(&self) -> String {
        let mut text = format!("job {:?}, {} key groups\n", self.job, self.max_parallelism);
        let width = self.nodes.iter().map(|n| n.name.len()).max().unwrap_or(0);
        for (id, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<String> =
                self.edges.iter().filter(|e| e.to.0 == id).map(|e| self.input(e)).collect();
            let from = if inputs.is_empty() {
                String::new()
            } else {
                format!(" <- {}", inputs.join(", "))
            };
            let _ = writeln!(text, "  {:width$}  {}{from}", node.name, node.label);
        }
        text
    }

    fn input(&self, edge: &Edge) -> String {
        let from = self.node(edge.from);
        let mut text = from.name.clone();
        if let Some(output) = output_name(from, edge) {
            let _ = write!(text, ".{output}");
        }
        match &edge.partitioning {
            Partitioning::Forward => {}
            Partitioning::Exchange { label, .. } => {
                let _ = write!(text, " ({label})");
            }
        }
        text
    }

    /// The topology in Graphviz's DOT language.
    pub fn describe_dot(&self) -> String {
        let mut dot = format!(
            "digraph {:?} {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n",
            self.job
        );
        for (id, node) in self.nodes.iter().enumerate() {
            let shape = match node.kind {
                NodeKind::Source { .. } => "cds",
                NodeKind::Operator(_) => "box",
                NodeKind::Sink(_) => "note",
            };
            let label = format!("{}\n{}", node.name, node.label);
            let _ = writeln!(dot, "  n{id} [shape={shape}, label={label:?}];");
        }
        for edge in &self.edges {
            let mut labels = Vec::new();
            labels.extend(output_name(self.node(edge.from), edge));
            if let Partitioning::Exchange { label, .. } = &edge.partitioning {
                labels.push(label);
            }
            let _ = writeln!(
                dot,
                "  n{} -> n{} [label={:?}];",
                edge.from.0,
                edge.to.0,
                labels.join(", ")
            );
        }
        dot.push_str("}\n");
        dot
    }
}

fn output_name<'a>(node: &'a Node, edge: &Edge) -> Option<&'a str> {
    let name = node.outputs.get(usize::from(edge.from_port))?;
    (edge.from_port != 0 || name != "out").then_some(name.as_str())
}

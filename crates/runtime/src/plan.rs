//! From topology to groups: which nodes run together by direct calls.
//!
//! Nodes joined by forward edges on the same *level* form a group; a partitioned edge leads one
//! level down. Levels keep the groups free of cycles where a forward path and a partitioned path
//! meet again. With one worker every edge is a direct call and there is one group per connected
//! part.

use headwater_topology::{NodeId, NodeKind, Partitioning, Topology};

/// Nodes that run as one timely operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// In topological order.
    pub(crate) nodes: Vec<NodeId>,
    /// Edges of the topology that arrive from other groups.
    pub(crate) arriving: Vec<usize>,
    /// Edges of the topology that leave to other groups.
    pub(crate) leaving: Vec<usize>,
}

impl Group {
    /// Whether it only reads sources.
    pub(crate) fn is_source(&self, topology: &Topology) -> bool {
        let is_source = |n: &NodeId| matches!(topology.node(*n).kind, NodeKind::Source { .. });
        self.arriving.is_empty() && self.nodes.iter().any(is_source)
    }
}

/// The groups, in an order in which edges only lead from earlier to later ones.
pub(crate) fn plan(topology: &Topology, workers: usize) -> Vec<Group> {
    let fused = |p: &Partitioning| workers == 1 || matches!(p, Partitioning::Forward);
    let mut level = vec![0usize; topology.nodes.len()];
    for id in 0..topology.nodes.len() {
        for edge in topology.edges_to(NodeId(id)) {
            let step = usize::from(!fused(&edge.partitioning));
            level[id] = level[id].max(level[edge.from.0] + step);
        }
    }
    let mut leader: Vec<usize> = (0..topology.nodes.len()).collect();
    let find = |leader: &[usize], mut id: usize| {
        while leader[id] != id {
            id = leader[id];
        }
        id
    };
    for edge in &topology.edges {
        if fused(&edge.partitioning) && level[edge.from.0] == level[edge.to.0] {
            let (a, b) = (find(&leader, edge.from.0), find(&leader, edge.to.0));
            let (low, high) = (a.min(b), a.max(b));
            leader[high] = low;
        }
    }
    let mut leaders: Vec<usize> =
        (0..leader.len()).filter(|id| find(&leader, *id) == *id).collect();
    leaders.sort_by_key(|id| (level[*id], *id));
    let group_of = |id: NodeId| find(&leader, id.0);
    let group = |lead: usize| {
        let crossing =
            |inside: NodeId, outside: NodeId| group_of(inside) == lead && group_of(outside) != lead;
        let edges = topology.edges.iter().enumerate();
        Group {
            nodes: (0..leader.len()).map(NodeId).filter(|id| group_of(*id) == lead).collect(),
            arriving: edges
                .clone()
                .filter(|(_, e)| crossing(e.to, e.from))
                .map(|(i, _)| i)
                .collect(),
            leaving: edges.filter(|(_, e)| crossing(e.from, e.to)).map(|(i, _)| i).collect(),
        }
    };
    leaders.into_iter().map(group).collect()
}

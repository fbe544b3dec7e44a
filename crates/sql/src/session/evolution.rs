//! A query that is started again, perhaps changed: which state of its checkpoint it goes on with.
//!
//! Steps are named by what they compute, so a step finds its state exactly if it still means the
//! same. What nobody would go on with is told before anything starts.

use std::collections::BTreeSet;

use headwater_checkpoint::{Location, inspect};
use headwater_core::KeyGroupRange;
use headwater_operators::OperatorInit;
use headwater_runtime::Config;
use headwater_topology::{NodeKind, Topology};

use crate::error::{SqlError, SqlResult, codes};

/// What becomes of the state of a checkpoint; names of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evolution {
    /// These go on with their state.
    pub kept: Vec<String>,
    /// These begin without state.
    pub new: Vec<String>,
    /// Of these there is state, and no step.
    pub lost: Vec<String>,
}

impl Evolution {
    /// Compares a job with the checkpoint that it would go on from; none: there is none.
    ///
    /// # Errors
    /// When the checkpoint cannot be read.
    pub fn of(topology: &Topology, config: &Config) -> SqlResult<Option<Evolution>> {
        let Some(url) = &config.checkpoints.location else { return Ok(None) };
        // A place that is not there yet, or has no checkpoint yet, is a first start.
        let Ok(location) = Location::open_existing(url) else { return Ok(None) };
        let Ok(detail) = inspect::show(&location, None) else { return Ok(None) };
        let manifest = detail.manifest;
        let mut written: BTreeSet<String> =
            manifest.states.iter().map(|state| state.operator.clone()).collect();
        let with_parts = manifest.operators.iter().filter(|(_, parts)| !parts.is_empty());
        written.extend(with_parts.map(|(uid, _)| uid.clone()));
        if written.is_empty() {
            return Ok(None);
        }
        let ours = stateful(topology)?;
        let all: BTreeSet<&str> = topology.nodes.iter().map(|n| n.name.as_str()).collect();
        Ok(Some(Evolution {
            kept: written.iter().filter(|w| all.contains(w.as_str())).cloned().collect(),
            new: ours.difference(&written).cloned().collect(),
            lost: written.into_iter().filter(|w| !all.contains(w.as_str())).collect(),
        }))
    }

    /// Refuses to leave state behind.
    ///
    /// # Errors
    /// When state would be, with all that was found.
    pub fn refuse_loss(&self) -> SqlResult<()> {
        let Some(first) = self.lost.first() else { return Ok(()) };
        let message = format!(
            "the query has changed: the checkpoint has state of {first:?}{}, which no step goes on with",
            match self.lost.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            }
        );
        let list = |what: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let mut error = SqlError::new(codes::PLAN_CHANGED, message);
        error.help.extend(list("kept", &self.kept));
        error.help.extend(list("new", &self.new));
        error.help.extend(list("lost", &self.lost));
        Err(error
            .help("start it with a checkpoint directory of its own")
            .help("or leave the state behind: --allow-unmatched-state"))
    }
}

/// The steps of a job that have keyed state.
fn stateful(topology: &Topology) -> SqlResult<BTreeSet<String>> {
    let max_parallelism = topology.max_parallelism;
    let key_groups = KeyGroupRange { start: 0, end: 0, max_parallelism };
    let mut names = BTreeSet::new();
    for node in &topology.nodes {
        let NodeKind::Operator(factory) = &node.kind else { continue };
        let init = OperatorInit { name: node.name.clone(), worker: 0, workers: 1, key_groups };
        if !factory(&init)?.tables().is_empty() {
            names.insert(node.name.clone());
        }
    }
    Ok(names)
}

//! Before an attempt starts: does the checkpoint fit this job?

use std::collections::HashMap;

use headwater_checkpoint::{Manifest, StateInfo};
use headwater_core::{Error, KeyGroupRange, Result};
use headwater_operators::OperatorInit;
use headwater_topology::{DEAD_LETTERS, NodeKind, OperatorTotals, Topology};

/// The shapes of all keyed state of a job, found by building each operator once, for no key groups.
pub(crate) fn states_of(topology: &Topology) -> Result<Vec<StateInfo>> {
    let none = KeyGroupRange { start: 0, end: 0, max_parallelism: topology.max_parallelism };
    let mut states = Vec::new();
    for node in &topology.nodes {
        let NodeKind::Operator(factory) = &node.kind else { continue };
        let init =
            OperatorInit { name: node.name.clone(), worker: 0, workers: 1, key_groups: none };
        let mut operator =
            factory(&init).map_err(|e| e.within(format!("{} {:?}", node.label, node.name)))?;
        for table in operator.tables() {
            let info = table.info();
            states.push(StateInfo {
                operator: node.name.clone(),
                name: info.name,
                key_schema: info.key,
                namespace_schema: info.namespace,
                value_schema: info.value,
            });
        }
    }
    Ok(states)
}

/// Refuses a checkpoint whose state this build would misread or leave behind.
pub(crate) fn check_states(
    topology: &Topology,
    ours: &[StateInfo],
    manifest: &Manifest,
    allow_unmatched: bool,
) -> Result<()> {
    for written in &manifest.states {
        let same = |s: &&StateInfo| s.operator == written.operator && s.name == written.name;
        match ours.iter().find(same) {
            Some(now) => compare(now, written)?,
            None if allow_unmatched => {
                tracing::warn!(
                    operator = written.operator,
                    state = written.name,
                    "state left behind"
                );
            }
            None => return Err(unmatched(&written.operator, Some(&written.name))),
        }
    }
    let known = |uid: &str| uid == DEAD_LETTERS || topology.nodes.iter().any(|n| n.name == uid);
    for (uid, parts) in manifest.operators.iter().chain(&manifest.sinks) {
        if !known(uid) && !parts.is_empty() && !allow_unmatched {
            return Err(unmatched(uid, None));
        }
    }
    Ok(())
}

fn compare(now: &StateInfo, written: &StateInfo) -> Result<()> {
    let parts = [
        ("keys", &now.key_schema, &written.key_schema),
        ("namespaces", &now.namespace_schema, &written.namespace_schema),
        ("values", &now.value_schema, &written.value_schema),
    ];
    for (what, now, then) in parts {
        if now != then {
            let (operator, state) = (&written.operator, &written.name);
            return Err(Error::state(format!(
                "cannot restore state {state:?} of {operator:?}: its {what} were written as {then}, \
                 this build has {now}"
            ))
            .hint("restore the type, give the step another name, or start from an empty directory"));
        }
    }
    Ok(())
}

fn unmatched(uid: &str, state: Option<&str>) -> Error {
    let what = state.map_or_else(|| "state".to_owned(), |s| format!("state {s:?}"));
    Error::state(format!(
        "the checkpoint holds {what} of step {uid:?}, which this job does not have"
    ))
    .hint("name the step as before, or start with --allow-unmatched-state to leave it behind")
}

/// Totals are kept in the manifest's counters as `step/counter`.
pub(crate) fn totals_to_counters(
    uid: &str,
    totals: &OperatorTotals,
    into: &mut std::collections::BTreeMap<String, u64>,
) {
    for (name, value) in fields(totals) {
        *into.entry(format!("{uid}/{name}")).or_default() += value;
    }
}

fn fields(t: &OperatorTotals) -> [(&'static str, u64); 8] {
    [
        ("records_in", t.records_in),
        ("records_out", t.records_out),
        ("filtered", t.filtered),
        ("late", t.late),
        ("dead_lettered", t.dead_lettered),
        ("dropped", t.dropped),
        ("future", t.future),
        ("skipped", t.skipped),
    ]
}

/// The totals that a manifest's counters hold, by step.
pub(crate) fn totals_from_counters(manifest: &Manifest) -> HashMap<String, OperatorTotals> {
    let mut totals: HashMap<String, OperatorTotals> = HashMap::new();
    for (key, value) in &manifest.counters {
        let Some((uid, name)) = key.rsplit_once('/') else { continue };
        let of = totals.entry(uid.to_owned()).or_default();
        match name {
            "records_in" => of.records_in = *value,
            "records_out" => of.records_out = *value,
            "filtered" => of.filtered = *value,
            "late" => of.late = *value,
            "dead_lettered" => of.dead_lettered = *value,
            "dropped" => of.dropped = *value,
            "future" => of.future = *value,
            "skipped" => of.skipped = *value,
            _ => {}
        }
    }
    totals
}

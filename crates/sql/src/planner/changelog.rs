//! Which changes flow where: what a sink can take of a query, and which steps must say how a row was
//! before an update.
//!
//! A row's old form costs twice the rows, so it is given only where somebody needs it: a filter (the
//! old row may have passed where the new one does not), an aggregate (it takes it back), a sink that
//! wants all of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::step::{Op, Step};
use crate::connectors::ChangelogMode;
use crate::error::{SqlError, SqlResult, codes};

/// How rows reach a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// All are new.
    Append,
    /// They replace each other by these columns; how they were before is left out.
    Upsert(Vec<usize>),
    /// As [`Delivery::Upsert`], but the query's rows are told apart by other columns than the sink's:
    /// of rows with the same key the sink has the last one.
    Materialize(Vec<usize>),
    /// Changes without how rows were before.
    WithoutBefore,
    /// All changes.
    Retract,
}

impl Delivery {
    /// Whether the old form of an updated row is wanted.
    fn wants_before(&self) -> bool {
        matches!(self, Delivery::Materialize(_) | Delivery::Retract)
    }
}

/// How the rows of a step reach a sink that takes `accepts`.
///
/// # Errors
/// When the sink cannot take the changes.
pub(crate) fn delivery(
    step: &Arc<Step>,
    accepts: &ChangelogMode,
    sink: &str,
) -> SqlResult<Delivery> {
    if step.traits.append_only() {
        return Ok(Delivery::Append);
    }
    match accepts {
        ChangelogMode::Retract => Ok(Delivery::Retract),
        ChangelogMode::WithoutBefore => Ok(Delivery::WithoutBefore),
        ChangelogMode::Append => Err(cannot_take(step, sink)),
        ChangelogMode::Upsert(key) if key.is_empty() => {
            let message = format!("sink {sink} replaces rows by its key and declares none");
            Err(SqlError::new(codes::KEY_NEEDED, message)
                .help(format!("add PRIMARY KEY ({}) NOT ENFORCED to it", suggestion(step))))
        }
        ChangelogMode::Upsert(key) => {
            let same = |unique: &Vec<usize>| {
                unique.len() == key.len() && unique.iter().all(|c| key.contains(c))
            };
            if step.traits.keys.iter().any(same) {
                Ok(Delivery::Upsert(key.clone()))
            } else {
                Ok(Delivery::Materialize(key.clone()))
            }
        }
    }
}

fn cannot_take(step: &Arc<Step>, sink: &str) -> SqlError {
    let origin = changing(step).map_or_else(String::new, |s| format!(" ({})", s.label()));
    let message = format!("sink {sink} takes new rows only, and the query changes rows{origin}");
    let error = SqlError::new(codes::SINK_NEEDS_APPEND, message);
    let window = "aggregate per window: a window gives its rows once, when it is complete";
    let error = match changing(step).map(|s| &s.op) {
        Some(Op::GroupAggregate { .. }) => error.help(window),
        Some(Op::TopN(_) | Op::Deduplicate { .. }) => {
            error.help("rank per window: PARTITION BY window_start, window_end, …")
        }
        _ => error,
    };
    error
        .help("or write to a format that carries changes: 'format' = 'debezium-json'")
        .help(format!("or to a sink with PRIMARY KEY ({}) NOT ENFORCED", suggestion(step)))
}

/// The columns that would do as a key.
fn suggestion(step: &Step) -> String {
    let names = |key: &Vec<usize>| {
        let names: Vec<&str> = key.iter().map(|c| step.schema.field(*c).name().as_str()).collect();
        names.join(", ")
    };
    let shortest = step.traits.keys.iter().filter(|k| !k.is_empty()).min_by_key(|k| k.len());
    shortest.map_or_else(|| "…".to_owned(), names)
}

/// The step nearest to the sink that makes changes of rows that were only added, or a source.
pub(crate) fn changing(step: &Arc<Step>) -> Option<&Arc<Step>> {
    if step.traits.append_only() {
        return None;
    }
    match &step.op {
        Op::Calc { .. }
        | Op::Correlate(_)
        | Op::Union
        | Op::Limit { .. }
        | Op::Watermark { .. } => step.inputs.iter().find_map(changing),
        _ => Some(step),
    }
}

/// Which steps give rows as they were before an update.
#[derive(Default)]
pub(crate) struct Before(HashMap<*const Step, bool>);

impl Before {
    /// Looks through all steps behind these sinks.
    pub(crate) fn of<'a>(sinks: impl Iterator<Item = (&'a Arc<Step>, &'a Delivery)>) -> Before {
        let mut before = Before::default();
        for (step, delivery) in sinks {
            before.require(step, delivery.wants_before());
        }
        before
    }

    /// Whether a step gives rows as they were before an update.
    pub(crate) fn gives(&self, step: &Arc<Step>) -> bool {
        step.traits.updates && self.0.get(&Arc::as_ptr(step)).copied().unwrap_or(true)
    }

    fn require(&mut self, step: &Arc<Step>, needed: bool) {
        let known = self.0.get(&Arc::as_ptr(step)).copied();
        if known == Some(true) || known == Some(needed) {
            return;
        }
        self.0.insert(Arc::as_ptr(step), needed);
        for input in &step.inputs {
            let needed = match &step.op {
                Op::Calc { filter: None, .. } | Op::Union => needed,
                _ => true,
            };
            self.require(input, needed);
        }
    }
}

/// The kinds of changes that a step gives, as EXPLAIN shows them.
pub(crate) struct Kinds {
    updates: bool,
    deletes: bool,
    before: bool,
}

impl Kinds {
    pub(crate) fn of(step: &Arc<Step>, before: &Before) -> Kinds {
        let (updates, deletes) = (step.traits.updates, step.traits.deletes);
        Kinds { updates, deletes, before: before.gives(step) && !step.traits.upserts }
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds = vec!["I"];
        if self.updates && self.before {
            kinds.push("UB");
        }
        if self.updates {
            kinds.push("UA");
        }
        if self.deletes {
            kinds.push("D");
        }
        write!(f, "[{}]", kinds.join(","))
    }
}

//! How the state of each step grows, and refusing what could grow for ever.

use std::sync::Arc;

use super::step::{Frame, Op, Step, TopN};
use crate::error::{SqlError, SqlResult, codes};

/// How much a step remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Nothing, or about as much at all times.
    Bounded(String),
    /// Something for each key it ever saw, until its time to live is over.
    Unbounded(String),
}

/// How much a step remembers; none: it has no state.
pub(crate) fn growth(step: &Step) -> Option<Growth> {
    let names = |columns: &[usize]| {
        let input = step.input().map(|i| Arc::clone(&i.schema));
        let name =
            |c: &usize| input.as_ref().map_or_else(String::new, |i| i.field(*c).name().clone());
        columns.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let per = |what: &str, columns: &[usize]| {
        if columns.is_empty() {
            Growth::Bounded(what.to_owned())
        } else {
            Growth::Unbounded(format!("{what} per ({})", names(columns)))
        }
    };
    Some(match &step.op {
        Op::Scan { .. } => Growth::Bounded("a position per split".to_owned()),
        Op::Watermark { .. } => Growth::Bounded("a watermark per split".to_owned()),
        Op::WindowAggregate { keys, .. } | Op::WindowedGroup { keys, .. } => {
            Growth::Bounded(format!("a result per open window and ({})", names(keys)))
        }
        Op::AssignWindows { keys, .. } if !keys.is_empty() => {
            Growth::Bounded("the rows of open sessions".to_owned())
        }
        Op::GroupAggregate { keys, aggs } => {
            let distinct: Vec<String> =
                aggs.iter().filter(|a| a.distinct).map(|a| names(&a.args)).collect();
            let retracts = step.input().is_some_and(|i| !i.traits.append_only());
            let extremes =
                retracts && aggs.iter().any(|a| matches!(a.function.name(), "min" | "max"));
            let growth = per("a row", keys);
            if distinct.is_empty() && !extremes {
                growth
            } else {
                let mut what = match growth {
                    Growth::Bounded(what) | Growth::Unbounded(what) => what,
                };
                if !distinct.is_empty() {
                    what.push_str(&format!(", and each distinct ({})", distinct.join("), (")));
                }
                if extremes {
                    what.push_str(", and all values of MIN and MAX");
                }
                Growth::Unbounded(what)
            }
        }
        Op::TopN(TopN { windowed: Some(_), .. }) => {
            Growth::Bounded("the best rows of open windows".to_owned())
        }
        Op::TopN(TopN { keys, last, .. }) => {
            if step.input().is_some_and(|i| !i.traits.append_only()) {
                Growth::Unbounded(format!("all rows per ({})", names(keys)))
            } else {
                per(&format!("{last} rows"), keys)
            }
        }
        Op::Deduplicate { keys, .. } => per("a row", keys),
        Op::Over { keys, frame: Frame::Range(_), .. } => {
            Growth::Bounded(format!("the rows of the range per ({})", names(keys)))
        }
        Op::Over { keys, frame: Frame::Rows(rows) | Frame::Row(rows), .. } => {
            per(&format!("{rows} rows"), keys)
        }
        Op::Over { keys, .. } => per("a row", keys),
        Op::SortByTime { .. } => Growth::Bounded("rows ahead of the watermark".to_owned()),
        Op::Limit { .. } => Growth::Bounded("a number".to_owned()),
        Op::Normalize { keys } => per("a row", keys),
        Op::Stream { .. }
        | Op::Values(_)
        | Op::Feed { .. }
        | Op::Calc { .. }
        | Op::Correlate(_)
        | Op::AssignWindows { .. }
        | Op::Union => return None,
    })
}

/// All steps behind these, each once, inputs first.
pub(crate) fn all_steps<'a>(roots: impl Iterator<Item = &'a Arc<Step>>) -> Vec<&'a Arc<Step>> {
    let mut steps: Vec<&Arc<Step>> = Vec::new();
    fn visit<'a>(step: &'a Arc<Step>, steps: &mut Vec<&'a Arc<Step>>) {
        if steps.iter().any(|s| Arc::ptr_eq(s, step)) {
            return;
        }
        for input in &step.inputs {
            visit(input, steps);
        }
        steps.push(step);
    }
    for root in roots {
        visit(root, &mut steps);
    }
    steps
}

/// What could grow for ever of these steps, each as a sentence.
pub(crate) fn unbounded<'a>(roots: impl Iterator<Item = &'a Arc<Step>>) -> Vec<String> {
    let grows = |step: &&Arc<Step>| match growth(step) {
        Some(Growth::Unbounded(what)) if !step.traits.bounded => {
            Some(format!("{} keeps {what}", step.label()))
        }
        _ => None,
    };
    all_steps(roots).iter().filter_map(grows).collect()
}

/// Refuses a job whose state could never be freed.
pub(crate) fn refuse_unbounded(grows: &[String]) -> SqlResult<()> {
    let Some(first) = grows.first() else { return Ok(()) };
    let message = format!("state that could never be freed: {first}");
    let mut error = SqlError::new(codes::UNBOUNDED_STATE, message);
    for other in &grows[1..] {
        error = error.help(format!("also: {other}"));
    }
    Err(error
        .help("SET 'table.exec.state.ttl' = '1 d' forgets what was not touched for a day")
        .help("or aggregate per window, which frees its state when it is complete")
        .help("or consent: SET 'table.exec.state.ttl' = '0', or --allow-unbounded-state"))
}

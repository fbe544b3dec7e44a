//! What EXPLAIN shows of a streaming job: its steps as a tree, with the kinds of their changes and
//! the growth of their state.

mod text;

use std::fmt::Write;
use std::sync::Arc;

use super::build::Output;
use super::changelog::{Before, Delivery, Kinds};
use super::growth::{Growth, growth};
use super::step::{Aggregate, Bound, Frame, Op, Ordering, Step, TopN};
use crate::operators::correlate::Correlation;
pub(crate) use text::intervals;
use text::plain;

/// What is shown beside the steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Details {
    /// Kinds of changes.
    pub changelog: bool,
    /// State and its growth.
    pub state: bool,
}

/// The steps of a job as text.
pub(crate) fn physical(outputs: &[Output], details: Details) -> String {
    let before = Before::of(outputs.iter().map(|o| (&o.step, &o.delivery)));
    let mut tree = Tree { text: String::new(), before, details, seen: Vec::new() };
    for output in outputs {
        let how = match &output.delivery {
            Delivery::Append => "append".to_owned(),
            Delivery::Retract => "all changes".to_owned(),
            Delivery::WithoutBefore => "changes without how rows were before".to_owned(),
            Delivery::Upsert(keys) => format!("upsert by {}", names(&output.step, keys)),
            Delivery::Materialize(keys) => {
                format!("upsert by {}, the last row of a key wins", names(&output.step, keys))
            }
        };
        let _ = writeln!(tree.text, "Sink(table=[{}], {how})", output.name);
        tree.step(&output.step, 1);
    }
    tree.text
}

struct Tree {
    text: String,
    before: Before,
    details: Details,
    seen: Vec<*const Step>,
}

impl Tree {
    fn step(&mut self, step: &Arc<Step>, depth: usize) {
        let indent = "  ".repeat(depth);
        let _ = write!(self.text, "{indent}+- {}", line(step));
        if self.details.changelog {
            let _ = write!(self.text, ", changelogMode={}", Kinds::of(step, &self.before));
        }
        if self.details.state
            && let Some(growth) = growth(step)
        {
            let _ = match growth {
                Growth::Bounded(what) => write!(self.text, ", state=[{what}]"),
                Growth::Unbounded(what) => write!(self.text, ", state=[{what}; grows for ever]"),
            };
        }
        if self.seen.contains(&Arc::as_ptr(step)) && !step.inputs.is_empty() {
            self.text.push_str(", reused\n");
            return;
        }
        self.seen.push(Arc::as_ptr(step));
        self.text.push('\n');
        for input in &step.inputs {
            self.step(input, depth + 1);
        }
    }
}

fn names(step: &Step, columns: &[usize]) -> String {
    let name = |c: &usize| step.schema.field(*c).name().as_str();
    columns.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn line(step: &Step) -> String {
    let of = |columns: &[usize]| step.input().map_or_else(String::new, |i| names(i, columns));
    let fields = || {
        let names: Vec<&str> = step.schema.fields().iter().map(|f| f.name().as_str()).collect();
        names.join(", ")
    };
    match &step.op {
        Op::Scan { table, .. } => format!("Source(table=[{}], columns=[{}])", table.name, fields()),
        Op::Stream { table, .. } => {
            format!("Stream(table=[{}], columns=[{}])", table.name, fields())
        }
        Op::Values(rows) => format!("Values(rows=[{}])", rows.num_rows()),
        Op::Watermark { rowtime, expr, .. } => {
            let watermark = plain(&expr.to_string());
            format!("Watermark(rowtime=[{}], watermark=[{watermark}])", of(&[*rowtime]))
        }
        Op::Feed { name, .. } => format!("BatchQuery({name})"),
        Op::Calc { filter, project } => {
            let select = project.iter().zip(step.schema.fields()).map(|(expr, field)| {
                let text = plain(&expr.to_string());
                if text == *field.name() { text } else { format!("{text} AS {}", field.name()) }
            });
            let select = select.collect::<Vec<_>>().join(", ");
            match filter {
                Some(filter) => {
                    format!("Calc(select=[{select}], where=[{}])", plain(&filter.to_string()))
                }
                None => format!("Calc(select=[{select}])"),
            }
        }
        Op::Correlate(Correlation { function, args, keep, outer }) => {
            let made: Vec<&str> =
                step.schema.fields()[keep.len()..].iter().map(|f| f.name().as_str()).collect();
            let join = if *outer { "LEFT" } else { "INNER" };
            let (name, args, made) = (function.name(), args_of(step, args), made.join(", "));
            format!("Correlate(call=[{name}({args})], columns=[{made}], joinType=[{join}])")
        }
        Op::AssignWindows { window, .. } => {
            format!("AssignWindows(window=[{} ON {}])", window.spec, of(&[window.time]))
        }
        Op::WindowAggregate { window, keys, aggs, bounds } => format!(
            "WindowAggregate(groupBy=[{}], window=[{} ON {}], select=[{}])",
            of(keys),
            window.spec,
            of(&[window.time]),
            selected(step, aggs, bounds.iter())
        ),
        Op::WindowedGroup { keys, bounds, aggs, early } => {
            let emit = early.map_or_else(String::new, |every| format!(", emit=[every {every:?}]"));
            format!(
                "WindowAggregate(groupBy=[{}], window=[as attached], select=[{}]{emit})",
                of(keys),
                selected(step, aggs, bounds.iter().map(|(b, _)| b))
            )
        }
        Op::GroupAggregate { keys, aggs } => format!(
            "GroupAggregate(groupBy=[{}], select=[{}], {})",
            of(keys),
            selected(step, aggs, [].iter()),
            decided(step, aggs)
        ),
        Op::TopN(TopN { keys, order, first, last, rank, windowed }) => format!(
            "{}(partitionBy=[{}], orderBy=[{}], ranks=[{first}..{last}], rankColumn=[{rank}])",
            if windowed.is_some() { "WindowTopN" } else { "TopN" },
            of(keys),
            ordering(step, order)
        ),
        Op::Deduplicate { keys, time, keep_last, .. } => format!(
            "Deduplicate(keep=[{}], key=[{}], order=[{}])",
            if *keep_last { "last" } else { "first" },
            of(keys),
            of(&[*time])
        ),
        Op::Over { keys, time, frame, aggs, .. } => format!(
            "OverAggregate(partitionBy=[{}], orderBy=[{}], frame=[{}], select=[{}])",
            of(keys),
            of(&[*time]),
            frame_text(frame),
            selected(step, aggs, [].iter())
        ),
        Op::SortByTime { time, then } => {
            let mut by = vec![of(&[*time])];
            by.extend((!then.is_empty()).then(|| ordering(step, then)));
            format!("SortByTime(orderBy=[{}])", by.join(", "))
        }
        Op::Limit { skip, fetch } => format!("Limit(offset=[{skip}], fetch=[{fetch}])"),
        Op::Normalize { keys } => format!("ChangelogNormalize(key=[{}])", of(keys)),
        Op::Union => "Union(all=[true])".to_owned(),
    }
}

/// What the arguments of a call are, where the step before computes them.
fn args_of(step: &Step, args: &[usize]) -> String {
    let Some(input) = step.input() else { return String::new() };
    let arg = |column: &usize| match &input.op {
        Op::Calc { project, .. } => plain(&project[*column].to_string()),
        _ => input.schema.field(*column).name().clone(),
    };
    args.iter().map(arg).collect::<Vec<_>>().join(", ")
}

/// What the engine decides on its own: a batch of rows is a mini-batch, rows are aggregated where
/// their key is and nowhere before, and calls over equal arguments share their distinct values.
fn decided(step: &Step, aggs: &[Aggregate]) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for agg in aggs.iter().filter(|agg| agg.distinct) {
        let args = format!("({})", args_of(step, &agg.args));
        if !distinct.contains(&args) {
            distinct.push(args);
        }
    }
    let shared = if distinct.is_empty() {
        String::new()
    } else {
        format!(", distinct=[{}]", distinct.join(", "))
    };
    format!("miniBatch=[rows at hand], phases=[1]{shared}")
}

fn selected<'a>(
    step: &Step,
    aggs: &[Aggregate],
    bounds: impl Iterator<Item = &'a Bound>,
) -> String {
    let held: Vec<String> = step
        .input()
        .map_or_else(Vec::new, |i| i.schema.fields().iter().map(|f| f.name().clone()).collect());
    let agg = |a: &Aggregate| format!("{} AS {}", a.meaning(&held), a.field.name());
    let mut parts: Vec<String> = aggs.iter().map(agg).collect();
    parts.extend(bounds.map(|b| match b {
        Bound::Start => "window_start".to_owned(),
        Bound::End => "window_end".to_owned(),
        Bound::Time => "window_time".to_owned(),
    }));
    parts.join(", ")
}

fn ordering(step: &Step, order: &[Ordering]) -> String {
    let one = |o: &Ordering| {
        let name = step.input().map_or_else(String::new, |i| names(i, &[o.column]));
        format!("{name} {}", if o.descending { "DESC" } else { "ASC" })
    };
    order.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn frame_text(frame: &Frame) -> String {
    match frame {
        Frame::Unbounded { rows: true } => "ROWS UNBOUNDED PRECEDING".to_owned(),
        Frame::Unbounded { rows: false } => "RANGE UNBOUNDED PRECEDING".to_owned(),
        Frame::Rows(rows) => format!("ROWS {rows} PRECEDING"),
        Frame::Row(rows) => format!("ROWS BETWEEN {rows} PRECEDING AND {rows} PRECEDING"),
        Frame::Range(ms) => format!("RANGE {ms} ms PRECEDING"),
    }
}

//! The operator of each step: plans know what is computed, operators how.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use headwater_operators::watermarks::Alignment;
use headwater_topology::node::OperatorFactory;

use super::Output;
use crate::error::{SqlError, SqlResult};
use crate::operators::changelog::DropUpdateBefore;
use crate::operators::correlate::Correlate;
use crate::operators::watermark::Emit;
use crate::operators::window::{
    AssignWindows, AssignWindowsSpec, Clock, Early, EarlyAggregate, SessionAggregate,
    SessionAggregateSpec, Window as Windows, WindowAggregate, WindowAggregateSpec, WindowColumn,
    WindowedBy,
};
use crate::operators::{
    AssignWatermark, AssignWatermarkSpec, Calc, GroupAggregate, GroupAggregateSpec, factory,
};
use crate::planner::changelog::{Before, Delivery};
use crate::planner::nodes::WindowSpec;
use crate::planner::step::{Aggregate, Bound, Op, Step, TimeKind, Window};
use crate::session::settings::duration;
use crate::splits::SplitBoard;

mod aggregates;
mod rest;

/// What the settings say about operators.
#[derive(Clone)]
pub(crate) struct Tuning {
    /// Number of key groups.
    pub max_parallelism: u16,
    /// Whether somebody consented to state that is never freed, or it is freed after a while.
    pub consents: bool,
    /// How long state is kept that nothing touches; none: for ever.
    pub ttl: Option<Duration>,
    /// A split without rows for this long does not hold back watermarks, unless its table says so.
    pub idle_after: Option<Duration>,
    /// Where splits say how far they are.
    pub splits: SplitBoard,
    /// Groups of sources that wait for each other.
    pub alignments: Arc<Mutex<HashMap<String, Alignment>>>,
}

/// The operator of a step.
pub(super) fn factory_of(
    step: &Arc<Step>,
    before: &Before,
    tuning: &Tuning,
) -> SqlResult<OperatorFactory> {
    let output = Arc::clone(&step.schema);
    let input = match step.input() {
        Some(input) => Arc::clone(&input.schema),
        None => return Err(SqlError::internal(format!("{} has no input", step.label()))),
    };
    let changes = step.inputs.iter().any(|i| !i.traits.append_only());
    Ok(match &step.op {
        Op::Calc { filter, project } => {
            let (filter, project) = (filter.clone(), project.clone());
            let whole = project.len() == input.fields().len()
                && project
                    .iter()
                    .enumerate()
                    .all(|(i, e)| super::super::translate::column_of(e) == Some(i));
            let project = (!whole).then_some(project);
            factory(move |_| Ok(Calc::new(filter.clone(), project.clone(), Arc::clone(&output))))
        }
        Op::Watermark { rowtime, expr, table, options } => {
            let mut spec = AssignWatermarkSpec::new(*rowtime, Arc::clone(expr));
            spec.idle_after = tuning.idle_after;
            watermark_options(&mut spec, options, tuning);
            spec.board = Some((tuning.splits.clone(), table.clone()));
            factory(move |init| Ok(AssignWatermark::new(init, spec.clone())))
        }
        Op::Correlate(correlation) => {
            let correlation = correlation.clone();
            factory(move |_| Ok(Correlate::new(correlation.clone(), Arc::clone(&output))))
        }
        Op::AssignWindows { window, .. } => {
            let spec = AssignWindowsSpec {
                window: windows(&window.spec)?,
                clock: clock(window),
                columns: vec![WindowColumn::Start, WindowColumn::End, WindowColumn::Time],
                output,
            };
            factory(move |_| AssignWindows::new(spec.clone()))
        }
        Op::GroupAggregate { keys, aggs } => {
            let spec = GroupAggregateSpec {
                keys: keys.clone(),
                aggregates: aggregates::calls(aggs, &input)?,
                input,
                output,
                input_is_changelog: changes,
                emit_update_before: before.gives(step),
                ttl: tuning.ttl,
            };
            factory(move |init| GroupAggregate::new(init, spec.clone()))
        }
        Op::WindowAggregate { window, keys, aggs, bounds } => {
            window_aggregate(window, keys, aggs, bounds, input, output, changes)?
        }
        Op::WindowedGroup { keys, bounds, aggs, early } => {
            let column = |wanted: Bound| {
                let found = bounds.iter().find(|(b, _)| *b == wanted);
                found
                    .map(|(_, column)| *column)
                    .ok_or_else(|| SqlError::internal("a windowed group without its bounds"))
            };
            let spec = WindowAggregateSpec {
                keys: keys.clone(),
                windows: WindowedBy::Attached {
                    start: column(Bound::Start)?,
                    end: column(Bound::End)?,
                },
                aggregates: aggregates::calls(aggs, &input)?,
                columns: bounds.iter().map(|(b, _)| window_column(*b)).collect(),
                input,
                output,
                input_is_changelog: changes,
            };
            match *early {
                Some(every) => {
                    let early = Early { every, update_before: before.gives(step) };
                    factory(move |init| EarlyAggregate::new(init, spec.clone(), early))
                }
                None => factory(move |init| WindowAggregate::new(init, spec.clone())),
            }
        }
        _ => rest::factory_of(step, input, output, before, tuning)?,
    })
}

fn window_aggregate(
    window: &Window,
    keys: &[usize],
    aggs: &[Aggregate],
    bounds: &[Bound],
    input: SchemaRef,
    output: SchemaRef,
    input_is_changelog: bool,
) -> SqlResult<OperatorFactory> {
    let aggregates = aggregates::calls(aggs, &input)?;
    let columns = bounds.iter().map(|b| window_column(*b)).collect();
    let keys = keys.to_vec();
    let clock = clock(window);
    if let WindowSpec::Session { gap, .. } = window.spec {
        let spec = SessionAggregateSpec {
            input,
            keys,
            gap,
            clock,
            aggregates,
            columns,
            output,
            input_is_changelog,
        };
        return Ok(factory(move |init| SessionAggregate::new(init, spec.clone())));
    }
    let windows = WindowedBy::Time(windows(&window.spec)?, clock);
    let spec = WindowAggregateSpec {
        input,
        keys,
        windows,
        aggregates,
        columns,
        output,
        input_is_changelog,
    };
    Ok(factory(move |init| WindowAggregate::new(init, spec.clone())))
}

/// The windows of a specification that is no session.
pub(super) fn windows(spec: &WindowSpec) -> SqlResult<Windows> {
    Ok(match *spec {
        WindowSpec::Tumble { size, offset } => Windows::Tumble { size, offset },
        WindowSpec::Hop { slide, size, offset } => Windows::Hop { slide, size, offset },
        WindowSpec::Cumulate { step, size, offset } => Windows::Cumulate { step, size, offset },
        WindowSpec::Session { .. } => {
            return Err(SqlError::unsupported(
                "SESSION without an aggregation right above it, in a streaming query",
            )
            .help("GROUP BY window_start, window_end and the session's keys"));
        }
    })
}

/// The clock of windows.
pub(super) fn clock(window: &Window) -> Clock {
    match window.kind {
        TimeKind::Row => Clock::EventTime(window.time),
        TimeKind::Proc => Clock::ProcessingTime,
    }
}

fn window_column(bound: Bound) -> WindowColumn {
    match bound {
        Bound::Start => WindowColumn::Start,
        Bound::End => WindowColumn::End,
        Bound::Time => WindowColumn::Time,
    }
}

fn watermark_options(
    spec: &mut AssignWatermarkSpec,
    options: &[(String, String)],
    tuning: &Tuning,
) {
    let get = |key: &str| options.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    if get("scan.watermark.emit.strategy") == Some("on-event") {
        spec.emit = Emit::OnEvent;
    }
    if let Some(idle) = get("scan.watermark.idle-timeout").and_then(duration) {
        spec.idle_after = (!idle.is_zero()).then_some(idle);
    }
    if let (Some(group), Some(drift)) = (
        get("scan.watermark.alignment.group"),
        get("scan.watermark.alignment.max-drift").and_then(duration),
    ) {
        let mut groups = tuning.alignments.lock().unwrap_or_else(PoisonError::into_inner);
        let group = groups.entry(group.to_owned()).or_insert_with(|| Alignment::within(drift));
        spec.alignment = Some(group.clone());
    }
}

/// What stands between the rows of a query and a sink: its label, the keys that rows must be
/// together by, and the operator.
type BeforeSink = (&'static str, Option<Vec<usize>>, OperatorFactory);

/// What stands between the rows of an output and its sink, if anything does.
pub(super) fn delivery(output: &Output, tuning: &Tuning) -> Option<BeforeSink> {
    match &output.delivery {
        Delivery::Append | Delivery::Retract => None,
        // Some steps cannot leave out how a row was before.
        Delivery::Upsert(_) | Delivery::WithoutBefore => {
            Some(("drop-update-before", None, factory(|_| Ok(DropUpdateBefore::new()))))
        }
        Delivery::Materialize(keys) => Some(rest::materialize(&output.step, keys, tuning)),
    }
}

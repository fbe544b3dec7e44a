//! Window table functions: assigning windows to rows, and folding that into the aggregation above.
//!
//! An aggregation by window over rows that were just assigned to windows needs no copy of each row
//! per window: [`Translator::fold`] finds these cases.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};

use super::Translator;
use super::calc::{column, column_of, columns_of};
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::nodes::{WindowSpec, WindowTvf};
use crate::planner::step::{
    Bound, Identity, Op, PhysExpr, Step, TimeKind, Traits, Window, WindowColumns,
};

/// An aggregation's input before windows were assigned.
pub(super) struct Folded {
    /// The rows.
    pub input: Arc<Step>,
    /// Which windows they are in.
    pub window: Window,
    /// Keys of sessions, as columns of `input`; none if sessions are by what is grouped by.
    pub session_keys: Option<Vec<usize>>,
    /// Where each column of the step that was folded is in `input`, or which bound it is.
    pub places: Vec<Result<usize, Bound>>,
}

const BOUNDS: [Bound; 3] = [Bound::Start, Bound::End, Bound::Time];

impl Translator {
    pub(super) fn window_tvf(&mut self, node: &WindowTvf) -> SqlResult<Arc<Step>> {
        let input = self.step(&node.input, None)?;
        let time = self.physical(&node.time, node.input.schema())?;
        let time = column_of(&time)
            .ok_or_else(|| SqlError::internal("the time of a window is no column"))?;
        let name = node.spec.name();
        let Some(kind) = input.traits.time.get(time).copied().flatten() else {
            return Err(no_time_attribute(&input, time, name));
        };
        let keys: Vec<usize> = node
            .partition
            .iter()
            .map(|key| {
                let key = self.physical(key, node.input.schema())?;
                column_of(&key).ok_or_else(|| SqlError::internal("a session key is no column"))
            })
            .collect::<SqlResult<_>>()?;
        let window = Window { spec: node.spec, time, kind };
        let columns = input.schema.fields().len();
        let mut traits = Traits { keys: Vec::new(), ..input.traits.clone() };
        // After the function the input's time attribute is a plain column.
        traits.time[time] = None;
        traits.time.extend([None, None, Some(kind)]);
        traits.window = Some(WindowColumns {
            start: Some(columns),
            end: Some(columns + 1),
            time: Some(columns + 2),
            kind,
        });
        let of = &input.identity.columns[time];
        let by: Vec<&str> = keys.iter().map(|k| input.identity.columns[*k].as_str()).collect();
        let text = format!("{} on {of} by {}", node.spec, by.join(", "));
        let mut named = input.identity.columns.clone();
        named.extend(BOUNDS.map(|b| Identity::short(format!("{b:?} of {text}"))));
        let rows = Identity::short(format!("{} in {text}", input.identity.rows));
        let schema: SchemaRef = Arc::new(
            datafusion::logical_expr::UserDefinedLogicalNodeCore::schema(node).as_arrow().clone(),
        );
        let op = Op::AssignWindows { window, keys };
        Ok(self.make(op, vec![input], schema, traits, Identity { rows, columns: named }))
    }

    /// Takes a step apart that assigns windows and computes columns from what is no window;
    /// `keys` are the columns that are grouped by.
    pub(super) fn fold(&mut self, step: &Arc<Step>, keys: &[usize]) -> SqlResult<Option<Folded>> {
        let (assign, filter, project): (_, _, Vec<PhysExpr>) = match &step.op {
            Op::AssignWindows { .. } => (step, None, super::calc::identity_exprs(&step.schema)),
            Op::Calc { filter, project } => match step.input() {
                Some(below) => (below, filter.clone(), project.clone()),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Op::AssignWindows { window, keys: partition } = &assign.op else { return Ok(None) };
        let Some(rows) = assign.input() else { return Ok(None) };
        let width = rows.schema.fields().len();
        let is_session = matches!(window.spec, WindowSpec::Session { .. });
        // Rows that a filter drops would have been part of their session, unless all of its session
        // is dropped.
        let grouped = |c: &usize| keys.iter().any(|k| column_of(&project[*k]) == Some(*c));
        let before = |c: &usize| *c < width && (!is_session || grouped(c));
        if filter.as_ref().is_some_and(|f| !columns_of(f).iter().all(before)) {
            return Ok(None);
        }
        let mut below: Vec<PhysExpr> = Vec::new();
        let mut fields = Vec::new();
        let mut places = Vec::with_capacity(project.len());
        for (at, expr) in project.iter().enumerate() {
            match column_of(expr).and_then(|c| c.checked_sub(width)) {
                Some(bound) => places.push(Err(BOUNDS[bound])),
                None if columns_of(expr).iter().any(|c| *c >= width) => return Ok(None),
                None => {
                    places.push(Ok(below.len()));
                    below.push(Arc::clone(expr));
                    fields.push(Arc::clone(&step.schema.fields()[at]));
                }
            }
        }
        let mut place = |wanted: usize| {
            if let Some(found) = below.iter().position(|e| column_of(e) == Some(wanted)) {
                return found;
            }
            below.push(column(&rows.schema, wanted));
            fields.push(Arc::clone(&rows.schema.fields()[wanted]));
            below.len() - 1
        };
        let time = place(window.time);
        let session_keys: Vec<usize> = partition.iter().map(|k| place(*k)).collect();
        let by_group = matches!(window.spec, WindowSpec::Session { by_group: true, .. });
        let schema = Arc::new(Schema::new(fields));
        let input = self.calc(Arc::clone(rows), filter, below, schema)?;
        let session_keys = (is_session && !by_group).then_some(session_keys);
        let window = Window { time, ..window.clone() };
        Ok(Some(Folded { input, window, session_keys, places }))
    }
}

impl Folded {
    /// Whether sessions are kept apart by just these columns of the input.
    pub(super) fn sessions_by(&self, keys: &[usize]) -> bool {
        let set = |keys: &[usize]| keys.iter().copied().collect::<HashSet<_>>();
        self.session_keys.as_ref().is_none_or(|by| set(by) == set(keys))
    }
}

fn no_time_attribute(input: &Step, time: usize, window: &str) -> SqlError {
    let name = input.schema.field(time).name();
    let message = format!("{window} needs a time attribute, and `{name}` is none");
    let error = SqlError::new(codes::NO_TIME_ATTRIBUTE, message);
    let error = match input.schema.field(time).data_type() {
        datafusion::arrow::datatypes::DataType::Timestamp(..) => error.help(format!(
            "declare it in the table: WATERMARK FOR {name} AS {name} - INTERVAL '5' SECOND"
        )),
        other => error.help(format!(
            "`{name}` is {}; a time attribute is a TIMESTAMP or TIMESTAMP_LTZ column with a \
             watermark, or PROCTIME()",
            crate::catalog::type_name(other)
        )),
    };
    let attributes: Vec<&str> = (0..input.traits.time.len())
        .filter(|c| input.traits.time[*c].is_some())
        .map(|c| input.schema.field(c).name().as_str())
        .collect();
    if attributes.is_empty() {
        error
    } else {
        error.help(format!("time attributes here: {}", attributes.join(", ")))
    }
}

/// Refuses an operation on rows that change.
pub(super) fn needs_append(what: &str) -> SqlError {
    let message = format!("{what} reads rows that are only added, and its input changes rows");
    SqlError::new(codes::CHANGELOG_INPUT, message)
        .help("put the window first: aggregate per window, then go on with its result")
}

/// What time a column is, if it is an attribute.
pub(super) fn time_kind(step: &Step, column: usize) -> Option<TimeKind> {
    step.traits.time.get(column).copied().flatten()
}

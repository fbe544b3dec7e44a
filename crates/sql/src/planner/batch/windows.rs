//! Window table functions as plain relational nodes: a function that gives a row's windows, and for
//! sessions OVER functions that find the pauses.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, StructArray, TimestampMillisecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Fields, TimeUnit, TimestampMillisecondType,
};
use datafusion::common::{Column, Result, exec_err, plan_err};
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use crate::planner::nodes::{WINDOW_END, WINDOW_START, WINDOW_TIME, WindowSpec, WindowTvf};

/// Name of the column that holds a row's windows.
const WINDOWS: &str = "__windows";

/// The node as plain ones.
pub(super) fn plain(node: &WindowTvf) -> Result<LogicalPlan> {
    if let WindowSpec::Session { gap, by_group } = node.spec {
        if by_group {
            // Its keys are known by the aggregation above, which replaces it.
            return Ok(node.clone().into_plan());
        }
        return sessions(node, gap, &node.partition);
    }
    let columns = node.input.schema().columns();
    let time_type = node_time_type(node);
    let windows = ScalarUDF::new_from_impl(WindowsOf::new(node.spec, time_type));
    let mut exprs: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
    exprs.push(windows.call(vec![node.time.clone()]).alias(WINDOWS));
    let builder = LogicalPlanBuilder::from(node.input.clone()).project(exprs)?;
    let builder = builder.unnest_column(WINDOWS)?;
    let mut exprs: Vec<Expr> = columns.into_iter().map(Expr::Column).collect();
    for name in [WINDOW_START, WINDOW_END, WINDOW_TIME] {
        exprs.push(Expr::Column(Column::from_name(WINDOWS)).field(name).alias(name));
    }
    builder.project(exprs)?.build()
}

fn node_time_type(node: &WindowTvf) -> DataType {
    let schema = datafusion::logical_expr::UserDefinedLogicalNodeCore::schema(node);
    schema.field(schema.fields().len() - 1).data_type().clone()
}

fn bound_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}

/// The windows of a time: a list of start, end and last instant.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WindowsOf {
    spec: WindowSpec,
    time: DataType,
    signature: Signature,
}

impl WindowsOf {
    fn new(spec: WindowSpec, time: DataType) -> Self {
        WindowsOf { spec, time, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn fields(&self) -> Fields {
        Fields::from(vec![
            Field::new(WINDOW_START, bound_type(), false),
            Field::new(WINDOW_END, bound_type(), false),
            Field::new(WINDOW_TIME, self.time.clone(), false),
        ])
    }

    fn item(&self) -> FieldRef {
        Arc::new(Field::new_list_field(DataType::Struct(self.fields()), false))
    }
}

impl ScalarUDFImpl for WindowsOf {
    fn name(&self) -> &str {
        "__windows_of"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(self.item()))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let Some(time) = args.args.into_iter().next() else {
            return exec_err!("a window needs a time");
        };
        let time = cast(&time.into_array(rows)?, &bound_type())?;
        if time.null_count() > 0 {
            return exec_err!("the time attribute of a window is NULL in a row");
        }
        let (mut starts, mut ends, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for time in time.as_primitive::<TimestampMillisecondType>().values() {
            let before = starts.len();
            windows_of(&self.spec, *time, |start, end| {
                starts.push(start);
                ends.push(end);
            });
            lengths.push(starts.len() - before);
        }
        let last = ends.iter().map(|end| end - 1).collect::<Vec<_>>();
        let last: ArrayRef = Arc::new(TimestampMillisecondArray::from(last));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMillisecondArray::from(starts)),
            Arc::new(TimestampMillisecondArray::from(ends)),
            cast(&last, &self.time)?,
        ];
        let windows = StructArray::try_new(self.fields(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list = ListArray::try_new(self.item(), offsets, Arc::new(windows), None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// Calls `f` with start and end of each window that a time is in.
fn windows_of(spec: &WindowSpec, time: i64, mut f: impl FnMut(i64, i64)) {
    let floor = |length: i64, offset: i64| time - (time - offset).rem_euclid(length);
    match *spec {
        WindowSpec::Tumble { size, offset } => {
            let start = floor(size, offset);
            f(start, start + size);
        }
        WindowSpec::Hop { slide, size, offset } => {
            let mut start = floor(slide, offset);
            while start > time - size {
                f(start, start + size);
                start -= slide;
            }
        }
        WindowSpec::Cumulate { step, size, offset } => {
            let start = floor(size, offset);
            let mut end = start + ((time - start) / step + 1) * step;
            while end <= start + size {
                f(start, end);
                end += step;
            }
        }
        WindowSpec::Session { .. } => {}
    }
}

/// `GROUP BY k, SESSION(t, gap)`: the keys of the sessions are those of the aggregation.
pub(super) fn sessions_by_group(aggregate: Aggregate) -> Result<Aggregate> {
    let Some(node) = by_group_below(&aggregate.input) else { return Ok(aggregate) };
    let WindowSpec::Session { gap, .. } = node.spec else { return Ok(aggregate) };
    let bounds = [WINDOW_START, WINDOW_END, WINDOW_TIME];
    let is_bound = |e: &Expr| matches!(e, Expr::Column(c) if bounds.contains(&c.name.as_str()));
    let keys: Vec<Expr> = aggregate.group_expr.iter().filter(|e| !is_bound(e)).cloned().collect();
    let input = replace(&aggregate.input, sessions(node, gap, &keys)?)?;
    Aggregate::try_new(Arc::new(input), aggregate.group_expr, aggregate.aggr_expr)
}

fn by_group_below(plan: &LogicalPlan) -> Option<&WindowTvf> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => by_group_below(&alias.input),
        LogicalPlan::Projection(projection) => by_group_below(&projection.input),
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any().downcast_ref::<WindowTvf>()?;
            matches!(node.spec, WindowSpec::Session { by_group: true, .. }).then_some(node)
        }
        _ => None,
    }
}

fn replace(plan: &LogicalPlan, with: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Extension(_) => Ok(with),
        other => {
            let inputs = other.inputs().into_iter().map(|i| replace(i, with.clone()));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            other.with_new_exprs(other.expressions(), inputs)
        }
    }
}

/// Rows with the session they are in: a pause longer than `gap` begins another.
fn sessions(node: &WindowTvf, gap: i64, keys: &[Expr]) -> Result<LogicalPlan> {
    use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
    use datafusion::functions_aggregate::sum::sum_udaf;
    use datafusion::functions_window::expr_fn::lag;
    use datafusion::logical_expr::expr::WindowFunction;
    use datafusion::logical_expr::{AggregateUDF, ExprFunctionExt, WindowFrame, cast, lit, when};

    let columns = node.input.schema().columns();
    // Keys may be in terms of what is above the node; columns of the same name are below it.
    for key in keys {
        for column in key.column_refs() {
            if node.input.schema().index_of_column(column).is_err() {
                return plan_err!("a key of a session must be a column of its input, not {key}");
            }
        }
    }
    let millis = |e: Expr| cast(cast(e, bound_type()), DataType::Int64);
    let time = millis(node.time.clone());
    let order = vec![node.time.clone().sort(true, true)];
    let over =
        |e: Expr, keys: &[Expr]| e.partition_by(keys.to_vec()).order_by(order.clone()).build();
    let mut exprs: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
    let before = over(lag(time.clone(), Some(1), None), keys)?;
    let name = |e: &Expr| Expr::Column(Column::from_name(e.schema_name().to_string()));
    let builder = LogicalPlanBuilder::from(node.input.clone()).window([before.clone()])?;
    let pause = time.clone() - name(&before);
    let begins = when(name(&before).is_null(), lit(1i64))
        .when(pause.gt(lit(gap)), lit(1i64))
        .otherwise(lit(0i64))?;
    let mut with_begin = exprs.clone();
    with_begin.push(begins.alias("__begins"));
    let builder = builder.project(with_begin)?;
    let frame = WindowFrame::new(Some(true));
    let over_rows = |f: Arc<AggregateUDF>, arg: Expr| Expr::from(WindowFunction::new(f, vec![arg]));
    let number = over_rows(sum_udaf(), Expr::Column(Column::from_name("__begins")))
        .partition_by(keys.to_vec())
        .order_by(order.clone())
        .window_frame(frame)
        .build()?;
    let builder = builder.window([number.clone()])?;
    let mut with_number = exprs.clone();
    with_number.push(name(&number).alias("__session"));
    let builder = builder.project(with_number)?;
    let mut by = keys.to_vec();
    by.push(Expr::Column(Column::from_name("__session")));
    let whole = |e: Expr| e.partition_by(by.clone()).window_frame(WindowFrame::new(None)).build();
    let first = whole(over_rows(min_udaf(), time.clone()))?;
    let last = whole(over_rows(max_udaf(), time))?;
    let builder = builder.window([first.clone(), last.clone()])?;
    let bound = |e: Expr, to: DataType| cast(cast(e, bound_type()), to);
    let end = name(&last) + lit(gap);
    exprs.push(bound(name(&first), bound_type()).alias(WINDOW_START));
    exprs.push(bound(end.clone(), bound_type()).alias(WINDOW_END));
    exprs.push(bound(end - lit(1i64), node_time_type(node)).alias(WINDOW_TIME));
    builder.project(exprs)?.build()
}

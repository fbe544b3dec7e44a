//! OVER aggregates: for each row an aggregate of the rows before it, by time.
//!
//! LAG is one of them: the first value of a frame that is one row.

use std::sync::Arc;

use datafusion::arrow::datatypes::{FieldRef, IntervalMonthDayNano, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::first_last::{first_value_udaf, last_value_udaf};
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, NullTreatment, WindowFunction,
};
use datafusion::logical_expr::{
    Expr, Window, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::Translator;
use super::aggregate::{aggregates, column_args};
use super::window::{needs_append, time_kind};
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::step::{Frame, Identity, Op, Step, Traits};

impl Translator {
    pub(super) fn over(&mut self, node: &Window) -> SqlResult<Arc<Step>> {
        let mut step = self.step(&node.input, None)?;
        if !step.traits.append_only() {
            return Err(needs_append("OVER"));
        }
        let width = step.schema.fields().len();
        let schema = node.input.schema();
        let mut results = Vec::new();
        for (at, expr) in node.window_expr.iter().enumerate() {
            let call = window_call(expr)?;
            let field = Arc::clone(&node.schema.fields()[width + at]);
            step = self.over_one(step, call, field, schema)?;
            results.push(step.schema.fields().len() - 1);
        }
        let columns: Vec<usize> = (0..width).chain(results).collect();
        let output: SchemaRef = Arc::new(node.schema.as_arrow().clone());
        self.pick(step, &columns, output)
    }

    /// Adds one aggregate as the last column.
    fn over_one(
        &mut self,
        input: Arc<Step>,
        call: &WindowFunction,
        field: FieldRef,
        schema: &datafusion::common::DFSchema,
    ) -> SqlResult<Arc<Step>> {
        let params = &call.params;
        let called = call.fun.name();
        let aggregate = aggregate_of(call)?;
        let lag = lag_of(call, &field)?;
        let mut wanted = params.partition_by.clone();
        let keys = wanted.len();
        wanted.extend(params.order_by.iter().map(|o| o.expr.clone()));
        let args = wanted.len();
        wanted.extend(column_args(&aggregate)?);
        wanted.extend(params.filter.iter().map(|f| f.as_ref().clone()));
        let (input, columns) = self.with_columns(input, &wanted, schema)?;
        let time = match (&columns[keys..args], params.order_by.as_slice()) {
            ([time], [by]) if by.asc => *time,
            _ => return Err(bad(called, "is ordered by one time column, ascending")),
        };
        let Some(kind) = time_kind(&input, time) else {
            return Err(bad(called, "is ordered by a time attribute")
                .help(format!("`{}` has no watermark here", input.schema.field(time).name())));
        };
        let (frame, default) = match lag {
            Some(lag) => (Frame::Row(lag.rows), lag.default),
            None => (frame_of(&params.window_frame, called)?, None),
        };
        let name = aggregate.func.name().to_owned();
        let aggs = aggregates(&[(aggregate, name)], &columns[args..], &[Arc::clone(&field)])?;
        let keys = columns[..keys].to_vec();
        let held = &input.identity.columns;
        let by: Vec<&str> = keys.iter().map(|k| held[*k].as_str()).collect();
        let meaning = aggs.iter().map(|a| a.meaning(held)).collect::<Vec<_>>().join(", ");
        let mut text = format!("{meaning} over {frame:?} by {} on {}", by.join(", "), held[time]);
        if let Some(default) = &default {
            text.push_str(&format!(", else {default:?}"));
        }
        let mut named = held.clone();
        named.push(Identity::short(text.clone()));
        let rows = Identity::short(format!("{} with {text}", input.identity.rows));
        let mut fields: Vec<FieldRef> = input.schema.fields().iter().cloned().collect();
        fields.push(field);
        let mut traits: Traits = input.traits.clone();
        traits.time.push(None);
        let op = Op::Over { keys, time, kind, frame, aggs, default };
        let identity = Identity { rows, columns: named };
        Ok(self.make(op, vec![input], Arc::new(Schema::new(fields)), traits, identity))
    }
}

fn window_call(expr: &Expr) -> SqlResult<&WindowFunction> {
    match expr {
        Expr::Alias(alias) => window_call(&alias.expr),
        Expr::WindowFunction(call) => Ok(call),
        other => Err(SqlError::internal(format!("{other} is no window function"))),
    }
}

fn aggregate_of(call: &WindowFunction) -> SqlResult<AggregateFunction> {
    let mut args = call.params.args.clone();
    let func = match &call.fun {
        WindowFunctionDefinition::AggregateUDF(func) => Arc::clone(func),
        WindowFunctionDefinition::WindowUDF(function) => match function.name() {
            "first_value" => first_value_udaf(),
            "last_value" => last_value_udaf(),
            "lag" => {
                args.truncate(1);
                first_value_udaf()
            }
            name => {
                let called = name.to_ascii_uppercase();
                let error = SqlError::unsupported(format!("{called}() OVER in a streaming query"));
                return Err(match called.as_str() {
                    "ROW_NUMBER" => error.help("keep the first rows: … WHERE rn <= 10"),
                    "LEAD" => error.help("rows to come are not known yet; LAG looks back"),
                    _ => error,
                });
            }
        },
    };
    let params = AggregateFunctionParams {
        args,
        distinct: call.params.distinct,
        filter: call.params.filter.clone(),
        order_by: Vec::new(),
        null_treatment: call.params.null_treatment,
    };
    Ok(AggregateFunction { func, params })
}

struct Lag {
    /// How far back, in rows.
    rows: u64,
    /// What it is where no row is so far back, if not NULL.
    default: Option<ScalarValue>,
}

/// The constants of `LAG(x, rows, default)`; none of other functions.
fn lag_of(call: &WindowFunction, field: &FieldRef) -> SqlResult<Option<Lag>> {
    let WindowFunctionDefinition::WindowUDF(function) = &call.fun else { return Ok(None) };
    if function.name() != "lag" {
        return Ok(None);
    }
    let wants = |what: &str| {
        bad("LAG", what)
            .help("it is written LAG(value, 1, default) OVER (PARTITION BY … ORDER BY time)")
    };
    if call.params.null_treatment == Some(NullTreatment::IgnoreNulls) {
        return Err(wants("takes rows with NULL as they are"));
    }
    let rows = match call.params.args.get(1) {
        None => 1,
        Some(rows) => constant(rows)
            .and_then(|rows| count(&rows))
            .ok_or_else(|| wants("goes back by a constant number of rows"))?,
    };
    let default = match call.params.args.get(2) {
        None => None,
        Some(default) => constant(default)
            .and_then(|default| default.cast_to(field.data_type()).ok())
            .map(Some)
            .ok_or_else(|| wants("has a constant default of the value's type"))?,
    };
    Ok(Some(Lag { rows, default }))
}

/// The value of a literal, as such or under casts and a sign.
fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Cast(cast) => constant(&cast.expr)?.cast_to(cast.field.data_type()).ok(),
        Expr::Negative(of) => constant(of)?.arithmetic_negate().ok(),
        _ => None,
    }
}

fn bad(called: &str, what: &str) -> SqlError {
    let name = called.to_ascii_uppercase();
    SqlError::new(codes::BAD_OVER, format!("{name}() OVER {what} in a streaming query"))
}

fn frame_of(frame: &WindowFrame, called: &str) -> SqlResult<Frame> {
    if frame.end_bound != WindowFrameBound::CurrentRow {
        return Err(bad(called, "has a frame that ends at CURRENT ROW"));
    }
    let rows = frame.units == WindowFrameUnits::Rows;
    match (&frame.start_bound, &frame.units) {
        (WindowFrameBound::Preceding(value), _) if value.is_null() => Ok(Frame::Unbounded { rows }),
        (WindowFrameBound::Preceding(value), WindowFrameUnits::Rows) => count(value)
            .map(Frame::Rows)
            .ok_or_else(|| bad(called, "counts the rows of its frame by a whole number")),
        (WindowFrameBound::Preceding(value), WindowFrameUnits::Range) => millis(value)
            .map(Frame::Range)
            .ok_or_else(|| bad(called, "has a RANGE of an interval of days or less")),
        (WindowFrameBound::CurrentRow, WindowFrameUnits::Rows) => Ok(Frame::Rows(0)),
        (WindowFrameBound::CurrentRow, WindowFrameUnits::Range) => Ok(Frame::Range(0)),
        _ => Err(bad(called, "has a frame of ROWS or RANGE before the current row")),
    }
}

fn count(value: &ScalarValue) -> Option<u64> {
    match value.cast_to(&datafusion::arrow::datatypes::DataType::UInt64).ok()? {
        ScalarValue::UInt64(count) => count,
        _ => None,
    }
}

/// An interval without months in milliseconds.
fn millis(value: &ScalarValue) -> Option<i64> {
    const DAY: i64 = 86_400_000;
    match value {
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano {
            months: 0,
            days,
            nanoseconds,
        })) => i64::from(*days).checked_mul(DAY)?.checked_add(nanoseconds / 1_000_000),
        ScalarValue::IntervalDayTime(Some(interval)) => {
            i64::from(interval.days).checked_mul(DAY)?.checked_add(i64::from(interval.milliseconds))
        }
        ScalarValue::DurationMillisecond(Some(ms)) => Some(*ms),
        _ => None,
    }
}

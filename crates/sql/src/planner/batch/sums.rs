//! Sums of integers that do not wrap: they are added up as decimals, and a result that is no BIGINT
//! is an error, as in the streaming operators.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast,
};

/// Wide enough for the sum of as many rows as there can be.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// The node with sums of integers added up wide.
pub(super) fn widen(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let schema = Arc::clone(aggregate.input.schema());
    let mut changed = vec![false; aggregate.aggr_expr.len()];
    let wide: Vec<Expr> = aggregate
        .aggr_expr
        .iter()
        .zip(&mut changed)
        .map(|(expr, changed)| {
            let is_sum = |e: &Expr| e.get_type(schema.as_ref()).is_ok_and(|t| t.is_integer());
            wider(expr.clone(), &is_sum, changed)
        })
        .collect();
    if !changed.contains(&true) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let outputs = aggregate.schema.columns();
    let groups = outputs.len() - changed.len();
    let types: Vec<DataType> =
        aggregate.schema.fields().iter().map(|f| f.data_type().clone()).collect();
    let plan = Aggregate::try_new(aggregate.input, aggregate.group_expr, wide)?;
    let plan = LogicalPlan::Aggregate(plan);
    let narrow = plan.schema().columns().into_iter().zip(outputs).enumerate();
    let narrow = narrow.map(|(at, (column, output))| {
        let value = Expr::Column(column);
        if at >= groups && changed[at - groups] {
            cast(value, types[at].clone()).alias_qualified(output.relation, output.name)
        } else {
            value
        }
    });
    let narrow: Vec<Expr> = narrow.collect();
    Ok(Transformed::yes(LogicalPlanBuilder::from(plan).project(narrow)?.build()?))
}

fn wider(expr: Expr, is_integer: &dyn Fn(&Expr) -> bool, changed: &mut bool) -> Expr {
    match expr {
        Expr::Alias(mut alias) => {
            alias.expr = Box::new(wider(*alias.expr, is_integer, changed));
            Expr::Alias(alias)
        }
        Expr::AggregateFunction(mut call) if call.func.name() == "sum" => {
            if let [arg] = call.params.args.as_slice()
                && is_integer(arg)
            {
                *changed = true;
                call.params.args = vec![cast(arg.clone(), WIDE)];
            }
            Expr::AggregateFunction(call)
        }
        other => other,
    }
}

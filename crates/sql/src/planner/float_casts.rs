//! Comparisons of FLOAT or DOUBLE with DECIMAL are of DOUBLEs: DataFusion would make the other one
//! exact, which fails for NaN, infinities and numbers of over 38 digits.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast,
};

/// The plan with decimals that are compared with floating-point numbers cast to DOUBLE.
pub(super) fn compared(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|expr| Ok(comparison(expr, &schema)))?;
            Ok(if changed.transformed { changed.update_data(|e| name.restore(e)) } else { changed })
        })
    })?;
    Ok(changed.data)
}

fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn comparison(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let mut sides: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(*op) => {
            vec![left, right]
        }
        Expr::Between(Between { expr, low, high, .. }) => vec![expr, low, high],
        Expr::InList(InList { expr, list, .. }) => {
            std::iter::once(expr.as_mut()).chain(list.iter_mut()).collect()
        }
        _ => return Transformed::no(expr),
    };
    let types: Vec<Option<DataType>> = sides.iter().map(|e| e.get_type(schema).ok()).collect();
    let is_decimal = |t: &Option<DataType>| matches!(t, Some(DataType::Decimal128(..)));
    let floats = types.iter().flatten().any(DataType::is_floating);
    if !floats || !types.iter().any(is_decimal) {
        return Transformed::no(expr);
    }
    for (side, data_type) in sides.iter_mut().zip(&types) {
        if is_decimal(data_type) {
            **side = cast(side.clone(), DataType::Float64);
        }
    }
    Transformed::yes(expr)
}

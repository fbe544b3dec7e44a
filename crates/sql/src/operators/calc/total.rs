//! What cannot fail may be evaluated early, or for rows that do not need it.

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Operator, Volatility};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};

use super::PhysExpr;
use super::case::EagerCase;
use crate::functions::is_pattern;

/// Functions that give a value or NULL for whatever they are given.
const TOTAL: &[&str] =
    &["lower", "upper", "char_length", "character_length", "split_index", "hour", "minute"];

/// Whether an expression gives a value or NULL for every row, always the same.
pub(super) fn is_total(expr: &PhysExpr, schema: &Schema) -> bool {
    let itself = is_light_node(expr)
        || is_field(expr)
        || is_widening(expr, schema)
        || expr.downcast_ref::<CaseExpr>().is_some()
        || expr.downcast_ref::<ScalarFunctionExpr>().is_some_and(is_total_function);
    itself && expr.children().into_iter().all(|child| is_total(child, schema))
}

/// Whether evaluating an expression costs little more than looking at its columns, and cannot fail.
pub(super) fn is_light(expr: &PhysExpr) -> bool {
    let itself = is_light_node(expr) || is_field(expr);
    itself && expr.children().into_iter().all(is_light)
}

/// Whether an expression is a column, a constant, or a field of one: there is nothing to evaluate.
pub(super) fn is_place(expr: &PhysExpr) -> bool {
    expr.downcast_ref::<Column>().is_some()
        || expr.downcast_ref::<Literal>().is_some()
        || is_field(expr)
}

/// Whether an expression is a field of a row in a column.
pub(super) fn is_field(expr: &PhysExpr) -> bool {
    let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>() else { return false };
    let [of, names @ ..] = call.args() else { return false };
    let constant = |name: &PhysExpr| name.downcast_ref::<Literal>().is_some();
    let place = of.downcast_ref::<Column>().is_some() || is_field(of);
    // Of a map it is a search.
    call.name() == "get_field" && place && names.iter().all(constant)
}

/// Whether an expression gives the same value for the same row at any time.
pub(super) fn is_immutable(expr: &PhysExpr) -> bool {
    let volatility = |f: &ScalarFunctionExpr| f.fun().signature().volatility;
    let itself = expr
        .downcast_ref::<ScalarFunctionExpr>()
        .is_none_or(|f| volatility(f) == Volatility::Immutable);
    itself && expr.children().into_iter().all(is_immutable)
}

fn is_light_node(expr: &PhysExpr) -> bool {
    use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
    let compares = |binary: &BinaryExpr| {
        matches!(
            binary.op(),
            And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom
        )
    };
    expr.downcast_ref::<Column>().is_some()
        || expr.downcast_ref::<Literal>().is_some()
        || expr.downcast_ref::<BinaryExpr>().is_some_and(compares)
        || expr.downcast_ref::<NotExpr>().is_some()
        || expr.downcast_ref::<IsNullExpr>().is_some()
        || expr.downcast_ref::<IsNotNullExpr>().is_some()
        || expr.downcast_ref::<InListExpr>().is_some()
        || expr.downcast_ref::<EagerCase>().is_some()
}

fn is_widening(expr: &PhysExpr, schema: &Schema) -> bool {
    let Some(cast) = expr.downcast_ref::<CastExpr>() else { return false };
    match (cast.expr().data_type(schema), cast.cast_type()) {
        (Ok(DataType::Int8 | DataType::Int16 | DataType::Int32), DataType::Int64) => true,
        (Ok(from), to) => from == *to,
        _ => false,
    }
}

fn is_total_function(call: &ScalarFunctionExpr) -> bool {
    let constant = |i: usize| match call.args().get(i)?.downcast_ref::<Literal>()?.value() {
        ScalarValue::Utf8(Some(text)) => Some(text.clone()),
        _ => None,
    };
    match call.name() {
        // With a pattern that is none it fails.
        "regexp_extract" => constant(1).is_some_and(|pattern| is_pattern(&pattern)),
        name => TOTAL.contains(&name),
    }
}

//! Calls that differ in casts only.
//!
//! DataFusion names a call without the casts in it, so that `AVG(x)` and `AVG(CAST(x AS DOUBLE))`
//! would be two columns of one name. Where a query has such calls, their casts get a name.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, visit_expressions, visit_expressions_mut};

use crate::functions::named_cast;

/// Names the casts in calls that are the same without them.
pub(super) fn rewrite(query: &mut Query) {
    if !has_cast(query) {
        return;
    }
    let mut forms: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let _ = visit_expressions(query, |expr| {
        if is_call(expr) {
            let known = forms.entry(without_casts(expr)).or_default();
            let form = expr.to_string();
            if !known.contains(&form) {
                known.push(form);
            }
        }
        ControlFlow::<()>::Continue(())
    });
    forms.retain(|_, known| known.len() > 1);
    if forms.is_empty() {
        return;
    }
    let _ = visit_expressions_mut(query, |expr| {
        if is_call(expr) && forms.contains_key(&without_casts(expr)) {
            name_casts(expr);
        }
        ControlFlow::<()>::Continue(())
    });
}

fn has_cast(query: &Query) -> bool {
    let found = visit_expressions(query, |expr| match expr {
        Expr::Cast { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn is_call(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(_))
}

fn without_casts(call: &Expr) -> String {
    let mut call = call.clone();
    let _ = visit_expressions_mut(&mut call, |expr| {
        if let Expr::Cast { expr: of, .. } = expr {
            *expr = (**of).clone();
        }
        ControlFlow::<()>::Continue(())
    });
    call.to_string()
}

fn name_casts(call: &mut Expr) {
    let _ = visit_expressions_mut(call, |expr| {
        if let Expr::Cast { data_type, .. } = expr {
            let name = data_type.to_string();
            *expr = named_cast(expr.clone(), name);
        }
        ControlFlow::<()>::Continue(())
    });
}

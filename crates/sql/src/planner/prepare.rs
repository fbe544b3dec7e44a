//! What is done to the text's tree before DataFusion plans it: window table functions and group
//! windows become subqueries with marker columns, and columns get the names that the dialect gives
//! them.
//!
//! Invariant: afterwards no window function is left that DataFusion would have to know.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SelectItem, Spanned, TableFactor, VisitMut,
    VisitorMut,
};

use crate::catalog::simple_name;
use crate::error::{SqlError, SqlResult, codes};
use crate::functions;

mod calls;
mod group_windows;
pub(crate) mod hints;
mod same_names;
mod windows;

/// Rewrites a query.
///
/// # Errors
/// When a window is not written as one can be.
pub(crate) fn prepare(mut query: Query) -> SqlResult<Query> {
    if let ControlFlow::Break(error) = query.visit(&mut Rewriter) {
        return Err(error);
    }
    same_names::rewrite(&mut query);
    functions::rewrite_all(&mut query)?;
    Ok(query)
}

/// How many conditions one chain of AND or OR may have.
const MAX_CONDITIONS: usize = 1_000;

struct Rewriter;

fn flow(result: SqlResult<()>) -> ControlFlow<SqlError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl VisitorMut for Rewriter {
    type Break = SqlError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        // Names first: they come from the text as it was written.
        name_columns(select);
        flow(group_windows::rewrite(select))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        flow(
            windows::rewrite(factor)
                .and_then(|()| check(factor))
                .and_then(|()| hints::rewrite(factor)),
        )
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        calls::rewrite(expr);
        flow(refuse_long_chain(expr))
    }
}

/// Refuses conditions joined into a chain so long that planning it takes for ever: it nests.
fn refuse_long_chain(expr: &Expr) -> SqlResult<()> {
    let Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else {
        return Ok(());
    };
    let mut open = vec![expr];
    let mut conditions = 0;
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryOp { left, op: same, right } if same == op => open.extend([&**left, right]),
            _ => conditions += 1,
        }
        if conditions + open.len() > MAX_CONDITIONS {
            let message = format!("more than {MAX_CONDITIONS} conditions are joined by {op}");
            return Err(SqlError::new(codes::TOO_DEEP, message)
                .help("a list of values is written x IN (…) or x NOT IN (…)"));
        }
    }
    Ok(())
}

/// Refuses what would be left out or misread of a table.
fn check(factor: &TableFactor) -> SqlResult<()> {
    match factor {
        TableFactor::Table { name, version, .. } => {
            if version.is_some() {
                return Err(SqlError::unsupported("FOR SYSTEM_TIME AS OF").at(name.span()).help(
                    "it looks up rows of another table, which is a join, and joins come next",
                ));
            }
            simple_name(name).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Gives the columns of a SELECT the names that they have in the dialect: the last part of a
/// path into a row, `EXPR$n` for the n-th column if it is an expression; a name that is taken gets
/// a number.
fn name_columns(select: &mut Select) {
    let tables = table_names(select);
    let mut taken: Vec<String> = Vec::new();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let name = match item {
            SelectItem::ExprWithAlias { alias, .. } => {
                taken.push(alias.value.clone());
                continue;
            }
            SelectItem::UnnamedExpr(expr) => match expr {
                Expr::Identifier(ident) => {
                    if !taken.contains(&ident.value) {
                        taken.push(ident.value.clone());
                        continue;
                    }
                    ident.value.clone()
                }
                Expr::CompoundIdentifier(parts) => {
                    let Some(last) = parts.last().map(|p| p.value.clone()) else { continue };
                    let qualified = parts.len() == 2 && tables.contains(&parts[0].value);
                    if qualified && !taken.contains(&last) {
                        taken.push(last);
                        continue;
                    }
                    last
                }
                _ => format!("EXPR${index}"),
            },
            _ => continue,
        };
        let name = free(&name, &taken);
        taken.push(name.clone());
        if let SelectItem::UnnamedExpr(expr) = item {
            let expr = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('`', name) };
        }
    }
}

fn free(name: &str, taken: &[String]) -> String {
    if !taken.iter().any(|t| t == name) {
        return name.to_owned();
    }
    let numbered = (0..).map(|n| format!("{name}{n}"));
    numbered.into_iter().find(|n| !taken.contains(n)).unwrap_or_default()
}

/// The names by which columns of the FROM clause can be qualified.
fn table_names(select: &Select) -> Vec<String> {
    let joined = |t: &datafusion::sql::sqlparser::ast::TableWithJoins| {
        std::iter::once(t.relation.clone())
            .chain(t.joins.iter().map(|j| j.relation.clone()))
            .collect::<Vec<_>>()
    };
    let factors = select.from.iter().flat_map(joined);
    factors.filter_map(|factor| factor_name(&factor)).collect()
}

/// The name by which a table of the FROM clause is known.
fn factor_name(factor: &TableFactor) -> Option<String> {
    let (alias, name) = match factor {
        TableFactor::Table { alias, name, .. } => (alias, name.0.last()),
        TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. } => (alias, None),
        _ => return None,
    };
    let alias = alias.as_ref().map(|a| a.name.value.clone());
    alias.or_else(|| name.and_then(|n| n.as_ident()).map(|n| n.value.clone()))
}

/// Rewrites an expression of a table's declaration.
///
/// # Errors
/// When a window is not written as one can be.
pub(crate) fn prepare_expr(mut expr: Expr) -> SqlResult<Expr> {
    if let ControlFlow::Break(error) = expr.visit(&mut Rewriter) {
        return Err(error);
    }
    functions::rewrite(expr)
}

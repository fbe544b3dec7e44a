//! Arguments of a call in FROM: expressions over the columns of what stands before it.
//!
//! DataFusion sees these as columns of an outer query, but neither within `ARRAY[…]` nor fields of
//! them. So each name is asked for first, and the argument planned over the columns that there are.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::{AccessExpr, Expr as SqlExpr, Ident, visit_expressions};

use crate::error::{Span, SqlError, codes};

/// An argument, with columns of an outer query, and its type.
///
/// # Errors
/// When it names what is not there, or is no value of one row.
pub(super) fn plan(cx: &mut dyn RelationPlannerContext, arg: SqlExpr) -> Result<(Expr, DataType)> {
    let Seen { columns: seen, missing } = seen(cx, &arg)?;
    let arg = cx.sql_to_expr(arg, &seen).map_err(|e| not_seen(e, missing))?;
    refuse_rows(&arg)?;
    let data_type = arg.get_type(&seen)?;
    Ok((of_outer(arg, &seen)?, data_type))
}

/// The columns of what stands before that an argument names.
struct Seen {
    columns: DFSchema,
    /// A name that is no column.
    missing: Option<Vec<Ident>>,
}

/// Looks for the columns that an argument names.
fn seen(cx: &mut dyn RelationPlannerContext, arg: &SqlExpr) -> Result<Seen> {
    let mut names: Vec<Vec<Ident>> = Vec::new();
    let _ = visit_expressions(arg, |expr| {
        names.extend(path(expr));
        ControlFlow::<()>::Continue(())
    });
    let none = DFSchema::empty();
    let mut columns: Vec<Column> = Vec::new();
    let mut fields = Vec::new();
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        let mut is_there = false;
        for len in 1..=name.len().min(LONGEST) {
            let part = match len {
                1 => SqlExpr::Identifier(name[0].clone()),
                _ => SqlExpr::CompoundIdentifier(name[..len].to_vec()),
            };
            match cx.sql_to_expr(part, &none) {
                Ok(Expr::OuterReferenceColumn(field, column)) => {
                    is_there = true;
                    if !columns.contains(&column) {
                        fields.push((column.relation.clone(), field));
                        columns.push(column);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let error = SqlError::from(error);
                    if error.code == codes::AMBIGUOUS_COLUMN && name.len() == 1 {
                        return Err(error.into());
                    }
                }
            }
        }
        if is_there { &mut found } else { &mut missing }.push(name);
    }
    // The table's name in `t.rows[1].x` is visited by itself too.
    missing.retain(|name| !found.iter().any(|found| found.starts_with(name)));
    let missing = missing.into_iter().next();
    Ok(Seen { columns: DFSchema::new_with_metadata(fields, HashMap::new())?, missing })
}

/// Parts of a column's name: its database and table.
const LONGEST: usize = 3;

/// The names that an expression begins with, if it does: a column's, or a table's, its column's and
/// that of a field.
fn path(expr: &SqlExpr) -> Option<Vec<Ident>> {
    match expr {
        SqlExpr::Identifier(name) => Some(vec![name.clone()]),
        SqlExpr::CompoundIdentifier(parts) => Some(parts.clone()),
        SqlExpr::CompoundFieldAccess { root, access_chain } => {
            let mut parts = path(root)?;
            parts.extend(access_chain.iter().map_while(|access| match access {
                AccessExpr::Dot(SqlExpr::Identifier(name)) => Some(name.clone()),
                _ => None,
            }));
            Some(parts)
        }
        _ => None,
    }
}

/// An expression with its columns as those of an outer query.
fn of_outer(arg: Expr, seen: &DFSchema) -> Result<Expr> {
    let arg = arg.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => {
                let field = Arc::clone(&seen.fields()[seen.index_of_column(&column)?]);
                Transformed::yes(Expr::OuterReferenceColumn(field, column))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(arg.data)
}

/// A column that the arguments do not see.
fn not_seen(error: DataFusionError, missing: Option<Vec<Ident>>) -> SqlError {
    let error = SqlError::from(error);
    let unknown = [codes::UNKNOWN_COLUMN, codes::UNKNOWN_TABLE].contains(&error.code);
    let Some(name) = missing.filter(|_| unknown) else { return error };
    let parts: Vec<&str> = name.iter().map(|part| part.value.as_str()).collect();
    let message = format!("no column `{}`", parts.join("."));
    SqlError::new(codes::UNKNOWN_COLUMN, message)
        .at(Span::union_iter(name.iter().map(|part| part.span)))
        .help("arguments see the columns of what stands before: FROM t, LATERAL TABLE(f(t.a))")
}

/// Refuses an argument that is no value of one row.
fn refuse_rows(arg: &Expr) -> Result<()> {
    let mut found = None;
    arg.apply(|expr| {
        found = match expr {
            Expr::AggregateFunction(_) => Some("an aggregate"),
            Expr::WindowFunction(_) => Some("an OVER window"),
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) => Some("a subquery"),
            _ => found,
        };
        Ok(TreeNodeRecursion::Continue)
    })?;
    match found {
        None => Ok(()),
        Some(what) => {
            let what = format!("{what} as an argument of a table function");
            Err(SqlError::unsupported(what).help("compute it in a subquery of FROM first").into())
        }
    }
}

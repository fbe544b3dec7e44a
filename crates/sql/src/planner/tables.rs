//! The plan that a catalog table stands for: a scan of its physical and metadata columns, a
//! projection that adds the computed ones, and its watermark.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan, TableSource};
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast;

use super::context::Context;
use super::engine::parser_options;
use super::nodes::WatermarkNode;
use super::prepare;
use crate::catalog::{ColumnKind, Table};
use crate::error::{SqlError, SqlResult};

/// Options of a table that are about its watermark, not its connector.
const WATERMARK_OPTIONS: &str = "scan.watermark.";

/// What a connector reads and writes of a table: all columns that are not computed.
pub(crate) struct ConnectorTable {
    /// The table.
    pub table: Arc<Table>,
    /// Its columns that are not computed, in declared order.
    pub schema: SchemaRef,
}

impl ConnectorTable {
    pub(crate) fn new(table: &Arc<Table>) -> Self {
        let read = table.read_columns().into_iter();
        let fields: Vec<_> = read.map(|c| Arc::clone(&table.schema.fields()[c])).collect();
        ConnectorTable { table: Arc::clone(table), schema: Arc::new(Schema::new(fields)) }
    }
}

impl TableSource for ConnectorTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The connector table that a scan reads, if it reads one.
pub(crate) fn connector_table(scan: &TableScan) -> Option<&ConnectorTable> {
    scan.source.downcast_ref::<ConnectorTable>()
}

/// The plan of a table.
///
/// # Errors
/// When a computed column or the watermark cannot be planned.
pub(crate) fn plan(cx: &Context<'_>, table: &Arc<Table>) -> SqlResult<LogicalPlan> {
    let source = Arc::new(ConnectorTable::new(table));
    let scan = LogicalPlanBuilder::scan(TableReference::bare(table.name.as_str()), source, None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(SqlError::from)?;
    let columns = scan.schema().columns();
    let mut read = columns.iter();
    let mut exprs = Vec::with_capacity(table.columns.len());
    let mut computed = false;
    for (kind, field) in table.columns.iter().zip(table.schema.fields()) {
        exprs.push(match kind {
            ColumnKind::Computed(expr) => {
                computed = true;
                let of = format!("column {} of table {}", field.name(), table.name);
                expression(cx, expr, scan.schema(), &of)?.alias(field.name())
            }
            _ => Expr::Column(read.next().cloned().unwrap_or_else(|| Column::from_name(""))),
        });
    }
    let mut plan = scan;
    if computed {
        let projection = LogicalPlanBuilder::from(plan).project(exprs);
        plan = projection.and_then(LogicalPlanBuilder::build).map_err(SqlError::from)?;
    }
    let Some((at, expr)) = &table.watermark else { return Ok(plan) };
    let of = format!("watermark of table {}", table.name);
    let expr = expression(cx, expr, plan.schema(), &of)?;
    let options = table.options.iter().filter(|(key, _)| key.starts_with(WATERMARK_OPTIONS));
    Ok(WatermarkNode {
        rowtime: Expr::Column(Column::from(plan.schema().qualified_field(*at))),
        input: plan,
        expr,
        table: table.name.clone(),
        options: options.map(|(k, v)| (k.clone(), v.clone())).collect(),
    }
    .into_plan())
}

/// An expression of a table's declaration over the columns of `schema`.
///
/// # Errors
/// When it cannot be planned; the message begins with `of`, as the place would be one in the text of
/// CREATE TABLE, not of the statement at hand.
fn expression(cx: &Context<'_>, expr: &ast::Expr, schema: &DFSchema, of: &str) -> SqlResult<Expr> {
    planned(cx, expr, schema).map_err(|e| SqlError { span: None, ..e }.within(of))
}

/// An expression of the text over the columns of `schema`.
///
/// # Errors
/// When it cannot be planned.
pub(crate) fn planned(cx: &Context<'_>, expr: &ast::Expr, schema: &DFSchema) -> SqlResult<Expr> {
    let planner = SqlToRel::new_with_options(cx, parser_options(cx.state));
    let expr = prepare::prepare_expr(expr.clone())?;
    planner.sql_to_expr(expr, schema, &mut PlannerContext::new()).map_err(SqlError::from)
}

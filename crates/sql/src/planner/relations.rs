//! What stands in FROM and is neither a table nor a query: `UNNEST(…)` and calls of table functions.
//!
//! DataFusion asks for the plan of each, with the columns of what stands left of it as those of an
//! outer query. It gets a [`CorrelateNode`] over one row without columns. When the whole query is
//! planned, [`joins`] puts each beside the rows that it was joined to: DataFusion resolves names,
//! and the join that it makes is never run.

use std::sync::Arc;

use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Spanned,
    TableAlias, TableFactor,
};

use super::nodes::correlate::{CorrelateNode, Names};
use crate::catalog::simple_name;
use crate::error::{Span, SqlError, SqlResult, codes};
use crate::functions::table::{TableFunction, TableFunctions, Unnest};

mod arguments;
mod joins;

pub(super) use joins::in_place;

/// Functions of FROM that are no table functions of a program.
const BUILT_IN: [&str; 5] = ["TUMBLE", "HOP", "CUMULATE", "SESSION", "UNNEST"];

/// Plans the calls of a query's FROM clauses.
#[derive(Debug)]
pub(crate) struct Calls {
    functions: TableFunctions,
}

impl Calls {
    /// Of these functions, which have the names that the query knows them by.
    pub(crate) fn new(functions: TableFunctions) -> Self {
        Calls { functions }
    }

    fn function(&self, name: &ObjectName) -> SqlResult<Arc<dyn TableFunction>> {
        let name = simple_name(name)?;
        self.functions.get(&name.to_ascii_lowercase()).cloned().ok_or_else(|| {
            let message = format!("no table function `{name}`");
            let names = BUILT_IN.into_iter().chain(self.functions.names());
            SqlError::new(codes::UNKNOWN_FUNCTION, message).names(&name, "table functions", names)
        })
    }

    fn call(&self, factor: TableFactor) -> SqlResult<Result<Call, Box<TableFactor>>> {
        let span = factor.span();
        let (name, args, alias, with_ordinality) = match factor {
            TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } => {
                let function = Arc::new(Unnest { with_ordinality });
                return Ok(Ok(Call { function, args: array_exprs, alias, span, table: "UNNEST" }));
            }
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                (name, args, alias, with_ordinality)
            }
            TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => {
                (name, args.args, alias, with_ordinality)
            }
            TableFactor::TableFunction { expr: SqlExpr::Function(function), alias } => {
                match function.args {
                    FunctionArguments::List(list) => (function.name, list.args, alias, false),
                    _ => (function.name, Vec::new(), alias, false),
                }
            }
            other => return Ok(Err(Box::new(other))),
        };
        let span = name.span();
        let named = name.to_string();
        if named.eq_ignore_ascii_case("UNNEST") {
            let function = Arc::new(Unnest { with_ordinality });
            let args = values(args, span)?;
            return Ok(Ok(Call { function, args, alias, span, table: "UNNEST" }));
        }
        if with_ordinality {
            return Err(SqlError::unsupported("WITH ORDINALITY of anything but UNNEST").at(span));
        }
        let function = self.function(&name).map_err(|e| e.or_at(span))?;
        let args = values(args, span)?;
        Ok(Ok(Call { function, args, alias, span, table: "" }))
    }
}

fn values(args: Vec<FunctionArg>, span: Span) -> SqlResult<Vec<SqlExpr>> {
    let value = |arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Ok(arg),
        other => Err(SqlError::unsupported(format!("`{other}` as an argument")).at(span)),
    };
    args.into_iter().map(value).collect()
}

/// A call in FROM.
struct Call {
    function: Arc<dyn TableFunction>,
    args: Vec<SqlExpr>,
    alias: Option<TableAlias>,
    span: Span,
    /// What its rows are called where the query gives them no name; none: as the function.
    table: &'static str,
}

impl RelationPlanner for Calls {
    fn plan_relation(
        &self,
        relation: TableFactor,
        cx: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let call = match self.call(relation)? {
            Ok(call) => call,
            Err(original) => return Ok(RelationPlanning::Original(original)),
        };
        let span = call.span;
        let plan = call.plan(cx).map_err(|e| SqlError::from(e).or_at(span))?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

impl Call {
    fn plan(self, cx: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
        let one_row = LogicalPlanBuilder::empty(true).build()?;
        let mut args = Vec::with_capacity(self.args.len());
        let mut types = Vec::with_capacity(self.args.len());
        for arg in self.args {
            let (arg, data_type) = arguments::plan(cx, arg)?;
            args.push(arg);
            types.push(data_type);
        }
        let types = self.function.coerce(&types)?;
        let columns = self.function.columns(&types)?;
        let known: Vec<&str> = columns.iter().map(|column| column.name().as_str()).collect();
        let names = match self.alias {
            Some(alias) => named(cx, alias, &known, self.function.name())?,
            None => {
                let name = if self.table.is_empty() { self.function.name() } else { self.table };
                let columns = known.into_iter().map(str::to_owned).collect();
                Names { table: TableReference::bare(name), columns }
            }
        };
        Ok(CorrelateNode::try_new(one_row, self.function, args, false, names)?.into_plan())
    }
}

/// The names that an alias gives to the columns of a function.
fn named(
    cx: &mut dyn RelationPlannerContext,
    alias: TableAlias,
    known: &[&str],
    function: &str,
) -> SqlResult<Names> {
    let span = alias.name.span;
    let table = cx.normalize_ident(alias.name);
    let given: Vec<Ident> = alias.columns.into_iter().map(|column| column.name).collect();
    let columns = match (given.as_slice(), known) {
        // As in Flink: the only column of `UNNEST(tags) AS tag` is `tag` too.
        ([], ["EXPR$0"]) => vec![table.clone()],
        ([], known) => known.iter().map(|name| (*name).to_owned()).collect(),
        (given, known) if given.len() == known.len() => {
            given.iter().map(|name| cx.normalize_ident(name.clone())).collect()
        }
        (given, known) => {
            let s = if given.len() == 1 { "" } else { "s" };
            let (named, has) = (given.len(), known.len());
            let message = format!("`{table}` names {named} column{s}, and {function} gives {has}");
            return Err(SqlError::new(codes::PLAN, message)
                .at(span)
                .help(format!("columns are {}", known.join(", "))));
        }
    };
    Ok(Names { table: TableReference::bare(table), columns })
}

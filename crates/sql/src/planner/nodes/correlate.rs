//! The node of a table function: rows beside what the function makes of each.
//!
//! The last columns of its input are the arguments, computed by a projection beneath it. They do
//! not leave the node, so that an array that nobody reads but `UNNEST` is not copied to each of its
//! elements.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{
    Column, DFSchema, DFSchemaRef, DataFusionError, Result, TableReference, internal_err,
};
use datafusion::logical_expr::{
    EmptyRelation, Expr, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder, Projection,
    UserDefinedLogicalNodeCore, cast,
};

use crate::functions::table::TableFunction;
use crate::operators::correlate::Correlation;

/// What the columns of arguments are called, with a number behind it.
const ARGUMENT: &str = "__argument_";

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct CorrelateNode {
    /// The rows, with the arguments.
    pub input: LogicalPlan,
    /// The function.
    pub function: Arc<dyn TableFunction>,
    /// The columns of the arguments.
    args: Vec<Expr>,
    /// A row of which the function makes none stays, beside NULLs.
    pub outer: bool,
    /// What the function's columns are called.
    names: Names,
    schema: DFSchemaRef,
}

/// What a function's columns are called in the query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Names {
    /// The table that they are of.
    pub table: TableReference,
    /// One for each.
    pub columns: Vec<String>,
}

impl CorrelateNode {
    /// The rows of `input` beside what `function` makes of `args`, which are cast to the types that
    /// it takes.
    ///
    /// # Errors
    /// When it does not take them.
    pub(crate) fn try_new(
        input: LogicalPlan,
        function: Arc<dyn TableFunction>,
        args: Vec<Expr>,
        outer: bool,
        names: Names,
    ) -> Result<Self> {
        let given = args.iter().map(|arg| arg.get_type(input.schema()));
        let given = given.collect::<Result<Vec<DataType>>>()?;
        let wanted = function.coerce(&given)?;
        let typed = args.into_iter().zip(given.iter().zip(wanted));
        let typed = typed.map(|(arg, (given, wanted))| match *given == wanted {
            true => arg,
            false => cast(arg, wanted),
        });
        Self::beside(input, function, typed.collect(), outer, names)
    }

    /// As [`CorrelateNode::try_new`] with arguments of the right types.
    fn beside(
        input: LogicalPlan,
        function: Arc<dyn TableFunction>,
        args: Vec<Expr>,
        outer: bool,
        names: Names,
    ) -> Result<Self> {
        let mut exprs: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let mut columns = Vec::with_capacity(args.len());
        for (number, arg) in args.into_iter().enumerate() {
            let name = format!("{ARGUMENT}{number}");
            columns.push(Expr::Column(Column::from_name(&name)));
            exprs.push(arg.alias(name));
        }
        let input = LogicalPlanBuilder::from(input).project(exprs)?.build()?;
        Self::over(input, function, columns, outer, names)
    }

    /// The node over an input that has the arguments.
    fn over(
        input: LogicalPlan,
        function: Arc<dyn TableFunction>,
        args: Vec<Expr>,
        outer: bool,
        names: Names,
    ) -> Result<Self> {
        let places = places(&input, &args)?;
        let columns = input.schema().iter().enumerate();
        let types: Vec<DataType> =
            places.iter().map(|c| input.schema().field(*c).data_type().clone()).collect();
        let mut fields: Vec<_> = columns
            .filter(|(at, _)| !places.contains(at))
            .map(|(_, (table, field))| (table.cloned(), Arc::clone(field)))
            .collect();
        for (field, name) in function.columns(&types)?.into_iter().zip(&names.columns) {
            let field = Field::new(name, field.data_type().clone(), true);
            fields.push((Some(names.table.clone()), Arc::new(field)));
        }
        let metadata = input.schema().metadata().clone();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, metadata)?);
        Ok(CorrelateNode { input, function, args, outer, names, schema })
    }

    /// The same beside the rows of `left`, whose columns the arguments refer to as those of an outer
    /// query; none: it refers to others.
    ///
    /// The node is the right side of a join, over a row without columns or over other such nodes.
    pub(crate) fn moved_beside(
        &self,
        left: LogicalPlan,
        outer: bool,
    ) -> Result<Option<LogicalPlan>> {
        let LogicalPlan::Projection(Projection { input, expr, .. }) = &self.input else {
            return Ok(None);
        };
        let (left, outer) = match correlated(input) {
            // Of a row all of them would have to be missing.
            Some(_) if outer => return Ok(None),
            Some(below) => match below.moved_beside(left, false)? {
                Some(left) => (left, self.outer),
                None => return Ok(None),
            },
            None if is_one_row(input) => (left, outer),
            None => return Ok(None),
        };
        let first = expr.len() - self.args.len();
        let mut args = Vec::with_capacity(self.args.len());
        for arg in &expr[first..] {
            match of_this_query(arg.clone().unalias(), left.schema())? {
                Some(arg) => args.push(arg),
                None => return Ok(None),
            }
        }
        let (function, names) = (Arc::clone(&self.function), self.names.clone());
        Ok(Some(Self::beside(left, function, args, outer, names)?.into_plan()))
    }

    /// Whether an argument is of an outer query.
    pub(crate) fn refers_out(&self) -> bool {
        match &self.input {
            LogicalPlan::Projection(Projection { expr, .. }) => {
                let args = &expr[expr.len().saturating_sub(self.args.len())..];
                args.iter().any(Expr::contains_outer)
            }
            _ => false,
        }
    }

    /// As a node of a plan.
    pub(crate) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// How it is done with chunks of the input's columns.
    pub(crate) fn correlation(&self) -> Result<Correlation> {
        let args = places(&self.input, &self.args)?;
        let keep = (0..self.input.schema().fields().len()).filter(|c| !args.contains(c)).collect();
        let (function, outer) = (Arc::clone(&self.function), self.outer);
        Ok(Correlation { function, args, keep, outer })
    }
}

/// The node that a plan is, also as a subquery.
pub(crate) fn correlated(plan: &LogicalPlan) -> Option<&CorrelateNode> {
    match plan {
        LogicalPlan::Subquery(subquery) => correlated(&subquery.subquery),
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

fn is_one_row(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema })
        if schema.fields().is_empty())
}

/// An expression with columns of an outer query as columns of `schema`; none: some are not there.
fn of_this_query(arg: Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let mut missing = false;
    let arg = arg.transform(|expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(_, column) => {
                missing |= schema.index_of_column(&column).is_err();
                Transformed::yes(Expr::Column(column))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok((!missing).then_some(arg.data))
}

fn places(input: &LogicalPlan, args: &[Expr]) -> Result<Vec<usize>> {
    let place = |arg: &Expr| match arg {
        Expr::Column(column) => input.schema().index_of_column(column),
        other => internal_err!("the argument of a table function is no column but {other}"),
    };
    args.iter().map(place).collect::<Result<_, DataFusionError>>()
}

impl PartialEq for CorrelateNode {
    fn eq(&self, other: &Self) -> bool {
        self.function.name() == other.function.name()
            && self.args == other.args
            && self.outer == other.outer
            && self.names == other.names
            && self.input == other.input
    }
}

impl Eq for CorrelateNode {}

impl Hash for CorrelateNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.function.name().hash(state);
        self.names.hash(state);
    }
}

impl PartialOrd for CorrelateNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for CorrelateNode {
    fn name(&self) -> &str {
        "Correlate"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }
    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }
    fn expressions(&self) -> Vec<Expr> {
        self.args.clone()
    }
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        // What is said of the row itself may be said before it is taken apart.
        self.names.columns.iter().cloned().collect()
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<String> = self.args.iter().map(ToString::to_string).collect();
        let join = if self.outer { "LEFT" } else { "INNER" };
        let (function, columns) = (self.function.name(), self.names.columns.join(", "));
        let table = &self.names.table;
        write!(f, "Correlate: {join} {function}({}) AS {table}({columns})", args.join(", "))
    }
    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Some(input) = inputs.into_iter().next() else {
            return internal_err!("a table function has one input");
        };
        let (function, names) = (Arc::clone(&self.function), self.names.clone());
        Self::over(input, function, exprs, self.outer, names)
    }
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let correlation = self.correlation().ok()?;
        let kept = output_columns.iter().filter_map(|c| correlation.keep.get(*c).copied());
        let mut wanted: Vec<usize> = kept.chain(correlation.args).collect();
        wanted.sort_unstable();
        wanted.dedup();
        Some(vec![wanted])
    }
}

//! `TABLE(TUMBLE(TABLE t, …)) AS w` → `(SELECT *, <markers> FROM t) AS w`.
//!
//! A subquery keeps the scope of names: the table may be a CTE of the query around it.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, SelectItem, SetExpr, Statement, TableAlias, TableFactor, Value,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{SqlError, SqlResult};
use crate::planner::markers::{MARKERS, spec_text};
use crate::planner::nodes::{WINDOW_END, WINDOW_START, WINDOW_TIME, WindowSpec};
use crate::syntax::tvf::{self, WindowKind};

/// Rewrites a table factor that is a window table function.
pub(super) fn rewrite(factor: &mut TableFactor) -> SqlResult<()> {
    let Some(tvf) = tvf::window_tvf(factor)? else { return Ok(()) };
    let offset = tvf.offset_ms;
    let mut keys = Vec::new();
    let spec = match tvf.kind {
        WindowKind::Tumble { size_ms: size } => WindowSpec::Tumble { size, offset },
        WindowKind::Hop { slide_ms: slide, size_ms: size } => {
            WindowSpec::Hop { slide, size, offset }
        }
        WindowKind::Cumulate { step_ms: step, size_ms: size } => {
            WindowSpec::Cumulate { step, size, offset }
        }
        WindowKind::Session { gap_ms: gap, partition_by } => {
            keys = partition_by.into_iter().map(Expr::Identifier).collect();
            WindowSpec::Session { gap, by_group: false }
        }
    };
    let time = Expr::Identifier(tvf.time_column);
    *factor = windowed(tvf.input, None, time, spec, keys, tvf.alias)?;
    Ok(())
}

/// The subquery of all rows of `input` that `selection` keeps, with marker columns.
pub(super) fn windowed(
    input: TableFactor,
    selection: Option<Expr>,
    time: Expr,
    spec: WindowSpec,
    keys: Vec<Expr>,
    alias: Option<TableAlias>,
) -> SqlResult<TableFactor> {
    let mut args = vec![time, Expr::value(Value::SingleQuotedString(spec_text(&spec)))];
    args.extend(keys);
    let bounds = MARKERS.into_iter().zip([WINDOW_START, WINDOW_END, WINDOW_TIME]);
    let bounds = bounds.map(|(marker, name)| (call(marker, args.clone()), name)).collect();
    extended(input, selection, bounds, alias)
}

/// The subquery of all rows of `input` that `selection` keeps, with more columns.
pub(super) fn extended(
    input: TableFactor,
    selection: Option<Expr>,
    columns: Vec<(Expr, &str)>,
    alias: Option<TableAlias>,
) -> SqlResult<TableFactor> {
    let mut subquery = template()?;
    if let SetExpr::Select(select) = subquery.body.as_mut() {
        for (expr, name) in columns {
            let alias = Ident::with_quote('`', name);
            select.projection.push(SelectItem::ExprWithAlias { expr, alias });
        }
        if let Some(from) = select.from.first_mut() {
            from.relation = input;
        }
        select.selection = selection;
    }
    Ok(TableFactor::Derived { lateral: false, subquery: Box::new(subquery), alias, sample: None })
}

/// `SELECT * FROM t`, to be filled in.
fn template() -> SqlResult<Query> {
    let parsed = Parser::parse_sql(&GenericDialect {}, "SELECT * FROM t");
    match parsed.map(|mut statements| statements.pop()) {
        Ok(Some(Statement::Query(query))) => Ok(*query),
        _ => Err(SqlError::internal("the template of a window does not parse")),
    }
}

/// A call of a function with plain arguments.
fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

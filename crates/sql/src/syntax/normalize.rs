//! Brings a query into the one form that the planner reads, and refuses clauses that nobody would
//! read: DataFusion leaves some of them out silently.
//!
//! - `UNNEST(…)` is `TableFactor::UNNEST`, `LATERAL TABLE(f(x))` a lateral `TableFactor::Function`;
//! - `FETCH FIRST n ROWS ONLY` is `LIMIT n`, `MINUS` is `EXCEPT`;
//! - intervals have one unit;
//! - table hints are in `with_hints` (see [`super::hints`]).

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause, ObjectName,
    ObjectNamePart, Query, Select, SetExpr, SetOperator, Spanned, TableFactor, VisitMut,
    VisitorMut,
};

use super::hints::TableHints;
use super::{emit, foreign, interval, tvf};
use crate::error::{Span, SqlError, SqlResult, codes};

/// Normalizes a query or expression.
///
/// # Errors
/// When it has a clause that is not supported.
pub(super) fn normalize<T: VisitMut>(tree: &mut T, hints: &mut TableHints) -> SqlResult<()> {
    match tree.visit(&mut Normalize { hints }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Normalize<'a> {
    hints: &'a mut TableHints,
}

impl VisitorMut for Normalize<'_> {
    type Break = Box<SqlError>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        flow(normalize_query(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        flow(check_select(select))
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<Self::Break> {
        flow(self.table(table))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        flow(normalize_expr(expr))
    }

    // After what is below it: the tables that it makes are not looked at again.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Function(function) = expr
            && let FunctionArguments::List(list) = &mut function.args
        {
            for arg in &mut list.args {
                self.argument_hint(arg);
            }
        }
        ControlFlow::Continue(())
    }
}

fn flow(result: SqlResult<()>) -> ControlFlow<Box<SqlError>> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(e) => ControlFlow::Break(Box::new(e)),
    }
}

fn normalize_query(query: &mut Query) -> SqlResult<()> {
    emit(query)?;
    let unsupported = |clause: &str| SqlError::unsupported(format!("the clause {clause}"));
    if !query.locks.is_empty() || query.for_clause.is_some() {
        return Err(unsupported("FOR UPDATE"));
    }
    if query.format_clause.is_some() {
        return Err(unsupported("FORMAT"));
    }
    if !query.pipe_operators.is_empty() {
        return Err(unsupported("|>"));
    }
    if let Some(fetch) = query.fetch.take() {
        let limit = fetch_limit(fetch)?;
        match &mut query.limit_clause {
            None => {
                query.limit_clause = Some(LimitClause::LimitOffset {
                    limit: Some(limit),
                    offset: None,
                    limit_by: Vec::new(),
                });
            }
            Some(LimitClause::LimitOffset { limit: none @ None, .. }) => *none = Some(limit),
            Some(_) => return Err(SqlError::new(codes::SYNTAX, "LIMIT and FETCH are both there")),
        }
    }
    // Set operations nest to the left, as deep as there are of them.
    let mut body = query.body.as_mut();
    loop {
        match body {
            SetExpr::SetOperation { op, left, .. } => {
                if *op == SetOperator::Minus {
                    *op = SetOperator::Except;
                }
                body = left.as_mut();
            }
            SetExpr::Insert(_) => {
                return Err(SqlError::new(codes::SYNTAX, "WITH stands in front of INSERT")
                    .help("write INSERT INTO t WITH x AS (…) SELECT …"));
            }
            SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return Err(SqlError::unsupported("UPDATE, DELETE or MERGE in a query"));
            }
            SetExpr::Table(_) => {
                return Err(
                    SqlError::unsupported("TABLE t as a query").help("write SELECT * FROM t")
                );
            }
            _ => return Ok(()),
        }
    }
}

fn fetch_limit(fetch: Fetch) -> SqlResult<Expr> {
    if fetch.with_ties || fetch.percent {
        return Err(SqlError::unsupported("FETCH … WITH TIES or PERCENT"));
    }
    fetch.quantity.ok_or_else(|| SqlError::new(codes::SYNTAX, "FETCH FIRST has no number"))
}

fn check_select(select: &Select) -> SqlResult<()> {
    let clause = [
        (select.top.is_some(), "TOP", "use LIMIT"),
        (select.into.is_some(), "SELECT INTO", "use CREATE TABLE … AS or INSERT INTO"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW", "use CROSS JOIN UNNEST(…)"),
        (select.prewhere.is_some(), "PREWHERE", "use WHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY", "use WITH RECURSIVE"),
        (!select.cluster_by.is_empty(), "CLUSTER BY", "leave it out"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY", "leave it out"),
        (!select.sort_by.is_empty(), "SORT BY", "use ORDER BY"),
        (select.value_table_mode.is_some(), "SELECT AS", "leave it out"),
        (select.select_modifiers.is_some(), "SELECT modifiers", "leave them out"),
    ]
    .into_iter()
    .find(|(is_there, ..)| *is_there);
    match clause {
        Some((_, clause, help)) => {
            Err(SqlError::unsupported(clause).at(select.select_token.0.span).help(help))
        }
        None => Ok(()),
    }
}

fn normalize_expr(expr: &mut Expr) -> SqlResult<()> {
    match expr {
        Expr::Interval(interval) => interval::normalize(interval),
        Expr::Function(function) => foreign::check_call(function),
        _ => Ok(()),
    }
}

impl Normalize<'_> {
    fn table(&mut self, table: &mut TableFactor) -> SqlResult<()> {
        match table {
            TableFactor::Table {
                name,
                args,
                with_hints,
                partitions,
                json_path,
                sample,
                index_hints,
                alias,
                with_ordinality,
                version,
                ..
            } => {
                let span = name.span();
                let refuse = |clause: &str| Err(SqlError::unsupported(clause).at(span));
                if sample.is_some() {
                    return refuse("TABLESAMPLE");
                }
                if !partitions.is_empty() {
                    return refuse("PARTITION (…) behind a table");
                }
                if json_path.is_some() || !index_hints.is_empty() {
                    return refuse("this clause behind a table");
                }
                if !with_hints.is_empty() {
                    return Err(SqlError::unsupported("WITH (…) behind a table")
                        .at(span)
                        .help("options of one query are written /*+ OPTIONS('key' = 'value') */"));
                }
                if let Some(v) = version {
                    use datafusion::sql::sqlparser::ast::TableVersion;
                    if !matches!(v, TableVersion::ForSystemTimeAsOf(_)) {
                        return refuse("this kind of time travel");
                    }
                }
                if let Some(args) = args {
                    if args.settings.is_some() {
                        return refuse("the clause SETTINGS");
                    }
                    if is_named(name, "UNNEST") {
                        let array_exprs = exprs(std::mem::take(&mut args.args), span)?;
                        *table = TableFactor::UNNEST {
                            alias: alias.take(),
                            array_exprs,
                            with_offset: false,
                            with_offset_alias: None,
                            with_ordinality: *with_ordinality,
                        };
                        return Ok(());
                    }
                }
                if let Some(hints) = self.hints.take(span.end) {
                    *with_hints = hints;
                }
                Ok(())
            }
            TableFactor::Function { lateral: true, name, args, alias, with_ordinality }
                if is_named(name, "TABLE") =>
            {
                let span = name.span();
                let inner = exprs(std::mem::take(args), span)?;
                let [Expr::Function(function)] = inner.as_slice() else {
                    return Err(SqlError::new(
                        codes::SYNTAX,
                        "LATERAL TABLE holds one function call",
                    )
                    .at(span)
                    .help("write LATERAL TABLE(f(x)) AS t (a, b)"));
                };
                let args = match &function.args {
                    FunctionArguments::List(list) => list.args.clone(),
                    _ => Vec::new(),
                };
                *table = TableFactor::Function {
                    lateral: true,
                    name: function.name.clone(),
                    args,
                    with_ordinality: *with_ordinality,
                    alias: alias.take(),
                };
                Ok(())
            }
            TableFactor::Derived { sample: Some(_), subquery, .. } => {
                Err(SqlError::unsupported("TABLESAMPLE").at(subquery.span()))
            }
            TableFactor::MatchRecognize { table, .. } => {
                Err(SqlError::unsupported("MATCH_RECOGNIZE").at(table.span()))
            }
            TableFactor::Pivot { table, .. } | TableFactor::Unpivot { table, .. } => {
                Err(SqlError::unsupported("PIVOT").at(table.span()))
            }
            TableFactor::JsonTable { .. } => Err(SqlError::unsupported("JSON_TABLE")),
            TableFactor::OpenJsonTable { .. } => Err(SqlError::unsupported("OPENJSON")),
            TableFactor::XmlTable { .. } => Err(SqlError::unsupported("XMLTABLE")),
            TableFactor::SemanticView { .. } => Err(SqlError::unsupported("SEMANTIC_VIEW")),
            _ => Ok(()),
        }
    }

    /// A table as a function's argument takes its hints too: it becomes a query of it.
    fn argument_hint(&mut self, arg: &mut FunctionArg) {
        let (FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }) = arg
        else {
            return;
        };
        let parts = match expr {
            Expr::Identifier(name) => vec![name.clone()],
            Expr::CompoundIdentifier(parts) => parts.clone(),
            _ => return,
        };
        if let Some(hints) = self.hints.take(expr.span().end) {
            let mut table = tvf::named(parts);
            if let TableFactor::Table { with_hints, .. } = &mut table {
                *with_hints = hints;
            }
            *expr = Expr::Subquery(Box::new(select_all(table)));
        }
    }
}

/// `SELECT * FROM table`.
pub(super) fn select_all(table: TableFactor) -> Query {
    use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
    use datafusion::sql::sqlparser::ast::{
        GroupByExpr, SelectFlavor, SelectItem, TableWithJoins, WildcardAdditionalOptions,
    };
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation: table, joins: Vec::new() }],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn is_named(name: &ObjectName, wanted: &str) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(i)]
        if i.quote_style.is_none() && i.value.eq_ignore_ascii_case(wanted))
}

fn exprs(args: Vec<FunctionArg>, span: Span) -> SqlResult<Vec<Expr>> {
    args.into_iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
            other => Err(SqlError::new(
                codes::SYNTAX,
                format!("expected an expression, found `{other}`"),
            )
            .at(span)),
        })
        .collect()
}

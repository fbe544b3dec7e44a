//! The older form of windows: `GROUP BY k, TUMBLE(t, INTERVAL '1' HOUR)` with `TUMBLE_START(…)` in
//! the SELECT list → the same query over a window table function.
//!
//! The WHERE clause moves into the function's input, as it comes before the windows here.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Select, Spanned, TableAlias, TableFactor, VisitMut, VisitorMut,
};

use super::windows::{extended, windowed};
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::nodes::{WINDOW_END, WINDOW_START, WINDOW_TIME, WindowSpec};
use crate::syntax::group_window::{GroupWindow, WindowProperty, group_window, window_property};
use crate::syntax::tvf::WindowKind;

/// Name of the column that stands for `PROCTIME()` as the time of a window.
const PROCTIME: &str = "__proctime";

/// Rewrites a SELECT that groups by a window.
pub(super) fn rewrite(select: &mut Select) -> SqlResult<()> {
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return Ok(()) };
    let mut found: Option<(usize, GroupWindow)> = None;
    for (at, key) in keys.iter().enumerate() {
        let Some(window) = group_window(key)? else { continue };
        if found.is_some() {
            let message = "a query can group by one window only";
            return Err(SqlError::new(codes::BAD_WINDOW, message).at(key.span()));
        }
        found = Some((at, window));
    }
    let Some((at, window)) = found else { return Ok(()) };
    let of = keys.remove(at).span();
    let spec = spec(&window.kind);
    let [from] = select.from.as_mut_slice() else {
        let message = format!("{} in GROUP BY needs one table in FROM", spec.name());
        return Err(SqlError::new(codes::BAD_WINDOW, message).at(of));
    };
    if !from.joins.is_empty() {
        return Err(SqlError::unsupported(format!("{} in GROUP BY over a join", spec.name()))
            .help("join in a subquery or a view, and group its result")
            .at(of));
    }
    let alias = super::factor_name(&from.relation).map(|name| TableAlias {
        explicit: true,
        name: Ident::with_quote('`', name),
        columns: Vec::new(),
        at: None,
    });
    let mut selection = select.selection.take();
    let mut input: TableFactor = from.relation.clone();
    let mut time = window.time;
    if matches!(time, Expr::Function(_)) {
        let added = vec![(time, PROCTIME)];
        input = extended(input, selection.take(), added, alias.clone())?;
        time = column(PROCTIME);
    }
    from.relation = windowed(input, selection, time, spec, Vec::new(), alias)?;
    let mut bounds = Bounds { kind: &window.kind, rowtime: false, error: None };
    let _: ControlFlow<()> = select.projection.visit(&mut bounds);
    let _: ControlFlow<()> = select.having.visit(&mut bounds);
    if let Some(error) = bounds.error {
        return Err(error);
    }
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        keys.extend([WINDOW_START, WINDOW_END].map(column));
        keys.extend(bounds.rowtime.then(|| column(WINDOW_TIME)));
    }
    Ok(())
}

fn column(name: &str) -> Expr {
    Expr::Identifier(Ident::with_quote('`', name))
}

fn spec(kind: &WindowKind) -> WindowSpec {
    let offset = 0;
    match *kind {
        WindowKind::Tumble { size_ms: size } => WindowSpec::Tumble { size, offset },
        WindowKind::Hop { slide_ms: slide, size_ms: size } => {
            WindowSpec::Hop { slide, size, offset }
        }
        WindowKind::Cumulate { step_ms: step, size_ms: size } => {
            WindowSpec::Cumulate { step, size, offset }
        }
        WindowKind::Session { gap_ms: gap, .. } => WindowSpec::Session { gap, by_group: true },
    }
}

/// Replaces `TUMBLE_START(…)` and its like by the columns of the window.
struct Bounds<'a> {
    kind: &'a WindowKind,
    rowtime: bool,
    error: Option<SqlError>,
}

impl VisitorMut for Bounds<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let (property, window) = match window_property(expr) {
            Ok(Some(found)) => found,
            Ok(None) => return ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                return ControlFlow::Break(());
            }
        };
        if window.kind != *self.kind {
            let message = format!("`{expr}` is of another window than the one grouped by");
            self.error = Some(SqlError::new(codes::BAD_WINDOW, message).at(expr.span()));
            return ControlFlow::Break(());
        }
        *expr = match property {
            WindowProperty::Start => column(WINDOW_START),
            WindowProperty::End => column(WINDOW_END),
            WindowProperty::Rowtime | WindowProperty::Proctime => {
                self.rowtime = true;
                column(WINDOW_TIME)
            }
        };
        ControlFlow::Continue(())
    }
}

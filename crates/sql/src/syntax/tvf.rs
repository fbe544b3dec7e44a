//! Window table functions, in one typed form.
//!
//! What sqlparser makes of them:
//!
//! - `TABLE(TUMBLE(TABLE t, DESCRIPTOR(c), size))`: `TableFactor::TableFunction` with a call whose
//!   first argument is the table's name as an identifier, or a subquery;
//! - `TUMBLE(t, c, size)`, the short form: `TableFactor::Table` with arguments;
//! - `TABLE t PARTITION BY (k)`: the call `PARTITIONED(t, k)`, made by [`super::dialect`].
//!
//! Arguments may be named: `DATA`, `TIMECOL`, `SIZE`, `SLIDE`, `STEP`, `GAP`, `OFFSET`.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart,
    Query, Spanned, TableAlias, TableFactor,
};

use super::dialect::PARTITIONED;
use super::interval::interval_ms;
use crate::error::{Span, SqlError, SqlResult, codes};

/// What a window function reads.
pub type TableRef = TableFactor;

/// A window table function.
#[derive(Clone, Debug)]
pub struct WindowTvf {
    /// Which windows.
    pub kind: WindowKind,
    /// The table or query that is read, without alias.
    pub input: TableRef,
    /// The time column.
    pub time_column: Ident,
    /// By how much windows are moved from 1970-01-01 00:00.
    pub offset_ms: i64,
    /// The alias of the whole.
    pub alias: Option<TableAlias>,
    /// Where the function's name is.
    pub span: Span,
}

/// The kinds of windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Side by side.
    Tumble {
        /// Their length.
        size_ms: i64,
    },
    /// Overlapping.
    Hop {
        /// From the start of one to that of the next.
        slide_ms: i64,
        /// Their length.
        size_ms: i64,
    },
    /// Growing by steps up to a length, then again.
    Cumulate {
        /// By how much.
        step_ms: i64,
        /// Up to what.
        size_ms: i64,
    },
    /// Rows with less than the gap between them.
    Session {
        /// The gap.
        gap_ms: i64,
        /// Each value of these has its own sessions.
        partition_by: Vec<Ident>,
    },
}

impl WindowKind {
    /// The function's name.
    pub fn name(&self) -> &'static str {
        match self {
            WindowKind::Tumble { .. } => "TUMBLE",
            WindowKind::Hop { .. } => "HOP",
            WindowKind::Cumulate { .. } => "CUMULATE",
            WindowKind::Session { .. } => "SESSION",
        }
    }
}

/// How each function is called, and the names of its arguments from the third on.
fn shape(name: &str) -> Option<(&'static [&'static str], &'static str)> {
    Some(match name {
        "TUMBLE" => (&["SIZE"], "TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))"),
        "HOP" => (
            &["SLIDE", "SIZE"],
            "TABLE(HOP(TABLE t, DESCRIPTOR(time), slide => INTERVAL '10' SECOND, \
             size => INTERVAL '1' MINUTE))",
        ),
        "CUMULATE" => (
            &["STEP", "SIZE"],
            "TABLE(CUMULATE(TABLE t, DESCRIPTOR(time), INTERVAL '1' HOUR, INTERVAL '1' DAY))",
        ),
        "SESSION" => (
            &["GAP"],
            "TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(time), INTERVAL '30' SECOND))",
        ),
        _ => return None,
    })
}

/// Reads a window table function; what is none gives `None`.
///
/// # Errors
/// When it is one and its arguments are wrong.
pub fn window_tvf(factor: &TableFactor) -> SqlResult<Option<WindowTvf>> {
    let (name, args, alias) = match factor {
        TableFactor::TableFunction { expr: Expr::Function(function), alias } => {
            match &function.args {
                FunctionArguments::List(list) => (&function.name, list.args.as_slice(), alias),
                _ => return Ok(None),
            }
        }
        TableFactor::Table { name, args: Some(args), alias, .. } => {
            (name, args.args.as_slice(), alias)
        }
        TableFactor::Function { name, args, alias, .. } => (name, args.as_slice(), alias),
        _ => return Ok(None),
    };
    let Some(ident) = single(name) else { return Ok(None) };
    let function = ident.value.to_ascii_uppercase();
    let Some((names, usage)) = shape(&function) else { return Ok(None) };
    let call = Call { function: &function, span: ident.span, usage };
    call.read(args, names, alias.clone()).map(Some)
}

fn single(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident),
        _ => None,
    }
}

struct Call<'a> {
    function: &'a str,
    span: Span,
    usage: &'static str,
}

impl Call<'_> {
    fn error(&self, message: impl Into<String>) -> SqlError {
        SqlError::new(codes::BAD_WINDOW, message)
            .at(self.span)
            .help(format!("it is written {}", self.usage))
    }

    fn read(
        &self,
        args: &[FunctionArg],
        lengths: &[&'static str],
        alias: Option<TableAlias>,
    ) -> SqlResult<WindowTvf> {
        let mut names = vec!["DATA", "TIMECOL"];
        names.extend(lengths);
        let required = names.len();
        // Sessions have no offset; moving them would change nothing.
        if self.function != "SESSION" {
            names.push("OFFSET");
        }
        let args = self.bind(args, &names, required)?;
        let (input, partition_by) = self.input(args[0])?;
        let time_column = self.time_column(args[1])?;
        let mut ms = Vec::new();
        for (expr, name) in args[2..].iter().zip(&names[2..]) {
            let value = interval_ms(expr).map_err(|e| self.bad_length(e, name))?;
            if value <= 0 && *name != "OFFSET" {
                return Err(self
                    .error(format!(
                        "the {} of {} must be positive, got {value} ms",
                        name.to_lowercase(),
                        self.function
                    ))
                    .at(expr.span()));
            }
            ms.push(value);
        }
        let kind = match (self.function, ms.as_slice()) {
            ("TUMBLE", [size_ms, ..]) => WindowKind::Tumble { size_ms: *size_ms },
            ("HOP", [slide_ms, size_ms, ..]) => {
                WindowKind::Hop { slide_ms: *slide_ms, size_ms: *size_ms }
            }
            ("CUMULATE", [step_ms, size_ms, ..]) => {
                WindowKind::Cumulate { step_ms: *step_ms, size_ms: *size_ms }
            }
            (_, [gap_ms, ..]) => WindowKind::Session { gap_ms: *gap_ms, partition_by },
            _ => return Err(self.error("arguments are missing")),
        };
        self.check(&kind)?;
        let offset_ms = ms.get(lengths.len()).copied().unwrap_or(0);
        Ok(WindowTvf { kind, input, time_column, offset_ms, alias, span: self.span })
    }

    /// A month is not a length; other errors are told as they are.
    fn bad_length(&self, error: SqlError, name: &str) -> SqlError {
        let mut error = error.within(format!("{} of {}", name.to_lowercase(), self.function));
        error.code = codes::BAD_WINDOW;
        error.or_at(self.span)
    }

    fn check(&self, kind: &WindowKind) -> SqlResult<()> {
        let (part, what, size) = match *kind {
            WindowKind::Hop { slide_ms, size_ms } => (slide_ms, "slide", size_ms),
            WindowKind::Cumulate { step_ms, size_ms } => (step_ms, "step", size_ms),
            _ => return Ok(()),
        };
        if part > size {
            return Err(self
                .error(format!(
                    "the {what} of {} ({part} ms) is longer than its size ({size} ms)",
                    self.function
                ))
                .label(format!("{what} comes before size")));
        }
        if size % part != 0 {
            return Err(self.error(format!(
                "the size of {} ({size} ms) must be a multiple of its {what} ({part} ms)",
                self.function
            )));
        }
        Ok(())
    }

    /// Puts the arguments into the order of their names.
    fn bind<'a>(
        &self,
        args: &'a [FunctionArg],
        names: &[&str],
        required: usize,
    ) -> SqlResult<Vec<&'a Expr>> {
        let mut bound: Vec<Option<&Expr>> = vec![None; names.len()];
        for (position, arg) in args.iter().enumerate() {
            let (slot, value) = match arg {
                FunctionArg::Unnamed(value) => (position, value),
                FunctionArg::Named { name, arg, .. } => {
                    let wanted = name.value.to_ascii_uppercase();
                    let slot = names.iter().position(|n| *n == wanted).ok_or_else(|| {
                        self.error(format!("{} has no argument `{}`", self.function, name.value))
                            .at(name.span)
                    })?;
                    (slot, arg)
                }
                FunctionArg::ExprNamed { .. } => {
                    return Err(self.error("arguments are named as name => value"));
                }
            };
            let FunctionArgExpr::Expr(expr) = value else {
                return Err(self.error(format!("`{arg}` is not an argument of {}", self.function)));
            };
            match bound.get_mut(slot) {
                Some(place @ None) => *place = Some(expr),
                Some(Some(_)) => {
                    return Err(self.error(format!("argument {} is there twice", names[slot])));
                }
                None => {
                    return Err(self
                        .error(format!(
                            "{} takes at most {} arguments, got {}",
                            self.function,
                            names.len(),
                            args.len()
                        ))
                        .at(expr.span()));
                }
            }
        }
        if let Some(missing) = bound[..required].iter().position(Option::is_none) {
            return Err(self.error(format!(
                "{} needs its argument {} ({})",
                self.function,
                missing + 1,
                names[missing].to_lowercase()
            )));
        }
        Ok(bound.into_iter().flatten().collect())
    }

    fn input(&self, expr: &Expr) -> SqlResult<(TableRef, Vec<Ident>)> {
        let mut keys = Vec::new();
        let mut table = expr;
        if let Expr::Function(f) = expr
            && single(&f.name).is_some_and(|n| n.value == PARTITIONED)
            && let FunctionArguments::List(list) = &f.args
        {
            if self.function != "SESSION" {
                return Err(self.error(format!(
                    "PARTITION BY is for SESSION; {} has the same windows for all rows",
                    self.function
                )));
            }
            let mut exprs = list.args.iter().filter_map(|a| match a {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
                _ => None,
            });
            table = exprs.next().ok_or_else(|| self.error("the table is missing"))?;
            keys = exprs
                .filter_map(|e| match e {
                    Expr::Identifier(key) => Some(key.clone()),
                    _ => None,
                })
                .collect();
        }
        let input = match table {
            Expr::Identifier(name) => named(vec![name.clone()]),
            Expr::CompoundIdentifier(parts) => named(parts.clone()),
            Expr::Subquery(query) => match only_table(query) {
                Some(table) => table.clone(),
                None => TableFactor::Derived {
                    lateral: false,
                    subquery: query.clone(),
                    alias: None,
                    sample: None,
                },
            },
            other => {
                return Err(self
                    .error(format!(
                        "the first argument of {} is a table, found `{other}`",
                        self.function
                    ))
                    .at(other.span()));
            }
        };
        Ok((input, keys))
    }

    fn time_column(&self, expr: &Expr) -> SqlResult<Ident> {
        let wrong = |expr: &Expr| {
            self.error(format!(
                "the second argument of {} is DESCRIPTOR(time column), found `{expr}`",
                self.function
            ))
            .at(expr.span())
        };
        match expr {
            Expr::Identifier(name) => Ok(name.clone()),
            Expr::Function(f)
                if single(&f.name).is_some_and(|n| n.value.eq_ignore_ascii_case("DESCRIPTOR")) =>
            {
                match &f.args {
                    FunctionArguments::List(list) => match list.args.as_slice() {
                        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name)))] => {
                            Ok(name.clone())
                        }
                        _ => Err(wrong(expr)),
                    },
                    _ => Err(wrong(expr)),
                }
            }
            other => Err(wrong(other)),
        }
    }
}

pub(super) fn named(parts: Vec<Ident>) -> TableFactor {
    TableFactor::Table {
        name: ObjectName::from(parts),
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// The table of `SELECT * FROM t`, as which [`super::normalize`] writes a table with hints.
fn only_table(query: &Query) -> Option<&TableFactor> {
    use datafusion::sql::sqlparser::ast::{SelectItem, SetExpr};
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && select.distinct.is_none()
        && select.selection.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && matches!(select.projection.as_slice(), [SelectItem::Wildcard(w)] if w.opt_exclude.is_none());
    match select.from.as_slice() {
        [from] if plain && from.joins.is_empty() => match &from.relation {
            table @ TableFactor::Table {
                with_hints,
                args: None,
                version: None,
                alias: None,
                ..
            } if !with_hints.is_empty() => Some(table),
            _ => None,
        },
        _ => None,
    }
}

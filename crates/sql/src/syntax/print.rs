//! Queries and expressions as text, in the main spelling.
//!
//! What was written in a short or foreign form is printed in Flink's: `TUMBLE(t, c, size)` with
//! TABLE and DESCRIPTOR, `x::INT` as CAST, `EMIT ON WINDOW CLOSE` as `EMIT FINAL`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Query, TableFactor, Value, VisitMut, VisitorMut,
};

use super::dialect::PARTITIONED;
use super::tvf::window_tvf;
use super::{Emit, emit};
use crate::catalog::{sql_type, type_name};

/// A query as text.
pub fn query_text(query: &Query) -> String {
    let mut query = query.clone();
    let when = emit(&query).ok().flatten();
    query.settings = None;
    let _ = query.visit(&mut MainSpelling { changed: false });
    let clause = match when {
        None => String::new(),
        Some(Emit::Final) => " EMIT FINAL".into(),
        Some(Emit::Changes) => " EMIT CHANGES".into(),
        Some(Emit::Every { ms }) => format!(" EMIT EVERY {}", interval(ms)),
    };
    format!("{query}{clause}")
}

/// An expression as text.
pub fn expr_text(expr: &Expr) -> String {
    let mut expr = expr.clone();
    let _ = expr.visit(&mut MainSpelling { changed: false });
    expr.to_string()
}

/// Whether [`query_text`] says something in another form than it was written.
pub fn has_alias(query: &Query) -> bool {
    let mut spelling = MainSpelling { changed: false };
    let _ = query.clone().visit(&mut spelling);
    spelling.changed || matches!(emit(query), Ok(Some(Emit::Final)))
}

/// Milliseconds as an interval of the largest unit that fits.
pub fn interval(ms: i64) -> String {
    let units = [(86_400_000, "DAY"), (3_600_000, "HOUR"), (60_000, "MINUTE"), (1_000, "SECOND")];
    for (length, unit) in units {
        if ms != 0 && ms % length == 0 {
            return format!("INTERVAL '{}' {unit}", ms / length);
        }
    }
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("INTERVAL '{sign}{}.{:03}' SECOND", ms / 1_000, ms % 1_000)
}

struct MainSpelling {
    changed: bool,
}

impl VisitorMut for MainSpelling {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { kind, data_type, .. } = expr {
            if *kind == CastKind::DoubleColon {
                *kind = CastKind::Cast;
                self.changed = true;
            }
            // The length of a string is kept: it cuts what is cast.
            let has_length = matches!(
                data_type,
                DataType::Varchar(Some(_))
                    | DataType::Char(_)
                    | DataType::Binary(Some(_))
                    | DataType::Varbinary(Some(_))
            );
            if let (false, Ok(arrow)) = (has_length, sql_type(data_type)) {
                *data_type = DataType::Custom(raw(type_name(&arrow)), Vec::new());
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        let Ok(Some(window)) = window_tvf(table) else { return ControlFlow::Continue(()) };
        let short = matches!(table, TableFactor::Table { .. } | TableFactor::Function { .. });
        self.changed |= short;
        let (name, args) = match table {
            TableFactor::TableFunction { expr: Expr::Function(f), .. } => {
                let FunctionArguments::List(list) = &f.args else {
                    return ControlFlow::Continue(());
                };
                (f.name.clone(), list.args.clone())
            }
            TableFactor::Table { name, args: Some(args), .. } => (name.clone(), args.args.clone()),
            TableFactor::Function { name, args, .. } => (name.clone(), args.clone()),
            _ => return ControlFlow::Continue(()),
        };
        let args = args
            .into_iter()
            .enumerate()
            .map(|(position, arg)| match (position, arg) {
                (0, FunctionArg::Unnamed(FunctionArgExpr::Expr(e))) => unnamed(table_argument(e)),
                (1, FunctionArg::Unnamed(FunctionArgExpr::Expr(e @ Expr::Identifier(_)))) => {
                    unnamed(call(
                        ObjectName::from(vec![Ident::new("DESCRIPTOR")]),
                        vec![unnamed(e)],
                    ))
                }
                (_, arg) => arg,
            })
            .collect();
        *table = TableFactor::TableFunction { expr: call(name, args), alias: window.alias };
        ControlFlow::Continue(())
    }
}

/// `t` as `TABLE t`, `PARTITIONED(t, k)` as `TABLE t PARTITION BY (k)`.
fn table_argument(expr: Expr) -> Expr {
    let word = |text: String| Expr::Identifier(Ident::new(text));
    match expr {
        Expr::Function(f) if f.name.to_string() == PARTITIONED => {
            let FunctionArguments::List(list) = &f.args else { return Expr::Function(f) };
            let mut args = list.args.iter().map(ToString::to_string);
            let table = args.next().unwrap_or_default();
            let keys: Vec<String> = args.collect();
            word(format!("TABLE {table} PARTITION BY ({})", keys.join(", ")))
        }
        Expr::Subquery(_) => expr,
        table => word(format!("TABLE {table}")),
    }
}

fn unnamed(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn call(name: ObjectName, args: Vec<FunctionArg>) -> Expr {
    let args = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn raw(text: String) -> ObjectName {
    ObjectName::from(vec![Ident::new(text)])
}

/// A name in backticks.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in single quotes.
pub fn literal(text: &str) -> String {
    Value::SingleQuotedString(text.to_owned()).to_string()
}

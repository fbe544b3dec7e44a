//! The older windows, in GROUP BY: `GROUP BY k, TUMBLE(ts, INTERVAL '1' MINUTE)`, with
//! `TUMBLE_START(…)`, `TUMBLE_END(…)`, `TUMBLE_ROWTIME(…)` and `TUMBLE_PROCTIME(…)` beside them.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Spanned,
};

use super::interval::interval_ms;
use super::tvf::WindowKind;
use crate::error::{SqlError, SqlResult, codes};

/// A window in GROUP BY.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupWindow {
    /// Which windows; sessions are by the other columns of GROUP BY.
    pub kind: WindowKind,
    /// The time column, or a call of `PROCTIME()`.
    pub time: Expr,
}

/// What is asked of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowProperty {
    /// `…_START`.
    Start,
    /// `…_END`.
    End,
    /// `…_ROWTIME`: the last moment that belongs to the window.
    Rowtime,
    /// `…_PROCTIME`.
    Proctime,
}

/// Reads a group window; what is none gives `None`.
///
/// # Errors
/// When it is one and its arguments are wrong.
pub fn group_window(expr: &Expr) -> SqlResult<Option<GroupWindow>> {
    let Some((name, args)) = call(expr) else { return Ok(None) };
    window(&name, &args, expr)
}

/// Reads `TUMBLE_START(ts, size)` and its like; what is none gives `None`.
///
/// # Errors
/// When it is one and its arguments are wrong.
pub fn window_property(expr: &Expr) -> SqlResult<Option<(WindowProperty, GroupWindow)>> {
    let Some((name, args)) = call(expr) else { return Ok(None) };
    let Some((kind, property)) = name.split_once('_') else { return Ok(None) };
    let property = match property {
        "START" => WindowProperty::Start,
        "END" => WindowProperty::End,
        "ROWTIME" => WindowProperty::Rowtime,
        "PROCTIME" => WindowProperty::Proctime,
        _ => return Ok(None),
    };
    Ok(window(kind, &args, expr)?.map(|window| (property, window)))
}

/// A call's name in capitals and its arguments.
fn call(expr: &Expr) -> Option<(String, Vec<&Expr>)> {
    let Expr::Function(function) = expr else { return None };
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let args = list
        .args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect::<Option<_>>()?;
    Some((name.value.to_ascii_uppercase(), args))
}

fn window(name: &str, args: &[&Expr], of: &Expr) -> SqlResult<Option<GroupWindow>> {
    let usage = match name {
        "TUMBLE" => "TUMBLE(time, size)",
        "HOP" => "HOP(time, slide, size)",
        "SESSION" => "SESSION(time, gap)",
        _ => return Ok(None),
    };
    let wrong = |message: String| {
        SqlError::new(codes::BAD_WINDOW, message)
            .at(of.span())
            .help(format!("in GROUP BY it is written {usage}"))
    };
    let Some((time, lengths)) = args.split_first() else {
        return Err(wrong(format!("{name} needs arguments")));
    };
    if lengths.len() != usage.matches(',').count() {
        return Err(wrong(format!(
            "{name} takes {} arguments in GROUP BY, got {}",
            usage.matches(',').count() + 1,
            args.len()
        )));
    }
    let mut ms = Vec::new();
    for length in lengths {
        let value = interval_ms(length).map_err(|mut e| {
            e.code = codes::BAD_WINDOW;
            e.within(name).or_at(of.span())
        })?;
        if value <= 0 {
            return Err(wrong(format!("the lengths of {name} must be positive, got {value} ms")));
        }
        ms.push(value);
    }
    let kind = match ms.as_slice() {
        [size_ms] if name == "TUMBLE" => WindowKind::Tumble { size_ms: *size_ms },
        [gap_ms] => WindowKind::Session { gap_ms: *gap_ms, partition_by: Vec::new() },
        [slide_ms, size_ms] if slide_ms > size_ms => {
            return Err(wrong(format!(
                "the slide of HOP ({slide_ms} ms) is longer than its size ({size_ms} ms)"
            ))
            .label("slide comes before size"));
        }
        [slide_ms, size_ms] => WindowKind::Hop { slide_ms: *slide_ms, size_ms: *size_ms },
        _ => return Err(wrong(format!("{name} needs arguments"))),
    };
    Ok(Some(GroupWindow { kind, time: (*time).clone() }))
}

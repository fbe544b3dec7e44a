//! Flink's spellings as what the planner reads: names of functions, units of time as literals, and
//! expressions that DataFusion knows but answers otherwise.
//!
//! Children come before parents, and what is rewritten once stays as it is.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField, Expr,
    Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Subscript,
    UnaryOperator, Value, VisitMut, helpers::attached_token::AttachedToken, visit_expressions_mut,
};

use crate::error::{SqlError, SqlResult, codes};

use super::casts;
use super::literals::{approximate, escaped};
use super::names::renamed;
use super::negate::NEGATE;
use super::syntax::{call, nested, not, null, text};
use super::time::Unit;

/// Rewrites one expression and all in it.
pub fn rewrite(mut expr: Expr) -> SqlResult<Expr> {
    rewrite_all(&mut expr)?;
    Ok(expr)
}

/// Rewrites every expression of a query or statement.
pub fn rewrite_all<V: VisitMut>(node: &mut V) -> SqlResult<()> {
    let done = visit_expressions_mut(node, |expr| match rewrite_one(expr) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match done {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn unit(name: &str) -> SqlResult<Expr> {
    match name.parse::<Unit>() {
        Ok(_) => Ok(text(name.to_uppercase())),
        Err(message) => Err(SqlError::new(codes::BAD_CALL, message)),
    }
}

fn rewrite_one(expr: &mut Expr) -> SqlResult<()> {
    let rewritten = match expr {
        Expr::Function(function) => return rewrite_function(expr_of(function)?, expr),
        Expr::Extract { field, expr, .. } => {
            call("extract", vec![unit(&field.to_string())?, (**expr).clone()])
        }
        Expr::Floor { expr, field } => match rounded("floor", expr, field)? {
            Some(rewritten) => rewritten,
            None => return Ok(()),
        },
        Expr::Ceil { expr, field } => match rounded("ceil", expr, field)? {
            Some(rewritten) => rewritten,
            None => return Ok(()),
        },
        Expr::Position { expr, r#in } => call("position", vec![(**expr).clone(), (**r#in).clone()]),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let one = || Expr::value(Value::Number("1".into(), false));
            let from = substring_from.as_deref().cloned().unwrap_or_else(one);
            let mut args = vec![(**expr).clone(), from];
            args.extend(substring_for.as_deref().cloned());
            call("substr", args)
        }
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let mut args =
                vec![(**expr).clone(), (**overlay_what).clone(), (**overlay_from).clone()];
            args.extend(overlay_for.as_deref().cloned());
            call("overlay", args)
        }
        Expr::SimilarTo { negated, expr, pattern, escape_char } => {
            let mut args = vec![(**expr).clone(), (**pattern).clone()];
            args.extend(escape_char.clone().map(Expr::Value));
            let similar = call("similar_to", args);
            if *negated { not(similar) } else { similar }
        }
        Expr::Cast { kind, expr, data_type, .. } => match casts::cast(kind, expr, data_type) {
            Some(rewritten) => rewritten,
            None => return Ok(()),
        },
        Expr::TypedString(typed) => {
            let Some(value) = typed.value.value.clone().into_string() else { return Ok(()) };
            match casts::literal(&typed.data_type, &value)? {
                Some(rewritten) => rewritten,
                None => return Ok(()),
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            join_names(root, access_chain);
            name_fields(access_chain);
            match (subscripts(root, access_chain), access_chain.is_empty()) {
                (Some(rewritten), _) => rewritten,
                (None, true) => std::mem::replace(&mut **root, null()),
                (None, false) => return Ok(()),
            }
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            return escaped(pattern, escape_char);
        }
        // The sign of a literal is a part of it.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr }
            if !matches!(**expr, Expr::Value(_) | Expr::Interval(_)) =>
        {
            call(NEGATE, vec![(**expr).clone()])
        }
        Expr::Value(value) => match approximate(&value.value) {
            Some(rewritten) => rewritten,
            None => return Ok(()),
        },
        Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } => overlaps(left, right)?,
        _ => return Ok(()),
    };
    *expr = rewritten;
    Ok(())
}

/// The names that `t.a[1].b` begins with, as one: sqlparser takes `t` for a column, and `a` for a
/// field of it.
fn join_names(root: &mut Expr, chain: &mut Vec<AccessExpr>) {
    let mut names = match root {
        Expr::Identifier(name) => vec![name.clone()],
        Expr::CompoundIdentifier(names) => names.clone(),
        _ => return,
    };
    let of_root = names.len();
    names.extend(chain.iter().map_while(|access| match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.clone()),
        _ => None,
    }));
    if names.len() > of_root {
        chain.drain(..names.len() - of_root);
        *root = Expr::CompoundIdentifier(names);
    }
}

/// The fields of `a[1].b` as DataFusion takes them: their names as texts.
fn name_fields(chain: &mut [AccessExpr]) {
    for access in chain {
        if let AccessExpr::Dot(field) = access
            && let Expr::Identifier(name) = field
        {
            *field = text(name.value.clone());
        }
    }
}

/// `a[i]` where i is no constant, which DataFusion knows of arrays only.
fn subscripts(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let computed = |access: &AccessExpr| match access {
        AccessExpr::Subscript(Subscript::Index { index }) => {
            (!matches!(index, Expr::Value(_))).then(|| index.clone())
        }
        _ => None,
    };
    chain.iter().find_map(computed)?;
    let with = |root: Expr, access_chain: &mut Vec<AccessExpr>| match access_chain.is_empty() {
        true => root,
        false => Expr::CompoundFieldAccess {
            root: Box::new(root),
            access_chain: std::mem::take(access_chain),
        },
    };
    let mut expr = root.clone();
    let mut constant = Vec::new();
    for access in chain {
        match computed(access) {
            Some(index) => expr = call("item_at", vec![with(expr, &mut constant), index]),
            None => constant.push(access.clone()),
        }
    }
    Some(with(expr, &mut constant))
}

/// FLOOR or CEIL to a unit of time; none of a number.
fn rounded(name: &str, expr: &Expr, field: &CeilFloorKind) -> SqlResult<Option<Expr>> {
    match field {
        CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => Ok(None),
        CeilFloorKind::DateTimeField(field) => {
            let unit = unit(&field.to_string())?;
            Ok(Some(call(&format!("{name}_to"), vec![unit, expr.clone()])))
        }
        CeilFloorKind::Scale(_) => {
            let name = name.to_uppercase();
            Err(SqlError::unsupported(format!("{name} with a number of digits"))
                .help("ROUND(number, digits) and TRUNCATE(number, digits) take one"))
        }
    }
}

/// A call by name and positional arguments.
struct Call {
    name: String,
    args: Vec<Expr>,
}

/// The call of a function that has plain arguments and no clauses; none: it is left as it is.
fn expr_of(function: &Function) -> SqlResult<Option<Call>> {
    let [name] = function.name.0.as_slice() else { return Ok(None) };
    let Some(name) = name.as_ident() else { return Ok(None) };
    let name = name.value.to_lowercase();
    let args = match &function.args {
        FunctionArguments::None => Vec::new(),
        FunctionArguments::Subquery(_) => return Ok(None),
        FunctionArguments::List(list) => {
            let args = list.args.iter().map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            });
            match args.collect() {
                Some(args) => args,
                None => return Ok(None),
            }
        }
    };
    Ok(Some(Call { name, args }))
}

fn wrong_count(name: &str, usage: &str, given: usize) -> SqlError {
    let message = format!("function {} got {given} arguments", name.to_uppercase());
    SqlError::new(codes::BAD_CALL, message).help(format!("write {usage}"))
}

fn rewrite_function(found: Option<Call>, expr: &mut Expr) -> SqlResult<()> {
    let Some(Call { name, mut args }) = found else { return Ok(()) };
    let given = args.len();
    let rewritten = match (name.as_str(), given) {
        ("if", 3) => {
            let (no, yes) = (args.pop(), args.pop());
            let (Some(no), Some(yes), Some(condition)) = (no, yes, args.pop()) else {
                return Ok(());
            };
            case(condition, yes, Some(no))
        }
        ("if", _) => return Err(wrong_count("if", "IF(condition, yes, no)", given)),
        ("ifnull", 2) => call("coalesce", args),
        ("ifnull", _) => return Err(wrong_count("ifnull", "IFNULL(value, otherwise)", given)),
        ("mod", 2) => {
            let (Some(right), Some(left)) = (args.pop(), args.pop()) else { return Ok(()) };
            let (left, right) = (Box::new(nested(left)), Box::new(nested(right)));
            nested(Expr::BinaryOp { left, op: BinaryOperator::Modulo, right })
        }
        ("timestampadd" | "timestampdiff", 3) => {
            let unit_name = match &args[0] {
                Expr::Identifier(ident) => ident.value.clone(),
                Expr::Value(_) => return Ok(()),
                other => other.to_string(),
            };
            args[0] = unit(&unit_name)?;
            call(&name, args)
        }
        ("unix_timestamp", 1..) => call("unix_timestamp_of", args),
        ("rand", 0) => call("random", args),
        ("rand", _) => {
            return Err(SqlError::unsupported("RAND with a seed")
                .help("its sequence would depend on how rows are batched; RAND() has no seed"));
        }
        ("rand_integer", 2) => {
            return Err(SqlError::unsupported("RAND_INTEGER with a seed").help(
                "its sequence would depend on how rows are batched; RAND_INTEGER(bound) has none",
            ));
        }
        ("typeof", 2) => {
            args.truncate(1);
            call("typeof", args)
        }
        ("json_value", 2) => {
            args.extend([text("NULL"), null(), text("NULL"), null()]);
            call("json_value_of", args)
        }
        ("json_query", 2) => {
            args.extend([text("WITHOUT"), text("NULL"), text("NULL")]);
            call("json_query_of", args)
        }
        ("json_exists", 2) => {
            args.push(text("FALSE"));
            call("json_exists_of", args)
        }
        ("array_sort", 1..=3) => match array_sort(args)? {
            Some(rewritten) => rewritten,
            None => return Ok(()),
        },
        ("array_position", 2) => {
            let found = call(
                "coalesce",
                vec![
                    call("array_position", args.clone()),
                    Expr::value(Value::Number("0".into(), false)),
                ],
            );
            let found = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(found),
                data_type: DataType::Int(None),
                array: false,
                format: None,
            };
            unless_null(&args, found)
        }
        ("array_append" | "array_prepend", 2) => {
            let (array, item) = (args[0].clone(), args[1].clone());
            let called = match name.as_str() {
                // DataFusion wants the item first, as PostgreSQL does
                "array_prepend" => call("array_prepend", vec![item, array.clone()]),
                _ => call("array_append", vec![array.clone(), item]),
            };
            unless_null(&[array], called)
        }
        ("array_concat" | "array_union" | "array_except" | "array_intersect", 2..) => {
            unless_null(&args, call(&name, args.clone()))
        }
        ("array_remove", 2) => unless_null(&args[..1], call("array_remove_all", args.clone())),
        _ => match renamed(&name) {
            Some(name) => return rename(expr, name),
            None => return Ok(()),
        },
    };
    *expr = rewritten;
    Ok(())
}

/// Gives a function another name; its clauses stay.
fn rename(expr: &mut Expr, name: &str) -> SqlResult<()> {
    if let Expr::Function(function) = expr {
        function.name = ObjectName::from(vec![Ident::new(name)]);
    }
    Ok(())
}

fn case(condition: Expr, result: Expr, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: otherwise.map(Box::new),
    }
}

/// NULL where one of the arguments is, else the result.
fn unless_null(args: &[Expr], result: Expr) -> Expr {
    let known = args.iter().map(|arg| Expr::IsNotNull(Box::new(nested(arg.clone()))));
    let all = known.reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    });
    match all {
        Some(all) => case(all, result, None),
        None => result,
    }
}

/// ARRAY_SORT(array[, ascending[, nulls first]]): NULLs come first where it ascends.
fn array_sort(mut args: Vec<Expr>) -> SqlResult<Option<Expr>> {
    let flag = |arg: Option<&Expr>| match arg {
        None => Ok(None),
        Some(Expr::Value(value)) => match value.value {
            Value::Boolean(flag) => Ok(Some(flag)),
            // rewritten already
            Value::SingleQuotedString(_) => Err(None),
            _ => Err(Some(())),
        },
        Some(_) => Err(Some(())),
    };
    let (ascending, first) = match (flag(args.get(1)), flag(args.get(2))) {
        (Err(None), _) => return Ok(None),
        (Ok(ascending), Ok(first)) => (ascending.unwrap_or(true), first),
        _ => {
            return Err(SqlError::unsupported("ARRAY_SORT with an order that is no constant")
                .help("write ARRAY_SORT(array, TRUE) or ARRAY_SORT(array, FALSE, TRUE)"));
        }
    };
    args.truncate(1);
    args.push(text(if ascending { "ASC" } else { "DESC" }));
    args.push(text(if first.unwrap_or(ascending) { "NULLS FIRST" } else { "NULLS LAST" }));
    Ok(Some(call("array_sort", args)))
}

/// `(a, b) OVERLAPS (c, d)`, where b and d are times or intervals.
fn overlaps(left: &Expr, right: &Expr) -> SqlResult<Expr> {
    let period = |expr: &Expr| match expr {
        Expr::Tuple(ends) if ends.len() == 2 => {
            let (from, to) = (ends[0].clone(), ends[1].clone());
            let to = match &to {
                Expr::Interval(_) => Expr::BinaryOp {
                    left: Box::new(from.clone()),
                    op: BinaryOperator::Plus,
                    right: Box::new(to),
                },
                _ => to,
            };
            Ok((call("least", vec![from.clone(), to.clone()]), call("greatest", vec![from, to])))
        }
        _ => Err(SqlError::new(codes::BAD_CALL, "OVERLAPS takes two pairs of times")
            .help("write (start1, end1) OVERLAPS (start2, end2)")),
    };
    let ((a, b), (c, d)) = (period(left)?, period(right)?);
    let at_most = |left: Expr, right: Expr| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::LtEq,
        right: Box::new(right),
    };
    Ok(nested(Expr::BinaryOp {
        left: Box::new(at_most(a, d)),
        op: BinaryOperator::And,
        right: Box::new(at_most(c, b)),
    }))
}

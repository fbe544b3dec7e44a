//! Aggregate functions by the names and with the defaults that DataFusion knows them.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    NullTreatment, ObjectName, Value,
};

/// Rewrites a call, if it is one of these.
pub(super) fn rewrite(expr: &mut Expr) {
    let Expr::Function(function) = expr else { return };
    let [part] = function.name.0.as_slice() else { return };
    let Some(name) = part.as_ident().map(|n| n.value.to_ascii_lowercase()) else { return };
    match name.as_str() {
        "listagg" => {
            function.name = ObjectName::from(vec![Ident::new("string_agg")]);
            if let FunctionArguments::List(list) = &mut function.args
                && list.args.len() == 1
            {
                let comma = Expr::value(Value::SingleQuotedString(",".to_owned()));
                list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(comma)));
            }
        }
        // The first or last value that is there.
        "first_value" | "last_value" if function.null_treatment.is_none() => {
            function.null_treatment = Some(NullTreatment::IgnoreNulls);
        }
        "approx_count_distinct" => {
            function.name = ObjectName::from(vec![Ident::new("approx_distinct")]);
            let call = expr.clone();
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(call),
                data_type: DataType::BigInt(None),
                array: false,
                format: None,
            };
        }
        _ => {}
    }
}

//! Literals that DataFusion reads otherwise: numbers with an exponent, patterns of LIKE.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Value, ValueWithSpan,
};

use crate::error::{SqlError, SqlResult, codes};

use super::syntax::text;

/// A number written with an exponent, which is a DOUBLE; without one it is exact.
pub(super) fn approximate(value: &Value) -> Option<Expr> {
    let Value::Number(number, _) = value else { return None };
    let written = number.to_string();
    written.contains(['e', 'E']).then(|| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(text(written)),
        data_type: DataType::Double(ExactNumberInfo::None),
        array: false,
        format: None,
    })
}

/// A pattern in which only a backslash escapes: DataFusion's does so always, the dialect's none
/// unless it is said.
pub(super) fn escaped(
    pattern: &mut Expr,
    escape_char: &mut Option<ValueWithSpan>,
) -> SqlResult<()> {
    let escape = escape_char.take().and_then(|e| e.value.into_string());
    let Expr::Value(value) = pattern else {
        return match escape.as_deref() {
            None | Some("\\") => Ok(()),
            Some(_) => Err(SqlError::unsupported("ESCAPE with a pattern that is no literal")),
        };
    };
    let Value::SingleQuotedString(written) = &value.value else { return Ok(()) };
    let escape = match escape.as_deref().map(|e| e.chars().collect::<Vec<_>>()).as_deref() {
        None => None,
        Some([one]) => Some(*one),
        Some(_) => {
            let message = "ESCAPE takes one character";
            return Err(SqlError::new(codes::BAD_LITERAL, message).at(value.span));
        }
    };
    let mut out = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        let literal = if Some(c) == escape { chars.next().unwrap_or(c) } else { c };
        if Some(c) == escape || literal == '\\' {
            out.push('\\');
        }
        out.push(literal);
    }
    *pattern = text(out);
    Ok(())
}

//! Fitting a query to the table it is inserted into: columns by position, types by the casts that
//! lose nothing.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, Spanned, Value};

use crate::catalog::{Table, type_name};
use crate::error::{SqlError, SqlResult, codes};
use crate::syntax::Insert;

/// The query with exactly the columns that the table is written with.
///
/// # Errors
/// When number or types do not fit, naming the column.
pub(crate) fn fit(plan: LogicalPlan, table: &Table, insert: &Insert) -> SqlResult<LogicalPlan> {
    let written = table.written_columns();
    let constants = constants(table, &written, insert)?;
    let constant = |column: &usize| constants.iter().find(|(c, _)| c == column).map(|(_, v)| v);
    let mut targets = match insert.columns.as_slice() {
        [] => written.clone(),
        named => targets(table, &written, named)?,
    };
    targets.retain(|column| constant(column).is_none());
    let given = plan.schema().columns();
    if given.len() != targets.len() {
        let names: Vec<&str> = targets.iter().map(|t| field(table, *t).name().as_str()).collect();
        let message = format!(
            "the query has {} columns, table {} takes {}",
            given.len(),
            table.name,
            targets.len()
        );
        return Err(SqlError::new(codes::INSERT_MISMATCH, message)
            .help(format!("the query gives {}", list(given.iter().map(|c| c.name.as_str()))))
            .help(format!("the table takes {}", list(names.into_iter()))));
    }
    let mut exprs = Vec::with_capacity(written.len());
    for column in &written {
        let field = field(table, *column);
        let expr = match (constant(column), targets.iter().position(|t| t == column)) {
            (Some(value), _) => Expr::Literal(value.clone(), None),
            (None, None) => Expr::Literal(ScalarValue::try_from(field.data_type())?, None),
            (None, Some(at)) => {
                let from = plan.schema().field(at).data_type();
                check(table, field, from, &given[at].name)?;
                let value = Expr::Column(given[at].clone());
                if from == field.data_type() {
                    value
                } else {
                    cast(value, field.data_type().clone())
                }
            }
        };
        exprs.push(expr.alias(field.name()));
    }
    let fitted = LogicalPlanBuilder::from(plan).project(exprs).and_then(LogicalPlanBuilder::build);
    Ok(fitted?)
}

fn field(table: &Table, column: usize) -> &FieldRef {
    &table.schema.fields()[column]
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn targets(table: &Table, written: &[usize], named: &[Ident]) -> SqlResult<Vec<usize>> {
    let mut targets = Vec::with_capacity(named.len());
    for ident in named {
        let found = written.iter().find(|w| *field(table, **w).name() == ident.value);
        let Some(found) = found else {
            let names = written.iter().map(|w| field(table, *w).name().as_str());
            let message = format!("no column `{}` in table {}", ident.value, table.name);
            return Err(SqlError::new(codes::UNKNOWN_COLUMN, message).at(ident.span).names(
                &ident.value,
                "columns",
                names,
            ));
        };
        if targets.contains(found) {
            let message = format!("column `{}` is named twice", ident.value);
            return Err(SqlError::new(codes::INSERT_MISMATCH, message).at(ident.span));
        }
        targets.push(*found);
    }
    Ok(targets)
}

/// The columns that `PARTITION (…)` gives one value for all rows.
fn constants(
    table: &Table,
    written: &[usize],
    insert: &Insert,
) -> SqlResult<Vec<(usize, ScalarValue)>> {
    let names: Vec<Ident> = insert.partition.iter().map(|(name, _)| name.clone()).collect();
    let columns = targets(table, written, &names)?;
    let mut constants = Vec::with_capacity(columns.len());
    for (column, (name, expr)) in columns.into_iter().zip(&insert.partition) {
        let to = field(table, column).data_type();
        let value = literal(expr).and_then(|value| value.cast_to(to).ok());
        // A text that is no number is NULL after the cast.
        let Some(value) = value.filter(|value| !value.is_null()) else {
            let message = format!("`{}` is one {} for all rows", name.value, type_name(to));
            return Err(SqlError::new(codes::INSERT_MISMATCH, message)
                .at(expr.span())
                .help(format!("write PARTITION (`{}` = a constant), or select it", name.value)));
        };
        constants.push((column, value));
    }
    Ok(constants)
}

fn literal(expr: &SqlExpr) -> Option<ScalarValue> {
    let SqlExpr::Value(value) = expr else { return None };
    match &value.value {
        Value::SingleQuotedString(text) => Some(ScalarValue::from(text.as_str())),
        Value::Number(digits, _) => Some(ScalarValue::from(digits.as_str())),
        Value::Boolean(value) => Some(ScalarValue::from(*value)),
        _ => None,
    }
}

fn check(table: &Table, to: &FieldRef, from: &DataType, name: &str) -> SqlResult<()> {
    if fits(from, to.data_type()) {
        return Ok(());
    }
    let (given, taken) = (type_name(from), type_name(to.data_type()));
    let message = format!(
        "column `{}` of table {} is {taken}, the query gives {given}",
        to.name(),
        table.name
    );
    Err(SqlError::new(codes::INSERT_MISMATCH, message)
        .help(format!("write CAST({name} AS {taken})")))
}

/// Whether a value of one type can be written to a column of another without a CAST in the text.
/// What then does not fit at run time is an error, never another value.
fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{Date32, Float32, Float64, List, Map, Null, Struct, Timestamp};
    let text =
        |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let bytes = |t: &DataType| {
        matches!(t, DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_))
    };
    let decimal = |t: &DataType| matches!(t, DataType::Decimal128(..) | DataType::Decimal256(..));
    match (from, to) {
        _ if from == to => true,
        (Null, _) => true,
        _ if from.is_integer() => to.is_numeric(),
        _ if decimal(from) => decimal(to) || matches!(to, Float32 | Float64),
        (Float32, Float64) => true,
        (Timestamp(..), Timestamp(..)) | (Date32, Timestamp(..)) => true,
        (List(a), List(b)) => fits(a.data_type(), b.data_type()),
        (Struct(a), Struct(b)) => {
            let pair = |(a, b): (&FieldRef, &FieldRef)| fits(a.data_type(), b.data_type());
            a.len() == b.len() && a.iter().zip(b).all(pair)
        }
        (Map(a, _), Map(b, _)) => fits(a.data_type(), b.data_type()),
        (DataType::Time32(_) | DataType::Time64(_), DataType::Time32(_) | DataType::Time64(_)) => {
            true
        }
        _ => (text(from) && text(to)) || (bytes(from) && bytes(to)),
    }
}

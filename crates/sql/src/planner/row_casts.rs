//! Casts of rows: fields are matched by their position, where DataFusion would match them by name.
//!
//! A cast between types whose rows name their fields otherwise gets rows with the new names first,
//! so that names and positions say the same.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};

/// The plan with casts of rows by position.
pub(super) fn by_position(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|expr| {
                let (from, to) = match &expr {
                    Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                        (expr.get_type(&schema).ok(), field.data_type())
                    }
                    _ => return Ok(Transformed::no(expr)),
                };
                // A name that is not there is told by the analysis.
                let Some(from) = from else { return Ok(Transformed::no(expr)) };
                let named = named_as(&from, to);
                if named == from {
                    return Ok(Transformed::no(expr));
                }
                let with_names = |inner: Box<Expr>| Box::new(Named::of(*inner, named.clone()));
                Ok(Transformed::yes(match expr {
                    Expr::Cast(Cast { expr, field }) => {
                        Expr::Cast(Cast { expr: with_names(expr), field })
                    }
                    Expr::TryCast(TryCast { expr, field }) => {
                        Expr::TryCast(TryCast { expr: with_names(expr), field })
                    }
                    other => other,
                }))
            })?;
            Ok(if changed.transformed { changed.update_data(|e| name.restore(e)) } else { changed })
        })
    })?;
    Ok(changed.data)
}

/// The first type with the names of the fields of the second, where both are rows of as many.
fn named_as(from: &DataType, to: &DataType) -> DataType {
    let item = |from: &FieldRef, to: &FieldRef, name: &str| -> FieldRef {
        let inner = named_as(from.data_type(), to.data_type());
        Arc::new(Field::new(name, inner, from.is_nullable()))
    };
    match (from, to) {
        (DataType::Struct(from), DataType::Struct(to)) if from.len() == to.len() => {
            DataType::Struct(from.iter().zip(to).map(|(f, t)| item(f, t, t.name())).collect())
        }
        (DataType::List(from), DataType::List(to)) => DataType::List(item(from, to, from.name())),
        (DataType::Map(from, sorted), DataType::Map(to, _)) => {
            DataType::Map(item(from, to, from.name()), *sorted)
        }
        _ => from.clone(),
    }
}

/// The same values under a type that differs in names only.
fn renamed(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    Ok(match to {
        DataType::Struct(fields) => {
            let rows = array.as_struct();
            let columns = rows.columns().iter().zip(fields);
            let columns = columns.map(|(column, field)| renamed(column, field.data_type()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let nulls = rows.nulls().cloned();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, rows.len())?)
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let values = renamed(list.values(), item.data_type())?;
            let nulls = list.nulls().cloned();
            Arc::new(ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, nulls)?)
        }
        DataType::Map(entries, sorted) => {
            let map = array.as_map();
            let rows: ArrayRef = Arc::new(map.entries().clone());
            let rows = renamed(&rows, entries.data_type())?.as_struct().clone();
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::clone(entries), offsets, rows, nulls, *sorted)?)
        }
        _ => Arc::clone(array),
    })
}

/// Gives rows other names of their fields.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Named {
    to: DataType,
    signature: Signature,
}

impl Named {
    fn of(rows: Expr, to: DataType) -> Expr {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(Named { to, signature }).call(vec![rows])
    }
}

impl ScalarUDFImpl for Named {
    fn name(&self) -> &str {
        "__named"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [rows] = args.args.as_slice() else { return exec_err!("one value has names") };
        Ok(ColumnarValue::Array(renamed(&rows.to_array(args.number_rows)?, &self.to)?))
    }
}

//! Functions written in Rust, that a program registers and queries call.
//!
//! Arguments and results are serde types, turned as records of streams are (see
//! [`crate::bridge`]): a function of several arguments takes a tuple. As in SQL, NULL for an
//! argument that is no `Option` gives NULL without a call; aggregates leave out rows with a NULL.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::compute::filter;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, ColumnarValue, ScalarUDF, Volatility, create_udaf, create_udf,
};
use headwater_core::Record;
use headwater_core::codec::{decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bridge::Refused;
use crate::bridge::columns::{columns_of, type_of};
use crate::bridge::read::RowOf;
use crate::bridge::write::write_value;
use crate::error::SqlResult;
use crate::formats::cells::Cells;
use crate::formats::column::Column;

mod table;

pub(crate) use table::table;

/// An aggregate function in Rust.
///
/// Its accumulator is kept in state and checkpoints as serde writes it.
pub trait AggregateFunction: Send + Sync + 'static {
    /// The arguments; of several a tuple.
    type In: DeserializeOwned;
    /// What is kept of the rows seen.
    type Acc: Record + std::fmt::Debug + Sync;
    /// The result.
    type Out: Serialize + DeserializeOwned;

    /// The accumulator of no row.
    fn create(&self) -> Self::Acc;
    /// Adds a row.
    fn accumulate(&self, acc: &mut Self::Acc, row: Self::In);
    /// Adds what another accumulator has seen.
    fn merge(&self, acc: &mut Self::Acc, other: Self::Acc);
    /// The result.
    fn finish(&self, acc: &Self::Acc) -> Self::Out;

    /// Whether [`AggregateFunction::retract`] works: only then are rows taken that change later.
    fn retracts(&self) -> bool {
        false
    }
    /// Takes a row back that was added.
    fn retract(&self, acc: &mut Self::Acc, row: Self::In) {
        let _ = (acc, row);
    }
}

/// Columns of `A`: names and types.
fn parameters<A: DeserializeOwned>() -> SqlResult<(Vec<String>, Vec<DataType>)> {
    let columns = columns_of::<A>()?;
    let names = columns.iter().map(|column| column.name().clone()).collect();
    // Literals are BIGINT and DOUBLE; what is too large for the type is refused when it comes.
    let types = columns.iter().map(|column| match column.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::Float32 => DataType::Float64,
        other => other.clone(),
    });
    Ok((names, types.collect()))
}

/// Calls `f` with the arguments of each row; none where one is NULL that may not be.
fn each_row<A: DeserializeOwned>(
    names: &[String],
    arrays: &[ArrayRef],
    mut f: impl FnMut(Option<A>) -> Result<()>,
) -> Result<()> {
    let cells = names.iter().zip(arrays).map(|(name, array)| {
        let cells = Cells::new(array)
            .map_err(|found| DataFusionError::Plan(format!("an argument is {found}")))?;
        Ok((name.as_str(), cells))
    });
    let columns = cells.collect::<Result<Vec<_>>>()?;
    for row in 0..arrays.first().map_or(0, |array| array.len()) {
        match A::deserialize(RowOf { columns: &columns, row }) {
            Ok(args) => f(Some(args))?,
            Err(refused) if refused.is_null() => f(None)?,
            Err(refused) => return Err(refused_by(&refused)),
        }
    }
    Ok(())
}

/// The rows in which no argument is NULL.
fn without_nulls(arrays: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    if arrays.iter().all(|array| array.null_count() == 0) {
        return Ok(arrays.to_vec());
    }
    let rows = arrays.first().map_or(0, |array| array.len());
    let whole = |row: usize| arrays.iter().all(|array| array.is_valid(row));
    let keep: BooleanArray = (0..rows).map(|row| Some(whole(row))).collect();
    Ok(arrays.iter().map(|array| filter(array, &keep)).collect::<std::result::Result<_, _>>()?)
}

fn refused_by(refused: &Refused) -> DataFusionError {
    DataFusionError::Execution(refused.to_string())
}

fn column(name: &str, data_type: &DataType) -> Result<Column> {
    let field = Arc::new(Field::new(name, data_type.clone(), true));
    Column::new(&field).map_err(|found| DataFusionError::Plan(format!("{name} gives {found}")))
}

/// A scalar function.
pub(crate) fn scalar<A, R>(
    name: &str,
    f: impl Fn(A) -> R + Send + Sync + 'static,
) -> SqlResult<ScalarUDF>
where
    A: DeserializeOwned + 'static,
    R: Serialize + DeserializeOwned + 'static,
{
    let (names, types) = parameters::<A>()?;
    let returned = type_of::<R>()?;
    let (of, result) = (name.to_owned(), returned.clone());
    let call = move |args: &[ColumnarValue]| {
        let constant = args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(args)?;
        let mut out = column(&of, &result)?;
        each_row(&names, &arrays, |args: Option<A>| {
            match args {
                Some(args) => write_value(&f(args), &mut out)
                    .map_err(|e| refused_by(&e).context(format!("function {of}")))?,
                None => out.push_null(),
            }
            Ok(())
        })?;
        let array = out.finish()?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
            false => ColumnarValue::Array(array),
        })
    };
    Ok(create_udf(name, types, returned, Volatility::Immutable, Arc::new(call)))
}

/// An aggregate function.
pub(crate) fn aggregate<F: AggregateFunction>(name: &str, f: F) -> SqlResult<AggregateUDF> {
    let (names, types) = parameters::<F::In>()?;
    let returned = type_of::<F::Out>()?;
    let (f, names, result) = (Arc::new(f), Arc::new(names), returned.clone());
    let make = move |_: datafusion::logical_expr::function::AccumulatorArgs<'_>| {
        let (f, names, result) = (Arc::clone(&f), Arc::clone(&names), result.clone());
        Ok(Box::new(Running { acc: f.create(), f, names, result, is_fresh: true })
            as Box<dyn Accumulator>)
    };
    let state = Arc::new(vec![DataType::Binary]);
    let returned = Arc::new(returned);
    Ok(create_udaf(name, types, returned, Volatility::Immutable, Arc::new(make), state))
}

struct Running<F: AggregateFunction> {
    f: Arc<F>,
    names: Arc<Vec<String>>,
    result: DataType,
    acc: F::Acc,
    is_fresh: bool,
}

impl<F: AggregateFunction> std::fmt::Debug for Running<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Running").field(&self.acc).finish()
    }
}

fn engine(e: headwater_core::Error) -> DataFusionError {
    DataFusionError::Execution(e.to_string())
}

impl<F: AggregateFunction> Accumulator for Running<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.is_fresh = false;
        each_row(&self.names, &without_nulls(values)?, |args| {
            args.into_iter().for_each(|args| self.f.accumulate(&mut self.acc, args));
            Ok(())
        })
    }
    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each_row(&self.names, &without_nulls(values)?, |args| {
            args.into_iter().for_each(|args| self.f.retract(&mut self.acc, args));
            Ok(())
        })
    }
    fn supports_retract_batch(&self) -> bool {
        self.f.retracts()
    }
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(encode(&self.acc).map_err(engine)?))])
    }
    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [states] = states else {
            return Err(DataFusionError::Internal("one column of state is expected".into()));
        };
        for state in states.as_binary::<i32>().iter().flatten() {
            let other = decode::<F::Acc>(state).map_err(engine)?;
            if self.is_fresh {
                self.acc = other;
                self.is_fresh = false;
            } else {
                self.f.merge(&mut self.acc, other);
            }
        }
        Ok(())
    }
    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut out = column("result", &self.result)?;
        write_value(&self.f.finish(&self.acc), &mut out).map_err(|e| refused_by(&e))?;
        ScalarValue::try_from_array(&out.finish()?, 0)
    }
    fn size(&self) -> usize {
        size_of_val(self)
    }
}

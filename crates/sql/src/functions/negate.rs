//! `-x` that does not wrap: the least number of an integer type has no opposite in it.

use datafusion::arrow::array::Array;
use datafusion::arrow::compute::kernels::numeric::neg;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::types::sql_name;

/// Name of the function that [`super::rewrite`] puts in place of the sign.
pub(super) const NEGATE: &str = "negate";

/// The function.
pub(super) fn negate() -> ScalarUDF {
    ScalarUDF::new_from_impl(Negate { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Negate {
    signature: Signature,
}

impl ScalarUDFImpl for Negate {
    fn name(&self) -> &str {
        NEGATE
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<_> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(format!("(- {})", names.join(", ")))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        match args {
            [DataType::Null] => Ok(vec![DataType::Int32]),
            [arg] if arg.is_numeric() || matches!(arg, DataType::Interval(_)) => Ok(args.to_vec()),
            [arg] => {
                plan_err!("what follows - must be a number or an interval, got {}", sql_name(arg))
            }
            _ => plan_err!("- takes one value"),
        }
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let opposite = |array: &dyn Array| {
            neg(array).map_err(|error| {
                let name = sql_name(array.data_type());
                let message =
                    format!("{name} overflow in -: {error}; a CAST to a wider type avoids it");
                DataFusionError::Execution(message)
            })
        };
        match args.args.as_slice() {
            [ColumnarValue::Array(array)] => Ok(ColumnarValue::Array(opposite(array.as_ref())?)),
            [ColumnarValue::Scalar(value)] => {
                let array = opposite(value.to_array()?.as_ref())?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            _ => exec_err!("- takes one value"),
        }
    }
}

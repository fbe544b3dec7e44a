//! Arithmetic that does not wrap silently, and Flink's division of decimals.
//!
//! DataFusion's operators on integers wrap around; here `+ - *` fail where the result is out of
//! range. A quotient of decimals has at least six digits behind the point:
//! `DECIMAL(p1, s1) / DECIMAL(p2, s2)` has `max(6, s1 + p2 + 1)`, as many as fit into 38 digits.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::{DFSchema, DataFusionError, Result, exec_err};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::types::sql_name;

/// An operator that fails where its result is out of range.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operator: Operator,
    signature: Signature,
}

impl Checked {
    fn udf(operator: Operator) -> ScalarUDF {
        let signature = Signature::user_defined(Volatility::Immutable);
        ScalarUDF::new_from_impl(Checked { operator, signature })
    }

    fn operands(&self, args: &[DataType]) -> Result<[DataType; 2]> {
        let [left, right] = args else { return exec_err!("{} takes two values", self.operator) };
        if self.operator == Operator::Divide {
            let decimal = |t: &DataType| digits(t).map(|(p, s)| DataType::Decimal128(p, s));
            if let (Some(left), Some(right)) = (decimal(left), decimal(right)) {
                return Ok([left, right]);
            }
        }
        let (left, right) =
            BinaryTypeCoercer::new(left, &self.operator, right).get_input_types()?;
        Ok([left, right])
    }
}

/// Precision and scale of a number as a decimal.
fn digits(data_type: &DataType) -> Option<(u8, i8)> {
    Some(match data_type {
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::Decimal128(precision, scale) => (*precision, *scale),
        _ => return None,
    })
}

/// Precision and scale of a quotient.
fn quotient(left: (u8, i8), right: (u8, i8)) -> (u8, i8) {
    let (p1, s1) = (i32::from(left.0), i32::from(left.1));
    let (p2, s2) = (i32::from(right.0), i32::from(right.1));
    let scale = 6.max(s1 + p2 + 1);
    let precision = p1 - s1 + s2 + scale;
    if precision <= 38 {
        return (precision as u8, scale as i8);
    }
    // digits before the point are kept, and at least six behind it
    let whole = precision - scale;
    (38, (38 - whole).max(scale.min(6)) as i8)
}

fn divide(left: &Decimal128Array, right: &Decimal128Array, to: (u8, i8)) -> Result<ArrayRef> {
    let shift = i32::from(to.1) + i32::from(right.scale()) - i32::from(left.scale());
    let overflow = || DataFusionError::Execution("DECIMAL overflow in a division".into());
    let ten = |n: i32| (0..n).fold(i256::ONE, |power, _| power.wrapping_mul(i256::from_i128(10)));
    let one = |a: i128, b: i128| -> Result<i128> {
        if b == 0 {
            return exec_err!("division by zero");
        }
        let (mut a, mut b) = (i256::from_i128(a), i256::from_i128(b));
        match shift {
            0.. => a = a.checked_mul(ten(shift)).ok_or_else(overflow)?,
            _ => b = b.checked_mul(ten(-shift)).ok_or_else(overflow)?,
        }
        let whole = a.checked_div(b).ok_or_else(overflow)?;
        let rest = a.checked_rem(b).ok_or_else(overflow)?.wrapping_abs();
        // halves are rounded away from zero
        let up = rest >= b.wrapping_abs().wrapping_sub(rest);
        let negative = a.is_negative() != b.is_negative();
        let step = match (up, negative) {
            (false, _) => i256::ZERO,
            (true, false) => i256::ONE,
            (true, true) => i256::MINUS_ONE,
        };
        whole.wrapping_add(step).to_i128().ok_or_else(overflow)
    };
    let values: Result<Decimal128Array> = (0..left.len())
        .map(|row| {
            let both = left.is_valid(row) && right.is_valid(row);
            both.then(|| one(left.value(row), right.value(row))).transpose()
        })
        .collect();
    let values = values?.with_precision_and_scale(to.0, to.1)?;
    values.validate_decimal_precision(to.0)?;
    Ok(Arc::new(values))
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            Operator::Multiply => "checked_multiply",
            _ => "decimal_divide",
        }
    }

    /// As the operator would be called: the name of a column does not tell how it is evaluated.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<_> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(names.join(&format!(" {} ", self.operator)))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        Ok(self.operands(args)?.to_vec())
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        let [left, right] = self.operands(args)?;
        if let (Operator::Divide, Some(a), Some(b)) = (self.operator, digits(&left), digits(&right))
        {
            let (precision, scale) = quotient(a, b);
            return Ok(DataType::Decimal128(precision, scale));
        }
        BinaryTypeCoercer::new(&left, &self.operator, &right).get_result_type()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return exec_err!("{} takes two values", self.operator);
        };
        let result = match self.operator {
            Operator::Plus => apply(left, right, numeric::add),
            Operator::Minus => apply(left, right, numeric::sub),
            Operator::Multiply => apply(left, right, numeric::mul),
            _ => {
                let constant = [left, right].iter().all(|v| matches!(v, ColumnarValue::Scalar(_)));
                let rows = if constant { 1 } else { args.number_rows };
                let (left, right) = (left.to_array(rows)?, right.to_array(rows)?);
                let DataType::Decimal128(precision, scale) = *args.return_field.data_type() else {
                    return exec_err!("a quotient of decimals is a decimal");
                };
                let (left, right) =
                    (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
                let quotients = divide(left, right, (precision, scale))?;
                if constant {
                    return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&quotients, 0)?));
                }
                return Ok(ColumnarValue::Array(quotients));
            }
        };
        let result = result.map_err(|error| {
            let name = sql_name(args.return_field.data_type());
            DataFusionError::Execution(format!(
                "{name} overflow in {}: {}; a CAST to a wider type avoids it",
                self.operator,
                error.strip_backtrace()
            ))
        })?;
        if let DataType::Decimal128(precision, _) = result.data_type() {
            let array = result.to_array(1)?;
            array.as_primitive::<Decimal128Type>().validate_decimal_precision(precision)?;
        }
        Ok(result)
    }
}

/// Plans `+ - *` of integers and decimals, and `/` of decimals.
#[derive(Debug)]
pub(crate) struct Arithmetic;

impl ExprPlanner for Arithmetic {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let operator = match expr.op {
            BinaryOperator::Plus => Operator::Plus,
            BinaryOperator::Minus => Operator::Minus,
            BinaryOperator::Multiply => Operator::Multiply,
            BinaryOperator::Divide => Operator::Divide,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let (left, right) = (expr.left.get_type(schema), expr.right.get_type(schema));
        let (Ok(left), Ok(right)) = (left, right) else { return Ok(PlannerResult::Original(expr)) };
        let decimal = |t: &DataType| matches!(t, DataType::Decimal128(..));
        let planned = digits(&left).is_some()
            && digits(&right).is_some()
            && (operator != Operator::Divide || decimal(&left) || decimal(&right));
        if !planned {
            return Ok(PlannerResult::Original(expr));
        }
        let call =
            ScalarFunction::new_udf(Arc::new(Checked::udf(operator)), vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

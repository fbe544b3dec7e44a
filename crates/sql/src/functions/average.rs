//! AVG as Flink has it: of integers it is an integer, rounded towards zero; of DECIMAL(p, s) it is
//! DECIMAL(38, max(s, 6)).

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type, i256,
};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::types::sql_name;

/// The aggregate function.
pub(super) fn average() -> AggregateUDF {
    AggregateUDF::new_from_impl(Average {
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    signature: Signature,
}

/// What the sum is kept in.
fn sum_type(returned: &DataType) -> DataType {
    match returned {
        DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
        // an integer's sum may be over BIGINT while its average is not
        _ => DataType::Decimal128(38, 0),
    }
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        "avg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        match args {
            [DataType::Null] => Ok(vec![DataType::Int32]),
            [arg] if arg.is_numeric() => Ok(args.to_vec()),
            [arg] => plan_err!("argument of AVG(number) must be a number, got {}", sql_name(arg)),
            _ => plan_err!("function AVG takes 1 argument, got {}: AVG(number)", args.len()),
        }
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(match args {
            [DataType::Decimal128(_, scale)] => DataType::Decimal128(38, (*scale).max(6)),
            [arg] => arg.clone(),
            _ => DataType::Null,
        })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if let ([input], true) = (args.input_fields, args.is_distinct) {
            let item = Field::new_list_field(input.data_type().clone(), true);
            let name = format!("{}[distinct]", args.name);
            return Ok(vec![Arc::new(Field::new_list(name, item, true))]);
        }
        let sum = sum_type(args.return_field.data_type());
        Ok(vec![
            Arc::new(Field::new(format!("{}[sum]", args.name), sum, true)),
            Arc::new(Field::new(format!("{}[count]", args.name), DataType::Int64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let average = Sum::of(args.return_field.data_type());
        match (args.is_distinct, args.expr_fields) {
            (true, [input]) => Ok(Box::new(Distinct {
                input: input.data_type().clone(),
                seen: HashSet::new(),
                average,
            })),
            _ => Ok(Box::new(average)),
        }
    }
}

/// Sum and count.
#[derive(Debug, Clone)]
struct Sum {
    returned: DataType,
    decimal: i128,
    real: f64,
    count: i64,
}

impl Sum {
    fn of(returned: &DataType) -> Self {
        Sum { returned: returned.clone(), decimal: 0, real: 0.0, count: 0 }
    }

    fn is_real(&self) -> bool {
        sum_type(&self.returned) == DataType::Float64
    }

    fn overflow() -> DataFusionError {
        DataFusionError::Execution("overflow in AVG".into())
    }

    fn add(&mut self, values: &ArrayRef, counts: Option<&ArrayRef>, sign: i64) -> Result<()> {
        let values = cast(values, &sum_type(&self.returned))?;
        let real = self.is_real();
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            if real {
                self.real += values.as_primitive::<Float64Type>().value(row) * sign as f64;
            } else {
                let value = values.as_primitive::<Decimal128Type>().value(row);
                let value = value.checked_mul(sign.into());
                let sum = value.and_then(|value| self.decimal.checked_add(value));
                self.decimal = sum.ok_or_else(Self::overflow)?;
            }
            self.count += match counts {
                Some(counts) => counts.as_primitive::<Int64Type>().value(row),
                None => sign,
            };
        }
        Ok(())
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], None, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], None, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        !self.is_real()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(&states[0], Some(&states[1]), 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = match sum_type(&self.returned) {
            DataType::Decimal128(precision, scale) => {
                ScalarValue::Decimal128(Some(self.decimal), precision, scale)
            }
            _ => ScalarValue::Float64(Some(self.real)),
        };
        Ok(vec![sum, ScalarValue::Int64(Some(self.count))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return ScalarValue::try_from(&self.returned);
        }
        let count = i128::from(self.count);
        Ok(match self.returned {
            DataType::Float64 => ScalarValue::Float64(Some(self.real / self.count as f64)),
            DataType::Float32 => ScalarValue::Float32(Some((self.real / self.count as f64) as f32)),
            DataType::Decimal128(precision, scale) => {
                // the sum has the scale of the result: what is lost is rounded half away from zero
                let doubled = i256::from_i128(self.decimal).wrapping_mul(i256::from_i128(2));
                let half = if self.decimal < 0 { -count } else { count };
                let rounded = doubled
                    .wrapping_add(i256::from_i128(half))
                    .checked_div(i256::from_i128(count * 2))
                    .and_then(|value| value.to_i128());
                ScalarValue::Decimal128(Some(rounded.ok_or_else(Self::overflow)?), precision, scale)
            }
            _ => {
                let average = i64::try_from(self.decimal / count).map_err(|_| Self::overflow())?;
                ScalarValue::Int64(Some(average)).cast_to(&self.returned)?
            }
        })
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// AVG(DISTINCT x): the values are kept until the end.
#[derive(Debug)]
struct Distinct {
    input: DataType,
    seen: HashSet<ScalarValue>,
    average: Sum,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for row in (0..values[0].len()).filter(|row| values[0].is_valid(*row)) {
            if self.seen.insert(ScalarValue::try_from_array(&values[0], row)?) {
                self.average.add(&values[0].slice(row, 1), None, 1)?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let seen: Vec<_> = self.seen.iter().cloned().collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&seen, &self.input))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.average.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seen.capacity() * size_of::<ScalarValue>()
    }
}

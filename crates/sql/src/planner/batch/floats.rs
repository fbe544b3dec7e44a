//! Floating-point numbers as integers of the same order, so that DataFusion's aggregates treat NaN
//! and -0 as the streaming operators do: NaN is one value, above all others; -0 is below 0 for MIN
//! and MAX, and the same for DISTINCT.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The place of a number in their order; with `zeros_alike` -0 has that of 0.
pub(super) fn place(of: Expr, zeros_alike: bool) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(Place { zeros_alike, signature }).call(vec![of])
}

/// The number at a place.
pub(super) fn at_place(place: Expr, number: DataType) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(AtPlace { number, signature }).call(vec![place])
}

/// Between the bits of a number and integers in the order of the numbers, either way.
fn turned(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn place_of(number: f64, zeros_alike: bool) -> i64 {
    let number = if number.is_nan() {
        f64::NAN.abs()
    } else if zeros_alike && number == 0.0 {
        0.0
    } else {
        number
    };
    turned(number.to_bits() as i64)
}

fn number_at(place: i64) -> f64 {
    f64::from_bits(turned(place) as u64)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Place {
    zeros_alike: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Place {
    fn name(&self) -> &str {
        if self.zeros_alike { "__place_without_sign" } else { "__place" }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [number] = args.args.as_slice() else { return exec_err!("one number has a place") };
        let numbers = cast(&number.to_array(args.number_rows)?, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let places: Int64Array = numbers.unary(|number| place_of(number, self.zeros_alike));
        Ok(ColumnarValue::Array(Arc::new(places)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtPlace {
    number: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for AtPlace {
    fn name(&self) -> &str {
        "__at_place"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.number.clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [place] = args.args.as_slice() else { return exec_err!("one number is at a place") };
        let places = place.to_array(args.number_rows)?;
        let numbers: Float64Array = places.as_primitive::<Int64Type>().unary(number_at);
        let numbers: ArrayRef = Arc::new(numbers);
        Ok(ColumnarValue::Array(cast(&numbers, &self.number)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_numbers() {
        let numbers =
            [f64::NEG_INFINITY, -1e300, -1.5, -f64::MIN_POSITIVE, -0.0, 0.0, 2.5, f64::INFINITY];
        for pair in numbers.windows(2) {
            assert!(place_of(pair[0], false) < place_of(pair[1], false), "{pair:?}");
        }
        for number in numbers {
            assert_eq!(number_at(place_of(number, false)).to_bits(), number.to_bits());
            assert!(place_of(number, false) < place_of(-f64::NAN, false));
        }
        assert_eq!(place_of(f64::NAN, false), place_of(-f64::NAN, false));
        assert_eq!(place_of(-0.0, true), place_of(0.0, true));
    }
}

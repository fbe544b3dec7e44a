//! Functions of numbers. What is a real number by nature is DOUBLE, as in Flink; DataFusion's own
//! functions do the rest (`abs`).

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, plan_err};

use super::args::Call;
use super::native::{Spec, Types};
use super::params::Param::{Double, Int, Number};
use super::returns;
use super::types::sql_name;

macro_rules! real {
    ($name:literal, $of:expr) => {
        Spec::new($name, &[("number", Double)], returns::double, |call| {
            let number = call.doubles(0)?;
            let of: fn(f64) -> f64 = $of;
            call.to_values::<Float64Type>(|row| Some(of(number.at(row)?)))
        })
    };
}

static SPECS: &[Spec] = &[
    real!("sqrt", f64::sqrt),
    real!("exp", f64::exp),
    real!("ln", f64::ln),
    real!("log2", f64::log2),
    real!("log10", f64::log10),
    real!("sin", f64::sin),
    real!("cos", f64::cos),
    real!("tan", f64::tan),
    real!("cot", |x| 1.0 / x.tan()),
    real!("asin", f64::asin),
    real!("acos", f64::acos),
    real!("atan", f64::atan),
    real!("sinh", f64::sinh),
    real!("cosh", f64::cosh),
    real!("tanh", f64::tanh),
    real!("degrees", f64::to_degrees),
    real!("radians", f64::to_radians),
    Spec::new("log", &[("base or number", Double), ("number", Double)], returns::double, log)
        .required(1),
    Spec::new("power", &[("base", Double), ("exponent", Double)], returns::double, power),
    Spec::new("atan2", &[("y", Double), ("x", Double)], returns::double, atan2),
    Spec::new("e", &[], returns::double, |call| {
        call.to_values::<Float64Type>(|_| Some(std::f64::consts::E))
    }),
    Spec::new("sign", &[("number", Number)], returns::first, sign),
    Spec::new("floor", &[("number", Number)], whole, |call| to_whole(call, false)),
    Spec::new("ceil", &[("number", Number)], whole, |call| to_whole(call, true)),
    Spec::new("rand_integer", &[("bound", Int)], returns::int, rand_integer).volatile(),
];

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    SPECS.iter()
}

fn log(call: &Call<'_>) -> Result<ArrayRef> {
    let first = call.doubles(0)?;
    if !call.has(1) {
        return call.to_values::<Float64Type>(|row| Some(first.at(row)?.ln()));
    }
    let number = call.doubles(1)?;
    call.to_values::<Float64Type>(|row| Some(number.at(row)?.ln() / first.at(row)?.ln()))
}

fn power(call: &Call<'_>) -> Result<ArrayRef> {
    let (base, exponent) = (call.doubles(0)?, call.doubles(1)?);
    call.to_values::<Float64Type>(|row| Some(base.at(row)?.powf(exponent.at(row)?)))
}

fn atan2(call: &Call<'_>) -> Result<ArrayRef> {
    let (y, x) = (call.doubles(0)?, call.doubles(1)?);
    call.to_values::<Float64Type>(|row| Some(y.at(row)?.atan2(x.at(row)?)))
}

/// -1, 0 or 1 in the number's own type.
fn sign(call: &Call<'_>) -> Result<ArrayRef> {
    let number = call.array(0)?;
    match number.data_type() {
        DataType::Float64 => {
            let number = number.as_primitive::<Float64Type>();
            let sign = |x: f64| if x == 0.0 || x.is_nan() { x } else { x.signum() };
            Ok(Arc::new(number.unary::<_, Float64Type>(sign)))
        }
        DataType::Float32 => {
            let number = number.as_primitive::<Float32Type>();
            let sign = |x: f32| if x == 0.0 || x.is_nan() { x } else { x.signum() };
            Ok(Arc::new(number.unary::<_, Float32Type>(sign)))
        }
        DataType::Decimal128(precision, scale) => {
            let one = 10_i128.pow(scale.unsigned_abs().into());
            let signs: Decimal128Array =
                number.as_primitive::<Decimal128Type>().unary(|x| x.signum() * one);
            Ok(Arc::new(signs.with_precision_and_scale(*precision, *scale)?))
        }
        other => {
            let wide = datafusion::arrow::compute::cast(&number, &DataType::Int64)?;
            let signs: ArrayRef =
                Arc::new(wide.as_primitive::<Int64Type>().unary::<_, Int64Type>(i64::signum));
            Ok(datafusion::arrow::compute::cast(&signs, other)?)
        }
    }
}

/// The number's type; of a decimal one without digits behind the point.
fn whole(types: &Types<'_>) -> Result<DataType> {
    match types.args.first() {
        Some(DataType::Decimal128(precision, _)) => Ok(DataType::Decimal128(*precision, 0)),
        Some(other) if is_other_decimal(other) => {
            plan_err!("FLOOR and CEIL take no {}", sql_name(other))
        }
        _ => returns::first(types),
    }
}

pub(super) fn is_other_decimal(data_type: &DataType) -> bool {
    use DataType::{Decimal32, Decimal64, Decimal256};
    matches!(data_type, Decimal32(..) | Decimal64(..) | Decimal256(..))
}

/// The next whole number, up or down.
fn to_whole(call: &Call<'_>, up: bool) -> Result<ArrayRef> {
    let number = call.array(0)?;
    match number.data_type() {
        DataType::Float64 => {
            let number = number.as_primitive::<Float64Type>();
            let of = if up { f64::ceil } else { f64::floor };
            Ok(Arc::new(number.unary::<_, Float64Type>(of)))
        }
        DataType::Float32 => {
            let number = number.as_primitive::<Float32Type>();
            let of = if up { f32::ceil } else { f32::floor };
            Ok(Arc::new(number.unary::<_, Float32Type>(of)))
        }
        DataType::Decimal128(precision, scale) => {
            let one = 10_i128.pow(scale.unsigned_abs().into());
            let of = |x: i128| {
                let down = x.div_euclid(one);
                if up && x.rem_euclid(one) != 0 { down + 1 } else { down }
            };
            let wholes: Decimal128Array = number.as_primitive::<Decimal128Type>().unary(of);
            Ok(Arc::new(wholes.with_precision_and_scale(*precision, 0)?))
        }
        _ => Ok(number),
    }
}

/// A number from 0 to below a bound.
fn rand_integer(call: &Call<'_>) -> Result<ArrayRef> {
    let bound = call.ints(0)?;
    let mut random = fastrand::Rng::new();
    call.try_values::<Int32Type>(|row| {
        let bound = bound.at(row)?;
        match i32::try_from(bound) {
            Ok(bound) if bound > 0 => Some(Ok(random.i32(0..bound))),
            _ => Some(Err(call.error(format!("argument 1 (bound) must be positive, got {bound}")))),
        }
    })
}

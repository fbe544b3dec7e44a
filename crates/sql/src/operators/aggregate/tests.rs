//! Functions that the group and window tests do not reach: decimals, floats that cannot be taken
//! back by subtraction, sketches, and what is refused.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use headwater_core::Result;

use super::AggFunction::*;
use super::state::{Groups, Packed};
use super::*;
use crate::operators::testing::{boolean, call, float, int, schema, text};

fn compiled(calls: &[AggCall], input: &SchemaRef, retract: bool) -> Aggregates {
    Aggregates::new(calls, input, retract, DistinctIn::Groups).unwrap()
}

/// One group of these values.
fn one(calls: &[AggCall], values: ArrayRef, signs: Option<&[i8]>) -> Result<Vec<String>> {
    let input: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("x", values.data_type().clone(), true)]));
    let aggregates = compiled(calls, &input, signs.is_some());
    let mut groups = Groups::new(aggregates.width(), aggregates.blob_width());
    groups.push(Packed::default());
    let rows = values.len();
    let batch = RecordBatch::try_new(input, vec![values]).unwrap();
    aggregates.update(&batch, signs, &vec![0; rows], &mut groups, None)?;
    let columns = aggregates.finish(&groups)?;
    let show =
        |c: &ArrayRef| datafusion::arrow::util::display::array_value_to_string(c, 0).unwrap();
    Ok(columns.iter().map(|c| if c.is_null(0) { "NULL".into() } else { show(c) }).collect())
}

#[test]
fn floats_that_are_no_numbers_can_be_taken_back() {
    let calls = [call(Sum, &[0], DataType::Float64), call(Avg, &[0], DataType::Float64)];
    let values = |v: &[f64]| -> ArrayRef { Arc::new(Float64Array::from(v.to_vec())) };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let sum = |v: &[f64], signs: &[i8]| one(&calls, values(v), Some(signs)).unwrap().remove(0);
    assert_eq!(sum(&[1.5, nan, 2.0], &[1, 1, 1]), "NaN");
    assert_eq!(sum(&[1.5, nan, 2.0, nan], &[1, 1, 1, -1]), "3.5");
    assert_eq!(sum(&[1.5, inf], &[1, 1]), "inf");
    assert_eq!(sum(&[1.5, inf, -inf], &[1, 1, 1]), "NaN");
    assert_eq!(sum(&[1.5, inf, -inf, inf], &[1, 1, 1, -1]), "-inf");
    assert_eq!(sum(&[1.5, 1.5], &[1, -1]), "NULL");
    assert_eq!(one(&calls, values(&[1.0, 2.0]), None).unwrap(), ["3.0", "1.5"]);
}

#[test]
fn extremes_of_floats_are_in_total_order() {
    let calls = [call(Min, &[0], DataType::Float64), call(Max, &[0], DataType::Float64)];
    for signs in [None, Some(&[1i8, 1, 1][..])] {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![-1.5, f64::NAN, 1e300]));
        assert_eq!(one(&calls, values, signs).unwrap(), ["-1.5", "NaN"]);
    }
}

#[test]
fn decimals_are_exact_and_overflow_is_an_error() {
    let decimal = |p, s| DataType::Decimal128(p, s);
    let values = |v: Vec<i128>| -> ArrayRef {
        Arc::new(Decimal128Array::from(v).with_precision_and_scale(10, 2).unwrap())
    };
    let calls = [
        call(Sum, &[0], decimal(38, 2)),
        call(Avg, &[0], decimal(14, 6)),
        call(Min, &[0], decimal(10, 2)),
        call(Max, &[0], decimal(10, 2)),
    ];
    let results = ["4.00", "1.333333", "-0.01", "3.01"];
    assert_eq!(one(&calls, values(vec![301, 100, -1]), None).unwrap(), results);
    let signs = [1, 1, 1, 1, -1];
    assert_eq!(one(&calls, values(vec![301, 100, 999, -1, 999]), Some(&signs)).unwrap(), results);

    let huge: ArrayRef = Arc::new(
        Decimal128Array::from(vec![10i128.pow(38) - 1, 1]).with_precision_and_scale(38, 0).unwrap(),
    );
    let e = one(&[call(Sum, &[0], decimal(38, 0))], huge, None).unwrap_err();
    assert_eq!(e.to_string(), "the sum of column \"x\" does not fit Decimal128(38, 0)");
    let most: ArrayRef = Arc::new(
        Decimal128Array::from(vec![i128::MAX; 2]).with_precision_and_scale(38, 0).unwrap(),
    );
    assert!(one(&[call(Sum, &[0], decimal(38, 0))], most, None).is_err());
}

#[test]
fn integers_average_to_what_is_asked_for() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None]));
    let calls = [
        call(Avg, &[0], DataType::Float64),
        call(Avg, &[0], DataType::Int64),
        call(Sum, &[0], DataType::Decimal128(38, 0)),
        call(Sum, &[0], DataType::Int32),
        call(CountStar, &[], DataType::Int64),
        call(Count, &[0], DataType::Int64),
    ];
    assert_eq!(one(&calls, values, None).unwrap(), ["1.5", "1", "3", "3", "3", "2"]);
    let none: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>]));
    assert_eq!(one(&calls, none, None).unwrap(), ["NULL", "NULL", "NULL", "NULL", "1", "0"]);
}

#[test]
fn approximate_counts_are_exact_with_retractions() {
    let calls = [call(ApproxCountDistinct, &[0], DataType::Int64)];
    let values: ArrayRef = Arc::new((0..5_000i64).map(|v| Some(v % 1_000)).collect::<Int64Array>());
    let estimate: i64 = one(&calls, values, None).unwrap()[0].parse().unwrap();
    assert!((950..1_050).contains(&estimate), "{estimate}");
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2, 2, 3, 3]));
    assert_eq!(one(&calls, values, Some(&[1, 1, 1, -1, 1, 1])).unwrap(), ["2"]);
}

#[test]
fn equal_states_are_shared() {
    let input = schema(&[int("v"), boolean("b")]);
    let calls = [
        call(Sum, &[0], DataType::Int64),
        call(Avg, &[0], DataType::Float64),
        call(CountStar, &[], DataType::Int64),
        call(Count, &[0], DataType::Int64),
        call(Count, &[0], DataType::Int64),
    ];
    // The rows, the sum in 128 bits with its count, and the count of `v`.
    assert_eq!(compiled(&calls, &input, false).width(), 1 + 3 + 1);
    let filtered = AggCall { filter: Some(1), ..calls[0].clone() };
    assert_eq!(compiled(&[calls[0].clone(), filtered], &input, false).width(), 1 + 3 + 3);
}

#[test]
fn functions_that_are_not_defined_for_their_arguments_are_refused() {
    let input = schema(&[text("s"), float("f")]);
    let refused = |call: AggCall| {
        Aggregates::new(&[call], &input, false, DistinctIn::Groups).unwrap_err().to_string()
    };
    assert_eq!(
        refused(call(Sum, &[0], DataType::Int64)),
        "SUM is not defined for Utf8 (\"Sum([0])\")"
    );
    assert!(refused(call(Avg, &[0], DataType::Int64)).starts_with("AVG is not defined for Utf8"));
    assert!(refused(call(ListAgg(",".into()), &[1], DataType::Utf8)).starts_with("LISTAGG is not"));
}

#[test]
fn merging_is_adding_all_rows() {
    let input = schema(&[int("v"), text("s")]);
    let distinct = |call: AggCall| AggCall { distinct: true, ..call };
    let calls = [
        call(CountStar, &[], DataType::Int64),
        call(Sum, &[0], DataType::Int64),
        call(Min, &[0], DataType::Int64),
        call(Max, &[1], DataType::Utf8),
        call(FirstValue, &[1], DataType::Utf8),
        call(LastValue, &[0], DataType::Int64),
        call(ListAgg(",".into()), &[1], DataType::Utf8),
        call(ApproxCountDistinct, &[0], DataType::Int64),
        distinct(call(Count, &[0], DataType::Int64)),
        distinct(call(Sum, &[0], DataType::Int64)),
        distinct(call(Count, &[1], DataType::Int64)),
    ];
    for retract in [false, true] {
        let aggregates = compiled(&calls, &input, retract);
        let groups = || Groups::new(aggregates.width(), aggregates.blob_width());
        let rows = "+I 1 a | +I 2 NULL | +I NULL b | +I 2 a | +I 7 c | +I 1 a";
        let batch = crate::operators::testing::chunk(&input, rows).data;
        let mut whole = groups();
        whole.push(Packed::default());
        aggregates.update(&batch, None, &[0; 6], &mut whole, None).unwrap();
        let mut parts = groups();
        (0..3).for_each(|_| _ = parts.push(Packed::default()));
        aggregates.update(&batch, None, &[0, 0, 1, 1, 1, 2], &mut parts, None).unwrap();
        let mut merged = groups();
        merged.push(Packed::default());
        for part in 0..3 {
            let part = parts.take(part);
            aggregates.merge(&mut merged, 0, &part).unwrap();
        }
        let expected = aggregates.finish(&whole).unwrap();
        assert_eq!(aggregates.finish(&merged).unwrap(), expected, "retract: {retract}");
    }
}

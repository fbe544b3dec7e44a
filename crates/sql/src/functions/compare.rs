//! GREATEST, LEAST and TYPEOF.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray};
use datafusion::arrow::compute::kernels::cmp;
use datafusion::arrow::compute::kernels::zip::zip;
use datafusion::arrow::compute::{is_null, or};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};

use super::args::Call;
use super::native::{Spec, Types};
use super::params::Param::{Any, Common};
use super::returns;
use super::types::sql_name;

static SPECS: &[Spec] = &[
    Spec::new("greatest", &[("value", Common)], common, greatest).variadic(),
    Spec::new("least", &[("value", Common)], common, least).variadic(),
    Spec::new("typeof", &[("value", Any)], returns::text, type_of),
];

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    SPECS.iter()
}

fn common(types: &Types<'_>) -> Result<DataType> {
    let first = returns::first(types)?;
    match types.args.iter().find(|t| **t != &first) {
        Some(other) => plan_err!(
            "GREATEST and LEAST take values of one type, got {} and {}",
            sql_name(&first),
            sql_name(other)
        ),
        None => Ok(first),
    }
}

/// NULL where one of the values is.
fn choose(call: &Call<'_>, greater: bool) -> Result<ArrayRef> {
    let mut best = call.array(0)?;
    for i in 1..call.args.len() {
        let other = call.array(i)?;
        let better = if greater { cmp::gt(&other, &best)? } else { cmp::lt(&other, &best)? };
        // the comparison with a NULL is NULL, which keeps `best`: take the other where it is NULL
        let better = match better.null_count() {
            0 => better,
            _ => datafusion::arrow::compute::prep_null_mask_filter(&better),
        };
        best = zip(&or(&better, &is_null(&other)?)?, &other, &best)?;
    }
    Ok(best)
}

fn greatest(call: &Call<'_>) -> Result<ArrayRef> {
    choose(call, true)
}

fn least(call: &Call<'_>) -> Result<ArrayRef> {
    choose(call, false)
}

fn type_of(call: &Call<'_>) -> Result<ArrayRef> {
    let name = call.args.first().map_or(String::new(), |arg| sql_name(&arg.data_type()));
    Ok(Arc::new(StringArray::from(vec![name; call.rows])))
}

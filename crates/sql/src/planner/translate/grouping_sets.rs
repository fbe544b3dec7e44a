//! GROUPING SETS, ROLLUP and CUBE: each row once per set, with the columns that are not in the set
//! NULL and the number of the set beside them, grouped by all of that.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::enumerate_grouping_sets;
use datafusion::logical_expr::{self as logical, Expr, GroupingSet};
use datafusion::physical_expr::expressions::lit;

use super::Translator;
use super::aggregate::{Grouping, aggregates, call_of, column_args};
use super::calc::column;
use crate::error::{SqlError, SqlResult};
use crate::planner::step::{PhysExpr, Step};

impl Translator {
    pub(super) fn grouping_sets(
        &mut self,
        node: &logical::Aggregate,
        set: &GroupingSet,
    ) -> SqlResult<Arc<Step>> {
        let keys: Vec<Expr> = set.distinct_expr().into_iter().cloned().collect();
        let sets = sets_of(set)?;
        let input = self.step(&node.input, None)?;
        let calls = node.aggr_expr.iter().map(call_of).collect::<SqlResult<Vec<_>>>()?;
        let mut wanted = keys.clone();
        for (call, _) in &calls {
            wanted.extend(column_args(call)?);
            wanted.extend(call.params.filter.iter().map(|f| f.as_ref().clone()));
        }
        let (input, columns) = self.columns_only(input, &wanted, node.input.schema())?;
        let output: SchemaRef = Arc::new(node.schema.as_arrow().clone());
        // Behind the keys DataFusion has a column with the number of the set.
        let id = output.field(keys.len()).data_type().clone();
        let mut fields: Vec<FieldRef> = keys
            .iter()
            .zip(output.fields())
            .map(|(_, field)| Arc::new(field.as_ref().clone().with_nullable(true)))
            .collect();
        fields.push(Arc::new(Field::new(output.field(keys.len()).name(), id.clone(), false)));
        fields.extend(input.schema.fields().iter().cloned());
        let expanded: SchemaRef = Arc::new(Schema::new(fields));
        let mut branches = Vec::with_capacity(sets.len());
        for set in &sets {
            let mut exprs: Vec<PhysExpr> = Vec::new();
            let mut number = 0u64;
            for (at, key) in keys.iter().enumerate() {
                number <<= 1;
                if set.contains(key) {
                    exprs.push(column(&input.schema, columns[at]));
                } else {
                    number |= 1;
                    exprs.push(lit(ScalarValue::try_from(output.field(at).data_type())?));
                }
            }
            exprs.push(lit(number_of(number, &id)?));
            exprs.extend(super::calc::identity_exprs(&input.schema));
            branches.push(self.calc(Arc::clone(&input), None, exprs, Arc::clone(&expanded))?);
        }
        let input = self.union_of(branches, expanded);
        let (groups, shift) = (keys.len() + 1, keys.len() + 1);
        let rest: Vec<usize> = columns[keys.len()..].iter().map(|c| c + shift).collect();
        let aggs = aggregates(&calls, &rest, &output.fields()[groups..])?;
        self.group(Grouping { input, keys: (0..groups).collect(), aggs, output })
    }
}

/// The sets that a clause stands for.
fn sets_of(set: &GroupingSet) -> SqlResult<Vec<Vec<Expr>>> {
    let enumerated = enumerate_grouping_sets(vec![Expr::GroupingSet(set.clone())])?;
    match enumerated.as_slice() {
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => Ok(sets.clone()),
        [Expr::GroupingSet(GroupingSet::Rollup(keys))] => {
            Ok((0..=keys.len()).rev().map(|n| keys[..n].to_vec()).collect())
        }
        [Expr::GroupingSet(GroupingSet::Cube(keys))] => {
            let subset = |bits: u32| {
                let kept = keys.iter().enumerate().filter(move |(i, _)| bits & (1 << i) == 0);
                kept.map(|(_, key)| key.clone()).collect()
            };
            Ok((0..1u32 << keys.len().min(16)).map(subset).collect())
        }
        _ => Err(SqlError::internal("a grouping set of another form")),
    }
}

fn number_of(number: u64, id: &DataType) -> SqlResult<ScalarValue> {
    Ok(ScalarValue::UInt64(Some(number)).cast_to(id)?)
}

//! LISTAGG(string[, separator]): the strings in the order in which they come, NULLs left out, with
//! a comma between them where no separator is given. NULL where there is no string.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;

use super::types::sql_name;

/// The aggregate function.
pub(super) fn listagg() -> AggregateUDF {
    AggregateUDF::new_from_impl(ListAgg {
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ListAgg {
    signature: Signature,
}

impl AggregateUDFImpl for ListAgg {
    fn name(&self) -> &str {
        "listagg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        if args.is_empty() || args.len() > 2 {
            let given = args.len();
            return plan_err!(
                "function LISTAGG takes 1 to 2 arguments, got {given}: LISTAGG(string[, separator])"
            );
        }
        for (i, arg) in args.iter().enumerate() {
            if !arg.is_string() && !arg.is_null() {
                return plan_err!(
                    "argument {} of LISTAGG(string[, separator]) must be a STRING, got {}; write \
                     CAST(... AS STRING)",
                    i + 1,
                    sql_name(arg)
                );
            }
        }
        Ok(vec![DataType::Utf8; args.len()])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(DataType::Utf8, true);
        Ok(vec![Arc::new(Field::new_list(format!("{}[strings]", args.name), item, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let separator = match args.exprs.get(1) {
            None => ",".to_owned(),
            Some(expr) => match expr.downcast_ref::<Literal>().map(Literal::value) {
                Some(ScalarValue::Utf8(text)) => text.clone().unwrap_or_default(),
                _ => return exec_err!("the separator of LISTAGG must be a constant STRING"),
            },
        };
        let seen = args.is_distinct.then(HashSet::new);
        Ok(Box::new(Strings { separator, strings: Vec::new(), seen }))
    }
}

#[derive(Debug)]
struct Strings {
    separator: String,
    strings: Vec<String>,
    /// Those that were there already, where each counts once.
    seen: Option<HashSet<String>>,
}

impl Strings {
    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let values = cast(values, &DataType::Utf8)?;
        for text in values.as_string::<i32>().iter().flatten() {
            if self.seen.as_mut().is_none_or(|seen| seen.insert(text.to_owned())) {
                self.strings.push(text.to_owned());
            }
        }
        Ok(())
    }
}

impl Accumulator for Strings {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.add(&list)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let strings: Vec<_> = self.strings.iter().map(|s| ScalarValue::from(s.as_str())).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&strings, &DataType::Utf8))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let none = self.strings.is_empty();
        Ok(ScalarValue::Utf8((!none).then(|| self.strings.join(&self.separator))))
    }

    fn size(&self) -> usize {
        let strings: usize = self.strings.iter().map(|s| s.capacity() + size_of::<String>()).sum();
        size_of_val(self) + strings * if self.seen.is_some() { 2 } else { 1 }
    }
}

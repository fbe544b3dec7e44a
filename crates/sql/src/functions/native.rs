//! One function of the library: its name, parameters, result type and evaluation over columns.
//!
//! A [`Spec`] is a row of a table; [`Native`] makes a DataFusion function of it. DataFusion's own
//! coercion is bypassed on purpose: [`Param`] says what a parameter takes, so that an error names
//! the function, the argument and the type in the terms of the dialect.
//!
//! Invariant: `Spec::eval` gives one row per row of the batch, or one row where every argument is
//! constant and the function is not volatile.

use std::hash::{Hash, Hasher};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::args::Call;
use super::params::{Param, coerce};
use super::types::sql_name;

/// The types (and constant values) with which a function is called.
pub(crate) struct Types<'a> {
    /// Type of each argument, after coercion.
    pub args: Vec<&'a DataType>,
    /// The value of each argument that is a constant.
    pub constants: &'a [Option<&'a ScalarValue>],
}

impl Types<'_> {
    /// The text of argument `i`, where that is a constant.
    pub(crate) fn constant_text(&self, i: usize) -> Option<&str> {
        match self.constants.get(i).copied().flatten()? {
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)) => Some(text),
            _ => None,
        }
    }
}

/// A function of the library.
pub(crate) struct Spec {
    /// Name, in lower case.
    pub name: &'static str,
    /// Parameters: name and what is taken.
    pub params: &'static [(&'static str, Param)],
    /// How many of them must be given.
    pub required: usize,
    /// Whether the last one may be repeated.
    pub variadic: bool,
    /// Whether a call gives another value each time.
    pub volatile: bool,
    /// Type of the result.
    pub returns: fn(&Types<'_>) -> Result<DataType>,
    /// The function itself.
    pub eval: fn(&Call<'_>) -> Result<ArrayRef>,
}

impl Spec {
    /// A function all of whose parameters are needed.
    pub(crate) const fn new(
        name: &'static str,
        params: &'static [(&'static str, Param)],
        returns: fn(&Types<'_>) -> Result<DataType>,
        eval: fn(&Call<'_>) -> Result<ArrayRef>,
    ) -> Self {
        let required = params.len();
        Spec { name, params, required, variadic: false, volatile: false, returns, eval }
    }

    /// Only the first `required` parameters must be given.
    pub(crate) const fn required(mut self, required: usize) -> Self {
        self.required = required;
        self
    }

    /// The last parameter may be repeated.
    pub(crate) const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// A call gives another value each time.
    pub(crate) const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// How the function is called, as `LPAD(string, length, pad)`.
    pub(crate) fn usage(&self) -> String {
        let mut usage = format!("{}(", self.name.to_uppercase());
        for (i, (name, _)) in self.params.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            if i < self.required {
                usage.push_str(&format!("{comma}{name}"));
            } else {
                usage.push_str(&format!("[{comma}{name}]"));
            }
        }
        usage.push_str(if self.variadic { ", ...)" } else { ")" });
        usage
    }

    /// The parameter that argument `i` fills.
    pub(crate) fn param(&self, i: usize) -> Option<(&'static str, Param)> {
        match self.params.get(i) {
            Some(param) => Some(*param),
            None if self.variadic => self.params.last().copied(),
            None => None,
        }
    }

    fn check(&self, args: &[FieldRef]) -> Result<()> {
        let (given, most) = (args.len(), self.params.len());
        if given < self.required || (given > most && !self.variadic) {
            let wants = match (self.variadic, self.required == most) {
                (true, _) => format!("at least {}", self.required),
                (false, true) => format!("{most}"),
                (false, false) => format!("{} to {most}", self.required),
            };
            let s = if wants == "1" || wants == "at least 1" { "" } else { "s" };
            return plan_err!(
                "function {} takes {wants} argument{s}, got {given}: {}",
                self.name.to_uppercase(),
                self.usage()
            );
        }
        for (i, field) in args.iter().enumerate() {
            let Some((name, param)) = self.param(i) else { continue };
            if !param.takes(field.data_type()) {
                let got = sql_name(field.data_type());
                let hint = match (param, field.data_type()) {
                    (Param::Text, _) => "; write CAST(... AS STRING)",
                    (_, DataType::Utf8) => "; a CAST makes one of a string",
                    _ => "",
                };
                return plan_err!(
                    "argument {} ({name}) of function {} must be {}, got {got}{hint}",
                    i + 1,
                    self.usage(),
                    param.wants()
                );
            }
        }
        Ok(())
    }
}

/// A function of the library as DataFusion sees it.
#[derive(Clone)]
pub(crate) struct Native {
    spec: &'static Spec,
    signature: Signature,
}

impl Native {
    /// The function of a spec.
    pub(crate) fn udf(spec: &'static Spec) -> ScalarUDF {
        let volatility = if spec.volatile { Volatility::Volatile } else { Volatility::Immutable };
        ScalarUDF::new_from_impl(Native { spec, signature: Signature::user_defined(volatility) })
    }
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec.name)
    }
}

impl PartialEq for Native {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for Native {}

impl Hash for Native {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

impl ScalarUDFImpl for Native {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        (self.spec.returns)(&Types { args: args.iter().collect(), constants: &[] })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.spec.check(args.arg_fields)?;
        let types = args.arg_fields.iter().map(|f| f.data_type()).collect();
        let types = Types { args: types, constants: args.scalar_arguments };
        let returned = (self.spec.returns)(&types)?;
        Ok(Field::new(self.spec.name, returned, true).into())
    }

    /// What no parameter takes is left as it is: `return_field_from_args` says what is wrong.
    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        Ok(coerce(self.spec, args))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = !self.spec.volatile
            && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let call = Call {
            spec: self.spec,
            args: &args.args,
            rows: if constant { 1 } else { args.number_rows },
            returns: args.return_field.data_type(),
            config: &args.config_options,
        };
        let result = (self.spec.eval)(&call)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

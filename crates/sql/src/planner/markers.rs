//! Functions that stand for something else until the plan is made: the columns of a window table
//! function. [`super::prepare`] writes them into the query, [`super::logical`] takes them out.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::nodes::{WindowSpec, window_time_type};

/// Names of the markers of `window_start`, `window_end` and `window_time`. Their arguments: the
/// time column, the [`WindowSpec`] as text, then the keys of sessions.
pub(crate) const MARKERS: [&str; 3] = ["__window_start", "__window_end", "__window_time"];

/// One of the markers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Marker {
    which: usize,
    signature: Signature,
}

/// The marker of that name.
pub(crate) fn marker(name: &str) -> Option<ScalarUDF> {
    let which = MARKERS.iter().position(|m| *m == name)?;
    let signature = Signature::variadic_any(Volatility::Volatile);
    Some(ScalarUDF::new_from_impl(Marker { which, signature }))
}

impl ScalarUDFImpl for Marker {
    fn name(&self) -> &str {
        MARKERS[self.which]
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match (self.which, args.first()) {
            (2, Some(time)) => Ok(window_time_type(time)),
            _ => Ok(DataType::Timestamp(TimeUnit::Millisecond, None)),
        }
    }
    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("a window table function was left in an expression")
    }
}

/// A window specification as the text that a marker carries.
pub(crate) fn spec_text(spec: &WindowSpec) -> String {
    serde_json::to_string(spec).unwrap_or_default()
}

/// The window specification in a marker's text.
pub(crate) fn spec_of(text: &str) -> Option<WindowSpec> {
    serde_json::from_str(text).ok()
}

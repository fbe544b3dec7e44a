//! Strings as JSON string literals.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::Text;
use crate::functions::returns;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("json_quote", &[("string", Text)], returns::text, quote),
    Spec::new("json_unquote", &[("string", Text)], returns::text, unquote),
];

fn quote(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.texts(0)?;
    call.try_texts(|row| {
        let quoted = serde_json::to_string(text.at(row)?);
        Some(quoted.map_err(|error| call.error(error)))
    })
}

/// What is no JSON string literal is left as it is.
fn unquote(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.texts(0)?;
    call.to_texts(|row| {
        let text = text.at(row)?;
        Some(serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned()))
    })
}

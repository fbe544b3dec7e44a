//! Functions of strings. Positions count characters from 1.

mod cuts;
mod edit;
mod encode;
mod hash;
mod java_regex;
mod json_text;
mod one_pass;
mod regex;
mod search;
mod split;
mod url;

use super::native::Spec;

/// Whether a text is a regular expression.
pub(crate) fn is_pattern(text: &str) -> bool {
    java_regex::Pattern::new(text).is_ok()
}

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    [
        edit::SPECS,
        search::SPECS,
        split::SPECS,
        regex::SPECS,
        encode::SPECS,
        hash::SPECS,
        url::SPECS,
        json_text::SPECS,
    ]
    .into_iter()
    .flatten()
}

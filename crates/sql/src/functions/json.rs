//! Functions of JSON in strings, with SQL/JSON's `lax` and `strict` paths.
//!
//! The clauses (`RETURNING`, `DEFAULT x ON EMPTY`, …) are read by [`super::syntax`], which makes
//! plain arguments of them: the functions here carry `_of` in their names and are not for users.

mod build;
mod path;
mod query;
mod value;

use super::native::Spec;

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    [query::SPECS, build::SPECS].into_iter().flatten()
}

//! Functions of dates and times.
//!
//! A timestamp without a zone is what a clock on the wall shows; TIMESTAMP_LTZ is a point of time,
//! shown in the session's time zone (`table.local-time-zone`; UTC where none is set).

mod add;
mod cast;
mod civil;
mod extract;
mod format;
mod now;
mod parse;
mod pattern;
mod round;
mod times;
mod unit;
pub(crate) mod zone;

use super::native::Spec;

pub(crate) use now::clock_udf;
pub use now::{Moment, at_moment};
pub(crate) use parse::{parse_default, parse_time};
pub(crate) use times::Times;
pub(crate) use unit::Unit;

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    [add::SPECS, cast::SPECS, extract::SPECS, format::SPECS, parse::SPECS, round::SPECS]
        .into_iter()
        .flatten()
}

/// Those that read the clock.
pub(crate) fn clock_specs() -> impl Iterator<Item = &'static Spec> {
    now::SPECS.iter()
}

//! Times as text: DATE_FORMAT, FROM_UNIXTIME, CONVERT_TZ.

use std::cell::RefCell;
use std::rc::Rc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};

use crate::functions::args::Call;
use crate::functions::cache::{Cache, Recent};
use crate::functions::native::{Spec, Types};
use crate::functions::params::Param::{Int, Text, TimeOrText};
use crate::functions::returns;

use super::civil::Local;
use super::parse::parse_default;
use super::pattern::Pattern;
use super::times::{Kind, Times};
use super::zone::Zone;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new(
        "date_format",
        &[("time", TimeOrText), ("pattern", Text)],
        |types| checked(types, 1, DataType::Utf8),
        date_format,
    ),
    Spec::new(
        "from_unixtime",
        &[("seconds", Int), ("pattern", Text)],
        |types| checked(types, 1, DataType::Utf8),
        from_unixtime,
    )
    .required(1),
    Spec::new(
        "convert_tz",
        &[("time", Text), ("from zone", Text), ("to zone", Text)],
        returns::text,
        convert_tz,
    ),
];

/// What UNIX_TIMESTAMP and FROM_UNIXTIME read and write where no pattern is given.
pub(super) const DEFAULT: &str = "yyyy-MM-dd HH:mm:ss";

/// The type, if the pattern of argument `i` is one: a typing error is told before the query runs.
pub(super) fn checked(types: &Types<'_>, i: usize, data_type: DataType) -> Result<DataType> {
    match types.constant_text(i).map(Pattern::new) {
        Some(Err(message)) => plan_err!("{message}"),
        _ => Ok(data_type),
    }
}

thread_local! {
    static COMPILED: RefCell<Cache<Pattern>> = RefCell::default();
}

/// The compiled pattern of a text.
pub(super) fn pattern(call: &Call<'_>, text: &str) -> Result<Rc<Pattern>> {
    let compiled = COMPILED.with(|cache| cache.borrow_mut().get(text, Pattern::new));
    compiled.map_err(|message| call.error(message))
}

/// Consecutive rows often fall into one day or minute: what a pattern shows of it is written once.
fn date_format(call: &Call<'_>) -> Result<ArrayRef> {
    let (times, text) = (Times::of(call, 0)?, call.texts(1)?);
    let zone = match times.kind {
        Kind::Timestamp(_, Some(zone)) => zone,
        _ => Zone::Fixed(0),
    };
    let mut recent = Recent::default();
    let mut written: Option<(Rc<Pattern>, i64, i64)> = None;
    call.write_texts(|row, out| {
        let (time, text) = (times.at(row)?, text.at(row)?);
        let pattern = match recent.get(text, |text| pattern(call, text)) {
            Ok(pattern) => pattern,
            Err(error) => return Some(Err(error)),
        };
        let offset = match zone {
            Zone::Fixed(seconds) => seconds,
            zone => time.seconds - zone.utc(time).seconds,
        };
        let slot = pattern.seconds().map(|seconds| time.seconds.div_euclid(seconds));
        if let (Some(slot), Some((known, at, ahead))) = (slot, &written)
            && (*at, *ahead) == (slot, offset)
            && Rc::ptr_eq(known, &pattern)
        {
            return Some(Ok(()));
        }
        out.clear();
        pattern.format(time, offset, out);
        written = slot.map(|slot| (pattern, slot, offset));
        Some(Ok(()))
    })
}

fn from_unixtime(call: &Call<'_>) -> Result<ArrayRef> {
    let seconds = call.ints(0)?;
    let text = if call.has(1) { Some(call.texts(1)?) } else { None };
    let zone = Zone::session(call.config)?;
    call.try_texts(|row| {
        let seconds = seconds.at(row)?;
        let text = text.as_ref().map_or(Some(DEFAULT), |text| text.at(row))?;
        if seconds.abs() > 300_000 * 366 * 86_400 {
            return Some(Err(call.error(format!("{seconds} seconds are out of range"))));
        }
        let offset = zone.offset(seconds);
        let shown = Local { seconds: seconds + offset, nanos: 0 };
        Some(pattern(call, text).map(|pattern| {
            let mut out = String::new();
            pattern.format(shown, offset, &mut out);
            out
        }))
    })
}

fn convert_tz(call: &Call<'_>) -> Result<ArrayRef> {
    let (time, from, to) = (call.texts(0)?, call.texts(1)?, call.texts(2)?);
    let default = pattern(call, DEFAULT)?;
    let named =
        |name: &str| Zone::named(name).ok_or_else(|| call.error(format!("no time zone '{name}'")));
    call.try_texts(|row| {
        let (time, from, to) = (time.at(row)?, from.at(row)?, to.at(row)?);
        let zones = named(from).and_then(|from| Ok((from, named(to)?)));
        let (from, to) = match zones {
            Ok(zones) => zones,
            Err(error) => return Some(Err(error)),
        };
        let shown = to.local(from.utc(parse_default(time)?));
        let mut out = String::new();
        default.format(shown, 0, &mut out);
        Some(Ok(out))
    })
}

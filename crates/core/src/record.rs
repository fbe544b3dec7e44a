//! What flows: user records and keys (blanket traits over serde types), and the stamped element.

use std::hash::Hash;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// A value that can flow through a job: any owned serde type.
///
/// Implemented for every type that is `Clone + Serialize + DeserializeOwned + Send + 'static`; it
/// is never implemented by hand. Serialization happens only at the edges (state, wire, files), not
/// between operators of one process.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot flow through a Headwater job",
    note = "derive `Clone, serde::Serialize, serde::Deserialize` for it; it must own its data"
)]
pub trait Record: Clone + Serialize + DeserializeOwned + Send + 'static {}
impl<T: Clone + Serialize + DeserializeOwned + Send + 'static> Record for T {}

/// A value that records can be grouped by: a [`Record`] that can be compared.
///
/// Two keys are the same key when they are `Eq`; equal keys must serialize to the same bytes, as
/// the key group comes from the serialized form (see [`crate::key_group`]).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    note = "derive `Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize` for it"
)]
pub trait Key: Record + Eq + Hash {}
impl<T: Record + Eq + Hash> Key for T {}

/// One record with its event time.
///
/// `late_by` says how late the record was *when it was read from its split*: 0 when its time was
/// above its own split's watermark, otherwise `watermark - time + 1` in milliseconds (saturating at
/// about 49 days). It is decided once, where the watermark is generated, so that lateness does not
/// depend on the number of workers, on scheduling or on recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed<T> {
    /// Event time of the record; [`EventTime::MIN`] when it has none.
    pub time: EventTime,
    /// 0, or milliseconds by which the record missed its split's watermark, plus one.
    pub late_by: u32,
    /// The record itself.
    pub value: T,
}

impl<T> Timed<T> {
    /// Stamps a record that is not late.
    pub const fn new(time: EventTime, value: T) -> Self {
        Timed { time, late_by: 0, value }
    }

    /// The same stamp on another value.
    pub fn with<U>(&self, value: U) -> Timed<U> {
        Timed { time: self.time, late_by: self.late_by, value }
    }

    /// The watermark under which the record was read, or `current` if that is further.
    ///
    /// Exact for late records; for others it is `current`, as their split's watermark was below
    /// their time and so decides nothing.
    pub fn watermark(&self, current: EventTime) -> EventTime {
        if self.late_by == 0 {
            return current;
        }
        current.max(EventTime(self.time.0.saturating_add(i64::from(self.late_by) - 1)))
    }

    /// Marks the record late or on time under its split's watermark.
    pub fn judge(&mut self, split_watermark: EventTime) {
        self.late_by = if self.time.is_late(split_watermark) {
            let by = split_watermark.0.saturating_sub(self.time.0).saturating_add(1);
            u32::try_from(by).unwrap_or(u32::MAX)
        } else {
            0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_kept_with_the_record() {
        let mut r = Timed::new(EventTime(90), ());
        r.judge(EventTime(89));
        assert_eq!((r.late_by, r.watermark(EventTime(5))), (0, EventTime(5)));
        r.judge(EventTime(90));
        assert_eq!((r.late_by, r.watermark(EventTime(5))), (1, EventTime(90)));
        r.judge(EventTime(150));
        assert_eq!(r.watermark(EventTime::MIN), EventTime(150));
        assert_eq!(r.watermark(EventTime(151)), EventTime(151));
    }
}

//! The timely timestamp: epoch and watermark under the *product* partial order.
//!
//! Two sources may be in different epochs with different watermarks. Under a lexicographic order
//! the minimum (9, 1200) would hide that a source already in epoch 10 still stands at watermark
//! 1000, and windows would fire early. With the product order a frontier is an antichain; its least
//! epoch and its least watermark are taken apart ([`frontier`]).

use headwater_core::{Epoch, EventTime};
use serde::{Deserialize, Serialize};
use timely::order::PartialOrder;
use timely::progress::frontier::MutableAntichain;
use timely::progress::timestamp::{PathSummary, Refines, Timestamp};

/// When a batch was sent: in which epoch, under which watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) epoch: Epoch,
    pub(crate) watermark: EventTime,
}

impl PartialOrder for Moment {
    fn less_equal(&self, other: &Self) -> bool {
        self.epoch <= other.epoch && self.watermark <= other.watermark
    }
}

/// Operators pass moments on unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unchanged;

impl PartialOrder for Unchanged {
    fn less_equal(&self, _: &Self) -> bool {
        true
    }
}

impl PathSummary<Moment> for Unchanged {
    fn results_in(&self, moment: &Moment) -> Option<Moment> {
        Some(*moment)
    }
    fn followed_by(&self, _: &Self) -> Option<Self> {
        Some(Unchanged)
    }
}

impl Timestamp for Moment {
    type Summary = Unchanged;
    fn minimum() -> Self {
        Moment { epoch: Epoch(0), watermark: EventTime::MIN }
    }
}

impl Refines<()> for Moment {
    fn to_inner((): ()) -> Self {
        Moment::minimum()
    }
    fn to_outer(self) {}
    fn summarize(_: Unchanged) {}
}

/// The least epoch and the least watermark of a frontier; `None` when the input has ended.
pub(crate) fn frontier(of: &MutableAntichain<Moment>) -> Option<Moment> {
    let frontier = of.frontier();
    let epoch = frontier.iter().map(|m| m.epoch).min()?;
    let watermark = frontier.iter().map(|m| m.watermark).min()?;
    Some(Moment { epoch, watermark })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_ahead_in_epochs_does_not_hide_its_low_watermark() {
        let at = |epoch, watermark| Moment { epoch: Epoch(epoch), watermark: EventTime(watermark) };
        let mut antichain = MutableAntichain::new();
        antichain.update_iter([(at(9, 1200), 1), (at(10, 1000), 1)]);
        assert_eq!(antichain.frontier().len(), 2);
        assert_eq!(frontier(&antichain), Some(at(9, 1000)));
        antichain.update_iter([(at(9, 1200), -1), (at(10, 1000), -1)]);
        assert_eq!(frontier(&antichain), None);
    }
}

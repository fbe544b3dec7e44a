//! Batches of a later epoch that arrived before the barrier: they wait, and their watermark counts.
//!
//! A batch that is held back has been consumed as far as timely knows, so its moment no longer
//! holds the frontier. If its watermark did not count here, windows would fire before its records
//! are in.

use std::collections::VecDeque;

use headwater_core::{Batch, Epoch, EventTime};

use crate::moment::Moment;

/// The batches held back at one group, in order of arrival.
#[derive(Default)]
pub(crate) struct HeldBack {
    batches: VecDeque<(usize, Moment, Batch)>,
}

impl HeldBack {
    pub(crate) fn hold(&mut self, input: usize, moment: Moment, batch: Batch) {
        self.batches.push_back((input, moment, batch));
    }

    /// The least watermark that a batch held back from `input` was sent under.
    pub(crate) fn watermark(&self, input: usize) -> Option<EventTime> {
        let of_input = self.batches.iter().filter(|(i, _, _)| *i == input);
        of_input.map(|(_, moment, _)| moment.watermark).min()
    }

    /// Takes out the batches of `epoch`, in order of arrival.
    pub(crate) fn release(&mut self, epoch: Epoch) -> Vec<(usize, Batch)> {
        let mut released = Vec::new();
        let mut kept = VecDeque::with_capacity(self.batches.len());
        for (input, moment, batch) in self.batches.drain(..) {
            if moment.epoch <= epoch {
                released.push((input, batch));
            } else {
                kept.push_back((input, moment, batch));
            }
        }
        self.batches = kept;
        released
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::Timed;

    use super::*;

    #[test]
    fn a_batch_held_back_holds_the_watermark_of_its_input() {
        let mut held = HeldBack::default();
        let batch = || Batch::new(vec![Timed::new(EventTime(1), 1u8)]);
        let at = |epoch, watermark| Moment { epoch: Epoch(epoch), watermark: EventTime(watermark) };
        held.hold(0, at(10, 1000), batch());
        held.hold(1, at(10, 500), batch());
        held.hold(0, at(11, 700), batch());
        assert_eq!(held.watermark(0), Some(EventTime(700)));
        assert_eq!(held.release(Epoch(10)).len(), 2);
        assert_eq!((held.watermark(0), held.watermark(1)), (Some(EventTime(700)), None));
        assert_eq!(held.release(Epoch(11)).len(), 1);
        assert!(held.batches.is_empty());
    }
}

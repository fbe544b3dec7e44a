//! What the broadcast side acts through, and how the keyed side reads the rules.

use headwater_core::{Error, EventTime, ProcessingTime, Result};

use crate::broadcast::{BroadcastProcess, Rules};
use crate::process::{Cx, Moment, Parts};

/// The context of one call of [`BroadcastProcess::on_broadcast`].
pub struct BroadcastCx<'a, P: BroadcastProcess> {
    pub(crate) parts: &'a mut Parts<P::Key, P::Out, P::State>,
    pub(crate) rules: &'a mut Rules<P>,
    pub(crate) time: EventTime,
    pub(crate) late_by: u32,
    pub(crate) watermark: EventTime,
    pub(crate) now: ProcessingTime,
}

impl<P: BroadcastProcess> BroadcastCx<'_, P> {
    /// The rules, for reading and changing. Change them by the broadcast record alone, so that all
    /// workers do the same.
    pub fn rules(&mut self) -> &mut Rules<P> {
        self.rules
    }

    /// Event time of the broadcast record.
    pub fn event_time(&self) -> EventTime {
        self.time
    }

    /// The watermark of both inputs.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// Processing time, as of the start of this activation of the step.
    pub fn processing_time(&self) -> ProcessingTime {
        self.now
    }

    /// Visits each key of this worker that has a
    /// [`Process::State`](crate::process::Process::State), in no particular order, with all
    /// that a record of that key could do.
    ///
    /// Each worker visits its own keys, so over all workers each key is visited once. Takes a copy
    /// of the keys, and time in proportion to their number.
    ///
    /// # Errors
    /// Stops at the first error of `visit` and returns it; what was changed before stays.
    pub fn for_each_key(
        &mut self,
        mut visit: impl FnMut(&mut Cx<'_, P>) -> Result<()>,
    ) -> Result<()> {
        let slots = self.parts.main.iter().filter_map(|(slot, ..)| self.parts.main.key(slot));
        let keys: Vec<(u64, P::Key)> = slots.map(|(hash, key)| (hash, key.clone())).collect();
        for (hash, key) in &keys {
            let moment = Moment {
                hash: *hash,
                key,
                time: self.time,
                late_by: self.late_by,
                watermark: self.watermark,
                now: self.now,
            };
            let rules: &Rules<P> = self.rules;
            visit(&mut Cx { parts: &mut *self.parts, moment, rules: Some(rules) })?;
        }
        Ok(())
    }
}

impl<'a, P: BroadcastProcess> Cx<'a, P> {
    /// The rules that the broadcast stream has set so far.
    ///
    /// # Errors
    /// When the step was built without its broadcast input.
    pub fn rules(&self) -> Result<&'a Rules<P>> {
        let rules = self.rules.and_then(|rules| rules.downcast_ref::<Rules<P>>());
        rules.ok_or_else(|| {
            Error::plan("a broadcast process function runs without its broadcast input")
                .hint("connect the broadcast stream to this step")
        })
    }
}

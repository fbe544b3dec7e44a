//! The Nexmark stream as a source: numbered events, dealt to splits and paced like generated
//! records.
//!
//! Invariants: split `i` of `s` gives events `i`, `i + s`, `i + 2s` and so on, so event time
//! advances in all splits together and each split is in order of event time; a restart gives the
//! same events.
//!
//! What this does not do: put the events out of order.

use std::time::Duration;

use headwater_core::{Result, Timed};

use super::{Event, NexmarkConfig, NexmarkGenerator};
use crate::generator::Numbers;
use crate::source::{Position, Reader, Source, SplitId, Wake};

/// Reads the Nexmark stream: endless and as fast as possible until told otherwise.
///
/// Time: events carry their event time, which advances by the configuration, whatever the rate.
///
/// # Examples
/// ```
/// use headwater_connect::nexmark::{NexmarkConfig, nexmark};
///
/// let events = nexmark(NexmarkConfig::default()).events(1_000_000).splits(4).rate(100_000.0);
/// # headwater_connect::Source::validate(&events).unwrap();
/// ```
pub fn nexmark(config: NexmarkConfig) -> Nexmark {
    Nexmark { config, numbers: Numbers::new() }
}

/// The source that [`nexmark`] gives.
#[derive(Clone, Debug)]
pub struct Nexmark {
    config: NexmarkConfig,
    numbers: Numbers,
}

impl Nexmark {
    /// Ends after `events` events, counted over all splits.
    pub fn events(mut self, events: u64) -> Self {
        self.numbers.limit = Some(events);
        self
    }

    /// Gives `events_per_second` events per second of the clock, counted over all splits, as
    /// [`crate::generator::Generator::rate`] does.
    pub fn rate(mut self, events_per_second: f64) -> Self {
        self.numbers.rate = Some(events_per_second);
        self
    }

    /// Shares the events among this many splits, round robin; 1 by default.
    pub fn splits(mut self, splits: usize) -> Self {
        self.numbers.deal.splits = splits;
        self
    }

    /// The least time between two batches when there is a rate; 200 µs by default, 100 µs at least.
    pub fn batch_every(mut self, pause: Duration) -> Self {
        self.numbers.batch_every = pause;
        self
    }
}

impl Source for Nexmark {
    type Record = Event;

    fn validate(&self) -> Result<()> {
        self.config.validate()?;
        self.numbers.validate("nexmark")
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        self.numbers.ids("nexmark")
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<Event>>> {
        let generator = NexmarkGenerator::new(self.config.clone())?;
        self.numbers.reader("nexmark", split, position, move |n| {
            let event = generator.event(n);
            Timed::new(event.time(), event)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::source_suite;
    use crate::source::ReadBuffer;

    #[test]
    fn nexmark_is_a_source() {
        let generator = NexmarkGenerator::default();
        let expected: Vec<Event> = (0..250).map(|n| generator.event(n)).collect();
        for splits in [1, 3] {
            let make = || nexmark(NexmarkConfig::default()).events(250).splits(splits);
            source_suite(make, &expected).unwrap();
        }
    }

    #[test]
    fn events_carry_their_time_and_splits_take_turns() {
        let source = nexmark(NexmarkConfig::default()).events(1000).splits(4);
        let generator = NexmarkGenerator::default();
        for (index, split) in Source::splits(&source).unwrap().iter().enumerate() {
            let mut buffer = ReadBuffer::new(1000, Duration::ZERO, Default::default());
            source.open(split, None, Wake::none()).unwrap().read(&mut buffer).unwrap();
            assert_eq!(buffer.records.len(), 250);
            for (k, record) in buffer.records.iter().enumerate() {
                assert_eq!(record.time, generator.time((k * 4 + index) as u64));
            }
        }
    }

    #[test]
    fn a_wrong_configuration_is_refused() {
        let config = NexmarkConfig { person_proportion: 0, ..NexmarkConfig::default() };
        assert!(nexmark(config).validate().is_err());
        assert!(nexmark(NexmarkConfig::default()).rate(0.0).validate().is_err());
    }
}

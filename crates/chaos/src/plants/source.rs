//! Faults of a source: where a restored reader goes on.

use headwater_connect::{Position, Reader, Source, SplitId, Wake};
use headwater_core::Result;

use super::Plant;

/// Wraps the source; without a plant it passes everything on.
pub fn faulty_source<S: Source>(inner: S, plant: Option<Plant>) -> FaultySource<S> {
    FaultySource { inner, plant }
}

/// See [`faulty_source`].
pub struct FaultySource<S> {
    inner: S,
    plant: Option<Plant>,
}

impl<S: Source> Source for FaultySource<S> {
    type Record = S::Record;

    fn validate(&self) -> Result<()> {
        self.inner.validate()
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        self.inner.splits()
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<S::Record>>> {
        let at = position.and_then(|p| p.0.parse::<u64>().ok());
        let wrong = match (self.plant, at) {
            (Some(Plant::SkipRecordOnRestore), Some(at)) => Some(at + 1),
            (Some(Plant::RepeatRecordOnRestore), Some(at)) => Some(at.saturating_sub(1)),
            _ => None,
        };
        let wrong = wrong.map(|at| Position(at.to_string()));
        self.inner.open(split, wrong.as_ref().or(position), wake)
    }
}

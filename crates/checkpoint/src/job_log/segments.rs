//! Writes and merges the segments of one attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use headwater_core::{Epoch, Result};
use object_store::PutPayload;

use super::names;
use crate::crash_point;
use crate::location::{GrowingFile, Location};
use crate::manifest::SegmentRef;
use crate::merge::merge_segments;
use crate::segment::SegmentMeta;

/// Where an attempt's segments go; clones share it, each upload thread takes one.
#[derive(Clone, Debug)]
pub struct SegmentStore {
    location: Location,
    attempt: u64,
    merges: Arc<AtomicU64>,
}

impl SegmentStore {
    pub(super) fn new(location: Location, attempt: u64, merges: Arc<AtomicU64>) -> Self {
        SegmentStore { location, attempt, merges }
    }

    /// Writes the `n`-th segment of a worker's part of an epoch, given in pieces; durable when it
    /// returns. May be called again after an error, with the same arguments.
    ///
    /// # Errors
    /// The storage's; kind `Transient` if a retry may help.
    pub fn write(
        &self,
        epoch: Epoch,
        worker: usize,
        n: usize,
        pieces: &[Bytes],
        meta: &SegmentMeta,
    ) -> Result<SegmentRef> {
        let path = names::segment(self.attempt, epoch, worker, n);
        crash_point("segment.before-write");
        self.location.put(&path, PutPayload::from_iter(pieces.iter().cloned()))?;
        crash_point("segment.after-write");
        Ok(SegmentRef::new(path, meta, epoch))
    }

    /// Whether [`SegmentStore::grow`] gives a segment.
    pub fn can_grow(&self) -> bool {
        self.location.can_grow()
    }

    /// Starts the `n`-th segment of a worker's part of an epoch, to be written while it is built;
    /// none where the storage keeps nothing of a segment until it has all of it.
    ///
    /// # Errors
    /// As [`SegmentStore::write`].
    pub fn grow(&self, epoch: Epoch, worker: usize, n: usize) -> Result<Option<GrowingSegment>> {
        let path = names::segment(self.attempt, epoch, worker, n);
        let file = self.location.growing(&path)?;
        Ok(file.map(|file| GrowingSegment { file, path, epoch }))
    }

    /// Folds a run of neighbouring segments, oldest first, into one; `None` if nothing is left of
    /// them. `from_oldest` says that the run starts with the oldest segment of all, so that removed
    /// entries need not be remembered. Put the result into the next manifest with
    /// [`replace_segments`](crate::replace_segments).
    ///
    /// # Errors
    /// Kind `State` if a segment is damaged; otherwise the storage's.
    pub fn merge(&self, run: &[SegmentRef], from_oldest: bool) -> Result<Option<SegmentRef>> {
        let n = self.merges.fetch_add(1, Ordering::Relaxed);
        let epoch = run.iter().map(|s| s.epoch).min().unwrap_or_default();
        let max_epoch = run.iter().map(|s| s.max_epoch).max().unwrap_or_default();
        let path = names::merged(self.attempt, epoch, max_epoch, n);
        merge_segments(&self.location, run, from_oldest, path)
    }
}

/// A segment that is written while it is built. It exists once it is finished.
pub struct GrowingSegment {
    file: GrowingFile,
    path: String,
    epoch: Epoch,
}

impl GrowingSegment {
    /// Adds pieces; taken for good when it returns. May be called again after an error, with the
    /// same pieces.
    ///
    /// # Errors
    /// As [`SegmentStore::write`].
    pub fn append(&mut self, pieces: &[Bytes]) -> Result<()> {
        self.file.append(pieces)
    }

    /// Ends the segment, which is durable then. May be called again after an error.
    ///
    /// # Errors
    /// As [`SegmentStore::write`].
    pub fn finish(&mut self, meta: &SegmentMeta) -> Result<SegmentRef> {
        crash_point("segment.before-write");
        self.file.finish()?;
        crash_point("segment.after-write");
        Ok(SegmentRef::new(self.path.clone(), meta, self.epoch))
    }
}

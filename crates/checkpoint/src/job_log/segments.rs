//! Writes and merges the segments of one attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use headwater_core::{Epoch, Result};
use object_store::PutPayload;

use super::names;
use crate::crash_point;
use crate::location::Location;
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

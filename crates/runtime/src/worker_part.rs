//! One worker's part of a checkpoint, gathered from its groups and sent to the coordinator.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::Sender;
use headwater_checkpoint::SegmentBuilder;
use headwater_core::{Epoch, Error, Result};
use headwater_topology::chain::OperatorSnapshot;

use crate::buffers::{Buffers, PIECE_BYTES};
use crate::uploads::ToDo;

/// What a worker tells the coordinator.
pub(crate) enum Report {
    /// Its part of an epoch, to be made durable.
    Part(Box<WorkerPart>),
    /// All sources on it have ended.
    SourcesFinished,
}

/// See the module documentation.
pub(crate) struct WorkerPart {
    pub(crate) worker: usize,
    pub(crate) epoch: Epoch,
    pub(crate) snapshots: Vec<OperatorSnapshot>,
    /// What was taken out of the segment already, so that it need not grow as a whole, and is not
    /// on its way to the storage.
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) segment: SegmentBuilder,
}

/// The first piece is taken out sooner: it grows from nothing, and growing copies.
const FIRST_PIECE_BYTES: usize = 64 << 10;

/// Pieces of a part that is not complete, in order.
pub(crate) struct Pieces {
    pub(crate) worker: usize,
    pub(crate) epoch: Epoch,
    pub(crate) pieces: Vec<Bytes>,
}

/// Where the pieces of a large part go, and where the buffers for them come from.
#[derive(Clone)]
pub(crate) struct LargeParts {
    pub(crate) buffers: Arc<Buffers>,
    /// None where pieces wait until the part is complete.
    pub(crate) pieces: Option<Sender<ToDo>>,
}

/// Shared by the groups of one worker (one thread).
#[derive(Clone)]
pub(crate) struct Gatherer(Rc<RefCell<Inner>>);

struct Inner {
    worker: usize,
    groups: usize,
    sources_left: usize,
    reports: Sender<Report>,
    large: Option<LargeParts>,
    gathering: Option<Gathering>,
}

struct Gathering {
    part: WorkerPart,
    finished: usize,
}

impl Gatherer {
    pub(crate) fn new(
        worker: usize,
        groups: usize,
        sources: usize,
        reports: Sender<Report>,
        large: Option<LargeParts>,
    ) -> Self {
        let sources_left = sources;
        let inner = Inner { worker, groups, sources_left, reports, large, gathering: None };
        Gatherer(Rc::new(RefCell::new(inner)))
    }

    /// A group has passed the barrier of `epoch`.
    ///
    /// At most one checkpoint is open at a time, so all groups gather for the same epoch.
    pub(crate) fn barrier(&self, epoch: Epoch, snapshots: Vec<OperatorSnapshot>) -> Result<()> {
        let mut inner = self.0.borrow_mut();
        let worker = inner.worker;
        let gathering = inner.gathering.get_or_insert_with(|| Gathering {
            part: WorkerPart {
                worker,
                epoch,
                snapshots: Vec::new(),
                pieces: Vec::new(),
                segment: SegmentBuilder::new(),
            },
            finished: 0,
        });
        if gathering.part.epoch != epoch {
            let open = gathering.part.epoch;
            return Err(Error::internal(format!("barrier of epoch {epoch} while {open} is open")));
        }
        gathering.part.snapshots.extend(snapshots);
        Ok(())
    }

    /// Whether a group can encode more now; if not, soon.
    pub(crate) fn has_room(&self) -> bool {
        let mut inner = self.0.borrow_mut();
        let Inner { gathering: Some(Gathering { part, .. }), large: Some(large), .. } = &mut *inner
        else {
            return true;
        };
        let is_first = part.segment.buffered() as u64 == part.segment.len();
        let full = if is_first { FIRST_PIECE_BYTES } else { PIECE_BYTES };
        if part.segment.buffered() < full {
            return true;
        }
        let Some(next) = large.buffers.take() else { return false };
        part.pieces.push(Bytes::from(part.segment.drain_into(next)));
        // A part that may turn out to be small is better off in one go.
        if let (Some(to), false) = (&large.pieces, is_first) {
            let pieces = std::mem::take(&mut part.pieces);
            let pieces = Pieces { worker: part.worker, epoch: part.epoch, pieces };
            // Without a coordinator the attempt is over, and nobody needs the part.
            let _ = to.send(ToDo::Pieces(pieces));
        }
        true
    }

    /// Lets a group encode into the open segment.
    pub(crate) fn encode<R>(&self, f: impl FnOnce(&mut SegmentBuilder) -> Result<R>) -> Result<R> {
        match &mut self.0.borrow_mut().gathering {
            Some(Gathering { part, .. }) => f(&mut part.segment),
            None => Err(Error::internal("a group encodes without an open checkpoint")),
        }
    }

    /// A group has encoded all of its tables; the last one sends the part.
    pub(crate) fn group_done(&self) {
        let mut inner = self.0.borrow_mut();
        let groups = inner.groups;
        let complete = inner.gathering.as_mut().is_some_and(|g| {
            g.finished += 1;
            g.finished == groups
        });
        if complete && let Some(gathering) = inner.gathering.take() {
            // Without a coordinator the attempt is over, and nobody needs the part.
            let _ = inner.reports.send(Report::Part(Box::new(gathering.part)));
        }
    }

    /// A source on this worker has ended.
    pub(crate) fn source_finished(&self) {
        let mut inner = self.0.borrow_mut();
        inner.sources_left -= 1;
        if inner.sources_left == 0 {
            let _ = inner.reports.send(Report::SourcesFinished);
        }
    }
}

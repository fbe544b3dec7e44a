//! The thread that writes large parts: pieces as they come, and what is left once a part is
//! complete.
//!
//! A piece is let go of when it is on the disk, and not before. What the storage refuses waits in
//! memory for the rest of its part, as the part has to be complete before the next epoch's begins;
//! then it is tried again like a part that came in one go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use headwater_checkpoint::{GrowingSegment, SegmentStore};
use headwater_core::{Epoch, Error, Result};

use super::{RETRY, Upload, Uploaded};
use crate::buffers::Buffers;
use crate::worker_part::Pieces;

/// What is written at once: the sooner pieces are durable the fewer buffers are needed.
const BATCH: usize = 16;

/// What the thread is given, in order for each part.
pub(crate) enum ToDo {
    /// Some pieces of a part.
    Pieces(Pieces),
    /// The end of a part, or all of it; comes again after a failure, with what it had left.
    Rest(Upload),
}

pub(super) struct Writer {
    store: SegmentStore,
    buffers: Arc<Buffers>,
    growing: HashMap<(usize, Epoch), Growing>,
}

/// A part of which something is written.
#[derive(Default)]
struct Growing {
    segment: Option<GrowingSegment>,
    /// What is not durable.
    pieces: Vec<Bytes>,
    refused_at: Option<Instant>,
}

impl Writer {
    pub(super) fn new(store: SegmentStore, buffers: Arc<Buffers>) -> Self {
        Writer { store, buffers, growing: HashMap::new() }
    }

    /// Works until nobody gives anything to do.
    pub(super) fn run(mut self, to_do: &Receiver<ToDo>, ended: &Sender<Uploaded>) {
        while let Ok(first) = to_do.recv() {
            let mut rests = Vec::new();
            for next in std::iter::once(first).chain(to_do.try_iter().take(BATCH - 1)) {
                match next {
                    ToDo::Pieces(Pieces { worker, epoch, pieces }) => {
                        self.growing.entry((worker, epoch)).or_default().pieces.extend(pieces);
                    }
                    ToDo::Rest(upload) => rests.push(upload),
                }
            }
            self.write_pieces();
            for upload in rests {
                // Nobody listens when the attempt has ended: then the segment is an orphan.
                let _ = ended.send(self.finish(upload));
            }
        }
    }

    fn write_pieces(&mut self) {
        let Writer { store, buffers, growing } = self;
        for (part, growing) in growing.iter_mut() {
            let pause = growing.refused_at.is_some_and(|at| at.elapsed() < RETRY);
            if !pause && let Err(e) = growing.write(store, *part, buffers) {
                tracing::debug!(?part, "pieces wait in memory: {}", e.report());
            }
        }
        self.tell_whether_stuck();
    }

    fn finish(&mut self, mut upload: Upload) -> Uploaded {
        let part = (upload.worker, upload.epoch);
        let Some(growing) = self.growing.get_mut(&part) else {
            return super::write(&self.store, upload);
        };
        growing.pieces.append(&mut upload.pieces);
        let written = growing.write(&self.store, part, &self.buffers);
        let outcome = written.and_then(|()| match &mut growing.segment {
            Some(segment) => segment.finish(&upload.meta),
            None => Err(Error::internal("a part without its segment")),
        });
        if outcome.is_ok() {
            self.growing.remove(&part);
        }
        self.tell_whether_stuck();
        Uploaded { upload, outcome }
    }

    fn tell_whether_stuck(&self) {
        self.buffers.set_stuck(self.growing.values().any(|part| part.refused_at.is_some()));
    }
}

impl Growing {
    /// Makes all pieces durable and gives their buffers back.
    fn write(
        &mut self,
        store: &SegmentStore,
        (worker, epoch): (usize, Epoch),
        buffers: &Buffers,
    ) -> Result<()> {
        // Until it is done; an early return leaves it so.
        self.refused_at = Some(Instant::now());
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => {
                let segment = store.grow(epoch, worker, 0)?;
                none.insert(segment.ok_or_else(|| Error::internal("segments cannot grow here"))?)
            }
        };
        if !self.pieces.is_empty() {
            segment.append(&self.pieces)?;
        }
        self.refused_at = None;
        let durable = std::mem::take(&mut self.pieces);
        buffers.give_back_all(durable);
        Ok(())
    }
}

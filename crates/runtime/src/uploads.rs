//! Makes workers' parts durable: small ones at once, large ones on a thread beside the coordinator.
//!
//! A part stays in memory until it is durable, so a store that fails (a full disk) delays the
//! checkpoint and loses nothing: the upload is tried again after a pause. Where the storage takes
//! pieces of a part for good, those are written while the part is still being built.

mod thread;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use headwater_checkpoint::{Event, SegmentMeta, SegmentRef, SegmentStore};
use headwater_core::{Epoch, Result};
use headwater_topology::chain::OperatorSnapshot;

use crate::background;
use crate::buffers::Buffers;
use crate::worker_part::{LargeParts, WorkerPart};
pub(crate) use thread::ToDo;
use thread::Writer;

/// Up to this size a part is written by the coordinator itself.
const INLINE_BYTES: u64 = 1 << 20;
/// How long to wait before a failed upload is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// A worker's part whose segment is durable.
pub(crate) struct DurablePart {
    pub(crate) segment: Option<SegmentRef>,
    /// The segment itself, where it goes into a transaction instead of a file.
    pub(crate) bytes: Vec<Bytes>,
    pub(crate) snapshots: Vec<OperatorSnapshot>,
}

pub(crate) struct Upload {
    worker: usize,
    epoch: Epoch,
    pieces: Vec<Bytes>,
    meta: SegmentMeta,
    snapshots: Vec<OperatorSnapshot>,
}

/// An upload and how it went.
pub(crate) struct Uploaded {
    upload: Upload,
    outcome: Result<SegmentRef>,
}

/// See the module documentation.
pub(crate) struct Uploads {
    /// None where nothing is uploaded.
    store: Option<SegmentStore>,
    /// To the upload thread, which ends when this is dropped.
    large: Sender<ToDo>,
    /// Uploads that ended on their threads, for [`Uploads::ended`].
    pub(crate) receiver: Receiver<Uploaded>,
    waiting: VecDeque<(Instant, Upload)>,
    buffers: Option<Arc<Buffers>>,
    /// Bytes made durable since they were last asked for.
    bytes: u64,
}

impl Uploads {
    /// With the storage to upload to, if any, and the number of workers.
    pub(crate) fn start(store: Option<SegmentStore>, workers: usize) -> Result<Self> {
        let waiting = VecDeque::new();
        let (large, to_do) = unbounded::<ToDo>();
        let (sender, receiver) = unbounded();
        let Some(for_thread) = store.clone() else {
            // Nothing ever ends here; a channel without a sender would always be ready.
            let receiver = crossbeam_channel::never();
            return Ok(Uploads { store, large, receiver, waiting, buffers: None, bytes: 0 });
        };
        let buffers = Arc::new(Buffers::start(workers, for_thread.can_grow())?);
        let writer = Writer::new(for_thread, Arc::clone(&buffers));
        background::spawn("headwater-upload", move || writer.run(&to_do, &sender))?;
        Ok(Uploads { store, large, receiver, waiting, buffers: Some(buffers), bytes: 0 })
    }

    /// How workers make large parts; none where a part is built as a whole.
    pub(crate) fn large_parts(&self) -> Option<LargeParts> {
        let can_grow = self.store.as_ref()?.can_grow();
        let buffers = Arc::clone(self.buffers.as_ref()?);
        Some(LargeParts { buffers, pieces: can_grow.then(|| self.large.clone()) })
    }

    /// Takes a worker's part; the event that follows now, if one does.
    pub(crate) fn add(&mut self, part: WorkerPart) -> Option<Event<DurablePart>> {
        let WorkerPart { worker, epoch, snapshots, segment, mut pieces } = part;
        if segment.is_empty() {
            let part = DurablePart { segment: None, bytes: Vec::new(), snapshots };
            return Some(Event::Ack { worker, epoch, part });
        }
        let (rest, meta) = segment.finish();
        pieces.push(Bytes::from(rest));
        self.upload(Upload { worker, epoch, pieces, meta, snapshots })
    }

    /// Takes a worker's part that goes into a transaction: it stays in memory.
    pub(crate) fn keep(part: WorkerPart) -> Event<DurablePart> {
        let WorkerPart { worker, epoch, snapshots, segment, pieces: mut bytes } = part;
        if !segment.is_empty() {
            bytes.push(Bytes::from(segment.finish().0));
        }
        Event::Ack { worker, epoch, part: DurablePart { segment: None, bytes, snapshots } }
    }

    fn upload(&mut self, upload: Upload) -> Option<Event<DurablePart>> {
        let upload = match upload.meta.bytes > INLINE_BYTES {
            true => {
                // Without its thread a part is not written, and the attempt ends by a timeout.
                let _ = self.large.send(ToDo::Rest(upload));
                return None;
            }
            false => upload,
        };
        let uploaded = write(self.store.as_ref()?, upload);
        Some(self.ended(uploaded))
    }

    /// What an upload that ended means for the protocol.
    pub(crate) fn ended(&mut self, uploaded: Uploaded) -> Event<DurablePart> {
        let Uploaded { upload, outcome } = uploaded;
        let (worker, epoch) = (upload.worker, upload.epoch);
        match outcome {
            Ok(segment) => {
                self.bytes += segment.bytes;
                if let Some(buffers) = &self.buffers {
                    buffers.give_back_all(upload.pieces);
                }
                let (segment, snapshots) = (Some(segment), upload.snapshots);
                let part = DurablePart { segment, bytes: Vec::new(), snapshots };
                Event::Ack { worker, epoch, part }
            }
            Err(error) => {
                self.waiting.push_back((Instant::now() + RETRY, upload));
                Event::UploadFailed { worker, epoch, error }
            }
        }
    }

    /// Tries failed uploads again whose pause is over.
    pub(crate) fn retry(&mut self, events: &mut Vec<Event<DurablePart>>) {
        let now = Instant::now();
        for _ in 0..self.waiting.len() {
            match self.waiting.pop_front() {
                Some((at, upload)) if at <= now => events.extend(self.upload(upload)),
                Some(early) => self.waiting.push_back(early),
                None => break,
            }
        }
    }

    /// Bytes made durable since the last call.
    pub(crate) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }
}

fn write(store: &SegmentStore, upload: Upload) -> Uploaded {
    let outcome = store.write(upload.epoch, upload.worker, 0, &upload.pieces, &upload.meta);
    Uploaded { upload, outcome }
}

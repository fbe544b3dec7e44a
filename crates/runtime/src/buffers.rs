//! Buffers for the pieces of large parts, touched before a worker fills them.
//!
//! Memory that is fresh from the system is cleared page by page as it is first written: a
//! millisecond or several per MiB, in which a worker would stand still. So a thread touches buffers
//! ahead, and pieces that are durable give theirs back. Where pieces become durable one by one, few
//! buffers do for a part of any size.
//!
//! Invariant: a worker never waits here; it encodes on when there is a buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use headwater_core::Result;

use crate::background;

/// Size from which on a segment's bytes are taken out of it.
pub(crate) const PIECE_BYTES: usize = 1 << 20;
/// A piece may be larger by one block of entries.
const CAPACITY: usize = PIECE_BYTES + (256 << 10);
/// How many buffers are touched ahead.
const AHEAD: usize = 8;
/// How many are kept at most.
const KEPT: usize = 16;
/// How many there are at most per worker, where pieces become durable one by one.
const PER_WORKER: usize = 8;

/// See the module documentation.
pub(crate) struct Buffers {
    /// To the thread, which ends when this is dropped.
    wanted: Sender<()>,
    ready: Receiver<Vec<u8>>,
    back: Sender<Vec<u8>>,
    /// How many were asked for and not freed since.
    there: Arc<AtomicUsize>,
    most: usize,
    /// Whether pieces stay in memory for now, as they cannot be made durable. A part must be
    /// complete before the next one begins, so it gets its buffers all the same.
    stuck: AtomicBool,
}

impl Buffers {
    /// Buffers for so many workers; `one_by_one` says that pieces become durable one by one.
    pub(crate) fn start(workers: usize, one_by_one: bool) -> Result<Self> {
        let (wanted, to_do) = bounded::<()>(AHEAD);
        let (back, ready) = bounded(KEPT);
        let there = Arc::new(AtomicUsize::new(0));
        let (touched, made) = (back.clone(), Arc::clone(&there));
        let work = move || {
            for () in to_do {
                let mut buffer = vec![1; CAPACITY];
                buffer.clear();
                keep(&touched, &made, buffer);
            }
        };
        background::spawn("headwater-buffers", work)?;
        let most = if one_by_one { AHEAD + workers * PER_WORKER } else { usize::MAX };
        Ok(Buffers { wanted, ready, back, there, most, stuck: AtomicBool::new(false) })
    }

    /// An empty buffer, if one is ready; asks for more.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        let buffer = self.ready.try_recv().ok();
        let may_grow = self.there.load(Relaxed) < self.most || self.stuck.load(Relaxed);
        // When as many are asked for as there is room for, that is enough.
        if may_grow && self.ready.len() < AHEAD && self.wanted.try_send(()).is_ok() {
            self.there.fetch_add(1, Relaxed);
        }
        buffer
    }

    /// Gives back a buffer whose content is no longer needed.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() >= PIECE_BYTES {
            buffer.clear();
            keep(&self.back, &self.there, buffer);
        }
    }

    /// Gives back the buffers of pieces that nobody else has.
    pub(crate) fn give_back_all(&self, pieces: impl IntoIterator<Item = Bytes>) {
        let unique = pieces.into_iter().filter(Bytes::is_unique);
        unique.for_each(|piece| self.give_back(piece.into()));
    }

    /// Says whether pieces stay in memory for now.
    pub(crate) fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Relaxed);
    }
}

/// Keeps a buffer for later; with enough of them kept it is freed.
fn keep(back: &Sender<Vec<u8>>, there: &AtomicUsize, buffer: Vec<u8>) {
    if back.try_send(buffer).is_err() {
        there.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(buffers: &Buffers) -> Vec<u8> {
        loop {
            match buffers.take() {
                Some(buffer) => break buffer,
                None => std::thread::yield_now(),
            }
        }
    }

    #[test]
    fn buffers_are_made_ready_and_used_again() {
        let buffers = Buffers::start(1, false).unwrap();
        let buffer = taken(&buffers);
        assert!(buffer.is_empty() && buffer.capacity() >= CAPACITY);
        // What is too small is none of them.
        buffers.give_back(Vec::with_capacity(10));
        let (address, kept) = (buffer.as_ptr(), |b: &Buffers| {
            std::iter::from_fn(|| b.ready.try_recv().ok()).map(|v| v.as_ptr()).collect::<Vec<_>>()
        });
        buffers.give_back(buffer);
        assert!(kept(&buffers).contains(&address));
    }

    #[test]
    fn there_are_few_unless_pieces_are_stuck() {
        let buffers = Buffers::start(1, true).unwrap();
        let mut all: Vec<_> = (0..AHEAD + PER_WORKER).map(|_| taken(&buffers)).collect();
        assert!(buffers.take().is_none() && buffers.there.load(Relaxed) == all.len());
        buffers.set_stuck(true);
        all.push(taken(&buffers));
        buffers.set_stuck(false);
        // As many as are kept go on; those beyond are freed and made anew when wanted.
        all.into_iter().for_each(|buffer| buffers.give_back(buffer));
        taken(&buffers);
    }
}

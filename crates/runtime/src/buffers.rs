//! Buffers for the pieces of large parts, touched before a worker fills them.
//!
//! Memory that is fresh from the system is cleared page by page as it is first written: a
//! millisecond or several per MiB, in which a worker would stand still. So a thread touches buffers
//! ahead, and pieces that are durable give theirs back.
//!
//! Invariant: a worker never waits here; it encodes on when there is a buffer.

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

/// See the module documentation.
pub(crate) struct Buffers {
    /// To the thread, which ends when this is dropped.
    wanted: Sender<()>,
    ready: Receiver<Vec<u8>>,
    back: Sender<Vec<u8>>,
}

impl Buffers {
    pub(crate) fn start() -> Result<Self> {
        let (wanted, to_do) = bounded::<()>(AHEAD);
        let (back, ready) = bounded(KEPT);
        let touched = back.clone();
        let work = move || {
            for () in to_do {
                let mut buffer = vec![1; CAPACITY];
                buffer.clear();
                // With enough of them kept this one is not needed.
                let _ = touched.try_send(buffer);
            }
        };
        background::spawn("headwater-buffers", work)?;
        Ok(Buffers { wanted, ready, back })
    }

    /// An empty buffer, if one is ready; asks for more.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        let buffer = self.ready.try_recv().ok();
        if self.ready.len() < AHEAD {
            // When as many are asked for as there is room for, that is enough.
            let _ = self.wanted.try_send(());
        }
        buffer
    }

    /// Gives back a buffer whose content is no longer needed.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() >= PIECE_BYTES {
            buffer.clear();
            // With enough of them kept this one is freed.
            let _ = self.back.try_send(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_made_ready_and_used_again() {
        let buffers = Buffers::start().unwrap();
        let buffer = loop {
            match buffers.take() {
                Some(buffer) => break buffer,
                None => std::thread::yield_now(),
            }
        };
        assert!(buffer.is_empty() && buffer.capacity() >= CAPACITY);
        buffers.give_back(Vec::with_capacity(10));
        let (address, kept) = (buffer.as_ptr(), |b: &Buffers| {
            std::iter::from_fn(|| b.ready.try_recv().ok()).map(|v| v.as_ptr()).collect::<Vec<_>>()
        });
        buffers.give_back(buffer);
        assert!(kept(&buffers).contains(&address));
    }
}

//! The thread that waits for input, and the bounded queue between it and the worker.
//!
//! The thread blocks in `read`, cuts what came into lines and sends them in one piece; the queue
//! holds [`QUEUED_PIECES`] of them, each of at most one read's bytes plus one line. A full queue
//! blocks the thread, and so in the end whoever writes. The reader says that it is about to go idle
//! *before* its last look into the queue, and the thread looks for that *after* it has put
//! something in: one of the two sees the other, so no wake-up is lost, and a busy reader is never
//! woken.
//!
//! Invariant: the queue's sender is dropped when the input has ended or failed; a failure is kept,
//! so that no later reader takes it for the end.

use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use headwater_core::{Error, Result};

use super::splitter::{Line, Splitter};
use crate::source::Wake;

const QUEUED_PIECES: usize = 16;
const READ_BYTES: usize = 64 << 10;

/// The worker's end of the queue.
pub(super) struct Feed {
    pieces: Receiver<Vec<Line>>,
    current: Mutex<std::vec::IntoIter<Line>>,
    shared: Arc<Shared>,
}

/// What both ends see.
#[derive(Default)]
struct Shared {
    idle: AtomicBool,
    wake: Mutex<Option<Wake>>,
    failure: Mutex<Option<String>>,
}

/// The thread's end of the queue.
pub(super) struct Pump {
    pieces: Option<Sender<Vec<Line>>>,
    shared: Arc<Shared>,
    max_line_bytes: usize,
}

/// How an input ended.
pub(super) enum Ended {
    /// Everything was read.
    Whole,
    /// It failed; what came before was given.
    Broken(std::io::Error),
    /// Nobody reads any more.
    Unwanted,
}

/// What the queue has for the reader.
pub(super) enum Next {
    /// A line; [`Feed::take`] keeps these to itself.
    Line(Line),
    /// Nothing now; the reader's wake-up follows.
    Nothing,
    /// Nothing any more.
    End,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// Starts a thread that runs `run` with the other end.
    pub(super) fn start(
        max_line_bytes: usize,
        run: impl FnOnce(Pump) + Send + 'static,
    ) -> Result<Feed> {
        let (sender, pieces) = bounded(QUEUED_PIECES);
        let shared = Arc::new(Shared::default());
        let pump = Pump { pieces: Some(sender), shared: Arc::clone(&shared), max_line_bytes };
        std::thread::Builder::new()
            .name("headwater-lines".to_owned())
            .spawn(move || run(pump))
            .map_err(|e| Error::connector("cannot start a thread to read lines").because(e))?;
        Ok(Feed { pieces, current: Mutex::new(Vec::new().into_iter()), shared })
    }

    /// Whom to wake from now on.
    pub(super) fn set_wake(&self, wake: Wake) {
        *lock(&self.shared.wake) = Some(wake);
    }

    /// Hands up to `most` lines to `take`; says why they are fewer, `None` when they are not.
    ///
    /// # Errors
    /// When the input has failed and all that came before has been taken.
    pub(super) fn take(&self, mut take: impl FnMut(Line), most: usize) -> Result<Option<Next>> {
        let mut current = lock(&self.current);
        for taken in 0..most {
            let next = match current.next() {
                Some(line) => Next::Line(line),
                None => match self.next_piece(&mut current) {
                    // What was taken counts first; the failure stays.
                    Err(_) if taken > 0 => return Ok(None),
                    next => next?,
                },
            };
            match next {
                Next::Line(line) => take(line),
                stop => return Ok(Some(stop)),
            }
        }
        Ok(None)
    }

    /// How many pieces wait.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.pieces.len()
    }

    fn next_piece(&self, current: &mut std::vec::IntoIter<Line>) -> Result<Next> {
        loop {
            match self.pieces.try_recv() {
                Ok(piece) => {
                    self.shared.idle.store(false, Ordering::SeqCst);
                    *current = piece.into_iter();
                    if let Some(line) = current.next() {
                        return Ok(Next::Line(line));
                    }
                }
                Err(TryRecvError::Empty) => {
                    if self.shared.idle.swap(true, Ordering::SeqCst) {
                        return Ok(Next::Nothing);
                    }
                }
                Err(TryRecvError::Disconnected) => {
                    return match &*lock(&self.shared.failure) {
                        None => Ok(Next::End),
                        Some(failure) => Err(Error::connector(failure.clone())),
                    };
                }
            }
        }
    }
}

impl Pump {
    /// Reads `input` to its end.
    pub(super) fn read(&self, input: &mut dyn Read) -> Ended {
        let mut splitter = Splitter::new(self.max_line_bytes);
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let mut lines = Vec::new();
            let ended = match input.read(&mut bytes) {
                Ok(0) => Some(Ended::Whole),
                Ok(read) => {
                    splitter.feed(&bytes[..read], &mut lines);
                    None
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => Some(Ended::Broken(e)),
            };
            if ended.is_some() {
                splitter.finish(&mut lines);
            }
            if !self.send(lines) {
                return Ended::Unwanted;
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    fn send(&self, lines: Vec<Line>) -> bool {
        let Some(pieces) = &self.pieces else { return false };
        if !lines.is_empty() && pieces.send(lines).is_err() {
            return false;
        }
        self.shared.notify();
        true
    }

    /// Makes the reader fail, after it has taken what was sent.
    pub(super) fn fail(&self, message: String) {
        *lock(&self.shared.failure) = Some(message);
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.pieces = None;
        self.shared.notify();
    }
}

impl Shared {
    fn notify(&self) {
        if self.idle.swap(false, Ordering::SeqCst)
            && let Some(wake) = &*lock(&self.wake)
        {
            wake.wake();
        }
    }
}

//! What the coordinator and the workers of one attempt share: the open epoch, how to stop, failure.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use headwater_checkpoint::End;
use headwater_core::{Epoch, Error};
use timely::scheduling::SyncActivator;

/// How sources are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// They read.
    On,
    /// They stop reading as if their splits had ended: windows fire, everything drains.
    Drain,
    /// They stop reading where they are; the job can go on from there.
    Off,
}

/// See the module documentation. One per attempt.
pub(crate) struct Control {
    /// Epochs up to this one are closed or to be closed.
    closing: AtomicU64,
    /// The last epoch; `u64::MAX` while there is no end in sight.
    last: AtomicU64,
    /// Whether the last epoch ends a job that can go on, so its input has not ended.
    stopping: AtomicBool,
    reading: AtomicU8,
    abort: AtomicBool,
    failure: Mutex<Option<Error>>,
    wakers: Mutex<Vec<SyncActivator>>,
}

impl Control {
    pub(crate) fn new(restored: Epoch) -> Self {
        Control {
            closing: AtomicU64::new(restored.0),
            last: AtomicU64::new(u64::MAX),
            stopping: AtomicBool::new(false),
            reading: AtomicU8::new(0),
            abort: AtomicBool::new(false),
            failure: Mutex::new(None),
            wakers: Mutex::new(Vec::new()),
        }
    }

    /// Registers a group to be woken when something here changes.
    pub(crate) fn register(&self, waker: SyncActivator) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }

    fn wake_all(&self) {
        for waker in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // A worker that is gone needs no waking.
            let _ = waker.activate();
        }
    }

    /// Tells all groups to close `epoch`, and whether and why it is the last one.
    pub(crate) fn close(&self, epoch: Epoch, last: Option<End>) {
        if let Some(end) = last {
            self.stopping.store(end == End::Stopped, SeqCst);
            self.last.store(epoch.0, SeqCst);
        }
        self.closing.store(epoch.0, SeqCst);
        self.wake_all();
    }

    /// The newest epoch that is to be closed.
    pub(crate) fn closing(&self) -> Epoch {
        Epoch(self.closing.load(SeqCst))
    }

    /// Whether the attempt ends before its inputs do, to go on later.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }

    /// Whether no epoch follows `epoch`.
    pub(crate) fn is_last(&self, epoch: Epoch) -> bool {
        epoch.0 >= self.last.load(SeqCst)
    }

    pub(crate) fn set_reading(&self, reading: Reading) {
        let code = match reading {
            Reading::On => 0,
            Reading::Drain => 1,
            Reading::Off => 2,
        };
        self.reading.fetch_max(code, SeqCst);
        self.wake_all();
    }

    pub(crate) fn reading(&self) -> Reading {
        match self.reading.load(SeqCst) {
            0 => Reading::On,
            1 => Reading::Drain,
            _ => Reading::Off,
        }
    }

    /// Ends the attempt without an error.
    pub(crate) fn abort(&self) {
        self.abort.store(true, SeqCst);
        self.wake_all();
    }

    /// Ends the attempt; the first failure is the one that is reported.
    pub(crate) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.abort();
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.abort.load(SeqCst)
    }

    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

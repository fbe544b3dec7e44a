//! What the protocol is told, what it decides, and its options.

use std::time::Duration;

use headwater_core::{Epoch, Error, ProcessingTime};

/// When checkpoints are taken and what failures are tolerated.
#[derive(Clone, Debug)]
pub struct ProtocolOptions {
    /// Time from the start of one checkpoint to the start of the next; `None`: only when asked.
    pub interval: Option<Duration>,
    /// Least time between the end of one scheduled checkpoint and the start of the next.
    pub min_pause: Duration,
    /// How long workers may take to upload their parts before the checkpoint counts as failed.
    pub timeout: Option<Duration>,
    /// How many checkpoints in a row may fail before the job does.
    pub tolerable_failures: u32,
    /// Wait after the first failure; doubled with each further one, up to 128 times.
    pub failure_pause: Duration,
}

impl Default for ProtocolOptions {
    fn default() -> Self {
        ProtocolOptions {
            interval: Some(Duration::from_secs(1)),
            min_pause: Duration::ZERO,
            timeout: Some(Duration::from_secs(600)),
            tolerable_failures: 10,
            failure_pause: Duration::from_millis(100),
        }
    }
}

/// Why there will be no further epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The user stopped the job: it can go on from the last checkpoint.
    Stopped,
    /// Every source has ended: there is nothing to go on with.
    Finished,
}

/// What happened.
#[derive(Debug)]
pub enum Event<P> {
    /// Time went on; the caller sends one every few milliseconds while the job runs.
    Tick {
        /// Now.
        now: ProcessingTime,
    },
    /// A user asked for a checkpoint.
    Trigger,
    /// A user asked to stop: the next epoch is the last one.
    Stop,
    /// Every source has ended: the next epoch is the last one.
    AllSourcesFinished,
    /// A worker has made its part of an epoch durable.
    Ack {
        /// The worker, `0..workers`.
        worker: usize,
        /// The epoch the part belongs to.
        epoch: Epoch,
        /// Segments, operator state and committables of the worker, already uploaded.
        part: P,
    },
    /// A worker could not make its part durable; it keeps the part, tries again and acks later.
    UploadFailed {
        /// The worker.
        worker: usize,
        /// The epoch the part belongs to.
        epoch: Epoch,
        /// Why.
        error: Error,
    },
    /// The manifest is durable.
    ManifestWritten {
        /// Its epoch.
        epoch: Epoch,
    },
    /// The manifest could not be written, or it is not known whether it was.
    ManifestFailed {
        /// Its epoch.
        epoch: Epoch,
        /// Why.
        error: Error,
    },
    /// Every sink has made the output of the epoch visible.
    Committed {
        /// The epoch.
        epoch: Epoch,
    },
    /// A sink could not make the output of the epoch visible.
    CommitFailed {
        /// The epoch.
        epoch: Epoch,
        /// Why; kind `Transient` is tried again, any other fails the job.
        error: Error,
    },
}

/// What to do now.
#[derive(Debug)]
pub enum Decision {
    /// Workers shall close this epoch and go on in the next one, or end if it is the last.
    OpenEpoch {
        /// The epoch to close.
        barrier_of: Epoch,
        /// Set if no epoch follows.
        last: Option<End>,
    },
    /// Write the manifest of this epoch with all of [`Protocol::parts`](super::Protocol::parts).
    WriteManifest {
        /// The epoch.
        epoch: Epoch,
        /// Set if this is the last manifest; `Finished` marks the job as finished in it.
        last: Option<End>,
    },
    /// Make the sinks' output of the manifest of this epoch visible.
    Commit {
        /// The epoch.
        epoch: Epoch,
    },
    /// The checkpoint is complete: older ones may be removed.
    Retire {
        /// The epoch of the complete checkpoint.
        epoch: Epoch,
    },
    /// The checkpoint of this epoch failed and the job goes on; for logs and metrics.
    CheckpointFailed {
        /// The epoch.
        epoch: Epoch,
        /// How many in a row have failed, with this one.
        consecutive: u32,
        /// Why.
        error: Error,
    },
    /// The last checkpoint is complete. No decision follows.
    Finished {
        /// The last epoch.
        epoch: Epoch,
        /// Why it was the last.
        end: End,
    },
    /// The attempt has to end. No decision follows.
    Fail {
        /// Why.
        error: Error,
    },
}

/// Where an attempt starts from.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProtocolStart {
    /// The epoch of the restored checkpoint; [`Epoch::NONE`] for a new job.
    pub epoch: Epoch,
    /// Whether the restored checkpoint has output that may not have been made visible yet.
    pub recommit: bool,
    /// Set if the restored checkpoint was the last one of the job.
    pub end: Option<End>,
}

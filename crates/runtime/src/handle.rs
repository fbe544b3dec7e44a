//! The handle of a running job.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use headwater_core::{Epoch, Error, Result};

use crate::metrics::{MetricsSnapshot, Registry};

/// How to stop a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Stop reading, take a last checkpoint, end. The job can go on from there later.
    Checkpoint,
    /// Stop reading as if the input had ended: windows fire, everything is written, the job is
    /// over.
    Drain,
    /// End at once; the job can go on from the last checkpoint.
    Now,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All input was processed and all output is visible.
    Finished {
        /// The last checkpoint.
        epoch: Epoch,
    },
    /// It was stopped and can go on from its last checkpoint.
    Stopped {
        /// The last checkpoint.
        epoch: Epoch,
    },
}

pub(crate) enum Command {
    Stop(StopMode),
    Checkpoint,
}

/// Controls a running job. Dropping it stops the job at once.
pub struct JobHandle {
    pub(crate) commands: Sender<Command>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) supervisor: Option<JoinHandle<Result<Outcome>>>,
}

impl JobHandle {
    /// What the job tells about itself now.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.registry.snapshot()
    }

    /// Asks the job to stop; `wait` tells when it has.
    pub fn stop(&self, mode: StopMode) {
        let _ = self.commands.send(Command::Stop(mode));
    }

    /// Asks for a checkpoint now.
    pub fn checkpoint(&self) {
        let _ = self.commands.send(Command::Checkpoint);
    }

    /// Whether the job has ended.
    pub fn is_ended(&self) -> bool {
        self.supervisor.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Something that can ask the job to stop from elsewhere: a signal handler, another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.commands.clone())
    }

    /// Waits for the job to end.
    ///
    /// # Errors
    /// The failure that ended the job, after the restart strategy gave up.
    pub fn wait(&mut self) -> Result<Outcome> {
        match self.supervisor.take() {
            Some(supervisor) => supervisor
                .join()
                .unwrap_or_else(|_| Err(Error::internal("the supervisor of the job panicked"))),
            None => Err(Error::internal("the job was waited for before")),
        }
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            self.stop(StopMode::Now);
            let _ = supervisor.join();
        }
    }
}

/// Asks a job to stop.
#[derive(Clone)]
pub struct Stopper(Sender<Command>);

impl Stopper {
    /// Asks the job to stop.
    pub fn stop(&self, mode: StopMode) {
        let _ = self.0.send(Command::Stop(mode));
    }
}

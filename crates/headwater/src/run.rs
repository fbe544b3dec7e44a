//! How a [`Job`] becomes a running one.
//!
//! [`RunJob`] is to the point: [`start`](RunJob::start) for a handle, [`run`](RunJob::run) for a
//! program that does nothing else. Both give a job without declared dead letters the default file,
//! `dead-letters/<job>.jsonl`, which appears with the first refused record.

use std::sync::Arc;

use headwater_api::Job;
use headwater_core::Result;
use headwater_runtime::{Config, JobHandle, Outcome};
use headwater_topology::Topology;

use crate::cli::signals;
use crate::dead_letters::DefaultDeadLetters;

/// Runs a job; in the [prelude](crate::prelude).
pub trait RunJob {
    /// Starts the job and returns its handle. Installs no signal handler, no logger.
    ///
    /// # Errors
    /// What is wrong with the topology, a connector's configuration or the checkpoint directory.
    fn start(self, config: Config) -> Result<JobHandle>;

    /// Runs the job with the default configuration until it ends: all cores, state in memory.
    ///
    /// Ctrl-C (SIGINT, SIGTERM) stops it with a final checkpoint; a second one ends the process.
    ///
    /// # Errors
    /// As [`RunJob::start`], or the failure that ended the job.
    ///
    /// # Examples
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let squares = collect::<u64>();
    /// let mut job = Job::new("squares");
    /// job.source("numbers", collection(vec![1u64, 2, 3]))
    ///     .map(|n| n * n)
    ///     .sink("out", squares.clone());
    /// job.run()?;
    /// assert_eq!(squares.sorted(), [1, 4, 9]);
    /// # Ok::<(), Error>(())
    /// ```
    fn run(self) -> Result<Outcome>;
}

impl RunJob for Job {
    fn start(self, config: Config) -> Result<JobHandle> {
        headwater_runtime::start(finished(self)?, config)
    }

    fn run(self) -> Result<Outcome> {
        let mut handle = self.start(Config::default())?;
        let _interrupts = signals::stop_on_interrupt(handle.stopper())?;
        handle.wait()
    }
}

/// The topology of a job, with a place for its dead letters.
///
/// # Errors
/// Of kind `Plan`: the first mistake made while building.
pub fn finished(job: Job) -> Result<Topology> {
    let mut topology = job.build()?;
    if topology.dead_letters.is_none() {
        topology.dead_letters = Some(Arc::new(DefaultDeadLetters::of(&topology.job)));
    }
    Ok(topology)
}

//! A job in the foreground of a terminal: Ctrl-C and `--for` stop it with a checkpoint, and its
//! metrics are served if there is an address.
//!
//! The caller's loop calls [`Foreground::attend`], draws what it likes in between, and
//! [`finish`](Foreground::finish)es when that says that the job has ended.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use headwater_core::{Error, Result};
use headwater_runtime::{JobHandle, MetricsSnapshot, Outcome, StopMode};
use headwater_topology::Topology;

use super::args::JobArgs;
use super::signals::{InterruptGuard, stop_on_interrupt};
use super::units;
use crate::metrics_http::MetricsServer;

/// How often the end of the job is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// See the module documentation.
pub struct Foreground {
    name: String,
    handle: Arc<JobHandle>,
    directory: Option<String>,
    interrupts: InterruptGuard,
    server: Option<MetricsServer>,
    until: Option<Instant>,
}

impl Foreground {
    /// Starts a job as the flags say.
    ///
    /// # Errors
    /// What is wrong with the job, the flags or the checkpoint directory.
    pub fn start(topology: Topology, args: &JobArgs) -> Result<Foreground> {
        let name = topology.job.clone();
        let handle = headwater_runtime::start(topology, args.config())?;
        Foreground::attach(name, handle, args)
    }

    /// Takes care of a job that runs already, by what the flags say beside its configuration.
    ///
    /// # Errors
    /// When Ctrl-C or the metrics' address cannot be had.
    pub fn attach(name: String, handle: JobHandle, args: &JobArgs) -> Result<Foreground> {
        let handle = Arc::new(handle);
        let interrupts = stop_on_interrupt(handle.stopper())?;
        let weak = Arc::downgrade(&handle);
        let metrics = move || Weak::upgrade(&weak).map(|handle| handle.metrics());
        let serve = |address| MetricsServer::start(address, metrics);
        Ok(Foreground {
            name,
            handle,
            directory: args.checkpoint_dir.clone(),
            interrupts,
            server: args.metrics_address.map(serve).transpose()?,
            until: args.run_for.map(|duration| Instant::now() + duration),
        })
    }

    /// The line that a program starts with: version, job, workers, where state is kept.
    pub fn headline(&self) -> String {
        let workers = self.handle.metrics().workers;
        let plural = if workers == 1 { "" } else { "s" };
        let state = match &self.directory {
            Some(directory) => format!("state in {directory}"),
            None => "state in memory (keep it: --checkpoint-dir DIR)".to_owned(),
        };
        let mut text = format!(
            "headwater {} · job {} · {workers} worker{plural} · {state}",
            crate::VERSION,
            self.name
        );
        if let Some(address) = self.metrics_address() {
            text.push_str(&format!("\nmetrics http://{address}/metrics"));
        }
        text
    }

    /// Where metrics are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(MetricsServer::address)
    }

    /// The job's metrics now.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.handle.metrics()
    }

    /// Asks the job to stop.
    pub fn stop(&self, mode: StopMode) {
        self.handle.stop(mode);
    }

    /// Whether Ctrl-C has asked the job to stop.
    pub fn is_interrupted(&self) -> bool {
        self.interrupts.is_interrupted()
    }

    /// Waits for `pause`, or until the job ends; tells whether it has.
    pub fn attend(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            if self.handle.is_ended() {
                return true;
            }
            let now = Instant::now();
            if self.until.is_some_and(|until| until <= now) {
                self.until = None;
                self.handle.stop(StopMode::Checkpoint);
            }
            if now >= until {
                return false;
            }
            std::thread::sleep((until - now).min(LOOK_EVERY));
        }
    }

    /// Waits for the end and tells how it was.
    pub fn finish(self) -> Ended {
        let Foreground { handle, interrupts, server, directory, .. } = self;
        // The server's thread may hold the handle for the time of a request.
        drop(server);
        let metrics = handle.metrics();
        let (result, metrics) = match Arc::into_inner(handle) {
            Some(mut handle) => (handle.wait(), handle.metrics()),
            None => (Err(Error::internal("the handle of the job is still in use")), metrics),
        };
        drop(interrupts);
        Ended { result, metrics, directory }
    }
}

/// How a job in the foreground ended.
pub struct Ended {
    /// The outcome, or the failure.
    pub result: Result<Outcome>,
    /// Its last metrics.
    pub metrics: MetricsSnapshot,
    /// Where its checkpoints are, unless they were in memory.
    pub directory: Option<String>,
}

impl Ended {
    /// One line: how it ended, and the last checkpoint.
    pub fn summary(&self) -> String {
        let c = &self.metrics.checkpoints;
        let size = format!("{}, {}", units::bytes(c.last_bytes), units::duration(c.last_duration));
        match (&self.result, &self.directory) {
            (Err(_), _) => format!("failed: after {}", units::duration(self.metrics.uptime)),
            (Ok(Outcome::Finished { .. }), _) => {
                format!("finished: in {}", units::duration(self.metrics.uptime))
            }
            (Ok(Outcome::Stopped { epoch }), Some(_)) => {
                format!("stopping: checkpoint {epoch} written ({size})")
            }
            (Ok(Outcome::Stopped { epoch }), None) => format!(
                "stopping: checkpoint {epoch} written ({size}) to memory, gone with this process \
                 (keep it: --checkpoint-dir DIR)"
            ),
        }
    }
}

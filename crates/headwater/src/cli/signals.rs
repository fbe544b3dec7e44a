//! Ctrl-C: the first one stops the jobs that run in the foreground with a checkpoint, the second
//! one ends the process with code 130.
//!
//! A process has one handler (for SIGINT, SIGTERM and SIGHUP); it is installed with the first job
//! that asks for it. Nothing is printed from it: whoever attends the job does that.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use headwater_core::{Error, Result};
use headwater_runtime::StopMode;
use headwater_runtime::handle::Stopper;

use crate::exit::Exit;

struct Jobs {
    next: u64,
    running: Vec<(u64, Stopper)>,
    /// Whether the running jobs have been asked to stop.
    asked: bool,
}

static JOBS: Mutex<Jobs> = Mutex::new(Jobs { next: 0, running: Vec::new(), asked: false });
static HANDLER: OnceLock<Option<String>> = OnceLock::new();

fn jobs() -> MutexGuard<'static, Jobs> {
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops the job behind `stopper` at Ctrl-C, for as long as the guard lives.
///
/// # Errors
/// Kind `Config` if the program has a handler of its own, from the same library.
pub fn stop_on_interrupt(stopper: Stopper) -> Result<InterruptGuard> {
    let failed = HANDLER.get_or_init(|| ctrlc::set_handler(interrupt).err().map(|e| e.to_string()));
    if let Some(why) = failed {
        return Err(Error::config(format!("cannot handle Ctrl-C: {why}"))
            .hint("use job.start(config), which leaves signals to the program"));
    }
    let mut jobs = jobs();
    let id = jobs.next;
    jobs.next += 1;
    jobs.running.push((id, stopper));
    Ok(InterruptGuard(id))
}

fn interrupt() {
    let mut jobs = jobs();
    if jobs.asked || jobs.running.is_empty() {
        std::process::exit(i32::from(Exit::INTERRUPTED.code()));
    }
    jobs.asked = true;
    for (_, stopper) in &jobs.running {
        stopper.stop(StopMode::Checkpoint);
    }
}

/// Keeps a job under Ctrl-C's control until it is dropped.
pub struct InterruptGuard(u64);

impl InterruptGuard {
    /// Whether the job has been asked to stop by Ctrl-C.
    pub fn is_interrupted(&self) -> bool {
        jobs().asked
    }
}

impl Drop for InterruptGuard {
    fn drop(&mut self) {
        let mut jobs = jobs();
        jobs.running.retain(|(id, _)| *id != self.0);
        if jobs.running.is_empty() {
            jobs.asked = false;
        }
    }
}

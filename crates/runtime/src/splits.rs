//! Which worker reads which split of a source; shared by the workers of one attempt.
//!
//! Splits are numbered in the order they become known: those of the checkpoint first, by name, then
//! what the source lists. Split `i` belongs to worker `i mod workers`. Any worker may ask the
//! source for new splits when that is due; all see the result.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use headwater_connect::{Discovery, Position, SplitId};
use headwater_core::{Error, Result};
use headwater_topology::erased::AnySource;
use serde::{Deserialize, Serialize};

/// Where a split stands: what the checkpoint keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SplitState {
    pub(crate) id: SplitId,
    /// `None`: not opened yet.
    pub(crate) position: Option<Position>,
    pub(crate) ended: bool,
}

/// The splits of one source.
pub(crate) struct Splits {
    name: String,
    workers: usize,
    state: Mutex<State>,
    every: Option<Duration>,
}

struct State {
    known: Vec<SplitState>,
    next_discovery: Duration,
    /// Whether the job has listed splits before: what is new now appeared after its start.
    started: bool,
}

impl Splits {
    /// Lists the source's splits, after those that the checkpoint knows.
    pub(crate) fn new(
        name: &str,
        source: &dyn AnySource,
        workers: usize,
        mut restored: Vec<SplitState>,
    ) -> Result<Self> {
        restored.sort_by(|a, b| a.id.cmp(&b.id));
        let started_before = !restored.is_empty();
        let splits = Splits {
            name: name.to_owned(),
            workers,
            state: Mutex::new(State {
                known: restored,
                next_discovery: Duration::ZERO,
                started: started_before,
            }),
            every: match source.discovery() {
                Discovery::Once => None,
                Discovery::Every(interval) => Some(interval),
            },
        };
        splits.discover(source, Duration::ZERO)?;
        Ok(splits)
    }

    /// Asks the source for new splits if that is due.
    pub(crate) fn discover(&self, source: &dyn AnySource, elapsed: Duration) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if elapsed < state.next_discovery {
            return Ok(());
        }
        state.next_discovery = elapsed + self.every.unwrap_or(Duration::MAX / 4);
        let listed =
            source.splits().map_err(|e: Error| e.within(format!("source {:?}", self.name)))?;
        for id in listed {
            if !state.known.iter().any(|s| s.id == id) {
                let position = state.started.then(|| source.first_position()).flatten();
                state.known.push(SplitState { id, position, ended: false });
            }
        }
        state.started = true;
        Ok(())
    }

    /// Time until the source is to be asked again.
    pub(crate) fn next_discovery(&self, elapsed: Duration) -> Option<Duration> {
        self.every?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Some(state.next_discovery.saturating_sub(elapsed))
    }

    /// The splits of `worker` from its `taken`-th on.
    pub(crate) fn of_worker(&self, worker: usize, taken: usize) -> Vec<SplitState> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.iter().skip(worker).step_by(self.workers).skip(taken).cloned().collect()
    }

    /// Whether new splits can appear.
    pub(crate) fn is_endless(&self) -> bool {
        self.every.is_some()
    }
}

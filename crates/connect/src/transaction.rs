//! Jobs whose sources and sinks are all in one transactional system: output, changes of state and
//! positions become durable together, in one transaction per epoch.
//!
//! Then no checkpoint has to be durable before output may be seen, so epochs can be milliseconds
//! long. The system also keeps the changes of state (a compacted Kafka topic); checkpoints beside
//! it are taken now and then, so that a restore has few changes to read.
//!
//! Life of an epoch: writers send to the open transaction while the epoch runs and hold back once
//! it is closed; [`TransactionLog::commit`] adds the changes of state and a record of the epoch,
//! and commits. After a crash [`TransactionLog::recover`] fences older attempts and reads what
//! was committed: an outcome that the crash left open is settled there.

use std::any::Any;
use std::sync::Arc;

use headwater_core::{Epoch, KeyGroup, Result};
use serde::{Deserialize, Serialize};

/// A place in the log of changes: text that only the connector understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(pub String);

/// Changed entries of one state and key group, as a block (see [`headwater_core::block`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateBlock {
    /// Uid of the operator.
    pub operator: String,
    /// Name of the state.
    pub state: String,
    /// The key group.
    pub key_group: KeyGroup,
    /// The entries.
    pub bytes: Vec<u8>,
}

/// What was committed after a position.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The newest epoch's record; none if no epoch was committed since.
    pub record: Option<Vec<u8>>,
    /// All changes of state since, later ones last.
    pub changes: Vec<StateBlock>,
    /// Where the log ends.
    pub position: Option<LogPosition>,
}

/// The transactions of one job in one attempt; called from one thread.
pub trait TransactionLog: Send {
    /// Fences older attempts, settles an open outcome, and reads what was committed after `from`
    /// (everything if there is no checkpoint).
    ///
    /// # Errors
    /// Kind `State` if the log no longer reaches back to `from`.
    fn recover(&mut self, from: Option<&LogPosition>) -> Result<Recovered>;

    /// Opens the first epoch of the attempt to writers.
    fn open(&mut self, epoch: Epoch) -> Result<()>;

    /// Commits the epoch: what writers sent, the changes of state, and the epoch's record; then
    /// opens the next one.
    ///
    /// # Errors
    /// Whether the epoch was committed is then not known; the attempt must end, and
    /// [`recover`](Self::recover) of the next one tells.
    fn commit(&mut self, epoch: Epoch, changes: &[StateBlock], record: &[u8]) -> Result<()>;

    /// Closes an epoch in which nothing happened and opens the next one.
    fn skip(&mut self, epoch: Epoch) -> Result<()>;

    /// The place behind the last committed epoch.
    fn position(&mut self) -> Result<LogPosition>;

    /// What writers send to.
    fn transaction(&self) -> Transaction;
}

/// A handle of the transactions of an attempt, for the writers of the sinks that share them.
#[derive(Clone)]
pub struct Transaction(Arc<dyn Any + Send + Sync>);

impl Transaction {
    /// Wraps what the connector's writers need.
    pub fn new<T: Send + Sync + 'static>(shared: Arc<T>) -> Self {
        Transaction(shared)
    }

    /// Unwraps it; `None` if it is of another connector.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.0).downcast().ok()
    }
}

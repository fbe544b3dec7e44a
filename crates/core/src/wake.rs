//! The wake-up call: how something that finishes in the background says so to a worker.

use std::sync::Arc;

/// Wakes the worker that owns a reader or writer. Cheap to clone and to call.
#[derive(Clone)]
pub struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    /// A wake-up that calls `wake`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Wake(Arc::new(wake))
    }

    /// A wake-up that does nothing: for tests that poll.
    pub fn none() -> Self {
        Wake::new(|| {})
    }

    /// Whether both wake the same owner: one is a clone of the other.
    pub fn is_same(&self, other: &Wake) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Wakes the owner.
    pub fn wake(&self) {
        (self.0)();
    }
}

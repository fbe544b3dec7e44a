//! Alignment: a split that is too far ahead in event time waits for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_core::EventTime;

/// A group of splits, over all sources that name it, kept within `max_drift` of each other.
///
/// Shared by the workers of one process. Idle and ended splits do not count.
#[derive(Clone)]
pub struct Alignment {
    max_drift: Duration,
    members: Arc<Mutex<HashMap<String, EventTime>>>,
}

impl Alignment {
    /// Splits in this group do not run ahead of the slowest by more than `max_drift`.
    pub fn within(max_drift: Duration) -> Self {
        Alignment { max_drift, members: Arc::default() }
    }

    /// Tells where a member stands; none: it does not count now.
    pub fn publish(&self, member: &str, watermark: Option<EventTime>) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        match watermark {
            Some(w) => match members.get_mut(member) {
                Some(known) => *known = w,
                None => _ = members.insert(member.to_owned(), w),
            },
            None => _ = members.remove(member),
        }
    }

    /// Whether a split at `watermark` should wait.
    pub fn is_ahead(&self, watermark: EventTime) -> bool {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let slowest = members.values().min().copied();
        slowest.is_some_and(|slowest| watermark > slowest.saturating_add(self.max_drift))
    }
}

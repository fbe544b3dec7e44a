//! Faults for single requests of Kafka's protocol.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::kafka::ApiKey;

/// The longest response that is kept, in bytes; the rest is cut off.
const MAX_KEPT: usize = 64 << 10;

/// What is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It reaches the broker later, and what the client sent behind it waits; also when the client
    /// has closed the connection meanwhile.
    Delay(Duration),
    /// Like `Delay`, until [`Rule::release`].
    Hold,
    /// It is lost; the client waits for a response.
    DropRequest,
    /// It is lost, and the connection is closed on both sides.
    Disconnect,
    /// The broker does it, and its response is lost; the client waits.
    DropResponse,
    /// The broker does it, and instead of the response the client gets the end of the connection.
    DisconnectOnResponse,
}

/// How far requests that a rule caught have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They were caught.
    pub hits: u64,
    /// They were sent to the broker.
    pub delivered: u64,
    /// The broker has responded, whoever got to see it.
    pub answered: u64,
}

/// A rule of a proxy. Dropping it leaves the rule in force.
#[derive(Clone, Debug)]
pub struct Rule(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: ApiKey,
    action: Action,
    state: Mutex<State>,
    changed: Condvar,
    released: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    /// Requests that it still applies to; `None`: all.
    left: Option<u64>,
    counts: Counts,
    response: Option<Vec<u8>>,
}

impl Rule {
    /// How far its requests have come.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Waits until they have come so far; false if that takes longer than `limit`.
    pub fn wait(&self, limit: Duration, so_far: impl Fn(Counts) -> bool) -> bool {
        let state = self.state();
        let waited = self.0.changed.wait_timeout_while(state, limit, |state| !so_far(state.counts));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        so_far(state.counts)
    }

    /// The last response of the broker to one of its requests: what is behind the correlation id.
    pub fn response(&self) -> Option<Vec<u8>> {
        self.state().response.clone()
    }

    /// Sends what [`Action::Hold`] holds to the broker, and holds nothing any more.
    pub fn release(&self) {
        self.0.released.send_replace(true);
    }

    /// Lets it catch no further request. What it has caught stays so.
    pub fn remove(&self) {
        self.state().left = Some(0);
    }

    pub(super) fn action(&self) -> Action {
        self.0.action
    }

    pub(super) async fn is_released(&self) {
        // An error says that the rule is gone, which it is not while we have it.
        let _ = self.0.released.subscribe().wait_for(|released| *released).await;
    }

    pub(super) fn delivered(&self) {
        self.update(|state| state.counts.delivered += 1);
    }

    pub(super) fn answered(&self, response: &[u8]) {
        self.update(|state| {
            state.counts.answered += 1;
            state.response = Some(response[..response.len().min(MAX_KEPT)].to_vec());
        });
    }

    /// Whether it applies to a request of this kind; if so, it is caught.
    fn catches(&self, api: ApiKey) -> bool {
        let mut caught = false;
        if self.0.api == api {
            self.update(|state| {
                caught = state.left != Some(0);
                state.left = state.left.map(|left| left.saturating_sub(1));
                state.counts.hits += u64::from(caught);
            });
        }
        caught
    }

    fn update(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.state());
        self.0.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All rules of a proxy, and what it has seen.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Mutex<Vec<Rule>>,
    requests: Mutex<BTreeMap<ApiKey, u64>>,
}

impl Rules {
    pub(super) fn add(&self, api: ApiKey, action: Action, times: Option<u64>) -> Rule {
        let state = State { left: times, counts: Counts::default(), response: None };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let released = watch::Sender::new(false);
        let rule = Rule(Arc::new(Inner { api, action, state, changed, released }));
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|rule| rule.state().left != Some(0));
        rules.push(rule.clone());
        rule
    }

    /// Counts a request; gives the rule that catches it.
    pub(super) fn catch(&self, api: ApiKey) -> Option<Rule> {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(api).or_default() += 1;
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.iter().find(|rule| rule.catches(api)).cloned()
    }

    pub(super) fn requests(&self, api: ApiKey) -> u64 {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.get(&api).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_for_one_request_takes_one_and_then_the_next_does() {
        let rules = Rules::default();
        let first = rules.add(ApiKey::END_TXN, Action::Hold, Some(1));
        let second = rules.add(ApiKey::END_TXN, Action::DropRequest, None);
        assert!(rules.catch(ApiKey::PRODUCE).is_none());
        let caught = [(); 3].map(|()| rules.catch(ApiKey::END_TXN).unwrap().action());
        assert_eq!(caught, [Action::Hold, Action::DropRequest, Action::DropRequest]);
        assert_eq!((first.counts().hits, second.counts().hits), (1, 2));
        second.remove();
        assert!(rules.catch(ApiKey::END_TXN).is_none());
        assert_eq!(rules.requests(ApiKey::END_TXN), 4);
        assert_eq!(rules.requests(ApiKey::FETCH), 0);
    }

    #[test]
    fn waiting_ends_with_what_was_waited_for_or_with_the_limit() {
        let rule = Rules::default().add(ApiKey::PRODUCE, Action::Hold, None);
        assert!(!rule.wait(Duration::from_millis(1), |counts| counts.answered > 0));
        let other = rule.clone();
        let answers = std::thread::spawn(move || other.answered(&[7]));
        assert!(rule.wait(Duration::from_secs(60), |counts| counts.answered > 0));
        assert_eq!(rule.response(), Some(vec![7]));
        answers.join().unwrap();
    }
}

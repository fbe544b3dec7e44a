//! What the registry has said so far, and who waits for what: a pure table, told the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_core::{Error, ErrorKind, Wake};

use super::{Question, Registered};

/// How long a failure is believed.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// What is known about a question.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Here(Arc<Registered>),
    Failed(Failure),
    Later,
}

/// Why there is no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) text: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The question's: there is no such schema, or it is invalid.
    Unknown,
    /// The configuration's: we may not ask, or it is no registry.
    Denied,
    /// The registry's, or the network's.
    Away,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (kind, hint) = match failure.kind {
            FailureKind::Unknown => (ErrorKind::Config, "check the subject and its schemas"),
            FailureKind::Denied => (ErrorKind::Config, "check the address and the credentials"),
            FailureKind::Away => (ErrorKind::Transient, "is the schema registry running?"),
        };
        Error::new(kind, failure.text).hint(hint)
    }
}

enum Entry {
    Asked(Vec<Wake>),
    Here(Arc<Registered>),
    Failed(Failure, Duration),
}

/// The table. Times are since any fixed moment.
pub(super) struct Answers {
    entries: HashMap<Question, Entry>,
    max: usize,
}

impl Answers {
    pub(super) fn new(max: usize) -> Self {
        Answers { entries: HashMap::new(), max }
    }

    /// What is known, and whether the question must be put to the registry.
    pub(super) fn look(
        &mut self,
        question: &Question,
        wake: Option<&Wake>,
        now: Duration,
    ) -> (Answer, bool) {
        match self.entries.get_mut(question) {
            Some(Entry::Here(schema)) => return (Answer::Here(Arc::clone(schema)), false),
            Some(Entry::Failed(failure, until)) if now < *until => {
                return (Answer::Failed(failure.clone()), false);
            }
            Some(Entry::Asked(wakes)) => {
                // Whoever asks again without having been woken is woken once all the same.
                if let Some(wake) = wake.filter(|new| !wakes.iter().any(|old| old.is_same(new))) {
                    wakes.push(wake.clone());
                }
                return (Answer::Later, false);
            }
            Some(Entry::Failed(..)) | None => {}
        }
        if self.entries.len() >= self.max {
            self.entries.retain(|_, entry| !matches!(entry, Entry::Failed(..)));
        }
        if self.entries.len() >= self.max {
            let text = format!("more than {} schemas in use", self.max);
            return (Answer::Failed(Failure { kind: FailureKind::Unknown, text }), false);
        }
        let wakes = wake.into_iter().cloned().collect();
        self.entries.insert(question.clone(), Entry::Asked(wakes));
        (Answer::Later, true)
    }

    /// Takes in an answer; the caller wakes who waited, without holding a lock on this.
    pub(super) fn answered(
        &mut self,
        question: Question,
        answer: Result<Registered, Failure>,
        now: Duration,
    ) -> Vec<Wake> {
        let entry = match answer {
            Ok(schema) => Entry::Here(Arc::new(schema)),
            Err(failure) => Entry::Failed(failure, now + FAILURE_KEPT),
        };
        match self.entries.insert(question, entry) {
            Some(Entry::Asked(wakes)) => wakes,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::Language;
    use super::*;

    fn unknown() -> Failure {
        Failure { kind: FailureKind::Unknown, text: "no".into() }
    }

    fn schema(id: u32) -> Registered {
        Registered { id, language: Language::Avro, text: String::new() }
    }

    #[test]
    fn a_question_is_put_once_and_everybody_is_woken_once() {
        let woken = Arc::new(AtomicUsize::new(0));
        let wake = || {
            let woken = Arc::clone(&woken);
            Wake::new(move || {
                woken.fetch_add(1, Ordering::SeqCst);
            })
        };
        let (a, b, question) = (wake(), wake(), Question::Schema(7));
        let mut answers = Answers::new(10);
        let mut ask = |wake| answers.look(&question, Some(wake), Duration::ZERO);
        assert!(matches!(ask(&a), (Answer::Later, true)));
        assert!(matches!(ask(&b), (Answer::Later, false)));
        assert!(matches!(ask(&a), (Answer::Later, false)));
        let waiting = answers.answered(question.clone(), Ok(schema(7)), Duration::ZERO);
        waiting.iter().for_each(Wake::wake);
        assert_eq!(woken.load(Ordering::SeqCst), 2);
        let (answer, _) = answers.look(&question, None, Duration::MAX);
        assert!(matches!(answer, Answer::Here(found) if found.id == 7));
    }

    #[test]
    fn a_failure_is_believed_for_a_while() {
        let (question, at) = (Question::Schema(7), Duration::from_secs(100));
        let mut answers = Answers::new(10);
        answers.look(&question, None, at);
        answers.answered(question.clone(), Err(unknown()), at);
        let almost = at + FAILURE_KEPT - Duration::from_millis(1);
        assert!(matches!(answers.look(&question, None, almost), (Answer::Failed(_), false)));
        assert!(matches!(answers.look(&question, None, at + FAILURE_KEPT), (Answer::Later, true)));
    }

    #[test]
    fn the_table_is_bounded_and_failures_make_room() {
        let mut answers = Answers::new(2);
        let mut known = |id, answer| {
            let looked = answers.look(&Question::Schema(id), None, Duration::ZERO);
            answers.answered(Question::Schema(id), answer, Duration::ZERO);
            looked
        };
        assert!(known(1, Ok(schema(1))).1);
        assert!(known(2, Err(unknown())).1);
        assert!(known(3, Ok(schema(3))).1, "the failure has made room");
        let (answer, asked) = answers.look(&Question::Schema(4), None, Duration::ZERO);
        assert!(matches!(answer, Answer::Failed(f) if f.text == "more than 2 schemas in use"));
        assert!(!asked);
    }
}

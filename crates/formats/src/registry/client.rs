//! The background thread, and the table that it shares with those who ask.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use headwater_core::{Error, Result, Wake};

use super::answers::{Answer, Answers, Failure, FailureKind};
use super::http::Http;
use super::{Options, Question, Registered};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks the registry; ends its thread when it is dropped.
pub(super) struct Client {
    shared: Arc<Shared>,
    questions: Sender<Question>,
}

struct Shared {
    answers: Mutex<Answers>,
    started: Instant,
}

impl Shared {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    pub(super) fn start(options: &Options) -> Result<Self, String> {
        let http = Http::new(options)?;
        let answers = Mutex::new(Answers::new(options.limits.schemas));
        let shared = Arc::new(Shared { answers, started: Instant::now() });
        let (questions, asked) = channel();
        let (for_thread, give_up_after) = (Arc::clone(&shared), options.give_up_after);
        thread::Builder::new()
            .name("schema-registry".into())
            .spawn(move || serve(&http, &for_thread, &asked, give_up_after))
            .map_err(|e| format!("cannot start the schema registry's thread: {e}"))?;
        Ok(Client { shared, questions })
    }

    pub(super) fn look(&self, question: &Question, wake: Option<&Wake>) -> Answer {
        let now = self.shared.started.elapsed();
        let (answer, ask) = self.shared.answers().look(question, wake, now);
        if ask {
            // The thread ends only after this sender.
            let _ = self.questions.send(question.clone());
        }
        answer
    }

    /// Waits for the answer.
    pub(super) fn wait(&self, question: &Question) -> Result<Arc<Registered>, Failure> {
        let (woken, waiting) = sync_channel(1);
        let wake = Wake::new(move || {
            // Woken twice is woken.
            let _ = woken.try_send(());
        });
        loop {
            match self.look(question, Some(&wake)) {
                Answer::Here(schema) => return Ok(schema),
                Answer::Failed(failure) => return Err(failure),
                // The table holds the sender until it has called it.
                Answer::Later => {
                    let _ = waiting.recv();
                }
            }
        }
    }

    pub(super) fn ask(&self, question: &Question) -> Result<Arc<Registered>> {
        self.wait(question).map_err(Error::from)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

fn serve(http: &Http, shared: &Arc<Shared>, asked: &Receiver<Question>, give_up_after: Duration) {
    while let Ok(question) = asked.recv() {
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        let answer = loop {
            match http.ask(&question) {
                Err(failure)
                    if failure.kind == FailureKind::Away
                        && begun.elapsed() + pause < give_up_after
                        && Arc::strong_count(shared) > 1 =>
                {
                    tracing::warn!(
                        reason = failure.text,
                        ?pause,
                        "asking the schema registry again"
                    );
                    thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                answer => break answer,
            }
        };
        let waiting = shared.answers().answered(question, answer, shared.started.elapsed());
        waiting.iter().for_each(Wake::wake);
    }
}

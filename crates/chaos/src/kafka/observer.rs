//! Reads the output all the time, as a `read_committed` reader would, and remembers all it saw.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::Consumer;

use super::topics::{consumer, failed, from_beginning};

/// What was seen of each partition, in order: offsets and hashes of the values.
pub type Seen = BTreeMap<(String, i32), Vec<(i64, u64)>>;
/// How many records were seen of each partition.
pub type Mark = BTreeMap<(String, i32), usize>;

/// Hashes values, with a key of this process.
#[derive(Clone, Default)]
pub struct Hash(RandomState);

impl Hash {
    /// The hash of a value.
    pub fn of(&self, value: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(value);
        hasher.finish()
    }
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running reader.
pub struct Observer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Observer {
    /// Starts to read the topics from the beginning.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn start(bootstrap: &str, topics: &[&str], hash: Hash) -> io::Result<Observer> {
        let consumer = consumer(bootstrap, "read_committed")?;
        consumer.assign(&from_beginning(topics)?).map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("observer".into()).spawn(move || {
            while !of_thread.stop.load(SeqCst) {
                // Errors are of a broker that is away.
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
                let place = (message.topic().to_owned(), message.partition());
                let value = hash.of(message.payload().unwrap_or_default());
                of_thread.seen().entry(place).or_default().push((message.offset(), value));
                of_thread.changed.notify_all();
            }
        })?;
        Ok(Observer { shared, thread: Some(thread) })
    }

    /// How much was seen by now.
    pub fn mark(&self) -> Mark {
        self.shared.seen().iter().map(|(place, seen)| (place.clone(), seen.len())).collect()
    }

    /// Records seen by now.
    pub fn count(&self) -> u64 {
        self.shared.seen().values().map(|seen| seen.len() as u64).sum()
    }

    /// Waits until something is seen beyond the mark; when that was, `None` if it takes longer than
    /// `limit`.
    pub fn wait_beyond(&self, mark: &Mark, limit: Duration) -> Option<Instant> {
        let nothing = |seen: &mut Seen| {
            seen.iter().all(|(place, seen)| seen.len() <= mark.get(place).copied().unwrap_or(0))
        };
        let waited = self.shared.changed.wait_timeout_while(self.shared.seen(), limit, nothing);
        let (_seen, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then(Instant::now)
    }

    /// Stops; all that was seen.
    pub fn finish(mut self) -> Seen {
        self.shared.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        std::mem::take(&mut self.shared.seen())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
    }
}

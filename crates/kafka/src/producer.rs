//! The producer: sends without waiting, remembers the first failure, and commits.
//!
//! A thread serves its events all along: without that a commit waits for reports that nobody
//! fetches. Only failures are reported; that all is sent is seen from the count of records in
//! flight, which costs nothing per record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headwater_core::{Error, Result};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use serde::{Deserialize, Serialize};

use crate::failure::{Witness, failure, transaction_failed};
use crate::message::Headers;

/// How long a flush or a transactional call may take before its outcome counts as unknown.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A record to send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    /// Empty: the sink's own.
    pub(crate) topic: String,
    /// Negative: the key chooses.
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Headers,
    pub(crate) timestamp: Option<i64>,
}

impl Outgoing {
    /// About what it takes in a request, as brokers count it.
    pub(crate) fn size_bytes(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + of(value) + 10);
        of(&self.key) + of(&self.value) + headers.sum::<usize>() + RECORD_OVERHEAD
    }
}

/// The most that a batch of one record adds to it.
const RECORD_OVERHEAD: usize = 128;

/// What the client tells us.
#[derive(Clone, Default)]
struct Reports {
    witness: Witness,
    /// The first record that was not written: to which topic, and why.
    failed: Arc<Mutex<Option<(String, KafkaError)>>>,
    /// Connections that broke and requests that were not answered in time.
    losses: Arc<AtomicU64>,
}

impl Reports {
    fn failure(&self, topic: &str, error: &KafkaError) -> Error {
        use RDKafkaErrorCode as C;
        let doing = format!("write to topic {topic:?}");
        match (error.rdkafka_error_code(), self.witness.last()) {
            // Records of a transaction that cannot go on are purged; why was logged before.
            (Some(C::PurgeQueue | C::PurgeInflight), Some(said)) => {
                transaction_failed(&doing, &said)
            }
            _ => failure(&doing, error),
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(facility, "FAIL" | "REQTMOUT") {
            self.losses.fetch_add(1, Ordering::Relaxed);
        }
        if !matches!(level, RDKafkaLogLevel::Debug) {
            self.witness.log(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.witness.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert_with(|| (message.topic().to_owned(), error.clone()));
        }
    }
}

/// A producer of one attempt, shared by the writers of a sink.
pub(crate) struct Producer {
    raw: ThreadedProducer<Reports>,
    reports: Reports,
    /// How long a commit may take: it must be given up before the client would send it again.
    commit_patience: Duration,
}

impl Producer {
    pub(crate) fn new(mut config: ClientConfig) -> Result<Self> {
        config.set("enable.idempotence", "true");
        // Each sink checks its own limit; a producer may serve several.
        config.set("message.max.bytes", "1000000000");
        config.set("delivery.report.only.error", "true");
        if config.get("transactional.id").is_some() {
            // Repeated failures of a connection are told only so.
            config.set("debug", "broker").set_log_level(RDKafkaLogLevel::Debug);
        }
        let reports = Reports::default();
        let raw = config
            .create_with_context(reports.clone())
            .map_err(|e| failure("cannot make a producer", &e))?;
        let commit_patience = PATIENCE.min(request_timeout(&config) / 2);
        Ok(Producer { raw, reports, commit_patience })
    }

    /// Hands a record to the client; false if its queue is full.
    pub(crate) fn send(&self, topic: &str, record: &Outgoing) -> Result<bool> {
        let topic = if record.topic.is_empty() { topic } else { &record.topic };
        let mut out: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
        out.key = record.key.as_deref();
        out.payload = record.value.as_deref();
        out.partition = (record.partition >= 0).then_some(record.partition);
        out.timestamp = record.timestamp;
        if !record.headers.is_empty() {
            let all = record.headers.iter();
            out.headers = Some(all.fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header { key, value: value.as_ref() })
            }));
        }
        match self.raw.send(out) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
            Err((error, _)) => Err(failure(&format!("write to topic {topic:?}"), &error)),
        }
    }

    /// Like [`Producer::send`], but waits while the queue is full.
    pub(crate) fn send_waiting(&self, topic: &str, record: &Outgoing) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.send(topic, record)? {
            self.check()?;
            if Instant::now() > until {
                return Err(Error::transient(format!("kafka: topic {topic:?} takes no records")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The first failure of a record, once.
    pub(crate) fn check(&self) -> Result<()> {
        let failed = self.reports.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(()), |(topic, error)| Err(self.reports.failure(&topic, &error)))
    }

    /// Waits until the brokers have acknowledged all that was sent.
    pub(crate) fn wait_sent(&self) -> Result<()> {
        let began = Instant::now();
        let mut pause = Duration::from_micros(50);
        while self.raw.in_flight_count() > 0 {
            self.check()?;
            if began.elapsed() > PATIENCE {
                let said = self.reports.witness.last().unwrap_or_default();
                return Err(Error::transient(format!(
                    "kafka: records were not acknowledged within {} s: {said}",
                    PATIENCE.as_secs()
                )));
            }
            std::thread::sleep(pause);
            pause = (pause * 5 / 4).min(Duration::from_millis(1));
        }
        self.check()
    }

    /// Fences older producers of this transactional id, and waits until their last transaction has
    /// ended one way or the other.
    pub(crate) fn init_transactions(&self) -> Result<()> {
        self.raw.init_transactions(PATIENCE).map_err(|e| failure("start transactions", &e))
    }

    pub(crate) fn begin(&self) -> Result<()> {
        self.raw.begin_transaction().map_err(|e| failure("begin a transaction", &e))
    }

    /// Commits; says whether it is certain that no request to commit is still on its way.
    ///
    /// The client sends such a request again when a connection breaks or an answer is late. The
    /// first may then reach the broker after the second, and end the next transaction: clients
    /// that do not raise the epoch with each transaction (KIP-890) are open to that.
    pub(crate) fn commit(&self) -> Result<bool> {
        let losses = || self.reports.losses.load(Ordering::Relaxed);
        let before = losses();
        self.raw
            .commit_transaction(self.commit_patience)
            .map_err(|e| failure("commit a transaction", &e))?;
        Ok(losses() == before)
    }
}

/// After how long the client sends a request again.
fn request_timeout(config: &ClientConfig) -> Duration {
    let millis = |name: &str| config.get(name).and_then(|value| value.parse().ok());
    let of_transaction = millis("transaction.timeout.ms").unwrap_or(60_000_u64);
    // What librdkafka takes for a transactional producer unless it is told.
    let timeout = millis("socket.timeout.ms").unwrap_or(of_transaction.saturating_sub(100));
    Duration::from_millis(timeout.max(900))
}

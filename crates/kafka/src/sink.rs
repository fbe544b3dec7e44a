//! The Kafka sink, with three guarantees:
//!
//! - *at least once*: idempotent producer, every replica acknowledges, flushed at every barrier;
//! - *exactly once by epoch marker*: records are sent within a transaction per epoch as they come,
//!   and kept with the checkpoint. Once that is durable a marker (sink, epoch) is added and the
//!   transaction committed. An unknown outcome is settled by reading the marker: if it is not
//!   there the epoch's records are sent again. So nothing hangs on the broker's transaction
//!   timeout;
//! - *exactly once in one transaction*: with sources in the same cluster; see
//!   [`transaction_log`](crate::transaction_log).
//!
//! Source: the marker follows the idea of a ledger in the target system; KIP-98 and KIP-890 for the
//! broker's transactions.

use std::sync::{Arc, Mutex, PoisonError};

use headwater_connect::{
    AttemptContext, Committer, Guarantee, Measure, Sink, TransactionLog, Writer, WriterContext,
};
use headwater_core::{BadRecordPolicy, DeadLetter, Error, Record, Result};
use headwater_formats::Serializer;
use rdkafka::ClientConfig;

use crate::cluster::Cluster;
use crate::message::{Headers, KafkaRecord};
use crate::options::Scope;
use crate::producer::Producer;
use crate::topics::{self, NewTopic};
use crate::transaction_log::KafkaTransactionLog;
use crate::transactions::{Succession, Transactions};

use self::encode::{Encode, Optional, Parts, Records, Values};
use self::figures::EndToEnd;
use self::letters::Letters;
use self::marker::MarkerCommitter;
use self::writer::{AtLeastOnceWriter, TransactionalWriter};

mod encode;
pub(crate) mod figures;
mod letters;
mod marker;
mod writer;

/// The largest record, unless `message.max.bytes` says otherwise: what the client and brokers take.
const DEFAULT_MAX_BYTES: usize = 1_000_000;
/// The largest dead letter, unless said otherwise.
const LETTER_BYTES: usize = 32 << 20;

/// How a topic is made if it does not exist.
#[derive(Clone, Debug, Default)]
pub struct CreateTopic {
    /// Number of partitions; 0: the broker's default.
    pub partitions: i32,
    /// Number of replicas; 0: the broker's default.
    pub replication: i32,
    /// Topic configuration, e.g. `("retention.ms", "86400000")`.
    pub config: Vec<(String, String)>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) cluster: Cluster,
    pub(crate) topic: String,
    guarantee: Guarantee,
    create: Option<CreateTopic>,
    on_error: BadRecordPolicy,
    options: Vec<(String, String)>,
}

/// A sink without a format yet.
///
/// # Examples
/// ```
/// use headwater_formats::json;
/// use headwater_kafka as kafka;
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Revenue { customer: String, cents: u64 }
///
/// let cluster = kafka::cluster("localhost:9092");
/// let revenue = cluster.sink("revenue").key(|r: &Revenue| r.customer.clone()).value(json());
/// # let _ = revenue;
/// ```
pub struct SinkBuilder<T> {
    settings: Settings,
    parts: Parts<T>,
}

impl<T: Record> SinkBuilder<T> {
    pub(crate) fn new(cluster: Cluster, topic: String) -> Self {
        let settings = Settings {
            cluster,
            topic,
            guarantee: Guarantee::ExactlyOnce,
            create: None,
            on_error: BadRecordPolicy::default(),
            options: Vec::new(),
        };
        SinkBuilder { settings, parts: Parts { key: None, topic: None, headers: None } }
    }

    /// The key's bytes; records of one key go to one partition, chosen as the Java client does
    /// (murmur2). Without a key they are spread.
    pub fn key<B: Into<Vec<u8>>>(mut self, key: impl Fn(&T) -> B + Send + Sync + 'static) -> Self {
        self.parts.key = Some(Box::new(move |record| key(record).into()));
        self
    }

    /// Another topic for some records.
    pub fn topic(mut self, topic: impl Fn(&T) -> Option<String> + Send + Sync + 'static) -> Self {
        self.parts.topic = Some(Box::new(topic));
        self
    }

    /// Headers.
    pub fn headers(mut self, headers: impl Fn(&T) -> Headers + Send + Sync + 'static) -> Self {
        self.parts.headers = Some(Box::new(headers));
        self
    }

    /// Each record may appear more than once after a failure, but is seen as soon as it is written.
    pub fn at_least_once(mut self) -> Self {
        self.settings.guarantee = Guarantee::AtLeastOnce;
        self
    }

    /// Makes the topic if it does not exist.
    pub fn create_topic(mut self, create: CreateTopic) -> Self {
        self.settings.create = Some(create);
        self
    }

    /// What happens to a record that cannot be encoded, or is larger than `message.max.bytes` (1 MB
    /// unless said otherwise); dead-lettered unless said otherwise.
    pub fn on_error(mut self, policy: BadRecordPolicy) -> Self {
        self.settings.on_error = policy;
        self
    }

    /// Sets an option of librdkafka that is on the allow-list.
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.options.push((name.into(), value.into()));
        self
    }

    /// Values in this format.
    pub fn value(self, format: impl Serializer<T>) -> KafkaSink<T> {
        KafkaSink::new(self.settings, Values { parts: self.parts, format })
    }
}

impl<T: Record> SinkBuilder<Option<T>> {
    /// Values in this format; `None` is a tombstone.
    pub fn optional_value(self, format: impl Serializer<T>) -> KafkaSink<Option<T>> {
        KafkaSink::new(self.settings, Optional { parts: self.parts, format })
    }
}

impl SinkBuilder<DeadLetter> {
    /// Refused records for `Job::dead_letters`: key, value and headers
    /// as they came, whole, plus headers `headwater.job`, `.step`, `.error`, `.position`, and
    /// `.topic`, `.partition`, `.offset` of what came from Kafka.
    ///
    /// Takes records of up to 32 MiB unless `message.max.bytes` says otherwise, and a topic made by
    /// [`create_topic`](Self::create_topic) does too. One that the topic does not take fails the
    /// attempt: it is never left out. Exactly once in the marker form keeps every letter with the
    /// checkpoint; for large ones take [`at_least_once`](Self::at_least_once).
    pub fn dead_letters(mut self) -> KafkaSink<DeadLetter> {
        let has = |all: &[(String, String)], name: &str| all.iter().any(|(n, _)| n == name);
        let max = || LETTER_BYTES.to_string();
        if !has(&self.settings.options, "message.max.bytes") {
            self.settings.options.push(("message.max.bytes".into(), max()));
        }
        if let Some(create) = &mut self.settings.create
            && !has(&create.config, "max.message.bytes")
        {
            create.config.push(("max.message.bytes".into(), max()));
        }
        self.settings.on_error = BadRecordPolicy::Fail;
        KafkaSink::new(self.settings, Letters::default())
    }
}

impl<K: Record, V: Record> SinkBuilder<KafkaRecord<K, V>> {
    /// Whole records: key and value in these formats, headers, time, and topic or partition where
    /// they are set.
    pub fn records(
        self,
        key: impl Serializer<K>,
        value: impl Serializer<V>,
    ) -> KafkaSink<KafkaRecord<K, V>> {
        KafkaSink::new(self.settings, Records { key, value })
    }
}

/// Writes a topic.
///
/// - Shape: one Kafka record per record.
/// - Time: the event time as timestamp; the clock where there is none.
/// - State: exactly-once by marker keeps the epoch's records with its checkpoint.
/// - Errors: what the brokers refuse ends the attempt. A record that cannot be encoded follows
///   [`SinkBuilder::on_error`].
/// - Guarantee: exactly once to a `read_committed` reader; or [`SinkBuilder::at_least_once`].
pub struct KafkaSink<T> {
    settings: Settings,
    encode: Arc<dyn Encode<T>>,
    attempt: Mutex<Option<Attempt>>,
    end_to_end: Arc<EndToEnd>,
}

/// What the writers and the committer of an attempt share.
#[derive(Clone)]
enum Attempt {
    AtLeastOnce(Arc<Producer>),
    Marker { transactions: Arc<Transactions>, control: String },
    OneTransaction(Arc<Transactions>),
}

/// The client configuration of a producer.
pub(crate) fn producer_config(cluster: &Cluster, own: &[(String, String)]) -> ClientConfig {
    let mut config = cluster.config(Scope::Sink, &[]);
    config.set("partitioner", "murmur2_random");
    config.set("linger.ms", "1");
    config.set("batch.num.messages", "50000");
    config.set("retry.backoff.ms", "5");
    config.set("queue.buffering.max.messages", "200000");
    config.set("queue.buffering.max.kbytes", "65536");
    for (name, value) in own {
        config.set(name, value);
    }
    config
}

impl<T: Record> KafkaSink<T> {
    fn new(settings: Settings, encode: impl Encode<T>) -> Self {
        KafkaSink {
            settings,
            encode: Arc::new(encode),
            attempt: Mutex::new(None),
            end_to_end: Arc::default(),
        }
    }

    fn attempt(&self) -> Result<Attempt> {
        let attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        attempt.clone().ok_or_else(|| Error::internal("a sink was opened before its attempt began"))
    }
}

impl<T: Record> Sink for KafkaSink<T> {
    type Record = T;

    fn validate(&self) -> Result<()> {
        let Settings { cluster, topic, create, options, .. } = &self.settings;
        cluster.check_options(options, Scope::Sink)?;
        self.encode.validate()?;
        let inspector = cluster.inspector(&cluster.config(Scope::Source, &[]))?;
        match create {
            Some(create) if inspector.partitions(topic).is_none() => {
                topics::create(cluster, &NewTopic::of(topic, create))
            }
            _ => inspector.check_topic(topic).map(drop),
        }
    }

    fn guarantee(&self) -> Guarantee {
        self.settings.guarantee
    }

    fn begin_attempt(&self, cx: &AttemptContext) -> Result<()> {
        let Settings { cluster, options, guarantee, .. } = &self.settings;
        let config = producer_config(cluster, options);
        self.encode.set_job(&cx.job);
        let mut slot = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        // The last attempt's producer ends first, lest it be fenced noisily.
        *slot = None;
        *slot = Some(match (guarantee, &cx.transaction) {
            (Guarantee::AtLeastOnce, _) => Attempt::AtLeastOnce(Arc::new(Producer::new(config)?)),
            (Guarantee::ExactlyOnce, Some(transaction)) => {
                let shared = transaction.get();
                Attempt::OneTransaction(shared.ok_or_else(|| {
                    Error::internal("a Kafka sink was given a transaction of another system")
                })?)
            }
            (Guarantee::ExactlyOnce, None) => {
                let control = topics::name(&[&cx.job, &cx.sink, "epochs"]);
                topics::create(cluster, &NewTopic::control(&control))?;
                let transactions = Transactions::start(config, &control, Succession::AfterTheEnd)?;
                Attempt::Marker { transactions: Arc::new(transactions), control }
            }
        });
        Ok(())
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<T>>> {
        let (encode, settings) = (Arc::clone(&self.encode), &self.settings);
        let (topic, policy) = (settings.topic.clone(), settings.on_error);
        let config = producer_config(&settings.cluster, &settings.options);
        let max_bytes = config.get("message.max.bytes").and_then(|bytes| bytes.parse().ok());
        let max_bytes = max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
        let encoder = writer::Encoder::new(encode, topic, policy, cx.wake.clone(), max_bytes);
        let end_to_end = Arc::clone(&self.end_to_end);
        Ok(match self.attempt()? {
            Attempt::AtLeastOnce(producer) => {
                Box::new(AtLeastOnceWriter::new(encoder, producer, end_to_end))
            }
            Attempt::Marker { transactions, .. } => {
                transactions.wake_with(cx.wake.clone());
                Box::new(TransactionalWriter::new(encoder, transactions, end_to_end, true))
            }
            Attempt::OneTransaction(transactions) => {
                transactions.wake_with(cx.wake.clone());
                Box::new(TransactionalWriter::new(encoder, transactions, end_to_end, false))
            }
        })
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(match self.attempt()? {
            Attempt::Marker { transactions, control } => {
                let settings = self.settings.clone();
                Some(Box::new(MarkerCommitter::new(settings, transactions, control)))
            }
            _ => None,
        })
    }

    fn measures(&self) -> Vec<Measure> {
        let mut all = match self.attempt() {
            Ok(Attempt::Marker { transactions, .. } | Attempt::OneTransaction(transactions)) => {
                transactions.figures.measures()
            }
            Ok(Attempt::AtLeastOnce(_)) | Err(_) => Vec::new(),
        };
        all.extend(self.end_to_end.measures());
        all
    }

    fn transaction_domain(&self) -> Option<String> {
        let exactly = self.settings.guarantee == Guarantee::ExactlyOnce;
        exactly.then(|| self.settings.cluster.id().to_owned())
    }

    fn transaction_log(&self, job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        let Settings { cluster, options, .. } = &self.settings;
        let config = producer_config(cluster, options);
        let log = KafkaTransactionLog::start(cluster.clone(), config, job)?;
        Ok(Some(Box::new(log)))
    }
}

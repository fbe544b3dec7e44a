//! The brokers: addresses and security, shared by sources and sinks.

use std::time::{Duration, Instant};

use headwater_core::{Error, Result, Secret};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use crate::failure::{Witness, failure, is_refused_login, unreachable};
use crate::options::{self, Scope};
use crate::sink::SinkBuilder;
use crate::source::{SourceBuilder, Topics};

/// How long the first contact may take before the brokers count as unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether the brokers refused us meanwhile.
const GLANCE: Duration = Duration::from_millis(250);

/// The cluster with these `host:port` addresses, separated by commas.
pub fn cluster(bootstrap: impl Into<String>) -> Cluster {
    Cluster {
        bootstrap: bootstrap.into(),
        tls: None,
        sasl: None,
        options: Vec::new(),
        connect_timeout: CONNECT_TIMEOUT,
    }
}

/// A Kafka cluster and how to talk to it; plain data, nothing connects before a job starts.
///
/// # Examples
/// ```
/// use headwater_kafka as kafka;
/// let cluster = kafka::cluster("broker-1:9092,broker-2:9092")
///     .tls("/etc/ssl/certs/ca.pem")
///     .sasl_scram_sha_512("billing", "secret")
///     .option("socket.keepalive.enable", "true");
/// # let _ = cluster;
/// ```
#[derive(Clone)]
pub struct Cluster {
    bootstrap: String,
    tls: Option<Option<String>>,
    sasl: Option<Sasl>,
    options: Vec<(String, String)>,
    connect_timeout: Duration,
}

#[derive(Clone)]
struct Sasl {
    mechanism: &'static str,
    user: String,
    password: Secret,
}

impl Cluster {
    /// Encrypts connections and checks the brokers against the CA certificates in this file.
    pub fn tls(mut self, ca_file: impl Into<String>) -> Self {
        self.tls = Some(Some(ca_file.into()));
        self
    }

    /// Encrypts connections and checks the brokers against the system's CA certificates.
    pub fn tls_system_roots(mut self) -> Self {
        self.tls = Some(None);
        self
    }

    /// Logs in by SASL PLAIN; without TLS the password is readable on the wire.
    pub fn sasl_plain(self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.sasl("PLAIN", user, password)
    }

    /// Logs in by SASL SCRAM-SHA-256.
    pub fn sasl_scram_sha_256(self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.sasl("SCRAM-SHA-256", user, password)
    }

    /// Logs in by SASL SCRAM-SHA-512.
    pub fn sasl_scram_sha_512(self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.sasl("SCRAM-SHA-512", user, password)
    }

    fn sasl(
        mut self,
        mechanism: &'static str,
        user: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Self {
        self.sasl = Some(Sasl { mechanism, user: user.into(), password: password.into() });
        self
    }

    /// Sets an option of librdkafka, for every source and sink of this cluster. Only options on
    /// the allow-list are taken; others are refused when the job starts.
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// How long the first contact may take; 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Reads these topics: a name, several (`["a", "b"]`), or [`Topics::matching`] a pattern.
    pub fn source(&self, topics: impl Into<Topics>) -> SourceBuilder {
        SourceBuilder::new(self.clone(), topics.into())
    }

    /// Writes this topic.
    pub fn sink<T: headwater_core::Record>(&self, topic: impl Into<String>) -> SinkBuilder<T> {
        SinkBuilder::new(self.clone(), topic.into())
    }

    /// What tells clusters apart.
    pub(crate) fn id(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The client configuration, with the options of one source or sink on top.
    pub(crate) fn config(&self, scope: Scope, own: &[(String, String)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("client.id", "headwater");
        config.set("socket.nagle.disable", "true");
        config.set("reconnect.backoff.ms", "20");
        config.set("reconnect.backoff.max.ms", "1000");
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(Some(ca)) = &self.tls {
            config.set("ssl.ca.location", ca);
        }
        if let Some(sasl) = &self.sasl {
            config.set("sasl.mechanism", sasl.mechanism);
            config.set("sasl.username", &sasl.user);
            config.set("sasl.password", sasl.password.expose());
        }
        let fitting = self.options.iter().filter(|(name, _)| options::is_for(name, scope));
        for (name, value) in fitting.chain(own) {
            config.set(name, value);
        }
        config
    }

    /// Refuses options that are unknown or of the other kind of client.
    pub(crate) fn check_options(&self, own: &[(String, String)], scope: Scope) -> Result<()> {
        if self.bootstrap.trim().is_empty() {
            return Err(Error::config("kafka: the list of brokers is empty")
                .hint("give host:port, e.g. localhost:9092"));
        }
        // What a cluster is given holds for sources and sinks; each takes its own part.
        options::check_names(&self.options)?;
        options::check(own, scope)
    }

    /// A consumer that fetches nothing: for metadata and offsets.
    ///
    /// # Errors
    /// Kind `Config` if the brokers do not answer in time, with the reason as far as it is known.
    pub(crate) fn inspector(&self, config: &ClientConfig) -> Result<Inspector> {
        let context = Witness::default();
        let consumer: BaseConsumer<Witness> = config
            .create_with_context(context.clone())
            .map_err(|e| failure("cannot make a client", &e))?;
        let until = Instant::now() + self.timeout();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match consumer.fetch_metadata(None, left.min(GLANCE)) {
                Ok(metadata) => {
                    return Ok(Inspector { consumer, metadata, timeout: self.timeout() });
                }
                Err(e) => {
                    // What went wrong with a connection comes as an event.
                    let _ = consumer.poll(Duration::ZERO);
                    let said = context.last().unwrap_or_else(|| e.to_string());
                    if left <= GLANCE || is_refused_login(&said) {
                        return Err(unreachable(self.id(), self.timeout(), &said));
                    }
                }
            }
        }
    }
}

/// A client that asks, and what the brokers said first.
pub(crate) struct Inspector {
    consumer: BaseConsumer<Witness>,
    pub(crate) metadata: Metadata,
    timeout: Duration,
}

impl Inspector {
    /// Number of partitions of a topic; `None` if there is no such topic.
    pub(crate) fn partitions(&self, topic: &str) -> Option<usize> {
        let found = self.metadata.topics().iter().find(|t| t.name() == topic)?;
        (found.error().is_none() && !found.partitions().is_empty())
            .then(|| found.partitions().len())
    }

    /// Refuses a topic that is not there, or that the user may not see.
    pub(crate) fn check_topic(&self, topic: &str) -> Result<usize> {
        if let Some(partitions) = self.partitions(topic) {
            return Ok(partitions);
        }
        // A list of all topics leaves out those of others; asked by name the broker says why.
        let doing = format!("look for topic {topic:?}");
        let found = self.consumer.fetch_metadata(Some(topic), self.timeout);
        let found = found.map_err(|e| failure(&doing, &e))?;
        let code = found.topics().first().and_then(|t| t.error()).map(RDKafkaErrorCode::from);
        match code {
            Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(failure(&doing, &KafkaError::MetadataFetch(code)))
            }
            _ => Err(self.unknown_topic(topic)),
        }
    }

    /// Says that a topic is not there, with the names that are nearest.
    fn unknown_topic(&self, topic: &str) -> Error {
        let mut near: Vec<(f64, &str)> = self
            .metadata
            .topics()
            .iter()
            .map(|t| (strsim::jaro_winkler(t.name(), topic), t.name()))
            .filter(|(likeness, name)| *likeness > 0.7 && !name.starts_with("__"))
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near: Vec<String> = near.iter().take(3).map(|(_, name)| format!("{name:?}")).collect();
        let error = Error::config(format!("kafka topic {topic:?} does not exist"));
        match near.is_empty() {
            true => error.hint("create it, or check the name"),
            false => error.hint(format!("did you mean {}?", near.join(" or "))),
        }
    }
}

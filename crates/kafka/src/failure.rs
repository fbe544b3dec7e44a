//! What librdkafka reports, in our words; and a witness for what it only logs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_core::{Error, ErrorKind};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// An error of the client, with the reader's next step.
pub(crate) fn failure(doing: &str, error: &KafkaError) -> Error {
    let code = error.rdkafka_error_code();
    let message = format!("kafka: {doing}: {}", said(error));
    let kind = match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => ErrorKind::Config,
        _ => code.map_or(ErrorKind::Connector, kind),
    };
    let error = Error::new(kind, message);
    match code.and_then(hint) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn said(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, name, value) => format!("{name}={value}: {reason}"),
        other => other.to_string(),
    }
}

/// A fenced producer is no `Fenced`: the broker says so too when a transaction has timed out, and
/// then a new attempt is what is needed. Who owns the job is decided by the checkpoint log.
fn kind(code: RDKafkaErrorCode) -> ErrorKind {
    use RDKafkaErrorCode as C;
    match code {
        C::TopicAuthorizationFailed
        | C::GroupAuthorizationFailed
        | C::ClusterAuthorizationFailed
        | C::TransactionalIdAuthorizationFailed
        | C::SaslAuthenticationFailed
        | C::Authentication
        | C::InvalidTransactionTimeout
        | C::InvalidTopic => ErrorKind::Config,
        _ => ErrorKind::Connector,
    }
}

fn hint(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as C;
    Some(match code {
        C::TopicAuthorizationFailed => "grant the user READ or WRITE and DESCRIBE on the topic",
        C::GroupAuthorizationFailed => "grant the user READ on the consumer group",
        C::TransactionalIdAuthorizationFailed => {
            "grant the user WRITE and DESCRIBE on the transactional id"
        }
        C::SaslAuthenticationFailed | C::Authentication => "check user, password and mechanism",
        C::InvalidTransactionTimeout => {
            "the broker caps it: lower transaction.timeout.ms, or raise transaction.max.timeout.ms"
        }
        C::UnknownTopicOrPartition | C::UnknownTopic => "create the topic, or check its name",
        C::MessageSizeTooLarge => {
            "raise message.max.bytes here and max.message.bytes of the topic, or send less"
        }
        _ => return None,
    })
}

/// The brokers did not answer: transient, as a running job waits for them to come back.
pub(crate) fn unreachable(brokers: &str, waited: Duration, said: &str) -> Error {
    let login = said.to_ascii_lowercase();
    let hint = if login.contains("authentication") || login.contains("sasl") {
        "check user, password and mechanism"
    } else if login.contains("ssl") || login.contains("certificate") {
        "check that the listener speaks TLS and that the CA file is of its certificate's issuer"
    } else {
        "check the address, and that the brokers' advertised.listeners can be reached from here"
    };
    let seconds = waited.as_secs_f64();
    Error::transient(format!("kafka: no answer from {brokers:?} within {seconds} s: {said}"))
        .hint(hint)
}

/// Keeps the last failure that the client logged, and passes logs on to `tracing`.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    last: Arc<Mutex<Option<String>>>,
}

impl Witness {
    /// The last failure.
    pub(crate) fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, text: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers are down" follows the failure that says why.
        if last.is_none() || !text.contains("brokers are down") {
            *last = Some(text.to_owned());
        }
    }
}

impl ClientContext for Witness {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                self.keep(message);
                tracing::warn!(target: "headwater_kafka::client", facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::debug!(target: "headwater_kafka::client", facility, "{message}");
            }
            _ => tracing::trace!(target: "headwater_kafka::client", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is news for its reader, who gets it too.
        if matches!(error, KafkaError::PartitionEOF(_))
            || error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF)
        {
            return;
        }
        self.keep(reason);
        tracing::warn!(target: "headwater_kafka::client", "{error}: {reason}");
    }
}

impl ConsumerContext for Witness {}

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
        KafkaError::ClientConfig(_, reason, name, _) if name.contains("password") => {
            format!("{name}: {reason}")
        }
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

/// A transaction that can only be aborted; the client tells why in words only, with Kafka's name
/// of the error at the end.
pub(crate) fn transaction_failed(doing: &str, said: &str) -> Error {
    let code = [
        ("TOPIC_AUTHORIZATION_FAILED", RDKafkaErrorCode::TopicAuthorizationFailed),
        ("TRANSACTIONAL_ID_AUTH", RDKafkaErrorCode::TransactionalIdAuthorizationFailed),
        ("UNKNOWN_TOPIC_OR_PART", RDKafkaErrorCode::UnknownTopicOrPartition),
    ];
    let code = code.iter().find(|(name, _)| said.contains(name)).map(|(_, code)| *code);
    let kind = code.map_or(ErrorKind::Connector, kind);
    let error = Error::new(kind, format!("kafka: {doing}: {said}"));
    match code.and_then(hint) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Whether what the client logged is about who we are; asking again does not help then.
pub(crate) fn is_refused_login(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("authentication") || said.contains("sasl")
}

/// The brokers did not answer.
pub(crate) fn unreachable(brokers: &str, waited: Duration, said: &str) -> Error {
    if is_refused_login(said) {
        return Error::config(format!("kafka: {brokers:?} refused the login: {said}"))
            .hint("check user, password and mechanism");
    }
    let cause = said.to_ascii_lowercase();
    let hint = if cause.contains("ssl") || cause.contains("certificate") {
        "check that the listener speaks TLS and that the CA file is of its certificate's issuer"
    } else {
        "check the address, and that the brokers' advertised.listeners can be reached from here"
    };
    let seconds = waited.as_secs_f64();
    Error::config(format!("kafka: no answer from {brokers:?} within {seconds} s: {said}"))
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
        self.keep(reason);
        tracing::warn!(target: "headwater_kafka::client", "{error}: {reason}");
    }
}

impl ConsumerContext for Witness {}

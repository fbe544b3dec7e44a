//! What librdkafka reports, in our words; and a witness for what it only logs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use headwater_core::{Error, ErrorKind};
use rdkafka::Statistics;
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

/// The brokers did not answer: transient, as a running job waits for them to come back.
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
    Error::transient(format!("kafka: no answer from {brokers:?} within {seconds} s: {said}"))
        .hint(hint)
}

/// The value of `debug` with which the client logs what [`Witness::made_anew`] looks for.
pub(crate) const WATCH_TOPICS: &str = "metadata";

/// The topic in `… Topic NAME changed id from OLD to NEW`; an old id of zeros is none.
fn changed_topic(message: &str) -> Option<&str> {
    let (before, ids) = message.split_once(" changed id from ")?;
    let old = ids.split(' ').next()?;
    let known = old.chars().any(|c| !matches!(c, 'A' | '='));
    before.rsplit(' ').next().filter(|_| known)
}

/// Keeps the last failure that the client logged, and passes logs on to `tracing`.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    last: Arc<Mutex<Option<String>>>,
    made_anew: Arc<OnceLock<String>>,
    ends: Arc<Mutex<HashMap<(String, i32), i64>>>,
}

impl Witness {
    /// The last failure.
    pub(crate) fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A topic that was deleted and made anew since the client first saw it.
    ///
    /// librdkafka reads on at the old offset then, and tells nobody but the log
    /// (`rdkafka_topic.c`, "an offset reset must be triggered"); [`WATCH_TOPICS`] switches that on.
    pub(crate) fn made_anew(&self) -> Option<&str> {
        self.made_anew.get().map(String::as_str)
    }

    /// Where partitions end for us, by the client's last statistics.
    pub(crate) fn ends(&self) -> HashMap<(String, i32), i64> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_topic_id(&self, message: &str) {
        if let Some(topic) = changed_topic(message) {
            let _ = self.made_anew.set(topic.to_owned());
        }
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
            _ => {
                self.note_topic_id(message);
                tracing::trace!(target: "headwater_kafka::client", facility, "{message}");
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, of) in statistics.topics {
            for (partition, known) in of.partitions {
                // What is not committed is no lag of ours.
                let end = if known.ls_offset >= 0 { known.ls_offset } else { known.hi_offset };
                if partition >= 0 && end >= 0 {
                    ends.insert((topic.clone(), partition), end);
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_topic_id_is_noticed_but_not_the_first_one() {
        let text = "[thrd:main]: Topic a.b changed id from lmZ2ZAAkTZ6Eb3E0w5qzrg to x";
        assert_eq!(changed_topic(text), Some("a.b"));
        let first = "[thrd:main]: Topic a.b changed id from AAAAAAAAAAAAAAAAAAAAAA to x";
        assert_eq!(changed_topic(first), None);
        assert_eq!(changed_topic("Topic a.b Leader 1"), None);
    }
}

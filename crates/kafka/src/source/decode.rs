//! From a Kafka message to a record, with formats.

use headwater_core::{Original, Record, Result, Wake};
use headwater_formats::{Deserializer, Readiness, Refused};
use rdkafka::Message;
use rdkafka::message::Headers as _;

use crate::message::{HEADER_PREFIX, Headers, KafkaRecord, Timestamp};

/// A message, whoever owns it.
pub(crate) struct View<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: Timestamp,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Taken apart only for those who ask.
    pub(crate) headers: &'a dyn Fn() -> Headers,
}

impl View<'_> {
    /// A copy for the dead letters, with its place among the headers.
    pub(crate) fn original(&self) -> Original {
        let mut headers = (self.headers)();
        let mut place = |name: &str, value: String| {
            headers.push((format!("{HEADER_PREFIX}{name}"), Some(value.into_bytes())));
        };
        place("topic", self.topic.to_owned());
        place("partition", self.partition.to_string());
        place("offset", self.offset.to_string());
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Original { key: bytes(self.key), value: bytes(self.value), headers }
    }
}

/// Looks at a message of the client.
pub(crate) fn view<'a>(message: &'a impl Message, headers: &'a dyn Fn() -> Headers) -> View<'a> {
    View {
        key: message.key(),
        value: message.payload(),
        timestamp: match message.timestamp() {
            rdkafka::Timestamp::NotAvailable => Timestamp::None,
            rdkafka::Timestamp::CreateTime(at) => Timestamp::Create(at),
            rdkafka::Timestamp::LogAppendTime(at) => Timestamp::Append(at),
        },
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        headers,
    }
}

/// The headers of a message.
pub(crate) fn headers_of(message: &impl Message) -> Headers {
    let all = message.headers().into_iter().flat_map(|headers| headers.iter());
    all.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect()
}

/// Makes a record of a message.
pub(crate) trait Decode<T>: Send + Sync + 'static {
    fn validate(&self) -> Result<()>;
    fn ready(&self, message: &View<'_>, wake: &Wake) -> Result<Readiness>;
    fn decode(&self, message: &View<'_>) -> Result<T, Refused>;
}

pub(crate) struct Values<F>(pub(crate) F);

impl<T: Record, F: Deserializer<T>> Decode<T> for Values<F> {
    fn validate(&self) -> Result<()> {
        self.0.validate()
    }

    fn ready(&self, message: &View<'_>, wake: &Wake) -> Result<Readiness> {
        message.value.map_or(Ok(Readiness::Now), |bytes| self.0.ready(bytes, wake))
    }

    fn decode(&self, message: &View<'_>) -> Result<T, Refused> {
        match message.value {
            Some(bytes) => self.0.deserialize(bytes),
            None => Err(Refused::new("kafka: the value is null (a tombstone)")),
        }
    }
}

pub(crate) struct Optional<F>(pub(crate) F);

impl<T: Record, F: Deserializer<T>> Decode<Option<T>> for Optional<F> {
    fn validate(&self) -> Result<()> {
        self.0.validate()
    }

    fn ready(&self, message: &View<'_>, wake: &Wake) -> Result<Readiness> {
        message.value.map_or(Ok(Readiness::Now), |bytes| self.0.ready(bytes, wake))
    }

    fn decode(&self, message: &View<'_>) -> Result<Option<T>, Refused> {
        message.value.map(|bytes| self.0.deserialize(bytes)).transpose()
    }
}

pub(crate) struct Records<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
}

impl<K, V, FK, FV> Decode<KafkaRecord<K, V>> for Records<FK, FV>
where
    K: Record,
    V: Record,
    FK: Deserializer<K>,
    FV: Deserializer<V>,
{
    fn validate(&self) -> Result<()> {
        self.key.validate()?;
        self.value.validate()
    }

    fn ready(&self, message: &View<'_>, wake: &Wake) -> Result<Readiness> {
        let key = message.key.map_or(Ok(Readiness::Now), |bytes| self.key.ready(bytes, wake))?;
        let value = |bytes| self.value.ready(bytes, wake);
        let value = message.value.map_or(Ok(Readiness::Now), value)?;
        Ok(if key == Readiness::Now { value } else { key })
    }

    fn decode(&self, message: &View<'_>) -> Result<KafkaRecord<K, V>, Refused> {
        Ok(KafkaRecord {
            key: message.key.map(|bytes| self.key.deserialize(bytes)).transpose()?,
            value: message.value.map(|bytes| self.value.deserialize(bytes)).transpose()?,
            headers: (message.headers)(),
            timestamp: message.timestamp,
            topic: message.topic.to_owned(),
            partition: message.partition,
            offset: message.offset,
        })
    }
}

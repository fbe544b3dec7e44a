//! From a record to a Kafka message, with formats.

use headwater_core::{EventTime, Record, Result, Timed, Wake};
use headwater_formats::{Readiness, Serializer};

use crate::message::{Headers, KafkaRecord};
use crate::producer::Outgoing;

/// Makes a message of a record.
pub(crate) trait Encode<T>: Send + Sync + 'static {
    fn validate(&self) -> Result<()>;
    fn ready(&self, wake: &Wake) -> Result<Readiness>;
    /// Told before records come.
    fn set_job(&self, job: &str) {
        let _ = job;
    }
    /// Fills `out`, whose buffers are used again and again.
    fn encode(&self, record: &Timed<T>, out: &mut Outgoing) -> Result<()>;
}

/// Bytes of a key.
pub(crate) type KeyOf<T> = Box<dyn Fn(&T) -> Vec<u8> + Send + Sync>;
/// Topic of a record; none: the sink's own.
pub(crate) type TopicOf<T> = Box<dyn Fn(&T) -> Option<String> + Send + Sync>;
/// Headers of a record.
pub(crate) type HeadersOf<T> = Box<dyn Fn(&T) -> Headers + Send + Sync>;

/// What is taken from a record besides its value.
pub(crate) struct Parts<T> {
    pub(crate) key: Option<KeyOf<T>>,
    pub(crate) topic: Option<TopicOf<T>>,
    pub(crate) headers: Option<HeadersOf<T>>,
}

impl<T> Parts<T> {
    fn fill(&self, record: &Timed<T>, out: &mut Outgoing) {
        out.key = self.key.as_ref().map(|key| key(&record.value));
        out.topic.clear();
        if let Some(topic) = self.topic.as_ref().and_then(|topic| topic(&record.value)) {
            out.topic = topic;
        }
        out.headers = self.headers.as_ref().map_or_else(Vec::new, |headers| headers(&record.value));
        out.partition = -1;
        out.timestamp = timestamp(record.time);
    }
}

/// A record without a time gets the client's clock.
fn timestamp(time: EventTime) -> Option<i64> {
    (time != EventTime::MIN && time.0 >= 0).then_some(time.0)
}

pub(crate) struct Values<T, F> {
    pub(crate) parts: Parts<T>,
    pub(crate) format: F,
}

impl<T: Record, F: Serializer<T>> Encode<T> for Values<T, F> {
    fn validate(&self) -> Result<()> {
        self.format.validate()
    }

    fn ready(&self, wake: &Wake) -> Result<Readiness> {
        self.format.ready(wake)
    }

    fn encode(&self, record: &Timed<T>, out: &mut Outgoing) -> Result<()> {
        self.parts.fill(record, out);
        let value = out.value.get_or_insert_default();
        value.clear();
        self.format.serialize(&record.value, value)
    }
}

pub(crate) struct Optional<T, F> {
    pub(crate) parts: Parts<Option<T>>,
    pub(crate) format: F,
}

impl<T: Record, F: Serializer<T>> Encode<Option<T>> for Optional<T, F> {
    fn validate(&self) -> Result<()> {
        self.format.validate()
    }

    fn ready(&self, wake: &Wake) -> Result<Readiness> {
        self.format.ready(wake)
    }

    fn encode(&self, record: &Timed<Option<T>>, out: &mut Outgoing) -> Result<()> {
        self.parts.fill(record, out);
        let Some(inner) = &record.value else {
            out.value = None;
            return Ok(());
        };
        let value = out.value.get_or_insert_default();
        value.clear();
        self.format.serialize(inner, value)
    }
}

pub(crate) struct Records<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
}

impl<K, V, FK, FV> Encode<KafkaRecord<K, V>> for Records<FK, FV>
where
    K: Record,
    V: Record,
    FK: Serializer<K>,
    FV: Serializer<V>,
{
    fn validate(&self) -> Result<()> {
        self.key.validate()?;
        self.value.validate()
    }

    fn ready(&self, wake: &Wake) -> Result<Readiness> {
        let (key, value) = (self.key.ready(wake)?, self.value.ready(wake)?);
        Ok(if key == Readiness::Now { value } else { key })
    }

    fn encode(&self, record: &Timed<KafkaRecord<K, V>>, out: &mut Outgoing) -> Result<()> {
        let from = &record.value;
        out.topic.clone_from(&from.topic);
        out.partition = from.partition;
        out.headers.clone_from(&from.headers);
        out.timestamp = from.timestamp.millis().or_else(|| timestamp(record.time));
        fill(from.key.as_ref(), &self.key, &mut out.key)?;
        fill(from.value.as_ref(), &self.value, &mut out.value)
    }
}

fn fill<T>(from: Option<&T>, format: &impl Serializer<T>, out: &mut Option<Vec<u8>>) -> Result<()> {
    let Some(from) = from else {
        *out = None;
        return Ok(());
    };
    let bytes = out.get_or_insert_default();
    bytes.clear();
    format.serialize(from, bytes)
}

//! A Kafka record with all that Kafka knows of it.

use serde::{Deserialize, Serialize};

/// Headers in order; a value may be null, and keys may repeat.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// What the names of our own headers begin with.
pub(crate) const HEADER_PREFIX: &str = "headwater.";

/// Who set a record's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timestamp {
    /// There is none.
    #[default]
    None,
    /// The producer, in milliseconds since 1970.
    Create(i64),
    /// The broker when it appended the record, in milliseconds since 1970.
    Append(i64),
}

impl Timestamp {
    /// Milliseconds since 1970.
    pub fn millis(self) -> Option<i64> {
        match self {
            Timestamp::None => None,
            Timestamp::Create(at) | Timestamp::Append(at) => Some(at),
        }
    }
}

/// A record with key, headers, time and place.
///
/// As a source's record everything is set. As a sink's record an empty `topic` means the sink's
/// own, a negative `partition` means that the key chooses, `offset` is not looked at, and a `value`
/// of none is a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaRecord<K, V> {
    /// The key.
    pub key: Option<K>,
    /// The value; none is a tombstone.
    pub value: Option<V>,
    /// The headers.
    pub headers: Headers,
    /// The time.
    pub timestamp: Timestamp,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
}

impl<K, V> KafkaRecord<K, V> {
    /// A record to write: the key chooses the partition.
    pub fn new(key: Option<K>, value: Option<V>) -> Self {
        KafkaRecord {
            key,
            value,
            headers: Headers::new(),
            timestamp: Timestamp::None,
            topic: String::new(),
            partition: -1,
            offset: -1,
        }
    }
}

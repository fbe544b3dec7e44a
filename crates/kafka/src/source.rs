//! The Kafka source: a split per partition.
//!
//! A split is `topic-partition`; its position is the next offset, with the end if there is one
//! (`4711`, `4711/9000`). What cannot be read goes to the source's bad-record policy with the
//! original bytes.
//!
//! Gaps stop the job: when retention has removed records between our position and the log's start,
//! or the log ends before our position (the topic was made anew), the error names topic, partition
//! and the range. [`OnGap::Continue`] goes on instead, and counts the offsets that it passes over.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use headwater_connect::{Discovery, Measure, Position, Reader, Source, SplitId, Wake};
use headwater_core::{Error, Record, Result};
use headwater_formats::Deserializer;
use regex::Regex;

use crate::cluster::Cluster;
use crate::message::KafkaRecord;
use crate::options::Scope;

use self::client::SourceClient;
use self::decode::{Decode, Optional, Records, Values};
use self::offsets::Place;
use self::reader::PartitionReader;

mod access;
mod client;
mod decode;
mod lag;
mod offsets;
mod reader;

/// How often new partitions and topics are looked for.
const DISCOVERY: Duration = Duration::from_secs(30);

/// Which topics are read.
#[derive(Clone, Debug)]
pub enum Topics {
    /// These.
    Named(Vec<String>),
    /// All whose whole name matches, also those made later.
    Matching(String),
}

impl Topics {
    /// All topics whose whole name matches a regular expression.
    pub fn matching(pattern: impl Into<String>) -> Topics {
        Topics::Matching(pattern.into())
    }
}

impl From<&str> for Topics {
    fn from(topic: &str) -> Self {
        Topics::Named(vec![topic.into()])
    }
}

impl From<String> for Topics {
    fn from(topic: String) -> Self {
        Topics::Named(vec![topic])
    }
}

impl<const N: usize> From<[&str; N]> for Topics {
    fn from(topics: [&str; N]) -> Self {
        Topics::Named(topics.iter().map(|&t| t.into()).collect())
    }
}

impl From<Vec<String>> for Topics {
    fn from(topics: Vec<String>) -> Self {
        Topics::Named(topics)
    }
}

/// Where a partition is read from when the checkpoint has no position for it.
///
/// A partition that appears while the job runs, or between two runs, is read from its beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Start {
    /// From the oldest record. The default.
    #[default]
    Earliest,
    /// What is appended from now on.
    Latest,
    /// From the group's committed offset; the oldest record if there is none.
    Group,
    /// From the first record that is not older, in milliseconds since 1970.
    Timestamp(i64),
    /// From these offsets by (topic, partition); others from the oldest record.
    Offsets(Vec<(String, i32, i64)>),
}

/// Where a partition ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum End {
    /// It does not. The default.
    #[default]
    Never,
    /// At what is the end when the job first starts: run until caught up, then finish.
    Latest,
    /// Before the first record that is not older than this, in milliseconds since 1970.
    Timestamp(i64),
    /// Before these offsets by (topic, partition); other partitions at what is the end.
    Offsets(Vec<(String, i32, i64)>),
}

/// What happens when records between our position and the log are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGap {
    /// The job stops and names the range. The default.
    #[default]
    Fail,
    /// It goes on behind the gap, and counts the offsets as skipped in the source's totals.
    Continue,
}

/// What is read, without how values are decoded.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) cluster: Cluster,
    pub(crate) topics: Topics,
    pub(crate) start: Start,
    pub(crate) end: End,
    pub(crate) on_gap: OnGap,
    pub(crate) group: String,
    pub(crate) uncommitted: bool,
    pub(crate) discovery: Option<Duration>,
    pub(crate) options: Vec<(String, String)>,
}

/// A source without a format yet.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use headwater_formats::{json, string};
/// use headwater_kafka::{self as kafka, End, Start};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Click { page: String }
///
/// let cluster = kafka::cluster("localhost:9092");
/// // until caught up, then finish
/// let clicks = cluster.source("clicks").end(End::Latest).value(json::<Click>());
/// // key, value, headers, time and place
/// let all = cluster.source(kafka::source::Topics::matching("orders-.*"))
///     .start(Start::Group).group("billing").records(string(), json::<Click>());
/// # let _ = (clicks, all);
/// ```
pub struct SourceBuilder(Settings);

impl SourceBuilder {
    pub(crate) fn new(cluster: Cluster, topics: Topics) -> Self {
        SourceBuilder(Settings {
            cluster,
            topics,
            start: Start::default(),
            end: End::default(),
            on_gap: OnGap::default(),
            group: "headwater".into(),
            uncommitted: false,
            discovery: Some(DISCOVERY),
            options: Vec::new(),
        })
    }

    /// Where reading begins when the checkpoint has no position.
    pub fn start(mut self, start: Start) -> Self {
        self.0.start = start;
        self
    }

    /// Where reading ends.
    pub fn end(mut self, end: End) -> Self {
        self.0.end = end;
        self
    }

    /// The consumer group that positions are committed to after each checkpoint, for tools that
    /// show lag, and that [`Start::Group`] reads. Partitions are not shared by it. `headwater`.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.0.group = group.into();
        self
    }

    /// What happens when records are gone.
    pub fn on_gap(mut self, on_gap: OnGap) -> Self {
        self.0.on_gap = on_gap;
        self
    }

    /// Reads records of open and aborted transactions too (`read_uncommitted`).
    pub fn read_uncommitted(mut self) -> Self {
        self.0.uncommitted = true;
        self
    }

    /// How often new partitions and topics are looked for; 30 s. None: only at the start.
    pub fn discovery(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.0.discovery = every.into();
        self
    }

    /// Sets an option of librdkafka that is on the allow-list.
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.options.push((name.into(), value.into()));
        self
    }

    /// Values in this format; their event time is the record's timestamp until the job says
    /// otherwise. A tombstone is refused.
    pub fn value<T: Record>(self, format: impl Deserializer<T>) -> KafkaSource<T> {
        self.decoded(Values(format))
    }

    /// Values in this format; a tombstone is `None`.
    pub fn optional_value<T: Record>(self, format: impl Deserializer<T>) -> KafkaSource<Option<T>> {
        self.decoded(Optional(format))
    }

    /// Whole records: key and value in these formats, headers, time and place.
    pub fn records<K: Record, V: Record>(
        self,
        key: impl Deserializer<K>,
        value: impl Deserializer<V>,
    ) -> KafkaSource<KafkaRecord<K, V>> {
        self.decoded(Records { key, value })
    }

    fn decoded<T: Record>(self, decode: impl Decode<T>) -> KafkaSource<T> {
        KafkaSource { settings: self.0, decode: Arc::new(decode), client: Mutex::default() }
    }
}

/// Reads topics.
///
/// - Shape: one record per Kafka record, in offset order within a partition; a split per partition.
/// - Time: the record's timestamp.
/// - State: the next offset per partition, in the checkpoint.
/// - Errors: a gap, a vanished partition or a lost permission ends the attempt, naming topic,
///   partition and offsets. A record that cannot be decoded follows the source's policy.
/// - Guarantee: every record that the isolation level shows, once.
pub struct KafkaSource<T> {
    settings: Settings,
    decode: Arc<dyn Decode<T>>,
    /// The client of the running attempt; its readers own it.
    client: Mutex<Weak<SourceClient>>,
}

impl<T: Record> KafkaSource<T> {
    /// The client to open a partition with. One that had it open before would deliver what it has
    /// fetched ahead, so opening it again takes another client.
    fn client(&self, topic: &str, partition: i32) -> Result<Arc<SourceClient>> {
        let mut slot = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = slot.upgrade().filter(|client| !client.knows(topic, partition)) {
            return Ok(client);
        }
        let client = SourceClient::start(&self.settings)?;
        *slot = Arc::downgrade(&client);
        Ok(client)
    }
}

impl<T: Record> Source for KafkaSource<T> {
    type Record = T;

    fn validate(&self) -> Result<()> {
        let settings = &self.settings;
        settings.cluster.check_options(&settings.options, Scope::Source)?;
        if let Topics::Matching(pattern) = &settings.topics {
            pattern_of(pattern)?;
        }
        self.decode.validate()?;
        let config = settings.cluster.config(Scope::Source, &settings.options);
        let inspector = settings.cluster.inspector(&config)?;
        if let Topics::Named(names) = &settings.topics {
            for name in names {
                inspector.check_topic(name)?;
            }
            access::check(settings, names)?;
        }
        Ok(())
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        let running = self.client.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let partitions = match running {
            // Workers ask while the job runs: they get what the client's thread has found.
            Some(client) => client.partitions()?,
            None => client::list_partitions(&self.settings)?,
        };
        Ok(partitions.into_iter().map(|(topic, n)| SplitId(format!("{topic}-{n}"))).collect())
    }

    fn discovery(&self) -> Discovery {
        match self.settings.discovery {
            Some(every) if self.settings.end == End::Never => Discovery::Every(every),
            _ => Discovery::Once,
        }
    }

    fn first_position(&self) -> Option<Position> {
        Some(Position("0".into()))
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<T>>> {
        let (topic, partition) = partition_of(split)?;
        let client = self.client(&topic, partition)?;
        let place = match position {
            Some(position) => Place::parse(position, split)?,
            None => offsets::first(&self.settings, client.consumer(), &topic, partition)?,
        };
        let from_start = position.is_some_and(|p| Some(p) == self.first_position().as_ref());
        let (place, skipped) = offsets::check(
            &self.settings,
            client.consumer(),
            (&topic, partition),
            place,
            from_start,
        )?;
        let queue = client.assign(&topic, partition, place.next, wake.clone())?;
        let decode = Arc::clone(&self.decode);
        let reader = PartitionReader::new(topic, partition, place, queue, decode, wake, client);
        Ok(Box::new(reader.having_skipped(skipped)))
    }

    fn checkpointed(&self, positions: &[(SplitId, Position)]) {
        let running = self.client.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(client) = running {
            let offsets = positions.iter().filter_map(|(split, position)| {
                let (topic, partition) = partition_of(split).ok()?;
                Some((topic, partition, Place::parse(position, split).ok()?.next))
            });
            client.commit(offsets);
        }
    }

    fn measures(&self) -> Vec<Measure> {
        let running = self.client.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        running.map(|client| client.measures()).unwrap_or_default()
    }

    fn transaction_domain(&self) -> Option<String> {
        (!self.settings.uncommitted).then(|| self.settings.cluster.id().to_owned())
    }
}

fn partition_of(split: &SplitId) -> Result<(String, i32)> {
    let parsed = split.0.rsplit_once('-').and_then(|(t, n)| Some((t.to_owned(), n.parse().ok()?)));
    parsed.ok_or_else(|| {
        Error::state(format!("split {:?} is no Kafka partition", split.0))
            .hint("the checkpoint is of a job whose source of this name read something else")
    })
}

pub(crate) fn pattern_of(pattern: &str) -> Result<Regex> {
    Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|e| Error::config(format!("kafka topic pattern {pattern:?}: {e}")))
}

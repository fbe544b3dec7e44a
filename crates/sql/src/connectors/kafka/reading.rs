//! Topics as rows.

use std::sync::Arc;
use std::time::Duration;

use headwater_core::Original;
use headwater_formats::bytes;
use headwater_kafka::{End, KafkaRecord, OnGap, Start, Timestamp, Topics};
use headwater_topology::erased::AnySource;

use super::super::decoded::{Decoded, Decoding, Envelope};
use super::super::options::Options;
use super::super::projection::Projection;
use super::{Layout, NAME, topics};
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::column::Column;

/// Metadata columns of records.
pub(super) const METADATA: &[&str] =
    &["topic", "partition", "offset", "timestamp", "timestamp-type", "headers", "key"];

/// A record as Kafka has it.
pub(super) type Bytes = KafkaRecord<Vec<u8>, Vec<u8>>;

impl Envelope for Bytes {
    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn place(&self) -> String {
        format!("offset {}", self.offset)
    }

    fn into_original(self) -> Original {
        let mut headers = self.headers;
        let mut place = |name: &str, value: String| {
            headers.push((format!("headwater.{name}"), Some(value.into_bytes())));
        };
        place("topic", self.topic);
        place("partition", self.partition.to_string());
        place("offset", self.offset.to_string());
        Original { key: self.key, value: self.value, headers }
    }

    fn metadata(&self, key: &str, column: &mut Column) -> Result<(), String> {
        match key {
            "topic" => column.push_text(&self.topic),
            "partition" => column.push_number(self.partition.into()),
            "offset" => column.push_number(self.offset),
            "timestamp" => match self.timestamp.millis() {
                Some(at) => column.push_timestamp(at),
                None => {
                    column.push_null();
                    Ok(())
                }
            },
            "timestamp-type" => column.push_text(match self.timestamp {
                Timestamp::None => "NoTimestampType",
                Timestamp::Create(_) => "CreateTime",
                Timestamp::Append(_) => "LogAppendTime",
            }),
            "headers" => column.push_map(|keys, values| {
                self.headers.iter().try_for_each(|(name, value)| {
                    keys.push_text(name)?;
                    match value {
                        Some(value) => values.push_bytes(value),
                        None => {
                            values.push_null();
                            Ok(())
                        }
                    }
                })
            }),
            "key" => match &self.key {
                Some(key) => column.push_bytes(key),
                None => {
                    column.push_null();
                    Ok(())
                }
            },
            other => Err(format!("a record has no '{other}'")),
        }
    }
}

/// Refuses metadata that records do not have.
pub(super) fn check_metadata(projection: &Projection) -> SqlResult<()> {
    match projection.metadata().into_iter().find(|(_, key)| !METADATA.contains(key)) {
        None => Ok(()),
        Some((_, key)) => {
            let message = format!("connector '{NAME}' has no metadata '{key}'");
            let error = SqlError::new(codes::BAD_OPTION, message);
            Err(error.names(key, "metadata", METADATA.iter().copied()))
        }
    }
}

/// A source of the rows in topics, and whether it ends.
pub(super) fn source(
    options: &Options<'_>,
    layout: Layout,
    projection: &Projection,
) -> SqlResult<(Arc<dyn AnySource>, bool)> {
    let cluster = super::cluster(options)?;
    let names: Vec<String> = match options.text("topic-pattern") {
        Some(_) if options.is_set("topic") => {
            let message = "'topic' and 'topic-pattern' can't both be set";
            return Err(options.wrong("topic-pattern", message));
        }
        Some(_) => Vec::new(),
        None => topics(options)?.into_iter().map(str::to_owned).collect(),
    };
    let read = match options.text("topic-pattern") {
        Some(pattern) => Topics::matching(pattern),
        None => Topics::from(names.clone()),
    };
    let end = end(options, &names)?;
    let bounded = end != End::Never;
    let mut source = cluster.source(read).start(start(options, &names, layout.upsert)?).end(end);
    if let Some(group) = options.text("properties.group.id") {
        source = source.group(group);
    }
    if options.text("properties.isolation.level") == Some("read_uncommitted") {
        source = source.read_uncommitted();
    }
    if options.choice("scan.on-gap").as_deref() == Some("continue") {
        source = source.on_gap(OnGap::Continue);
    }
    let every = options.duration("scan.topic-partition-discovery.interval");
    source = source.discovery(every.filter(|every| *every > Duration::ZERO));
    let mut decoding = Decoding::new(layout.value, layout.value_fields, projection)?;
    if let Some(key) = layout.key {
        decoding =
            decoding.with_key(key.format, key.fields, &key.prefix, layout.upsert, projection)?;
    }
    let source = source.records::<Vec<u8>, Vec<u8>>(bytes(), bytes());
    Ok((Arc::new(Decoded::new(source, decoding)), bounded))
}

fn start(options: &Options<'_>, topics: &[String], upsert: bool) -> SqlResult<Start> {
    let mode = options.choice("scan.startup.mode");
    Ok(match mode.as_deref() {
        // Without the beginning the last record of a key would be missing.
        None if upsert => Start::Earliest,
        None if options.is_set("properties.group.id") => Start::Group,
        None | Some("earliest-offset") => Start::Earliest,
        Some("latest-offset") => Start::Latest,
        Some("group-offsets") => Start::Group,
        Some("timestamp") => {
            let key = "scan.startup.timestamp-millis";
            let at = options.integer(key);
            Start::Timestamp(
                at.ok_or_else(|| options.missing(key, "which mode 'timestamp' needs"))?,
            )
        }
        _ => Start::Offsets(offsets(options, "scan.startup.specific-offsets", topics)?),
    })
}

fn end(options: &Options<'_>, topics: &[String]) -> SqlResult<End> {
    Ok(match options.choice("scan.bounded.mode").as_deref() {
        None | Some("unbounded") => End::Never,
        Some("latest-offset") => End::Latest,
        Some("timestamp") => {
            let key = "scan.bounded.timestamp-millis";
            let at = options.integer(key);
            End::Timestamp(at.ok_or_else(|| options.missing(key, "which mode 'timestamp' needs"))?)
        }
        _ => End::Offsets(offsets(options, "scan.bounded.specific-offsets", topics)?),
    })
}

/// Reads `partition:0,offset:42;partition:1,offset:300`.
fn offsets(
    options: &Options<'_>,
    key: &str,
    topics: &[String],
) -> SqlResult<Vec<(String, i32, i64)>> {
    let why = "which mode 'specific-offsets' needs";
    let text = options.text(key).ok_or_else(|| options.missing(key, why))?;
    let [topic] = topics else {
        return Err(options.wrong(key, format!("option '{key}' needs exactly one topic")));
    };
    let wrong = || {
        options
            .wrong(key, format!("option '{key}' can't be '{text}'"))
            .help("write partition:0,offset:42;partition:1,offset:300")
    };
    let parts = text.split(';').filter(|part| !part.trim().is_empty()).map(|part| {
        let (partition, offset) = part.split_once(',')?;
        let partition = partition.trim().strip_prefix("partition:")?.trim().parse().ok()?;
        let offset = offset.trim().strip_prefix("offset:")?.trim().parse().ok()?;
        Some((topic.clone(), partition, offset))
    });
    parts.collect::<Option<Vec<_>>>().ok_or_else(wrong)
}

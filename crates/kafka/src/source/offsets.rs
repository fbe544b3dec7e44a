//! Where a partition is read from and to; what is missing between the position and the log.

use headwater_connect::{Position, SplitId};
use headwater_core::{Error, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::{End, OnGap, Settings, Start};
use crate::failure::{Witness, failure};

/// A place in a partition: the next offset to read, and the one to stop before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) next: i64,
    pub(crate) end: Option<i64>,
}

impl Place {
    pub(crate) fn parse(position: &Position, split: &SplitId) -> Result<Place> {
        let (next, end) = match position.0.split_once('/') {
            Some((next, end)) => (next, Some(end)),
            None => (position.0.as_str(), None),
        };
        let parsed = next.parse().ok().zip(end.map(str::parse).transpose().ok());
        let (next, end) = parsed.ok_or_else(|| {
            Error::state(format!("position {:?} of {split} is no Kafka offset", position.0))
                .hint("the checkpoint is of a job whose source of this name read something else")
        })?;
        Ok(Place { next, end })
    }

    pub(crate) fn position(self) -> Position {
        match self.end {
            Some(end) => Position(format!("{}/{end}", self.next)),
            None => Position(self.next.to_string()),
        }
    }
}

type Client = BaseConsumer<Witness>;

/// The place of a partition that is read for the first time.
pub(crate) fn first(
    settings: &Settings,
    client: &Client,
    topic: &str,
    partition: i32,
) -> Result<Place> {
    let (low, high) = watermarks(settings, client, topic, partition)?;
    let given = |offsets: &[(String, i32, i64)]| {
        offsets.iter().find(|(t, p, _)| t == topic && *p == partition).map(|(_, _, at)| *at)
    };
    let next = match &settings.start {
        Start::Earliest => low,
        Start::Latest => high,
        Start::Group => committed(settings, client, topic, partition)?.unwrap_or(low),
        Start::Timestamp(at) => at_time(settings, client, topic, partition, *at)?.unwrap_or(high),
        Start::Offsets(offsets) => given(offsets).unwrap_or(low),
    };
    let end = match &settings.end {
        End::Never => None,
        End::Latest => Some(high),
        End::Timestamp(at) => {
            Some(at_time(settings, client, topic, partition, *at)?.unwrap_or(high))
        }
        End::Offsets(offsets) => Some(given(offsets).unwrap_or(high)),
    };
    Ok(Place { next, end })
}

/// Compares a place with what the log still has; gives where to go on, and how many offsets that
/// passes over.
pub(crate) fn check(
    settings: &Settings,
    client: &Client,
    (topic, partition): (&str, i32),
    mut place: Place,
    from_start: bool,
) -> Result<(Place, u64)> {
    let (low, high) = watermarks(settings, client, topic, partition)?;
    if from_start {
        place.next = low;
        return Ok((place, 0));
    }
    let done = place.end.is_some_and(|end| place.next >= end);
    if done || (low..=high).contains(&place.next) {
        return Ok((place, 0));
    }
    if settings.on_gap == OnGap::Fail {
        return Err(gap(topic, partition, place.next, low, high));
    }
    let to = if place.next < low { low } else { high };
    let skipped = u64::try_from(low - place.next).unwrap_or(0);
    tracing::warn!(
        topic,
        partition,
        position = place.next,
        log_start = low,
        log_end = high,
        skipped,
        "going on behind a gap, as the job allows"
    );
    place.next = to;
    Ok((place, skipped))
}

/// What is gone, by name.
pub(crate) fn gap(topic: &str, partition: i32, position: i64, low: i64, high: i64) -> Error {
    let what = if position < low {
        format!(
            "offsets {position} to {} of topic {topic:?}, partition {partition} are gone: the log \
             begins at {low}",
            low - 1
        )
    } else {
        format!(
            "topic {topic:?}, partition {partition} ends at offset {high}, before our position \
             {position}: the topic was made anew, or its log was truncated"
        )
    };
    Error::state(what).hint(
        "restore the topic, start the job anew from an empty checkpoint directory, or accept the \
         loss with on_gap(OnGap::Continue)",
    )
}

/// The topic is another one now.
pub(crate) fn made_anew(topic: &str, partition: i32, position: i64) -> Error {
    Error::state(format!(
        "topic {topic:?} was deleted and made anew while it was read; our position in partition \
         {partition}, offset {position}, is of the old one"
    ))
    .hint("start the job anew from an empty checkpoint directory")
}

/// The first and the next offset of a partition's log, as our isolation level sees it.
pub(crate) fn watermarks(
    settings: &Settings,
    client: &Client,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64)> {
    client
        .fetch_watermarks(topic, partition, settings.cluster.timeout())
        .map_err(|e| failure(&format!("offsets of topic {topic:?}, partition {partition}"), &e))
}

fn committed(
    settings: &Settings,
    client: &Client,
    topic: &str,
    partition: i32,
) -> Result<Option<i64>> {
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, partition);
    let doing = format!("committed offsets of group {:?}", settings.group);
    let found = client
        .committed_offsets(asked, settings.cluster.timeout())
        .map_err(|e| failure(&doing, &e))?;
    Ok(found.find_partition(topic, partition).and_then(|p| p.offset().to_raw()).filter(|o| *o >= 0))
}

fn at_time(
    settings: &Settings,
    client: &Client,
    topic: &str,
    partition: i32,
    millis: i64,
) -> Result<Option<i64>> {
    let mut asked = TopicPartitionList::new();
    let doing = format!("offset of {millis} ms in topic {topic:?}, partition {partition}");
    asked
        .add_partition_offset(topic, partition, Offset::Offset(millis))
        .map_err(|e| failure(&doing, &e))?;
    let found = client
        .offsets_for_times(asked, settings.cluster.timeout())
        .map_err(|e| failure(&doing, &e))?;
    let offset = found.find_partition(topic, partition).map(|p| p.offset());
    Ok(match offset {
        Some(Offset::Offset(at)) => Some(at),
        _ => None,
    })
}

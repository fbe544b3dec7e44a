//! Reads one partition out of the client's queue.

use std::sync::Arc;
use std::time::Duration;

use headwater_connect::{Position, ReadBuffer, ReadStatus, Reader};
use headwater_core::{Error, EventTime, Record, Result, Wake};
use headwater_formats::Readiness;
use rdkafka::Message;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;

use super::OnGap;
use super::client::SourceClient;
use super::decode::{Decode, View, headers_of, view};
use super::lag::Progress;
use super::offsets::{Place, gap, made_anew};
use crate::failure::{Witness, failure};

/// See the module documentation.
pub(crate) struct PartitionReader<T> {
    topic: String,
    partition: i32,
    place: Place,
    progress: Arc<Progress>,
    /// Of the last record taken, in milliseconds since 1970.
    time: Option<i64>,
    /// Offsets of a gap that the job goes on behind, not counted yet.
    skipped: u64,
    /// Before the client, which must outlive it; taken out only within a call.
    queue: Option<PartitionQueue<Witness>>,
    /// A message whose format has to fetch something first.
    held: Option<OwnedMessage>,
    decode: Arc<dyn Decode<T>>,
    wake: Wake,
    /// Owned by its readers: the fetching ends with the last of them.
    client: Arc<SourceClient>,
}

impl<T: Record> PartitionReader<T> {
    pub(crate) fn new(
        topic: String,
        partition: i32,
        place: Place,
        queue: PartitionQueue<Witness>,
        decode: Arc<dyn Decode<T>>,
        wake: Wake,
        client: Arc<SourceClient>,
    ) -> Self {
        let progress = Arc::new(Progress::at(place.next));
        client.lags.add(&topic, partition, &progress);
        PartitionReader {
            progress,
            time: None,
            topic,
            partition,
            place,
            skipped: 0,
            queue: Some(queue),
            held: None,
            decode,
            wake,
            client,
        }
    }

    /// So many offsets were passed over before the first read.
    pub(crate) fn having_skipped(mut self, offsets: u64) -> Self {
        self.skipped = offsets;
        self
    }

    fn is_at_end(&self) -> bool {
        self.place.end.is_some_and(|end| self.place.next >= end)
    }

    /// Gives or refuses the message; false if its format has to fetch something first.
    fn take(&mut self, message: &View<'_>, buffer: &mut ReadBuffer<T>) -> Result<bool> {
        if self.decode.ready(message, &self.wake)? == Readiness::Later {
            return Ok(false);
        }
        match self.decode.decode(message) {
            Ok(value) => {
                let time = message.timestamp.millis().map_or(EventTime::MIN, EventTime);
                buffer.push_at(time, value);
            }
            Err(refused) => {
                let View { topic, partition, offset, .. } = message;
                let place = format!("{topic}-{partition}, offset {offset}");
                buffer.refuse_whole(message.original(), place, refused);
            }
        }
        self.place.next = message.offset + 1;
        self.time = message.timestamp.millis();
        Ok(true)
    }

    fn take_held(&mut self, buffer: &mut ReadBuffer<T>) -> Result<bool> {
        let Some(held) = self.held.take() else { return Ok(true) };
        let taken = self.take(&view(&held, &|| headers_of(&held)), buffer)?;
        if !taken {
            self.held = Some(held);
        }
        Ok(taken)
    }

    /// Takes the next message; a status if there is a reason to stop.
    fn take_next(
        &mut self,
        queue: &PartitionQueue<Witness>,
        buffer: &mut ReadBuffer<T>,
    ) -> Result<Option<ReadStatus>> {
        match queue.poll(Duration::ZERO) {
            None => Ok(Some(ReadStatus::Idle)),
            Some(Ok(message)) => {
                if self.place.end.is_some_and(|end| message.offset() >= end) {
                    return Ok(Some(ReadStatus::End));
                }
                if !self.take(&view(&message, &|| headers_of(&message)), buffer)? {
                    self.held = Some(message.detach());
                    return Ok(Some(ReadStatus::Idle));
                }
                Ok(None)
            }
            // All that the log had is read; its last offsets may be of markers and aborted records.
            Some(Err(KafkaError::PartitionEOF(_))) => {
                Ok(self.place.end.is_some().then_some(ReadStatus::End))
            }
            Some(Err(error)) => self.on_error(&error).map(|()| None),
        }
    }

    fn read_on(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        buffer.skipped += std::mem::take(&mut self.skipped);
        if self.client.was_made_anew(&self.topic) {
            return Err(made_anew(&self.topic, self.partition, self.place.next));
        }
        if !self.take_held(buffer)? {
            return Ok(ReadStatus::Idle);
        }
        while buffer.room() > 0 {
            if self.is_at_end() {
                return Ok(ReadStatus::End);
            }
            // The queue is taken out for the call, as the message borrows it.
            let Some(queue) = self.queue.take() else { return Ok(ReadStatus::Idle) };
            let outcome = self.take_next(&queue, buffer);
            self.queue = Some(queue);
            if let Some(status) = outcome? {
                return Ok(status);
            }
        }
        Ok(if self.is_at_end() { ReadStatus::End } else { ReadStatus::Ready })
    }

    /// What a report of the client in place of a record means.
    fn on_error(&self, error: &KafkaError) -> Result<()> {
        use RDKafkaErrorCode as C;
        let partition = format!("topic {:?}, partition {}", self.topic, self.partition);
        match error.rdkafka_error_code() {
            // The client says so again and again while it reconnects.
            Some(
                C::BrokerTransportFailure
                | C::AllBrokersDown
                | C::OperationTimedOut
                | C::NotLeaderForPartition
                | C::LeaderNotAvailable
                | C::Resolve,
            ) => {
                tracing::warn!("{partition}: {error}; trying again");
                Ok(())
            }
            Some(C::OffsetOutOfRange | C::AutoOffsetReset) => {
                let known = self.client.watermarks(&self.topic, self.partition)?;
                let gap = gap(&self.topic, self.partition, self.place.next, known.0, known.1);
                Err(match self.client.on_gap() {
                    OnGap::Fail => gap,
                    // The next attempt opens the partition behind it.
                    OnGap::Continue => Error::transient("going on behind a gap").because(gap),
                })
            }
            Some(C::UnknownTopicOrPartition | C::UnknownPartition | C::UnknownTopic) => {
                let next = self.place.next;
                Err(Error::state(format!("{partition} is gone; our position is offset {next}"))
                    .hint("make the topic again or start the job anew"))
            }
            _ => Err(failure(&partition, error)),
        }
    }
}

impl<T> Drop for PartitionReader<T> {
    fn drop(&mut self) {
        self.client.release(&self.topic, self.partition);
    }
}

impl<T: Record> Reader<T> for PartitionReader<T> {
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        let outcome = self.read_on(buffer);
        self.progress.note(self.place.next, self.time);
        outcome
    }

    fn position(&self) -> Position {
        self.place.position()
    }
}

//! The writers: encode and hand to the client; they never wait for it, but at a barrier.

use std::sync::Arc;

use headwater_connect::{BadRecord, Committable, WriteStatus, Writer};
use headwater_core::{BadRecordPolicy, Epoch, Error, ErrorKind, Record, Result, Timed, Wake};
use headwater_formats::Readiness;

use super::encode::Encode;
use super::figures::{EndToEnd, Span};
use crate::producer::{Outgoing, Producer};
use crate::transactions::Transactions;

/// Encodes records, and sets aside those that cannot be.
pub(super) struct Encoder<T> {
    encode: Arc<dyn Encode<T>>,
    topic: String,
    policy: BadRecordPolicy,
    wake: Wake,
    out: Outgoing,
    refused: Vec<BadRecord>,
    max_bytes: usize,
    /// Of what was sent since the last acknowledgement.
    span: Span,
}

impl<T: Record> Encoder<T> {
    pub(super) fn new(
        encode: Arc<dyn Encode<T>>,
        topic: String,
        policy: BadRecordPolicy,
        wake: Wake,
        max_bytes: usize,
    ) -> Self {
        let (out, refused) = (Outgoing::default(), Vec::new());
        Encoder { encode, topic, policy, wake, out, refused, max_bytes, span: Span::default() }
    }

    /// Fills `out`. A record that the brokers would not take is refused here, where the policy
    /// applies: from them it would come as a failure of the whole transaction.
    fn encode(&mut self, record: &Timed<T>) -> Result<()> {
        self.encode.encode(record, &mut self.out)?;
        let (size, max) = (self.out.size_bytes(), self.max_bytes);
        if size > max {
            return Err(Error::data(format!("record of {size} bytes, message.max.bytes is {max}"))
                .hint("raise it here, and max.message.bytes of the topic, or send less"));
        }
        Ok(())
    }

    /// Encodes and sends records from the front until one is not taken; `sent` sees each that was.
    fn send(
        &mut self,
        records: &mut Vec<Timed<T>>,
        producer: &Producer,
        mut sent: impl FnMut(&Outgoing) -> Result<()>,
    ) -> Result<WriteStatus> {
        producer.check()?;
        if self.encode.ready(&self.wake)? == Readiness::Later {
            return Ok(WriteStatus::Blocked);
        }
        let mut done = 0;
        let mut status = WriteStatus::Done;
        for record in records.iter() {
            match self.encode(record) {
                Ok(()) => {
                    if !producer.send(&self.topic, &self.out)? {
                        status = WriteStatus::Blocked;
                        break;
                    }
                    sent(&self.out)?;
                    self.span.add(record.time);
                }
                Err(e) if e.kind() == ErrorKind::Data && self.policy != BadRecordPolicy::Fail => {
                    // What cannot be encoded has no bytes; the record's own serde form is kept.
                    let form = serde_json::to_vec(&record.value).unwrap_or_default();
                    let position = format!("topic {:?}", self.topic);
                    let reason = e.to_string();
                    self.refused.push(BadRecord { record: form.into(), position, reason });
                }
                Err(e) => return Err(e.within(format!("topic {:?}", self.topic))),
            }
            done += 1;
        }
        records.drain(..done);
        Ok(status)
    }
}

/// Sends at once; at a barrier waits until all is acknowledged.
pub(super) struct AtLeastOnceWriter<T> {
    encoder: Encoder<T>,
    producer: Arc<Producer>,
    end_to_end: Arc<EndToEnd>,
}

impl<T> AtLeastOnceWriter<T> {
    pub(super) fn new(
        encoder: Encoder<T>,
        producer: Arc<Producer>,
        end_to_end: Arc<EndToEnd>,
    ) -> Self {
        AtLeastOnceWriter { encoder, producer, end_to_end }
    }
}

impl<T: Record> Writer<T> for AtLeastOnceWriter<T> {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        self.encoder.send(records, &self.producer, |_| Ok(()))
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        self.producer.wait_sent()?;
        // The others were acknowledged before; when, nobody has looked.
        self.end_to_end.acknowledged(std::mem::take(&mut self.encoder.span), true);
        Ok(Vec::new())
    }

    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (self.encoder.policy, std::mem::take(&mut self.encoder.refused))
    }
}

/// Sends within the transaction of the epoch; holds back while that of the last one is committed.
pub(super) struct TransactionalWriter<T> {
    encoder: Encoder<T>,
    transactions: Arc<Transactions>,
    end_to_end: Arc<EndToEnd>,
    /// The epoch records belong to; unknown until the first barrier or an open transaction says.
    epoch: Option<Epoch>,
    /// Whether the epoch's records go into the checkpoint too.
    keeps: bool,
    kept: Vec<u8>,
}

impl<T> TransactionalWriter<T> {
    pub(super) fn new(
        encoder: Encoder<T>,
        transactions: Arc<Transactions>,
        end_to_end: Arc<EndToEnd>,
        keeps: bool,
    ) -> Self {
        let (epoch, kept) = (None, Vec::new());
        TransactionalWriter { encoder, transactions, end_to_end, epoch, keeps, kept }
    }
}

impl<T: Record> Writer<T> for TransactionalWriter<T> {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        // The first epoch of the attempt is the one that is open when the writer first writes.
        let epoch = match self.epoch {
            Some(epoch) => epoch,
            None => match self.transactions.first_epoch() {
                Some(epoch) => *self.epoch.insert(epoch),
                None => return Ok(WriteStatus::Blocked),
            },
        };
        let Some(producer) = self.transactions.producer_in(epoch) else {
            return Ok(WriteStatus::Blocked);
        };
        let (keeps, kept) = (self.keeps, &mut self.kept);
        self.encoder.send(records, &producer, |out| match keeps {
            true => super::marker::keep(out, kept),
            false => Ok(()),
        })
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>> {
        self.epoch = Some(epoch.next());
        let span = std::mem::take(&mut self.encoder.span);
        self.transactions.figures.close(&self.end_to_end, span);
        let kept = std::mem::take(&mut self.kept);
        Ok(if kept.is_empty() { Vec::new() } else { vec![kept] })
    }

    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (self.encoder.policy, std::mem::take(&mut self.encoder.refused))
    }
}

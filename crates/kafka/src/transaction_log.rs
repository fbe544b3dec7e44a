//! One transaction per epoch for output, changes of state and positions.
//!
//! The log is a compacted topic of one partition, `headwater-JOB-changelog`. Its records are
//! - a changed entry: key = `s`, operator, state, key group, entry key; value = the entry's value,
//!   none if it was removed;
//! - the epoch: key = `e`; value = the epoch's record, last in its transaction.
//!
//! A reader that starts behind the changes of a checkpoint and applies what follows, to the last
//! epoch record, has the state of that epoch. As all of it is committed in one transaction with
//! the output, it does not matter at which moment a process dies: an epoch is there as a whole, or
//! not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_checkpoint::crash_point;
use headwater_connect::{LogPosition, Recovered, StateBlock, Transaction, TransactionLog};
use headwater_core::block::{BlockReader, BlockWriter};
use headwater_core::{Epoch, Error, KeyGroup, Result};
use rdkafka::{ClientConfig, Message};

use crate::cluster::Cluster;
use crate::control_log::ControlReader;
use crate::producer::{Outgoing, Producer};
use crate::topics::{self, NewTopic};
use crate::transactions::{Succession, Transactions};

const EPOCH_KEY: &[u8] = b"e";
const ENTRY_TAG: u8 = b's';

/// See the module documentation.
pub(crate) struct KafkaTransactionLog {
    topic: String,
    cluster: Cluster,
    transactions: Arc<Transactions>,
    reader: ControlReader,
    out: Outgoing,
}

impl KafkaTransactionLog {
    pub(crate) fn start(cluster: Cluster, config: ClientConfig, job: &str) -> Result<Self> {
        let topic = topics::name(&[job, "changelog"]);
        topics::create(&cluster, &NewTopic::control(&topic))?;
        let transactions = Transactions::start(config, &topic, Succession::Overlapping)?;
        let transactions = Arc::new(transactions);
        let reader = ControlReader::open(&cluster, &topic)?;
        let out = Outgoing { partition: 0, ..Outgoing::default() };
        Ok(KafkaTransactionLog { topic, cluster, transactions, reader, out })
    }

    /// Sends the changes of state and the epoch's record.
    fn send(&mut self, producer: &Producer, changes: &[StateBlock], record: &[u8]) -> Result<()> {
        for block in changes {
            let mut place = Vec::new();
            push_text(&block.operator, &mut place);
            push_text(&block.state, &mut place);
            place.extend(block.key_group.0.to_be_bytes());
            for entry in BlockReader::new(&block.bytes) {
                let (key, value) = entry?;
                let fill = |out: &mut Vec<u8>| {
                    out.push(ENTRY_TAG);
                    out.extend_from_slice(&place);
                    out.extend_from_slice(key);
                };
                self.send_one(producer, fill, value)?;
            }
        }
        self.send_one(producer, |out| out.extend_from_slice(EPOCH_KEY), Some(record))
    }

    fn send_one(
        &mut self,
        producer: &Producer,
        key: impl FnOnce(&mut Vec<u8>),
        value: Option<&[u8]>,
    ) -> Result<()> {
        let buffer = self.out.key.get_or_insert_default();
        buffer.clear();
        key(buffer);
        self.out.value = value.map(<[u8]>::to_vec);
        producer.send_waiting(&self.topic, &self.out)
    }
}

impl TransactionLog for KafkaTransactionLog {
    fn recover(&mut self, from: Option<&LogPosition>) -> Result<Recovered> {
        self.reader.check_ended(&self.cluster)?;
        let (low, high) = self.reader.bounds()?;
        let from = match from {
            None => low,
            Some(position) => position.0.parse().map_err(|_| {
                Error::state(format!("{:?} is no place in topic {:?}", position.0, self.topic))
            })?,
        };
        if from > high {
            return Err(Error::state(format!(
                "topic {:?} ends at offset {high}, before the checkpoint's place {from}",
                self.topic
            ))
            .hint("the topic was made anew: start the job from an empty checkpoint directory"));
        }
        let mut recovered =
            Recovered { position: Some(LogPosition(high.to_string())), ..Recovered::default() };
        if from >= high {
            return Ok(recovered);
        }
        let mut blocks: BTreeMap<Vec<u8>, (u16, Vec<u8>)> = BTreeMap::new();
        self.reader.read(from.max(low), |message| {
            let key = message.key().unwrap_or_default();
            if key == EPOCH_KEY {
                recovered.record = message.payload().map(<[u8]>::to_vec);
                return Ok(());
            }
            let entry = EntryKey::parse(key).ok_or_else(|| {
                let offset = message.offset();
                Error::state(format!("topic {:?}, offset {offset}: not an entry", self.topic))
            })?;
            let (_, block) =
                blocks.entry(entry.place.to_vec()).or_insert((entry.key_group, Vec::new()));
            let mut writer = BlockWriter::entry(block);
            writer.key().extend_from_slice(entry.key);
            match message.payload() {
                Some(value) => {
                    writer.value().extend_from_slice(value);
                    writer.finish();
                }
                None => writer.finish_removed(),
            }
            Ok(())
        })?;
        crash_point("kafka.transaction.read");
        for (place, (key_group, bytes)) in blocks {
            let (operator, rest) = split_text(&place).unwrap_or_default();
            let (state, _) = split_text(rest).unwrap_or_default();
            let (operator, state) = (operator.to_owned(), state.to_owned());
            let key_group = KeyGroup(key_group);
            recovered.changes.push(StateBlock { operator, state, key_group, bytes });
        }
        Ok(recovered)
    }

    fn open(&mut self, epoch: Epoch) -> Result<()> {
        self.transactions.open(epoch)
    }

    fn commit(&mut self, epoch: Epoch, changes: &[StateBlock], record: &[u8]) -> Result<()> {
        let transactions = Arc::clone(&self.transactions);
        crash_point("kafka.transaction.before-changes");
        transactions.commit(epoch, |producer| {
            self.send(producer, changes, record)?;
            crash_point("kafka.transaction.before-commit");
            Ok(())
        })?;
        crash_point("kafka.transaction.after-commit");
        Ok(())
    }

    fn skip(&mut self, epoch: Epoch) -> Result<()> {
        self.transactions.skip(epoch);
        Ok(())
    }

    fn position(&mut self) -> Result<LogPosition> {
        Ok(LogPosition(self.reader.bounds()?.1.to_string()))
    }

    fn transaction(&self) -> Transaction {
        Transaction::new(Arc::clone(&self.transactions))
    }
}

/// The parts of an entry's key.
struct EntryKey<'a> {
    /// Operator, state and key group.
    place: &'a [u8],
    key_group: u16,
    key: &'a [u8],
}

impl<'a> EntryKey<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&ENTRY_TAG, all) = bytes.split_first()? else { return None };
        let (_, rest) = split_text(all)?;
        let (_, rest) = split_text(rest)?;
        let (group, key) = rest.split_first_chunk::<2>()?;
        let place = &all[..all.len() - key.len()];
        Some(EntryKey { place, key_group: u16::from_be_bytes(*group), key })
    }
}

fn push_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text.as_bytes());
}

fn split_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_keys_come_apart() {
        let mut bytes = vec![ENTRY_TAG];
        push_text("count", &mut bytes);
        push_text("", &mut bytes);
        bytes.extend(513_u16.to_be_bytes());
        bytes.extend(b"key");
        let entry = EntryKey::parse(&bytes).unwrap();
        assert_eq!((entry.key_group, entry.key), (513, &b"key"[..]));
        assert_eq!(split_text(entry.place).unwrap().0, "count");
        for cut in 0..bytes.len() - 3 {
            assert!(EntryKey::parse(&bytes[..cut]).is_none(), "{cut}");
        }
    }
}

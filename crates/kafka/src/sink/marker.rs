//! Commits epochs by marker, and settles what a crash or a lost answer left open.

use std::sync::Arc;

use headwater_checkpoint::crash_point;
use headwater_connect::{Committable, Committer};
use headwater_core::{Epoch, Error, Result};
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::control_log::last_value;
use crate::producer::{Outgoing, Producer};
use crate::transactions::Transactions;

/// The key of the marker record in the sink's control topic.
const KEY: &[u8] = b"epoch";

/// What the marker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    /// The newest epoch whose output is visible.
    epoch: Epoch,
}

/// Appends a record to what the checkpoint keeps of the epoch.
pub(super) fn keep(record: &Outgoing, kept: &mut Vec<u8>) -> Result<()> {
    let owned = std::mem::take(kept);
    *kept = postcard::to_extend(record, owned)
        .map_err(|e| Error::internal("cannot keep a record with the checkpoint").because(e))?;
    Ok(())
}

/// What [`keep`] wrote.
fn kept(mut bytes: &[u8]) -> impl Iterator<Item = Result<Outgoing>> {
    std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| match postcard::take_from_bytes(bytes) {
            Ok((record, rest)) => {
                bytes = rest;
                Ok(record)
            }
            Err(e) => {
                bytes = &[];
                Err(Error::state("output kept with the checkpoint cannot be read").because(e))
            }
        })
    })
}

/// See the module documentation.
pub(super) struct MarkerCommitter {
    settings: Settings,
    transactions: Arc<Transactions>,
    control: String,
}

impl MarkerCommitter {
    pub(super) fn new(
        settings: Settings,
        transactions: Arc<Transactions>,
        control: String,
    ) -> Self {
        MarkerCommitter { settings, transactions, control }
    }

    fn send_marker(&self, producer: &Producer, epoch: Epoch) -> Result<()> {
        let value = serde_json::to_vec(&Marker { epoch })
            .map_err(|e| Error::internal("a marker has no JSON form").because(e))?;
        let marker = Outgoing {
            partition: 0,
            key: Some(KEY.to_vec()),
            value: Some(value),
            ..Outgoing::default()
        };
        producer.send_waiting(&self.control, &marker)
    }

    /// The epoch whose output is visible; none if no epoch's is.
    fn visible(&self) -> Result<Epoch> {
        let Some(value) = last_value(&self.settings.cluster, &self.control, KEY)? else {
            return Ok(Epoch::NONE);
        };
        let marker: Marker = serde_json::from_slice(&value).map_err(|e| {
            Error::state(format!("topic {:?} holds a marker that cannot be read", self.control))
                .because(e)
        })?;
        Ok(marker.epoch)
    }

    /// Sends the epoch's kept records and its marker in a transaction of its own, unless the marker
    /// says that they are visible; then opens the next epoch.
    ///
    /// The last transaction must have ended.
    fn settle(&self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        let visible = self.visible()?;
        crash_point("kafka.settle.marker-read");
        if visible > epoch {
            return Err(Error::state(format!(
                "topic {:?} says that the output of epoch {visible} is visible, but the checkpoint \
                 is of epoch {epoch}",
                self.control
            ))
            .hint("the checkpoint directory is older than the output: give the newest one"));
        }
        if visible < epoch && !committables.is_empty() {
            let mut records = 0_u64;
            self.transactions.alone(|producer| {
                for record in committables.iter().flat_map(|bytes| kept(bytes)) {
                    producer.send_waiting(&self.settings.topic, &record?)?;
                    records += 1;
                }
                self.send_marker(producer, epoch)?;
                crash_point("kafka.settle.before-commit");
                Ok(())
            })?;
            crash_point("kafka.settle.after-commit");
            tracing::info!(epoch = epoch.0, records, "sent the output of an epoch again");
        }
        self.transactions.open(epoch.next())
    }
}

impl Committer for MarkerCommitter {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        // Empty epochs write a marker too: it must never lag behind the checkpoint for long.
        crash_point("kafka.commit.before-marker");
        let committed = self.transactions.commit(epoch, |producer| {
            self.send_marker(producer, epoch)?;
            crash_point("kafka.commit.before-commit");
            Ok(())
        });
        crash_point("kafka.commit.after-commit");
        let Err(error) = committed else { return Ok(()) };
        tracing::warn!("the outcome of epoch {epoch} is not known, asking: {}", error.report());
        self.transactions.replace()?;
        self.settle(epoch, committables)
    }

    fn carry_over(&mut self, epoch: Epoch) {
        // The open transaction has its records; those of the next epoch join them.
        self.transactions.skip(epoch);
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        self.settle(epoch, committables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_records_come_back_and_damage_is_an_error() {
        let one = Outgoing { key: Some(b"k".to_vec()), ..Outgoing::default() };
        let two = Outgoing {
            topic: "other".into(),
            partition: 3,
            value: Some(vec![7; 300]),
            headers: vec![("h".into(), None), ("h".into(), Some(b"x".to_vec()))],
            timestamp: Some(-1),
            ..Outgoing::default()
        };
        let mut bytes = Vec::new();
        keep(&one, &mut bytes).unwrap();
        keep(&two, &mut bytes).unwrap();
        let back: Vec<_> = kept(&bytes).map(Result::unwrap).collect();
        assert_eq!(back, [one, two]);
        assert!(kept(&bytes[..bytes.len() - 1]).any(|r| r.is_err()));
    }
}

//! Planted faults of the Kafka job: each a wrapper around the sink of the totals, each to be found.
//!
//! A plain producer stands for what no transaction holds together and no fencing stops.

use std::io;
use std::time::Duration;

use headwater_connect::{
    AttemptContext, Committable, Committer, Guarantee, Sink, TransactionLog, WriteStatus, Writer,
    WriterContext,
};
use headwater_core::{Epoch, Error, Result, Timed};
use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::job::Topics;
use super::records::TotalRow;
use super::topics::consumer;
use crate::plants::plants;

/// How long the plain producer may take.
const PATIENCE: Duration = Duration::from_secs(30);

plants! {
    /// After a crash between manifest and commit, the epoch is not sent again.
    SkipCommitOnRestore = "skip-commit-on-restore",
    /// The marker is written by itself, not in the transaction of its epoch.
    MarkerOutsideTransaction = "marker-outside-transaction",
    /// Positions are committed with a part of the output only: the rest comes with the next epoch.
    PositionsBeforeOutput = "positions-before-output",
    /// Some records are written by a second producer, which nobody fences.
    IgnoreFencing = "ignore-fencing",
    /// After a crash the epoch is sent again, whatever the marker says.
    ResendWithoutAsking = "resend-without-asking",
}

/// Wraps the sink; without a plant it passes everything on.
pub fn faulty_sink<S>(
    inner: S,
    bootstrap: &str,
    topics: &Topics,
    plant: Option<Plant>,
) -> FaultySink<S>
where
    S: Sink<Record = TotalRow>,
{
    let plain = Plain { bootstrap: bootstrap.to_owned(), topics: topics.clone() };
    FaultySink { inner, plain, plant }
}

/// See [`faulty_sink`].
pub struct FaultySink<S> {
    inner: S,
    plain: Plain,
    plant: Option<Plant>,
}

impl<S: Sink<Record = TotalRow>> Sink for FaultySink<S> {
    type Record = TotalRow;

    fn validate(&self) -> Result<()> {
        self.inner.validate()
    }

    fn guarantee(&self) -> Guarantee {
        self.inner.guarantee()
    }

    fn begin_attempt(&self, cx: &AttemptContext) -> Result<()> {
        self.inner.begin_attempt(cx)
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<TotalRow>>> {
        let inner = self.inner.writer(cx)?;
        Ok(match self.plant {
            Some(Plant::PositionsBeforeOutput) => Box::new(Holding { inner, held: None }),
            Some(Plant::IgnoreFencing) => {
                let (producer, topic) = (self.plain.producer()?, self.plain.topics.totals.clone());
                Box::new(Unfenced { inner, producer, topic })
            }
            _ => inner,
        })
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        let Some(inner) = self.inner.committer()? else { return Ok(None) };
        let (plain, plant) = (self.plain.clone(), self.plant);
        Ok(Some(Box::new(FaultyCommitter { inner, plain, plant })))
    }

    fn measures(&self) -> Vec<headwater_connect::Measure> {
        self.inner.measures()
    }

    fn transaction_domain(&self) -> Option<String> {
        self.inner.transaction_domain()
    }

    fn transaction_log(&self, job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        self.inner.transaction_log(job)
    }
}

/// Holds the last record back until the next ones come.
struct Holding {
    inner: Box<dyn Writer<TotalRow>>,
    held: Option<Timed<TotalRow>>,
}

impl Writer<TotalRow> for Holding {
    fn write(&mut self, records: &mut Vec<Timed<TotalRow>>) -> Result<WriteStatus> {
        let last = records.pop();
        records.splice(0..0, self.held.take());
        self.held = last;
        self.inner.write(records)
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>> {
        self.inner.prepare(epoch)
    }
}

/// Writes the last record of each batch outside the transaction.
struct Unfenced {
    inner: Box<dyn Writer<TotalRow>>,
    producer: BaseProducer,
    topic: String,
}

impl Writer<TotalRow> for Unfenced {
    fn write(&mut self, records: &mut Vec<Timed<TotalRow>>) -> Result<WriteStatus> {
        let last = records.pop();
        let status = self.inner.write(records)?;
        match (status, last) {
            (WriteStatus::Done, Some(last)) => {
                let value = serde_json::to_vec(&last.value)
                    .map_err(|e| Error::internal("no row").because(e))?;
                let key = last.value.key.to_string();
                send(&self.producer, BaseRecord::to(&self.topic).key(&key).payload(&value))?;
            }
            (WriteStatus::Blocked, Some(last)) => records.push(last),
            (_, None) => {}
        }
        Ok(status)
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>> {
        self.inner.prepare(epoch)
    }
}

struct FaultyCommitter {
    inner: Box<dyn Committer>,
    plain: Plain,
    plant: Option<Plant>,
}

impl Committer for FaultyCommitter {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        if self.plant == Some(Plant::MarkerOutsideTransaction) {
            self.plain.mark(epoch)?;
        }
        self.inner.commit(epoch, committables)
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        match self.plant {
            Some(Plant::SkipCommitOnRestore) => self.inner.recover(epoch, &[]),
            Some(Plant::ResendWithoutAsking) => {
                self.plain.mark(Epoch(epoch.0.saturating_sub(1)))?;
                self.inner.recover(epoch, committables)
            }
            _ => self.inner.recover(epoch, committables),
        }
    }
}

/// Makes producers without transactions.
#[derive(Clone)]
struct Plain {
    bootstrap: String,
    topics: Topics,
}

impl Plain {
    fn producer(&self) -> Result<BaseProducer> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("partitioner", "murmur2_random");
        config.set("linger.ms", "0");
        config.create().map_err(failed)
    }

    /// Writes a marker of the totals' sink.
    fn mark(&self, epoch: Epoch) -> Result<()> {
        let topic = self.control_topic()?;
        let value = format!("{{\"epoch\":{}}}", epoch.0);
        let producer = self.producer()?;
        send(&producer, BaseRecord::to(&topic).partition(0).key("epoch").payload(&value))
    }

    fn control_topic(&self) -> Result<String> {
        let asked = consumer(&self.bootstrap, "read_committed").map_err(failed)?;
        let metadata = asked.fetch_metadata(None, PATIENCE).map_err(failed)?;
        let prefix = format!("headwater-{}-totals-out-epochs", self.topics.job);
        let mut names = metadata.topics().iter().map(|topic| topic.name());
        let found = names.find(|name| name.starts_with(&prefix));
        found.map(str::to_owned).ok_or_else(|| failed(io::Error::other(prefix)))
    }
}

fn send<K, V>(producer: &BaseProducer, record: BaseRecord<'_, K, V>) -> Result<()>
where
    K: rdkafka::message::ToBytes + ?Sized,
    V: rdkafka::message::ToBytes + ?Sized,
{
    producer.send(record).map_err(|(e, _)| failed(e))?;
    producer.flush(PATIENCE).map_err(failed)
}

fn failed(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::connector("the planted fault does not work").because(e)
}

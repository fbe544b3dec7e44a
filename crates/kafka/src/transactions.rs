//! A transaction per epoch: who sends, when it is committed, and how the next one follows.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headwater_checkpoint::crash_point;
use headwater_core::{Epoch, Result, Wake};
use rdkafka::ClientConfig;

use crate::producer::Producer;
use crate::sink::figures::TransactionFigures;

/// How the end of an epoch's transaction and the beginning of the next one's follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Succession {
    /// The next one takes records once this one has ended: what comes of it is known by then.
    AfterTheEnd,
    /// The next one takes records once those of this one are acknowledged, while it is committed.
    ///
    /// It has another producer, for a producer has one transaction at a time, and right after a
    /// commit brokers refuse its next one until all markers are written: the client then waits for
    /// 20 ms before it asks again. Of two producers each has an epoch's time for that. A reader
    /// sees no difference: records are in the log in the order of epochs, and so are the commits.
    Overlapping,
}

/// The transactions of a sink (or of all sinks of a job), one per epoch, in one attempt.
///
/// Writers send while their epoch is open; [`Transactions::commit`] runs when all of them have
/// closed it, and opens the next one.
pub(crate) struct Transactions {
    /// One producer, or two that take turns.
    producers: Vec<Place>,
    /// Whose turn it is.
    turn: AtomicUsize,
    /// The epoch whose transaction takes records; 0 while none does.
    open: AtomicU64,
    /// The first epoch that was opened; 0 before.
    first: AtomicU64,
    wakes: Mutex<Vec<Wake>>,
    pub(crate) figures: TransactionFigures,
}

/// A transactional id, and who has it now.
struct Place {
    config: ClientConfig,
    producer: Mutex<Arc<Producer>>,
}

impl Place {
    /// Starts a producer and fences older ones of the same id.
    fn take(config: ClientConfig) -> Result<Self> {
        let producer = Producer::new(config.clone())?;
        crash_point("kafka.start.before-fence");
        producer.init_transactions().map_err(|e| {
            e.within(format!("transactional id {:?}", config.get("transactional.id").unwrap_or("")))
        })?;
        crash_point("kafka.start.after-fence");
        Ok(Place { config, producer: Mutex::new(Arc::new(producer)) })
    }

    fn producer(&self) -> Arc<Producer> {
        Arc::clone(&self.producer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self) -> Result<()> {
        let producer = Producer::new(self.config.clone())?;
        producer.init_transactions()?;
        *self.producer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(producer);
        Ok(())
    }
}

impl Transactions {
    /// Starts producers with this transactional id (and, if they take turns, one that is made of
    /// it), and fences older ones.
    pub(crate) fn start(config: ClientConfig, id: &str, succession: Succession) -> Result<Self> {
        let ids = match succession {
            Succession::AfterTheEnd => vec![id.to_owned()],
            Succession::Overlapping => vec![id.to_owned(), format!("{id}-odd")],
        };
        let with_id = |id: String| {
            let mut config = config.clone();
            config.set("transactional.id", id);
            Place::take(config)
        };
        Ok(Transactions {
            producers: ids.into_iter().map(with_id).collect::<Result<_>>()?,
            turn: AtomicUsize::new(0),
            open: AtomicU64::new(0),
            first: AtomicU64::new(0),
            wakes: Mutex::new(Vec::new()),
            figures: TransactionFigures::default(),
        })
    }

    /// Has this woken when the next epoch is opened.
    pub(crate) fn wake_with(&self, wake: Wake) {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner).push(wake);
    }

    /// The epoch that a writer's first records belong to; none before it is opened.
    pub(crate) fn first_epoch(&self) -> Option<Epoch> {
        let first = self.first.load(Ordering::Acquire);
        (first > 0).then_some(Epoch(first))
    }

    /// The producer, if the epoch's transaction takes records.
    pub(crate) fn producer_in(&self, epoch: Epoch) -> Option<Arc<Producer>> {
        (self.open.load(Ordering::Acquire) == epoch.0).then(|| self.producer())
    }

    /// The producer of the newest transaction.
    pub(crate) fn producer(&self) -> Arc<Producer> {
        self.place().producer()
    }

    fn place(&self) -> &Place {
        &self.producers[self.turn()]
    }

    fn turn(&self) -> usize {
        self.turn.load(Ordering::Acquire)
    }

    /// Opens the transaction of an epoch.
    pub(crate) fn open(&self, epoch: Epoch) -> Result<()> {
        self.producer().begin()?;
        self.skip_to(epoch);
        Ok(())
    }

    /// Goes on in the same, empty transaction in the next epoch.
    pub(crate) fn skip(&self, epoch: Epoch) {
        self.skip_to(epoch.next());
    }

    fn skip_to(&self, epoch: Epoch) {
        let _ = self.first.compare_exchange(0, epoch.0, Ordering::AcqRel, Ordering::Relaxed);
        self.open.store(epoch.0, Ordering::Release);
        for wake in self.wakes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            wake.wake();
        }
    }

    /// Sends what comes last in the open transaction, commits it, and opens that of the next epoch.
    ///
    /// # Errors
    /// Whether it was committed is not known. If they overlap, records of the next epoch may be in
    /// a transaction by then: nothing but a new attempt can go on.
    pub(crate) fn commit(
        &self,
        epoch: Epoch,
        last: impl FnOnce(&Producer) -> Result<()>,
    ) -> Result<()> {
        self.open.store(0, Ordering::Release);
        let (place, began) = (self.place(), Instant::now());
        let producer = place.producer();
        let overlap = self.producers.len() > 1;
        let all = || -> Result<()> {
            if overlap {
                // What follows in the log must not come before what is on its way.
                producer.wait_sent()?;
                self.turn.store((self.turn() + 1) % self.producers.len(), Ordering::Release);
                self.open(epoch.next())?;
            }
            let sent = began.elapsed();
            last(&producer)?;
            producer.wait_sent()?;
            let acknowledged = began.elapsed();
            end(place, &producer)?;
            let us = |d: Duration| d.as_micros() as u64;
            let (sent, acknowledged) = (us(sent), us(acknowledged));
            let ended = us(began.elapsed());
            tracing::trace!(epoch = epoch.0, sent, acknowledged, ended, "committed, in us");
            Ok(())
        };
        if let Err(error) = all() {
            self.figures.unknown();
            return Err(error);
        }
        self.figures.committed(began.elapsed());
        if overlap { Ok(()) } else { self.open(epoch.next()) }
    }

    /// Sends and commits what writers have no part in, between two open epochs.
    pub(crate) fn alone(&self, send: impl FnOnce(&Producer) -> Result<()>) -> Result<()> {
        let place = self.place();
        let producer = place.producer();
        producer.begin()?;
        send(&producer)?;
        producer.wait_sent()?;
        end(place, &producer)
    }

    /// Drops the producer, of whom something may still be on its way, and starts another one: when
    /// this returns its transaction has ended, one way or the other.
    pub(crate) fn replace(&self) -> Result<()> {
        self.open.store(0, Ordering::Release);
        self.place().replace()
    }
}

/// Commits; when this returns, nothing that is still on its way can end a later transaction.
fn end(place: &Place, producer: &Producer) -> Result<()> {
    match producer.commit()? {
        true => Ok(()),
        // A new epoch of the producer: the broker refuses what is of the old one.
        false => place.replace(),
    }
}

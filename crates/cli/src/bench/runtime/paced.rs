//! A source whose records are due when a function says so: by the wall clock, or when a benchmark
//! lets them go.
//!
//! What this does not do: end before its limit, or sleep; it asks to be read again shortly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use headwater::connectors::{Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};
use headwater::prelude::*;

/// How soon a split is read again when nothing is due; as often as the engine's own generator.
const POLL: Duration = Duration::from_micros(200);

/// Numbered records, dealt to splits in turn; record `n` can be read once `due() > n`.
pub(super) struct Paced<D, M> {
    pub(super) due: D,
    pub(super) make: Arc<M>,
    pub(super) limit: u64,
    pub(super) splits: u64,
}

impl<T, D, M> Source for Paced<D, M>
where
    T: Record,
    D: Fn() -> u64 + Clone + Send + Sync + 'static,
    M: Fn(u64) -> Timed<T> + Send + Sync + 'static,
{
    type Record = T;

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok((0..self.splits).map(|split| SplitId(split.to_string())).collect())
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<T>>> {
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|e| Error::state(format!("{text:?} is no record number")).because(e))
        };
        let next = number(position.map_or(&split.0, |p| &p.0))?;
        let (due, make) = (self.due.clone(), Arc::clone(&self.make));
        Ok(Box::new(PacedReader { due, make, limit: self.limit, stride: self.splits, next }))
    }
}

struct PacedReader<D, M> {
    due: D,
    make: Arc<M>,
    limit: u64,
    stride: u64,
    next: u64,
}

impl<T, D, M> Reader<T> for PacedReader<D, M>
where
    T: Record,
    D: Fn() -> u64 + Send,
    M: Fn(u64) -> Timed<T> + Send + Sync,
{
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        let due = (self.due)().min(self.limit);
        while self.next < due && buffer.room() > 0 {
            buffer.records.push((self.make)(self.next));
            self.next += self.stride;
        }
        Ok(match () {
            () if self.next >= self.limit => ReadStatus::End,
            () if self.next < due => ReadStatus::Ready,
            () => ReadStatus::After(POLL),
        })
    }

    fn position(&self) -> Position {
        Position(self.next.to_string())
    }
}

/// Microseconds since 1970 on the wall clock.
pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as i64
}

/// A schedule on the wall clock that starts when it is started.
#[derive(Clone)]
pub(super) struct Schedule {
    per_second: u64,
    /// Microseconds since 1970; 0 before the start.
    started: Arc<AtomicU64>,
}

impl Schedule {
    /// A schedule of so many records a second.
    pub(super) fn new(per_second: u64) -> Self {
        Schedule { per_second, started: Arc::default() }
    }

    /// Starts now; record 0 is due at once.
    pub(super) fn start(&self) {
        self.started.store(now_us() as u64, Relaxed);
    }

    /// How many records are due by now.
    pub(super) fn due(&self) -> u64 {
        match self.started.load(Relaxed) {
            0 => 0,
            started => {
                let elapsed = (now_us() as u64).saturating_sub(started);
                elapsed * self.per_second / 1_000_000 + 1
            }
        }
    }

    /// When record `n` is due: its event time.
    pub(super) fn time_of(&self, n: u64) -> EventTime {
        let us = self.started.load(Relaxed) + n * 1_000_000 / self.per_second;
        EventTime((us / 1000) as i64)
    }
}

#[cfg(test)]
mod tests {
    use headwater::ProcessingTime;

    use super::*;

    #[test]
    fn records_come_when_they_are_due_and_end_at_the_limit() {
        let due = Arc::new(AtomicU64::new(0));
        let released = Arc::clone(&due);
        let source = Paced {
            due: move || released.load(Relaxed),
            make: Arc::new(|n| Timed::new(EventTime(0), n)),
            limit: 7,
            splits: 2,
        };
        let mut reader = source.open(&SplitId("1".into()), None, Wake::none()).unwrap();
        let mut read = |max| {
            let mut buffer = ReadBuffer::new(max, Duration::ZERO, ProcessingTime(0));
            let status = reader.read(&mut buffer).unwrap();
            (buffer.records.iter().map(|r| r.value).collect::<Vec<_>>(), status)
        };
        assert_eq!(read(9), (vec![], ReadStatus::After(POLL)));
        due.store(4, Relaxed);
        assert_eq!(read(1), (vec![1], ReadStatus::Ready));
        assert_eq!(read(9), (vec![3], ReadStatus::After(POLL)));
        due.store(100, Relaxed);
        assert_eq!(read(9), (vec![5], ReadStatus::End));
        let mut restored =
            source.open(&SplitId("1".into()), Some(&Position("5".into())), Wake::none()).unwrap();
        let mut buffer = ReadBuffer::new(9, Duration::ZERO, ProcessingTime(0));
        restored.read(&mut buffer).unwrap();
        assert_eq!(buffer.records[0].value, 5);
    }

    #[test]
    fn a_schedule_starts_when_it_is_started() {
        let schedule = Schedule::new(1_000_000);
        assert_eq!(schedule.due(), 0);
        schedule.start();
        assert!(schedule.due() > 0);
        let first = schedule.time_of(0);
        assert_eq!(schedule.time_of(5_000).0 - first.0, 5);
    }
}

//! A reader on a thread of its own, so that a call that does not return is seen as one.
//!
//! The clock of its rate limits is virtual: when a reader asks for a pause, that much of it passes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use headwater_core::{ProcessingTime, Record, Result as EngineResult, Timed};

use super::PATIENCE;
use crate::source::{BadRecord, Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};

/// The longest real pause for a reader that polls.
const POLL: Duration = Duration::from_millis(1);
/// After how many pauses in a row real time passes too.
const VIRTUAL_PAUSES: usize = 4;
/// How often a reader may say that more is there and give nothing.
const EMPTY_READS: usize = 1000;

/// What one call gave.
pub(super) struct Step<T> {
    pub(super) good: Vec<Timed<T>>,
    pub(super) bad: Vec<BadRecord>,
    pub(super) status: ReadStatus,
    pub(super) position: Position,
}

impl<T> Step<T> {
    fn len(&self) -> usize {
        self.good.len() + self.bad.len()
    }
}

/// What many calls gave.
pub(super) struct Share<T> {
    pub(super) good: Vec<Timed<T>>,
    pub(super) bad: Vec<BadRecord>,
}

/// A reader behind a thread.
pub(super) struct RemoteReader<T> {
    asks: Sender<(usize, Duration)>,
    steps: Receiver<EngineResult<Step<T>>>,
    woken: Receiver<()>,
    elapsed: Duration,
    ended: bool,
    place: String,
    pub(super) position: Position,
}

impl<T: Record> RemoteReader<T> {
    /// Opens a split.
    pub(super) fn open<S: Source<Record = T>>(
        source: &Arc<S>,
        split: &SplitId,
        position: Option<&Position>,
    ) -> Result<Self, String> {
        let place = match position {
            None => format!("split \"{split}\" read from its beginning"),
            Some(position) => format!("split \"{split}\" read from position \"{position}\""),
        };
        let (wake, woken) = bounded(1);
        let wake = Wake::new(move || {
            // Full means that a wake-up is on its way already.
            let _ = wake.try_send(());
        });
        let (asks, asked) = bounded::<(usize, Duration)>(1);
        let (answers, steps) = bounded(1);
        let (source, split, position) = (Arc::clone(source), split.clone(), position.cloned());
        std::thread::spawn(move || {
            let opened = source.open(&split, position.as_ref(), wake);
            // The source may own what its readers read from: let it go with the last of them.
            drop(source);
            let mut reader = match opened {
                Ok(reader) => reader,
                Err(e) => {
                    let _ = answers.send(Err(e));
                    return;
                }
            };
            let position = reader.position();
            let opened = Step { good: vec![], bad: vec![], status: ReadStatus::Ready, position };
            let mut answer = answers.send(Ok(opened));
            while let (Ok(()), Ok((max, elapsed))) = (answer, asked.recv()) {
                answer = answers.send(read(&mut *reader, max, elapsed));
            }
        });
        let mut reader = RemoteReader {
            asks,
            steps,
            woken,
            elapsed: Duration::ZERO,
            ended: false,
            place,
            position: Position(String::new()),
        };
        reader.position = reader.answer("open")?.position;
        Ok(reader)
    }

    fn answer(&self, call: &str) -> Result<Step<T>, String> {
        match self.steps.recv_timeout(PATIENCE) {
            Ok(Ok(step)) => Ok(step),
            Ok(Err(e)) => Err(format!("{}: {call} failed: {}", self.place, e.report())),
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "{}: {call} did not return within {PATIENCE:?}; it must not block",
                self.place
            )),
            Err(RecvTimeoutError::Disconnected) => Err(format!("{}: {call} panicked", self.place)),
        }
    }

    /// Calls `read` once.
    pub(super) fn step(&mut self, max: usize) -> Result<Step<T>, String> {
        let gone = |_| format!("{}: the reader is gone", self.place);
        self.asks.send((max, self.elapsed)).map_err(gone)?;
        let step = self.answer("read")?;
        if step.len() > max {
            return Err(format!(
                "{}: gave {} records, at most {max} were asked for",
                self.place,
                step.len()
            ));
        }
        self.position.clone_from(&step.position);
        self.ended = step.status == ReadStatus::End;
        Ok(step)
    }

    /// Calls `read` until it gives something; nothing at the end of the split.
    pub(super) fn next(&mut self, max: usize) -> Result<Option<Step<T>>, String> {
        let since = Instant::now();
        let (mut empty, mut pauses) = (0, 0);
        while !self.ended {
            let step = self.step(max)?;
            if step.len() > 0 {
                return Ok(Some(step));
            }
            match step.status {
                ReadStatus::End => {}
                ReadStatus::Ready if empty < EMPTY_READS => empty += 1,
                ReadStatus::Ready => {
                    return Err(format!("{}: says that more is there, gives nothing", self.place));
                }
                ReadStatus::Idle => self.woken.recv_timeout(PATIENCE).map_err(|_| {
                    format!("{}: idle, and no wake-up within {PATIENCE:?}", self.place)
                })?,
                ReadStatus::After(pause) => {
                    // A rate limit is content with virtual time, a reader that polls is not.
                    self.elapsed += pause;
                    pauses += 1;
                    if pauses > VIRTUAL_PAUSES {
                        std::thread::sleep(pause.min(POLL));
                    }
                }
            }
            if since.elapsed() > PATIENCE {
                return Err(format!("{}: nothing and no end within {PATIENCE:?}", self.place));
            }
        }
        Ok(None)
    }

    /// Reads to the end of the split; more than `most` records are a finding.
    pub(super) fn rest(&mut self, max: usize, most: usize) -> Result<Share<T>, String> {
        let mut share = Share { good: Vec::new(), bad: Vec::new() };
        while let Some(mut step) = self.next(max)? {
            share.good.append(&mut step.good);
            share.bad.append(&mut step.bad);
            if share.good.len() + share.bad.len() > most {
                return Err(format!("{}: gives more than the {most} that it has", self.place));
            }
        }
        Ok(share)
    }
}

fn read<T>(reader: &mut dyn Reader<T>, max: usize, elapsed: Duration) -> EngineResult<Step<T>> {
    let mut buffer = ReadBuffer::new(max, elapsed, ProcessingTime(0));
    let status = reader.read(&mut buffer)?;
    let position = reader.position();
    Ok(Step { good: buffer.records, bad: buffer.bad, status, position })
}

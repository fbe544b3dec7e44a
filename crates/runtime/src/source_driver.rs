//! Drives the readers of one source on one worker: in turn, one batch at a time.

use std::sync::Arc;
use std::time::Duration;

use headwater_connect::{ReadStatus, Wake};
use headwater_core::codec::{decode, encode};
use headwater_core::{EventTime, ProcessingTime, Result, SplitTag, Watermark};
use headwater_operators::SplitEvent;
use headwater_topology::Chain;
use headwater_topology::erased::{AnyReader, AnySource};

use crate::control::Reading;
use crate::splits::{SplitState, Splits};

/// How long to wait before a split that is held back by alignment is looked at again.
const ALIGNMENT_POLL: Duration = Duration::from_millis(1);

/// What a source can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Now,
    After(Duration),
    Woken,
}

impl Next {
    pub(crate) fn sooner(self, other: Next) -> Next {
        match (self, other) {
            (Next::Now, _) | (_, Next::Now) => Next::Now,
            (Next::After(a), Next::After(b)) => Next::After(a.min(b)),
            (Next::After(a), Next::Woken) | (Next::Woken, Next::After(a)) => Next::After(a),
            (Next::Woken, Next::Woken) => Next::Woken,
        }
    }
}

/// One source on one worker.
pub(crate) struct SourceDriver {
    pub(crate) name: String,
    source: Arc<dyn AnySource>,
    splits: Arc<Splits>,
    worker: usize,
    wake: Wake,
    /// The chain member that stands for the source.
    member: usize,
    open: Vec<OpenSplit>,
    /// Splits this worker has taken so far, ended ones included.
    taken: usize,
    turn: usize,
    finished: bool,
}

struct OpenSplit {
    state: SplitState,
    tag: SplitTag,
    reader: Option<Box<dyn AnyReader>>,
    /// Not before this moment of the attempt's time.
    not_before: Duration,
    quiet: bool,
}

impl SourceDriver {
    pub(crate) fn new(
        name: String,
        source: Arc<dyn AnySource>,
        splits: Arc<Splits>,
        worker: usize,
        wake: Wake,
        member: usize,
    ) -> Self {
        SourceDriver {
            name,
            source,
            splits,
            worker,
            wake,
            member,
            open: Vec::new(),
            taken: 0,
            turn: 0,
            finished: false,
        }
    }

    /// The most records to read at a time.
    pub(crate) fn batch_size(&self) -> usize {
        self.source.batch_size()
    }

    /// Whether every split has ended, for good or because the job drains.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Takes over splits that became known.
    pub(crate) fn take_splits(&mut self, chain: &mut Chain, elapsed: Duration) -> Result<()> {
        if self.taken > 0 || self.splits.is_endless() {
            self.splits.discover(self.source.as_ref(), elapsed)?;
        }
        for state in self.splits.of_worker(self.worker, self.taken) {
            self.taken += 1;
            let tag = chain.add_split(self.member, &state.id.0);
            let reader = if state.ended {
                chain.on_split_of(self.member, tag, SplitEvent::Ended);
                None
            } else {
                let wake = self.wake.clone();
                chain.enter_source(self.member);
                let opened = self.source.open(&state.id, state.position.as_ref(), wake);
                let place = || format!("source {:?}, split {:?}", self.name, state.id.0);
                Some(opened.map_err(|e| e.within(place()))?)
            };
            self.open.push(OpenSplit {
                state,
                tag,
                reader,
                not_before: Duration::ZERO,
                quiet: false,
            });
        }
        Ok(())
    }

    /// Reads one batch from the next split that can give one and pushes it through the chain.
    pub(crate) fn read(
        &mut self,
        chain: &mut Chain,
        reading: Reading,
        max: usize,
        elapsed: Duration,
        now: ProcessingTime,
    ) -> Result<Next> {
        if self.finished {
            return Ok(Next::Woken);
        }
        if reading == Reading::Drain {
            self.finish(chain);
            return Ok(Next::Now);
        }
        self.take_splits(chain, elapsed)?;
        let mut next = Next::Woken;
        for _ in 0..self.open.len() {
            self.turn = (self.turn + 1) % self.open.len();
            let this = self.turn;
            match self.read_split(this, chain, max, elapsed, now)? {
                // One batch per activation: others get their turn at the worker first.
                Next::Now => {
                    next = Next::Now;
                    break;
                }
                other => next = next.sooner(other),
            }
        }
        if self.open.iter().all(|s| s.reader.is_none()) && !self.splits.is_endless() {
            self.finish(chain);
            return Ok(Next::Now);
        }
        if let Some(discovery) = self.splits.next_discovery(elapsed) {
            next = next.sooner(Next::After(discovery));
        }
        Ok(next)
    }

    fn read_split(
        &mut self,
        at: usize,
        chain: &mut Chain,
        max: usize,
        elapsed: Duration,
        now: ProcessingTime,
    ) -> Result<Next> {
        let split = &mut self.open[at];
        let Some(reader) = &mut split.reader else { return Ok(Next::Woken) };
        if elapsed < split.not_before {
            return Ok(Next::After(split.not_before - elapsed));
        }
        if chain.holds_back(split.tag) {
            return Ok(Next::After(ALIGNMENT_POLL));
        }
        let place = |name: &str| format!("source {name:?}, split {:?}", split.state.id.0);
        chain.enter_source(self.member);
        let chunk =
            reader.read(max, elapsed, now, split.tag).map_err(|e| e.within(place(&self.name)))?;
        let gave = chunk.batch.len() + chunk.bad.len();
        split.state.position = Some(reader.position());
        let quiet = gave == 0 && matches!(chunk.status, ReadStatus::Idle | ReadStatus::After(_));
        if quiet != split.quiet {
            split.quiet = quiet;
            let event = if quiet { SplitEvent::Quiet { since: now } } else { SplitEvent::Active };
            chain.on_split_of(self.member, split.tag, event);
        }
        let tag = split.tag;
        let next = match chunk.status {
            ReadStatus::Ready => Next::Now,
            ReadStatus::Idle => Next::Woken,
            ReadStatus::After(pause) => {
                split.not_before = elapsed + pause;
                Next::After(pause)
            }
            ReadStatus::End => {
                split.state.ended = true;
                split.reader = None;
                Next::Now
            }
        };
        let ended = split.state.ended;
        if chunk.skipped > 0 {
            chain.count_skipped(self.member, chunk.skipped);
        }
        if gave > 0 {
            chain.push_source(self.member, chunk.batch, chunk.bad)?;
        }
        if ended {
            chain.on_split_of(self.member, tag, SplitEvent::Ended);
        }
        Ok(next)
    }

    fn finish(&mut self, chain: &mut Chain) {
        self.finished = true;
        chain.set_source_watermark(self.member, Watermark::At(EventTime::MAX));
    }

    /// What the checkpoint keeps: each split of this worker with its position.
    pub(crate) fn snapshot(&self) -> Result<Vec<u8>> {
        let states: Vec<&SplitState> = self.open.iter().map(|s| &s.state).collect();
        encode(&states)
    }

    /// Reads what `snapshot` wrote.
    pub(crate) fn decode_snapshot(part: &[u8]) -> Result<Vec<SplitState>> {
        decode(part)
    }
}

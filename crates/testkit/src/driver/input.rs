//! What a test does to the job, as data: applied once when it happens, again after a crash.

use headwater_connect::BadRecord;
use headwater_core::{Batch, Error, EventTime, ProcessingTime, Result, SplitTag, Watermark};
use headwater_operators::SplitEvent;

use super::{Driver, MOST_TURNS};

/// One thing done to the job; a source by its place in the driver's list.
#[derive(Clone)]
pub(super) enum Input {
    /// A reader gave records; `advance`: and then the worker came to its watermarks.
    Records { source: usize, split: String, batch: Batch, bad: Vec<BadRecord>, advance: bool },
    /// A split became known.
    Split { source: usize, split: String },
    /// A reader has nothing to give.
    Quiet { source: usize, split: String },
    /// A split has ended.
    EndSplit { source: usize, split: String },
    /// A source has ended.
    End { source: usize },
    /// Event time was forced; `None`: of all sources.
    Watermark { source: Option<usize>, at: EventTime },
    /// The clock moved.
    Advance { to: ProcessingTime },
}

impl Driver {
    /// Does something that a test asked for, and whatever [`Chaos`](super::chaos::Chaos) adds.
    pub(super) fn step(&mut self, input: Input) -> Result<()> {
        self.between()?;
        self.perform(input)
    }

    /// Notes an input, then applies it.
    pub(super) fn perform(&mut self, input: Input) -> Result<()> {
        self.log.push((self.epoch, input.clone()));
        self.apply(input)
    }

    /// Applies an input to the chain.
    pub(super) fn apply(&mut self, input: Input) -> Result<()> {
        self.chain.set_now(self.now);
        match input {
            Input::Records { source, split, batch, bad, advance } => {
                let tag = self.active_split(source, &split);
                let member = self.sources[source].node.0;
                let batch = if batch.is_empty() { batch } else { batch.with_split(tag) };
                self.chain.push_source(member, batch, bad)?;
                if !advance {
                    return Ok(());
                }
            }
            Input::Split { source, split } => _ = self.split_tag(source, &split),
            Input::Quiet { source, split } => self.set_quiet(source, &split),
            Input::EndSplit { source, split } => {
                let tag = self.split_tag(source, &split);
                self.end_split_of(source, tag);
            }
            Input::End { source } => {
                let tags: Vec<SplitTag> = self.sources[source].open_splits().collect();
                tags.into_iter().for_each(|tag| self.end_split_of(source, tag));
                self.sources[source].ended = true;
                let end = Watermark::At(EventTime::MAX);
                self.chain.set_source_watermark(self.sources[source].node.0, end);
            }
            Input::Watermark { source, at } => return self.force(source, at),
            Input::Advance { to } => return self.advance_to(to),
        }
        self.settle()
    }

    fn force(&mut self, source: Option<usize>, at: EventTime) -> Result<()> {
        for (number, state) in self.sources.iter().enumerate() {
            if source.is_none_or(|s| s == number) && !state.ended {
                self.forced.raise(state.node, at);
                self.chain.set_source_watermark(state.node.0, Watermark::At(at));
            }
        }
        self.forced.set_forcing(true);
        let outcome = self.chain.advance_watermarks();
        self.forced.set_forcing(false);
        outcome?;
        self.settle()
    }

    fn end_split_of(&mut self, source: usize, tag: SplitTag) {
        if let Some(split) = self.sources[source].splits.iter_mut().find(|s| s.tag == tag) {
            split.ended = true;
            let member = self.sources[source].node.0;
            self.chain.on_split_of(member, tag, SplitEvent::Ended);
        }
    }

    /// Moves the clock to `to`, stopping at each instant at which some step wants to be called.
    pub(super) fn advance_to(&mut self, to: ProcessingTime) -> Result<()> {
        while let Some(at) = self.chain.wake_at().filter(|at| *at <= to) {
            self.now = self.now.max(at);
            self.chain.set_now(self.now);
            self.fire_due()?;
            self.chain.advance_watermarks()?;
        }
        self.now = self.now.max(to);
        self.chain.set_now(self.now);
        self.settle()
    }

    /// What a worker does after each batch.
    pub(super) fn settle(&mut self) -> Result<()> {
        self.fire_due()?;
        self.chain.advance_watermarks()?;
        self.fire_due()?;
        self.chain.flush()
    }

    fn fire_due(&mut self) -> Result<()> {
        for _ in 0..MOST_TURNS {
            if self.chain.wake_at().is_none_or(|at| at > self.now) {
                return Ok(());
            }
            self.chain.on_processing_time()?;
        }
        let now = self.now.as_event_time();
        Err(Error::user(format!("processing-time work does not come to an end at {now}"))
            .hint("a timer that sets the next one must set it later than now"))
    }
}

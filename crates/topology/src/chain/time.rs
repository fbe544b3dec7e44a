//! Event time and processing time within a chain.

use std::sync::atomic::Ordering::Relaxed;

use headwater_core::{EventTime, ProcessingTime, Result, SplitTag, Watermark};

use super::{Body, Chain};

impl Chain {
    /// Tells what a source's event time is: the end, or idle, or not known.
    pub fn set_source_watermark(&mut self, member: usize, status: Watermark) {
        if let Body::Source { watermark, .. } = &mut self.members[member].body {
            *watermark = status;
        }
    }

    /// Tells the watermark of a partitioned edge that arrives here.
    pub fn set_edge_watermark(&mut self, edge: usize, watermark: EventTime) {
        if let Some((member, _)) = self.arrivals[edge] {
            set_input(&mut self.members[member].inputs, edge, Watermark::At(watermark));
        }
    }

    /// Passes watermarks through the chain; operators emit what that completes.
    pub fn advance_watermarks(&mut self) -> Result<()> {
        for member in 0..self.members.len() {
            let m = &mut self.members[member];
            let input = match &m.body {
                Body::Source { watermark, .. } => *watermark,
                _ => Watermark::min_of(m.inputs.iter().map(|(_, w)| *w)),
            };
            if let Watermark::At(at) = input
                && at > m.watermark_in
            {
                m.watermark_in = at;
                m.metrics.watermark.store(at.0, Relaxed);
                self.call(member, SplitTag::NONE, 0, |op, cx| op.on_watermark(at, cx))?;
                self.work_off()?;
            }
            self.pass_on(member, input);
        }
        Ok(())
    }

    fn pass_on(&mut self, member: usize, input: Watermark) {
        let m = &self.members[member];
        let output = match &m.body {
            Body::Operator(op) => op.watermark(input),
            _ => input,
        };
        if let (Body::Operator(_), Watermark::At(at)) = (&m.body, output)
            && input != output
        {
            m.metrics.watermark.store(at.0, Relaxed);
        }
        for at in 0..self.members[member].out_edges.len() {
            let edge = self.members[member].out_edges[at];
            for to in member + 1..self.members.len() {
                set_input(&mut self.members[to].inputs, edge, output);
            }
        }
    }

    /// The watermark that leaves over a partitioned edge.
    pub fn edge_watermark(&self, edge: usize) -> Watermark {
        let Some(from) = self.members.iter().find(|m| m.out_edges.contains(&edge)) else {
            return Watermark::Idle;
        };
        let input = match &from.body {
            Body::Source { watermark, .. } => *watermark,
            _ => Watermark::min_of(from.inputs.iter().map(|(_, w)| *w)),
        };
        match &from.body {
            Body::Operator(op) => op.watermark(input),
            _ => input,
        }
    }

    /// The earliest processing time some operator waits for.
    pub fn wake_at(&self) -> Option<ProcessingTime> {
        self.members.iter().filter_map(|m| m.body.as_operator()?.wake_at()).min()
    }

    /// Calls the operators whose processing time has come.
    pub fn on_processing_time(&mut self) -> Result<()> {
        for member in 0..self.members.len() {
            let op = self.members[member].body.as_operator();
            if op.and_then(|op| op.wake_at()).is_some_and(|at| at <= self.now) {
                self.call(member, SplitTag::NONE, 0, |op, cx| op.on_processing_time(cx))?;
                self.work_off()?;
            }
        }
        Ok(())
    }
}

fn set_input(inputs: &mut [(usize, Watermark)], edge: usize, watermark: Watermark) {
    if let Some((_, known)) = inputs.iter_mut().find(|(e, _)| *e == edge) {
        // Times never go back; idleness comes and goes.
        *known = match (*known, watermark) {
            (Watermark::At(old), Watermark::At(new)) => Watermark::At(old.max(new)),
            (_, new) => new,
        };
    }
}

//! The operator that runs a process function.

use std::sync::Arc;

use headwater_core::{BadRecordPolicy, Batch, EventTime, ProcessingTime, Result};
use headwater_state::StateTable;

use crate::operator::{Operator, OperatorContext, OperatorInit, Port};
use crate::process::{Process, Runner};

/// `Stream<Keyed<K, In>> → Stream<Out>` by a [`Process`] function; side outputs from port 2 on.
///
/// - Time: forwards watermarks; fires event-time timers at each, processing-time timers when the
///   clock reaches them.
/// - State: what the function keeps; see [`Process`].
/// - Errors: a record or timer that user code refuses goes the way of the policy. Under
///   [`BadRecordPolicy::DeadLetter`] each record is cloned before the call, as user code gets the
///   record itself; the other policies do without.
pub struct ProcessOperator<P: Process> {
    runner: Runner<P>,
}

impl<P: Process> ProcessOperator<P> {
    /// An instance for one worker.
    ///
    /// # Errors
    /// A plan error when what the function declares is contradictory.
    pub fn new(init: &OperatorInit, process: Arc<P>, policy: BadRecordPolicy) -> Result<Self> {
        Ok(ProcessOperator { runner: Runner::new(init, process, policy)? })
    }
}

impl<P: Process> Operator for ProcessOperator<P> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        self.runner.records(batch, None, cx)
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        self.runner.event_time(watermark, None, cx)
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.runner.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.runner.processing_time(None, cx)
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        self.runner.tables()
    }

    fn restored(&mut self) -> Result<()> {
        self.runner.parts.restored();
        Ok(())
    }
}

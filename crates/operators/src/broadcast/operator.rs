//! The operator that runs a broadcast process function.
//!
//! Non-keyed state: the rules, in parts of up to 1024, each headed by the shape of its types, so
//! that a changed type is refused by name. Worker 0 alone writes them.

use std::any::type_name;
use std::sync::Arc;

use headwater_core::codec::{decode, decode_prefix, encode, encode_into};
use headwater_core::{
    BadRecordPolicy, Batch, Epoch, Error, EventTime, ProcessingTime, Result, Schema, Timed,
};
use headwater_state::StateTable;

use crate::broadcast::{BROADCAST, BroadcastCx, BroadcastProcess, Rules};
use crate::operator::{BATCH_SIZE, Operator, OperatorContext, OperatorInit, Port};
use crate::process::Runner;

/// Keyed records at port 0 and broadcast records at port 1 `→ Stream<Out>`, by a
/// [`BroadcastProcess`].
///
/// As [`ProcessOperator`](crate::process::ProcessOperator), and keeps the rules.
pub struct BroadcastOperator<P: BroadcastProcess> {
    runner: Runner<P>,
    rules: Rules<P>,
    /// Whether this worker writes the rules into checkpoints.
    writes_rules: bool,
    schema: Schema,
}

impl<P: BroadcastProcess> BroadcastOperator<P> {
    /// An instance for one worker.
    ///
    /// # Errors
    /// A plan error when what the function declares is contradictory.
    pub fn new(init: &OperatorInit, process: Arc<P>, policy: BadRecordPolicy) -> Result<Self> {
        Ok(BroadcastOperator {
            runner: Runner::new(init, process, policy)?,
            rules: Rules::<P>::new(),
            writes_rules: init.worker == 0,
            schema: Schema::of::<(P::RuleKey, P::Rule)>(),
        })
    }

    fn updates(&mut self, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        for (at, timed) in batch.take::<P::Update>().into_iter().enumerate() {
            cx.at = at;
            let watermark = timed.watermark(cx.watermark());
            let Timed { time, late_by, value } = timed;
            let copy = self.runner.copy(&value);
            self.runner.parts.begin_call();
            let mut user = BroadcastCx {
                parts: &mut self.runner.parts,
                rules: &mut self.rules,
                time,
                late_by,
                watermark,
                now: cx.now(),
            };
            let result = self.runner.process.on_broadcast(&mut user, value);
            self.runner.settle(result, None, &Timed { time, late_by, value: copy }, cx)?;
        }
        self.runner.parts.flush(cx);
        Ok(())
    }
}

impl<P: BroadcastProcess> Operator for BroadcastOperator<P> {
    fn process(&mut self, port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        match port {
            BROADCAST => self.updates(batch, cx),
            _ => self.runner.records(batch, Some(&self.rules), cx),
        }
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        self.runner.event_time(watermark, Some(&self.rules), cx)
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.runner.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.runner.processing_time(Some(&self.rules), cx)
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        self.runner.tables()
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        if !self.writes_rules {
            return Ok(Vec::new());
        }
        let rules: Vec<_> = self.rules.iter().collect();
        let parts = rules.chunks(BATCH_SIZE).map(|rules| {
            let mut part = encode(&self.schema)?;
            encode_into(rules, &mut part)?;
            Ok(part)
        });
        parts.collect()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        for part in parts {
            let (schema, rules) = decode_prefix::<Schema>(part)?;
            if schema != self.schema {
                let (key, rule) = (type_name::<P::RuleKey>(), type_name::<P::Rule>());
                return Err(Error::state(format!(
                    "cannot restore the rules as {key} → {rule}: they were written as {schema}, \
                     this build has {}",
                    self.schema
                ))
                .hint("restore with the earlier types, or give the step a new name"));
            }
            self.rules.extend(decode::<Vec<(P::RuleKey, P::Rule)>>(rules)?);
        }
        Ok(())
    }

    fn restored(&mut self) -> Result<()> {
        self.runner.parts.restored();
        Ok(())
    }
}

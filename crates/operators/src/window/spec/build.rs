//! From a description of windows to their operator.

use std::sync::Arc;
use std::time::Duration;

use headwater_core::time::millis;
use headwater_core::{Error, Key, Record, Result};

use super::{Accumulation, Kind, WindowSpec};
use crate::operator::{Operator, OperatorInit};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::{FixedWindows, Gap, positive};
use crate::window::count::CountWindows;
use crate::window::emit::{Settings, WindowOperator};
use crate::window::operator::EventTimeWindows;
use crate::window::processing_time::ByProcessingTime;
use crate::window::session::SessionWindows;
use crate::window::slice::{SliceWindows, slicing::Slicing};
use crate::window::sliding::SlidingWindows;
use crate::window::trigger::Trigger;
use crate::window::triggered::TriggeredWindows;

impl<T: Record> WindowSpec<T> {
    pub(super) fn triggered<K: Key, A: Aggregate<In = T>, G: Trigger<T>>(
        &self,
        init: &OperatorInit,
        aggregate: &Arc<A>,
        trigger: &Arc<G>,
    ) -> Result<Box<dyn Operator>> {
        let Some(fixed) = self.fixed() else {
            let text = "a trigger cannot be set for session, sliding and count windows";
            return Err(Error::plan(format!("{text} (operator {:?})", init.name)));
        };
        let discarding = self.accumulation == Accumulation::Discarding;
        let (aggregate, trigger) = (Arc::clone(aggregate), Arc::clone(trigger));
        let settings = self.settings(init);
        let operator =
            TriggeredWindows::<K, A, G>::new(settings, fixed, aggregate, trigger, discarding);
        Ok(self.clocked::<K>(Box::new(operator)))
    }

    /// The operator that emits at completion.
    pub(super) fn on_time<K: Key, A: Aggregate<In = T>>(
        &self,
        init: &OperatorInit,
        aggregate: Arc<A>,
    ) -> Result<Box<dyn WindowOperator>> {
        let settings = self.settings(init);
        if let Some(slicing) = self.slicing().filter(|_| aggregate.merges()) {
            return Ok(Box::new(SliceWindows::<K, A>::new(settings, slicing, aggregate)));
        }
        if let Some(fixed) = self.fixed() {
            return Ok(Box::new(EventTimeWindows::<K, A>::new(settings, fixed, aggregate)));
        }
        Ok(match &self.kind {
            Kind::Session { gap } => {
                let gap = Gap::Fixed(positive("session gap", *gap, &init.name)?);
                Box::new(SessionWindows::<K, A>::new(settings, gap, aggregate))
            }
            Kind::SessionBy { gap } => {
                let gap = Gap::Of(Arc::clone(gap));
                Box::new(SessionWindows::<K, A>::new(settings, gap, aggregate))
            }
            Kind::Sliding { difference } => {
                let difference = positive("time difference", *difference, &init.name)?;
                Box::new(SlidingWindows::<K, A>::new(settings, difference, aggregate))
            }
            Kind::Count { size, slide } => {
                Box::new(CountWindows::<K, A>::new(&settings, *size, *slide, aggregate))
            }
            _ => return Err(Error::internal("windows without an operator")),
        })
    }

    pub(super) fn clocked<K: Key>(&self, operator: Box<dyn WindowOperator>) -> Box<dyn Operator> {
        if self.on_processing_time {
            Box::new(ByProcessingTime::<K, T>::new(operator))
        } else {
            operator
        }
    }

    fn settings(&self, init: &OperatorInit) -> Settings {
        Settings {
            name: init.name.clone(),
            key_groups: init.key_groups,
            lateness: self.lateness,
            policy: self.bad_records,
        }
    }

    /// The windows, if they are known from the record alone.
    fn fixed(&self) -> Option<FixedWindows<T>> {
        let offset = ms(self.offset);
        Some(match &self.kind {
            Kind::Tumbling { size } => FixedWindows::Tumbling { size: ms(*size), offset },
            Kind::Hopping { size, slide } if size == slide => {
                FixedWindows::Tumbling { size: ms(*size), offset }
            }
            Kind::Hopping { size, slide } => {
                FixedWindows::Hopping { size: ms(*size), slide: ms(*slide), offset }
            }
            Kind::Cumulative { size, step } => {
                FixedWindows::Cumulative { size: ms(*size), step: ms(*step), offset }
            }
            Kind::Global => FixedWindows::Global,
            Kind::Custom { assigner } => FixedWindows::Custom(Arc::clone(assigner)),
            _ => return None,
        })
    }

    /// The slicing, if the windows overlap on a grid.
    fn slicing(&self) -> Option<Slicing> {
        let offset = ms(self.offset);
        match self.kind {
            Kind::Hopping { size, slide } if size != slide => {
                Some(Slicing::hopping(ms(size), ms(slide), offset))
            }
            Kind::Cumulative { size, step } => {
                Some(Slicing::Cumulative { size: ms(size), step: ms(step), offset })
            }
            _ => None,
        }
    }
}

fn ms(duration: Duration) -> i64 {
    millis(duration)
}

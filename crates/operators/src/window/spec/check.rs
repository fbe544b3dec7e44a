//! Whether a description of windows makes sense.

use headwater_core::{Error, Record, Result};

use super::{Accumulation, Kind, WindowSpec};
use crate::window::assigner::{positive, whole};

impl<T: Record> WindowSpec<T> {
    pub(super) fn check_numbers(&self, operator: &str) -> Result<()> {
        let refuse = |text: String| Err(Error::plan(format!("{text} (operator {operator:?})")));
        whole("window offset", self.offset, operator)?;
        whole("allowed lateness", self.lateness, operator)?;
        if let Some(trigger) = &self.trigger {
            trigger.check(operator)?;
        }
        match self.kind {
            Kind::Tumbling { size } => positive("window size", size, operator).map(drop),
            Kind::Hopping { size, slide } => {
                positive("window size", size, operator)?;
                positive("window slide", slide, operator)?;
                if slide > size {
                    let text = "window slide must not be larger than the size, got";
                    return refuse(format!("{text} {slide:?} for a size of {size:?}"));
                }
                Ok(())
            }
            Kind::Cumulative { size, step } => {
                let (size_ms, step_ms) = (
                    positive("maximum window size", size, operator)?,
                    positive("window step", step, operator)?,
                );
                if size_ms % step_ms != 0 {
                    let text = "maximum window size must be a multiple of the step, got";
                    return refuse(format!("{text} {size:?} and a step of {step:?}"));
                }
                Ok(())
            }
            Kind::Session { gap } => positive("session gap", gap, operator).map(drop),
            Kind::Sliding { difference } => {
                positive("time difference", difference, operator).map(drop)
            }
            Kind::Count { size, slide } => {
                if size == 0 || slide == 0 || slide > size {
                    let text = "is not possible: both must be positive, and the size not smaller";
                    return refuse(format!("count window of {size} records every {slide} {text}"));
                }
                Ok(())
            }
            Kind::SessionBy { .. } | Kind::Global | Kind::Custom { .. } => Ok(()),
        }
    }

    pub(super) fn check_combination(&self, operator: &str) -> Result<()> {
        let refuse = |what: &str, windows: &str| {
            let text = format!("{what} cannot be set for {windows} windows");
            Err(Error::plan(format!("{text} (operator {operator:?})")))
        };
        let (name, aligned, triggers, event_time) = match self.kind {
            Kind::Tumbling { .. } => ("tumbling", true, true, true),
            Kind::Hopping { .. } => ("hopping", true, true, true),
            Kind::Cumulative { .. } => ("cumulative", true, true, true),
            Kind::Custom { .. } => ("custom", false, true, true),
            Kind::Session { .. } | Kind::SessionBy { .. } => ("session", false, false, true),
            Kind::Sliding { .. } => ("sliding", false, false, true),
            Kind::Global => ("global", false, true, false),
            Kind::Count { .. } => ("count", false, false, false),
        };
        let discarding = self.accumulation == Accumulation::Discarding;
        if !aligned && !self.offset.is_zero() {
            return refuse("an offset", name);
        }
        if !triggers && (self.trigger.is_some() || discarding) {
            return refuse("a trigger or discarding panes", name);
        }
        if !event_time && !self.lateness.is_zero() {
            return refuse("allowed lateness", name);
        }
        if !event_time && self.on_processing_time {
            return refuse("processing time", name);
        }
        if self.on_processing_time && !self.lateness.is_zero() {
            return refuse("allowed lateness", "processing-time");
        }
        Ok(())
    }

    /// Whether these windows are of event time, so that records must have one.
    pub fn needs_event_time(&self) -> bool {
        let timeless = matches!(self.kind, Kind::Global | Kind::Count { .. });
        !timeless && !self.on_processing_time
    }
}

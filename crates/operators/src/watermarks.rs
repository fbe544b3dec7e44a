//! Event time enters the stream here: timestamps, watermarks per split, lateness, idleness,
//! alignment.
//!
//! One [`GenerateWatermarks`] operator stands (fused) behind a source. It keeps one small state
//! machine per split ([`split`]); its own watermark is the minimum over the splits that are not
//! idle. Records are judged late or on time against *their own split's* watermark, so that lateness
//! does not depend on workers, batches or recovery; each split's progress is part of the
//! checkpoint.

pub mod alignment;
pub mod generate;
pub mod split;
pub mod strategy;

pub use alignment::Alignment;
pub use generate::GenerateWatermarks;
pub use strategy::{EventTimeOf, WatermarkGenerator, Watermarks};

//! Brokers start in half the time from classes that were loaded before.
//!
//! Most of a start is Java reading and checking classes. It can write down what it has come to when
//! it ends (class data sharing) and begin there the next time. So, once for each version of Java, a
//! broker is started to be stopped. Where that does not work, brokers start as ever.

use std::fs;

use headwater_core::Result;

use super::broker::unusable;
use super::install::{lock, version_dir};
use super::java::Java;
use super::{Broker, BrokerOptions};
use crate::stderr::say;

/// Prepares classes, unless that was done or tried before.
pub fn warm_up(java: &Java) -> Result<()> {
    if java.archive().exists() {
        return Ok(());
    }
    let _lock = lock(&version_dir()?).map_err(unusable(java.archive()))?;
    if java.archive().exists() {
        return Ok(());
    }
    say("preparing Kafka's classes, once, so that brokers start in half the time");
    let partial = java.archive().with_extension("partial");
    let java_options = vec![format!("-XX:ArchiveClassesAtExit={}", partial.display())];
    let options = BrokerOptions { java_options, ..BrokerOptions::default() };
    let written = Broker::launch_with(options, java.clone()).and_then(|broker| {
        broker.admin().new_topic("warm-up", 1)?;
        broker.stop()
    });
    match written
        .and_then(|()| fs::rename(&partial, java.archive()).map_err(unusable(java.archive())))
    {
        Ok(()) => Ok(()),
        Err(e) => {
            tracing::warn!(error = %e, "Kafka's classes could not be prepared");
            // An empty file: not to be tried again.
            fs::write(java.archive(), "").map_err(unusable(java.archive()))
        }
    }
}

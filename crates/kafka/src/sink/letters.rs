//! Dead letters as Kafka messages: the record as it came, and headers that say why it is here.

use std::sync::{Mutex, PoisonError};

use headwater_core::{DeadLetter, Result, Timed, Wake};
use headwater_formats::Readiness;

use super::encode::Encode;
use crate::message::HEADER_PREFIX;
use crate::producer::Outgoing;

/// See the module documentation.
#[derive(Default)]
pub(super) struct Letters {
    job: Mutex<String>,
}

impl Encode<DeadLetter> for Letters {
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    fn ready(&self, _wake: &Wake) -> Result<Readiness> {
        Ok(Readiness::Now)
    }

    fn set_job(&self, job: &str) {
        job.clone_into(&mut self.job.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn encode(&self, record: &Timed<DeadLetter>, out: &mut Outgoing) -> Result<()> {
        let letter = &record.value;
        out.topic.clear();
        out.partition = -1;
        out.timestamp = None;
        match &letter.original {
            Some(original) => {
                out.key.clone_from(&original.key);
                out.value.clone_from(&original.value);
                out.headers.clone_from(&original.headers);
            }
            // Only what a collected letter has kept.
            None => {
                out.key = None;
                out.value = Some(letter.record.clone().into_bytes());
                out.headers.clear();
            }
        }
        let job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in [
            ("job", &*job),
            ("step", &letter.operator),
            ("position", &letter.position),
            ("error", &letter.reason),
        ] {
            let value = Some(value.clone().into_bytes());
            out.headers.push((format!("{HEADER_PREFIX}{name}"), value));
        }
        Ok(())
    }
}

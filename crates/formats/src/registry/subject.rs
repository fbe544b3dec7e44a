//! The id that a serializer writes: of its own schema, under its subject.

use std::sync::{Arc, OnceLock};

use headwater_core::{Error, Result, Wake};

use super::answers::Answer;
use super::{Question, Registered, Registry};
use crate::contract::Readiness;

/// One question to a registry whose answer is kept for good.
pub(crate) struct Subject {
    registry: Registry,
    question: Question,
    found: OnceLock<Arc<Registered>>,
}

impl Subject {
    pub(crate) fn new(registry: Registry, question: Question) -> Self {
        Subject { registry, question, found: OnceLock::new() }
    }

    /// Waits for the answer.
    pub(crate) fn validate(&self) -> Result<()> {
        let found = self.registry.ask(&self.question)?;
        self.found.get_or_init(|| found);
        Ok(())
    }

    pub(crate) fn ready(&self, wake: &Wake) -> Result<Readiness> {
        if self.found.get().is_some() {
            return Ok(Readiness::Now);
        }
        match self.registry.look(&self.question, Some(wake))? {
            Answer::Later => Ok(Readiness::Later),
            Answer::Failed(failure) => Err(failure.into()),
            Answer::Here(found) => {
                self.found.get_or_init(|| found);
                Ok(Readiness::Now)
            }
        }
    }

    /// The answer, if it has come.
    pub(crate) fn get(&self) -> Result<&Registered> {
        let found = self.found.get().map(AsRef::as_ref);
        found.ok_or_else(|| Error::transient("the schema is still being registered"))
    }
}

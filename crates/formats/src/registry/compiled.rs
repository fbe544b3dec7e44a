//! Schemas by id, compiled once into what a format decodes with.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use headwater_core::{Result, Wake};

use super::answers::Answer;
use super::{FailureKind, Question, Registered, Registry};
use crate::contract::{Readiness, Refused};

type Compile<C> = Box<dyn Fn(&Registered) -> Result<C, String> + Send + Sync>;

/// What a format made of the schemas it has met. Holds no more than the registry's table does.
pub(crate) struct Compiled<C> {
    format: &'static str,
    registry: Registry,
    compile: Compile<C>,
    /// A schema that does not compile will not do so later.
    known: RwLock<HashMap<u32, Result<Arc<C>, Refused>>>,
}

impl<C> Compiled<C> {
    /// Of this format, which reasons begin with.
    pub(crate) fn new(
        format: &'static str,
        registry: Registry,
        compile: impl Fn(&Registered) -> Result<C, String> + Send + Sync + 'static,
    ) -> Self {
        Compiled { format, registry, compile: Box::new(compile), known: RwLock::default() }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether [`Self::get`] has an answer that is worth having.
    pub(crate) fn ready(&self, id: u32, wake: &Wake) -> Result<Readiness> {
        if self.known(id).is_some() {
            return Ok(Readiness::Now);
        }
        match self.registry.look(&Question::Schema(id), Some(wake))? {
            Answer::Here(schema) => {
                // A schema that does not compile is the message's problem: `get` says so.
                let _ = self.compile(&schema);
                Ok(Readiness::Now)
            }
            Answer::Later => Ok(Readiness::Later),
            Answer::Failed(failure) if failure.kind == FailureKind::Unknown => Ok(Readiness::Now),
            Answer::Failed(failure) => Err(failure.into()),
        }
    }

    /// The schema, or why there is none.
    pub(crate) fn get(&self, id: u32) -> Result<Arc<C>, Refused> {
        if let Some(known) = self.known(id) {
            return known;
        }
        let reason = match self.registry.look(&Question::Schema(id), None) {
            Ok(Answer::Here(schema)) => return self.compile(&schema),
            Ok(Answer::Later) => format!("schema {id} is still being fetched"),
            Ok(Answer::Failed(failure)) => failure.text,
            Err(e) => e.to_string(),
        };
        Err(Refused::new(format!("{}: {reason}", self.format)))
    }

    fn known(&self, id: u32) -> Option<Result<Arc<C>, Refused>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn compile(&self, schema: &Registered) -> Result<Arc<C>, Refused> {
        let compiled = (self.compile)(schema).map(Arc::new);
        let compiled = compiled
            .map_err(|e| Refused::new(format!("{}: schema {}: {e}", self.format, schema.id)));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(schema.id).or_insert(compiled).clone()
    }
}

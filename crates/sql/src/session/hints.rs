//! What a query says about how it is run: `STATE_TTL` and `EMIT`.

use std::ops::ControlFlow;
use std::time::Duration;

use datafusion::sql::sqlparser::ast::{Query, Select, Visit, Visitor};

use super::settings::duration;
use crate::error::{SqlError, SqlResult, codes};
use crate::syntax::{Emit, emit, query_hints};

/// The time to live that these queries ask for by `/*+ STATE_TTL('t' = '1 d') */`: the longest of
/// them, as state of one job has one; `0` keeps state for ever.
///
/// # Errors
/// When a hint's value is no duration.
pub(super) fn state_ttl<'q>(
    queries: impl IntoIterator<Item = &'q Query>,
) -> SqlResult<Option<Duration>> {
    let mut found = Hints { ttl: None };
    for query in queries {
        if let ControlFlow::Break(error) = query.visit(&mut found) {
            return Err(error);
        }
    }
    Ok(found.ttl)
}

struct Hints {
    ttl: Option<Duration>,
}

impl Hints {
    fn of(&mut self, select: &Select) -> SqlResult<()> {
        for hint in query_hints(select)?.iter().filter(|hint| hint.name == "STATE_TTL") {
            for (key, value) in &hint.args {
                let value = value.as_deref().unwrap_or_default();
                let ttl = duration(value).ok_or_else(|| {
                    let message = format!("STATE_TTL of '{key}' cannot be '{value}'");
                    SqlError::new(codes::HINT, message).help("write '1 d', '12 h' or '90 min'")
                })?;
                self.ttl = match self.ttl {
                    Some(known) if known.is_zero() || ttl.is_zero() => Some(Duration::ZERO),
                    Some(known) => Some(known.max(ttl)),
                    None => Some(ttl),
                };
            }
        }
        Ok(())
    }
}

impl Visitor for Hints {
    type Break = SqlError;

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<SqlError> {
        match self.of(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// How often these queries want the results of windows that are not complete: the shortest time of
/// all, as windows of one job may be shared.
///
/// # Errors
/// When an EMIT clause says something else.
pub(super) fn emit_every<'q>(
    queries: impl IntoIterator<Item = &'q Query>,
) -> SqlResult<Option<Duration>> {
    let mut shortest: Option<Duration> = None;
    for query in queries {
        if let Some(Emit::Every { ms }) = emit(query)? {
            let every = Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1));
            shortest = Some(shortest.map_or(every, |known| known.min(every)));
        }
    }
    Ok(shortest)
}

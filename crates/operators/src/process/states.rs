//! Declaring what a process function keeps and where it emits, before it runs.
//!
//! [`Process::declare`] is called when the topology is built
//! (names and ports) and again for each worker (tables). It must always declare the same.

use std::time::Duration;

use headwater_core::{Error, KeyGroupRange, Record, Result};
use headwater_state::Table;

use crate::process::ttl::Lifetime;
use crate::process::{
    AggregatingState, AnyTable, ListState, MapState, Process, ReducingState, Side, SidePorts,
    TimeDomain, ValueState,
};
use crate::window::Aggregate;

/// Name of the function's own state and of its timers, among its states.
pub(crate) const STATE: &str = "state";
pub(crate) const TIMERS: &str = "timers";
pub(crate) const PROCESSING_TIMERS: &str = "processing-timers";

/// What a process function declares: further states, how long they live, and side outputs.
///
/// Names are unique within the function; they are what checkpoints know a state by.
pub struct States<P: Process> {
    pub(crate) tables: Vec<Declaration<P::Key>>,
    pub(crate) main: Option<Lifetime>,
    pub(crate) sides: SidePorts,
    /// The first thing that is wrong.
    wrong: Option<Error>,
}

pub(crate) struct Declaration<K> {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&'static str, KeyGroupRange) -> Box<dyn AnyTable<K>>,
    pub(crate) lifetime: Option<Lifetime>,
}

impl<P: Process> States<P> {
    /// Asks `process` what it declares.
    ///
    /// # Errors
    /// A plan error when a name is empty, reserved or used twice, or a time to live is zero.
    pub fn of(process: &P) -> Result<Self> {
        let mut states =
            States { tables: Vec::new(), main: None, sides: SidePorts::default(), wrong: None };
        process.declare(&mut states);
        match states.wrong.take() {
            Some(e) => Err(e),
            None => Ok(states),
        }
    }

    /// The declared side outputs and their ports.
    pub fn sides(&self) -> &SidePorts {
        &self.sides
    }

    /// Declares a side output.
    pub fn side<T: Record>(&mut self, side: Side<T>) {
        let declared = self.sides.declare(side);
        self.wrong = self.wrong.take().or(declared.err());
    }

    /// The function's own state ([`Process::State`]), which needs no declaration but can be given a
    /// time to live.
    pub fn state(&mut self) -> Declared<'_> {
        Declared { name: STATE, lifetime: &mut self.main, wrong: &mut self.wrong }
    }

    /// Declares a further value per key.
    pub fn value<T: Record>(&mut self, state: &ValueState<T>) -> Declared<'_> {
        self.add::<(), T>(state.name)
    }

    /// Declares a list per key.
    pub fn list<T: Record>(&mut self, state: &ListState<T>) -> Declared<'_> {
        self.add::<u64, T>(state.name)
    }

    /// Declares a map per key.
    pub fn map<MK: Record + Ord, V: Record>(&mut self, state: &MapState<MK, V>) -> Declared<'_> {
        self.add::<MK, V>(state.name)
    }

    /// Declares a reduced value per key.
    pub fn reducing<T: Record>(&mut self, state: &ReducingState<T>) -> Declared<'_> {
        self.add::<(), T>(state.name)
    }

    /// Declares an aggregated value per key.
    pub fn aggregating<A: Aggregate>(&mut self, state: &AggregatingState<A>) -> Declared<'_> {
        self.add::<(), A::Acc>(state.name)
    }

    fn add<N: Record + Ord, V: Record>(&mut self, name: &'static str) -> Declared<'_> {
        let checked = self.check(name);
        self.wrong = self.wrong.take().or(checked.err());
        let at = self.tables.len();
        let make = |name: &'static str, range| {
            Box::new(Table::<P::Key, N, V>::new(name, range)) as Box<dyn AnyTable<P::Key>>
        };
        self.tables.push(Declaration { name, make, lifetime: None });
        Declared { name, lifetime: &mut self.tables[at].lifetime, wrong: &mut self.wrong }
    }

    fn check(&self, name: &str) -> Result<()> {
        if name.is_empty() || name.contains('/') {
            return Err(Error::plan(format!("a state cannot be called {name:?}"))
                .hint("use a name that is not empty and holds no slash"));
        }
        if [STATE, TIMERS, PROCESSING_TIMERS].contains(&name) {
            return Err(Error::plan(format!("a state cannot be called {name:?}"))
                .hint("that name is taken by what every process function has"));
        }
        if self.tables.iter().any(|declared| declared.name == name) {
            return Err(Error::plan(format!("two states are called {name:?}"))
                .hint("give each state a name of its own; checkpoints know it by that name"));
        }
        Ok(())
    }
}

/// A state just declared: what else is to be said about it.
pub struct Declared<'s> {
    name: &'static str,
    lifetime: &'s mut Option<Lifetime>,
    wrong: &'s mut Option<Error>,
}

impl Declared<'_> {
    /// Removes what a key has in this state `ttl` after the last change of any of it.
    ///
    /// - Units: rounded up by at most a 64th of `ttl`.
    /// - Time: lists and maps live and expire as a whole. What is due is removed when the watermark
    ///   or the clock gets there; until then it can be read.
    pub fn ttl(self, ttl: Duration, domain: TimeDomain) {
        if ttl < Duration::from_millis(1) {
            let e = Error::plan(format!("time to live of state {:?} is {ttl:?}", self.name));
            self.wrong.get_or_insert(e.hint("give it one millisecond or more"));
        }
        *self.lifetime = Some(Lifetime { ttl, domain });
    }
}

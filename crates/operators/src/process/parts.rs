//! Everything a process function keeps, and has emitted, on one worker.

use std::any::Any;

use headwater_core::{Error, EventTime, Key, KeyGroupRange, Record, Result, Timed};
use headwater_state::{StateTable, Table, Timers};

use crate::operator::{OUT, OperatorContext};
use crate::process::entry::{Access, clear};
use crate::process::side::Sides;
use crate::process::states::{Declaration, PROCESSING_TIMERS, STATE, TIMERS};
use crate::process::ttl::{Lifetime, Ttl};
use crate::process::{Entry, Missing, Moment, SidePorts, TimeDomain};

/// A table whose namespace and value types are erased.
pub(crate) trait AnyTable<K>: Send {
    fn table(&mut self) -> &mut dyn StateTable;
    fn clear_key(&mut self, hash: u64, key: &K) -> Result<()>;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<K: Key, N: Record + Ord, V: Record> AnyTable<K> for Table<K, N, V> {
    fn table(&mut self) -> &mut dyn StateTable {
        self
    }
    fn clear_key(&mut self, hash: u64, key: &K) -> Result<()> {
        clear(self, hash, key)
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// See the module documentation.
pub(crate) struct Parts<K, O, S> {
    pub(crate) main: Table<K, (), S>,
    pub(crate) main_ttl: Option<Ttl<K>>,
    named: Vec<Named<K>>,
    pub(crate) timers: Timers<K>,
    pub(crate) processing_timers: Timers<K>,
    pub(crate) out: Vec<Timed<O>>,
    pub(crate) sides: Sides,
    /// Length of `out` before the running call of user code.
    out_before_call: usize,
    /// Why the attempt has to fail after the running call.
    pub(crate) failed: Option<Error>,
    /// Handed to user code in place of a state that cannot be reached, when the attempt fails
    /// anyway.
    pub(crate) scratch: S,
}

/// A declared state.
struct Named<K> {
    name: &'static str,
    table: Box<dyn AnyTable<K>>,
    ttl: Option<Ttl<K>>,
}

/// What is to be done next as time advances.
pub(crate) enum Due {
    /// A timer of user code, if it was not cancelled.
    Timer(EventTime),
    /// The end of the life of some entries.
    Expiry(EventTime),
}

impl<K: Key, O: Record, S: Record + Default> Parts<K, O, S> {
    pub(crate) fn new(
        declared: Vec<Declaration<K>>,
        main: Option<Lifetime>,
        sides: SidePorts,
        range: KeyGroupRange,
    ) -> Self {
        let ttl = |name: &str, l: Option<Lifetime>| l.map(|l| Ttl::new(name, l, range));
        let named = declared.into_iter().map(|d| Named {
            name: d.name,
            table: (d.make)(d.name, range),
            ttl: ttl(d.name, d.lifetime),
        });
        Parts {
            main: Table::new(STATE, range),
            main_ttl: ttl(STATE, main),
            named: named.collect(),
            timers: Timers::new(TIMERS, range),
            processing_timers: Timers::new(PROCESSING_TIMERS, range),
            out: Vec::new(),
            sides: Sides::new(sides),
            out_before_call: 0,
            failed: None,
            scratch: S::default(),
        }
    }

    /// The entries of a key in the named state.
    ///
    /// A state that is not declared fails the attempt even when user code swallows the error.
    pub(crate) fn entry<'c, N: Record + Ord, V: Record>(
        &'c mut self,
        name: &'static str,
        kind: &'static str,
        moment: Moment<'c, K>,
    ) -> Access<'c, K, N, V> {
        // Nearly always it is the very constant that was declared.
        let at = self.named.iter().position(|named| std::ptr::eq(named.name, name));
        let at = at.or_else(|| self.named.iter().position(|named| named.name == name));
        let missing = Missing { name, kind, declared: at.is_some() };
        if let Some(Named { table, ttl, .. }) = at.map(|at| &mut self.named[at])
            && let Some(table) = table.as_any_mut().downcast_mut::<Table<K, N, V>>()
        {
            return Ok(Entry { table, ttl: ttl.as_mut(), moment });
        }
        self.failed.get_or_insert_with(|| missing.into());
        Err(missing)
    }

    /// User code is about to be called.
    pub(crate) fn begin_call(&mut self) {
        self.out_before_call = self.out.len();
        self.sides.begin_call();
    }

    /// Takes back what the running call has emitted.
    pub(crate) fn withdraw(&mut self) {
        self.out.truncate(self.out_before_call);
        self.sides.withdraw();
    }

    /// Passes on what was emitted.
    pub(crate) fn flush(&mut self, cx: &mut OperatorContext) {
        cx.emit(OUT, std::mem::take(&mut self.out));
        self.sides.flush(cx);
    }

    /// The earliest thing to do in `domain`, not later than `until`.
    pub(crate) fn next_due(&self, domain: TimeDomain, until: EventTime) -> Option<Due> {
        let timer = self.next_timer(domain).filter(|at| *at <= until);
        let expiry = self.next_expiry(domain).filter(|at| *at <= until);
        match (timer, expiry) {
            (Some(timer), Some(expiry)) if expiry < timer => Some(Due::Expiry(expiry)),
            (Some(timer), _) => Some(Due::Timer(timer)),
            (None, expiry) => expiry.map(Due::Expiry),
        }
    }

    pub(crate) fn next_timer(&self, domain: TimeDomain) -> Option<EventTime> {
        match domain {
            TimeDomain::EventTime => self.timers.next(),
            TimeDomain::ProcessingTime => self.processing_timers.next(),
        }
    }

    pub(crate) fn next_expiry(&self, domain: TimeDomain) -> Option<EventTime> {
        let named = self.named.iter().filter_map(|named| named.ttl.as_ref());
        let ttls = self.main_ttl.iter().chain(named).filter(|ttl| ttl.domain() == domain);
        ttls.filter_map(Ttl::next).min()
    }

    /// The timers of one domain.
    pub(crate) fn timers_of(&mut self, domain: TimeDomain) -> &mut Timers<K> {
        match domain {
            TimeDomain::EventTime => &mut self.timers,
            TimeDomain::ProcessingTime => &mut self.processing_timers,
        }
    }

    /// Removes entries whose life in `domain` has ended by `now`.
    pub(crate) fn expire(&mut self, domain: TimeDomain, now: EventTime) -> Result<()> {
        if let Some(ttl) = self.main_ttl.as_mut().filter(|ttl| ttl.domain() == domain) {
            while let Some((hash, key)) = ttl.pop_due(now)? {
                self.main.remove(hash, &key, &())?;
            }
        }
        for Named { table, ttl, .. } in &mut self.named {
            if let Some(ttl) = ttl.as_mut().filter(|ttl| ttl.domain() == domain) {
                while let Some((hash, key)) = ttl.pop_due(now)? {
                    table.clear_key(hash, &key)?;
                }
            }
        }
        Ok(())
    }

    /// All tables, always in the same order.
    pub(crate) fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        let mut tables: Vec<&mut dyn StateTable> = vec![&mut self.main];
        tables.extend(self.main_ttl.as_mut().map(Ttl::table));
        tables.push(self.timers.table());
        tables.push(self.processing_timers.table());
        for named in &mut self.named {
            tables.push(named.table.table());
            tables.extend(named.ttl.as_mut().map(Ttl::table));
        }
        tables
    }

    /// Rebuilds the timer queues.
    pub(crate) fn restored(&mut self) {
        self.timers.restored();
        self.processing_timers.restored();
        let named = self.named.iter_mut().filter_map(|named| named.ttl.as_mut());
        self.main_ttl.iter_mut().chain(named).for_each(Ttl::restored);
    }
}

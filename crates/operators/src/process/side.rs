//! Side outputs: typed, named, declared once; one output port each.
//!
//! Ports are numbered from 2 in the order of declaration, as 0 is the main output and 1 the late
//! one.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;

use headwater_core::{Error, Record, Result, Timed};

use crate::operator::{LATE, OperatorContext, Port};

/// Handle of a side output; a constant.
///
/// # Examples
/// ```
/// use headwater_operators::process::Side;
/// const REJECTED: Side<String> = Side::new("rejected");
/// // in `declare`: states.side(REJECTED);
/// // in `process`: cx.emit_to(REJECTED, record);
/// ```
pub struct Side<T> {
    name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Side<T> {
    /// A handle of the side output called `name`.
    pub const fn new(name: &'static str) -> Self {
        Side { name, of: PhantomData }
    }

    /// Name of the output.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Side<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Side<T> {}

impl<T> fmt::Debug for Side<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Side<{}>({:?})", type_name::<T>(), self.name)
    }
}

/// The declared side outputs of a process function, and their ports.
#[derive(Clone, Debug, Default)]
pub struct SidePorts(Vec<Declared>);

#[derive(Clone, Debug)]
struct Declared {
    name: &'static str,
    record: TypeId,
    record_name: &'static str,
    buffer: fn() -> Box<dyn AnyBuffer>,
}

impl SidePorts {
    pub(crate) fn declare<T: Record>(&mut self, side: Side<T>) -> Result<()> {
        let name = side.name;
        if name.is_empty() || name == "out" || name == "late" {
            return Err(Error::plan(format!("a side output cannot be called {name:?}"))
                .hint("\"out\" and \"late\" are the names of the outputs every step has"));
        }
        if self.0.iter().any(|declared| declared.name == name) {
            return Err(Error::plan(format!("two side outputs are called {name:?}"))
                .hint("give each side output a name of its own"));
        }
        let buffer = || Box::new(Buffer::<T>::default()) as Box<dyn AnyBuffer>;
        let (record, record_name) = (TypeId::of::<T>(), type_name::<T>());
        self.0.push(Declared { name, record, record_name, buffer });
        Ok(())
    }

    /// The output port of a side output.
    ///
    /// # Errors
    /// A plan error when it is not declared, or with another record type.
    pub fn port<T: Record>(&self, side: Side<T>) -> Result<Port> {
        let same = |d: &Declared| std::ptr::eq(d.name, side.name);
        let at = self.0.iter().position(same);
        let at = at.or_else(|| self.0.iter().position(|d| d.name == side.name));
        let Some(at) = at else {
            let names: Vec<_> = self.names().map(|name| format!("{name:?}")).collect();
            let declared = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Error::plan(format!("side output {:?} is not declared", side.name)).hint(
                format!("add `states.side(..)` to `Process::declare`; declared are: {declared}"),
            ));
        };
        let declared = &self.0[at];
        if declared.record != TypeId::of::<T>() {
            return Err(Error::plan(format!(
                "side output {:?} carries {}, not {}",
                side.name,
                declared.record_name,
                type_name::<T>()
            )));
        }
        Ok(LATE + 1 + at as Port)
    }

    /// The names, in order of their ports.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|declared| declared.name)
    }
}

/// What was emitted at side outputs and not yet passed on.
pub(crate) struct Sides {
    ports: SidePorts,
    buffers: Vec<Box<dyn AnyBuffer>>,
    /// Number of the running call of user code, so that what it emitted can be withdrawn.
    call: u64,
}

impl Sides {
    pub(crate) fn new(ports: SidePorts) -> Self {
        let buffers = ports.0.iter().map(|declared| (declared.buffer)()).collect();
        Sides { ports, buffers, call: 0 }
    }

    pub(crate) fn begin_call(&mut self) {
        self.call += 1;
    }

    pub(crate) fn emit<T: Record>(&mut self, side: Side<T>, record: Timed<T>) -> Result<()> {
        let port = self.ports.port(side)?;
        let buffer = self.buffers.get_mut(usize::from(port - LATE - 1));
        if let Some(buffer) = buffer.and_then(|b| b.as_any_mut().downcast_mut::<Buffer<T>>()) {
            if buffer.call != self.call {
                (buffer.call, buffer.before_call) = (self.call, buffer.records.len());
            }
            buffer.records.push(record);
        }
        Ok(())
    }

    /// Takes back what the running call has emitted.
    pub(crate) fn withdraw(&mut self) {
        self.buffers.iter_mut().for_each(|buffer| buffer.withdraw(self.call));
    }

    pub(crate) fn flush(&mut self, cx: &mut OperatorContext) {
        for (at, buffer) in self.buffers.iter_mut().enumerate() {
            buffer.flush(LATE + 1 + at as Port, cx);
        }
    }
}

trait AnyBuffer: Send {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn withdraw(&mut self, call: u64);
    fn flush(&mut self, port: Port, cx: &mut OperatorContext);
}

struct Buffer<T> {
    records: Vec<Timed<T>>,
    /// The last call that emitted here, and how many records there were before it.
    call: u64,
    before_call: usize,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer { records: Vec::new(), call: 0, before_call: 0 }
    }
}

impl<T: Record> AnyBuffer for Buffer<T> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn withdraw(&mut self, call: u64) {
        if self.call == call {
            self.records.truncate(self.before_call);
        }
    }
    fn flush(&mut self, port: Port, cx: &mut OperatorContext) {
        cx.emit(port, std::mem::take(&mut self.records));
    }
}

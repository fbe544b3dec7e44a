//! A keyed stream: the steps that keep state per key start here.

use std::sync::Arc;

use headwater_core::{Key, Keyed, Record};
use headwater_operators::OperatorInit;
use headwater_operators::broadcast::{BroadcastOperator, BroadcastProcess};
use headwater_operators::process::{Process, ProcessOperator, Side, SidePorts, States};
use headwater_operators::window::WindowSpec;
use headwater_topology::NodeId;

use crate::stream::Stream;
use crate::windowed::WindowedStream;

/// Records grouped by key. What follows keeps its state per key, on the worker that owns the key.
pub struct KeyedStream<K, T> {
    pub(crate) stream: Stream<Keyed<K, T>>,
}

impl<K, T> Clone for KeyedStream<K, T> {
    fn clone(&self) -> Self {
        KeyedStream { stream: self.stream.clone() }
    }
}

impl<K: Key, T: Record> KeyedStream<K, T> {
    /// Runs a process function: state and timers per key, side outputs.
    ///
    /// `name` is the uid of its state. Records and timers that it refuses follow the error policy
    /// of the stream.
    pub fn process<P>(&self, name: &str, process: P) -> Processed<P::Out>
    where
        P: Process<Key = K, In = T>,
    {
        let (process, policy) = (Arc::new(process), self.stream.policy);
        let sides = self.sides(process.as_ref());
        let make =
            move |init: &OperatorInit| ProcessOperator::new(init, Arc::clone(&process), policy);
        let node = self.stream.step(Some(name), "process", &outputs(&sides), make);
        self.processed(node, sides)
    }

    /// Runs a process function beside rules that a second stream brings, on every worker.
    ///
    /// The rules are broadcast state: all workers hold all of them, and they are checkpointed.
    pub fn process_with_broadcast<P>(
        &self,
        name: &str,
        updates: &Stream<P::Update>,
        process: P,
    ) -> Processed<P::Out>
    where
        P: BroadcastProcess + Process<Key = K, In = T>,
    {
        let (process, policy) = (Arc::new(process), self.stream.policy);
        let sides = self.sides(process.as_ref());
        let make =
            move |init: &OperatorInit| BroadcastOperator::new(init, Arc::clone(&process), policy);
        let node = self.stream.step(Some(name), "broadcast_process", &outputs(&sides), make);
        updates.broadcast().connect(node, headwater_operators::broadcast::BROADCAST);
        self.processed(node, sides)
    }

    /// Groups the records of each key into windows; see [`crate::windowed`] for the kinds.
    pub fn window(&self, windows: WindowSpec<T>) -> WindowedStream<K, T> {
        WindowedStream { keyed: self.clone(), windows }
    }

    fn sides<P: Process>(&self, process: &P) -> SidePorts {
        match States::of(process) {
            Ok(states) => states.sides().clone(),
            Err(e) => {
                self.stream.fail(e);
                SidePorts::default()
            }
        }
    }

    fn processed<U>(&self, node: NodeId, sides: SidePorts) -> Processed<U> {
        Processed { out: self.stream.derive(node, 0), sides }
    }
}

fn outputs(sides: &SidePorts) -> Vec<&'static str> {
    ["out", "late"].into_iter().chain(sides.names()).collect()
}

/// What a process function gives: its main output and its side outputs.
pub struct Processed<T> {
    out: Stream<T>,
    sides: SidePorts,
}

impl<T> Processed<T> {
    /// The main output.
    pub fn out(&self) -> Stream<T> {
        self.out.clone()
    }

    /// A side output that the function declared; another one is an error of the job.
    pub fn side<U: Record>(&self, side: Side<U>) -> Stream<U> {
        match self.sides.port(side) {
            Ok(port) => self.out.derive(self.out.node, port),
            Err(e) => {
                self.out.fail(e);
                self.out.derive(self.out.node, 0)
            }
        }
    }
}

impl<T> std::ops::Deref for Processed<T> {
    type Target = Stream<T>;
    fn deref(&self) -> &Stream<T> {
        &self.out
    }
}

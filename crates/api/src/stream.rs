//! A stream of records, and the steps without state.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use headwater_connect::Sink;
use headwater_core::{BadRecordPolicy, Error, Key, Record, Result};
use headwater_operators::key_by::{Broadcast, ByKeyGroup, KeyBy, Rebalance};
use headwater_operators::stateless::{Branch, Filter, FlatMap, Map, TryFlatMap, Union};
use headwater_operators::watermarks::{EventTimeOf, GenerateWatermarks, Watermarks};
use headwater_operators::{Operator, OperatorInit, Port};
use headwater_topology::node::OperatorFactory;
use headwater_topology::{Edge, Node, NodeId, NodeKind, Partitioning};

use crate::job::Graph;
use crate::keyed::KeyedStream;

/// A stream of records of one type. Cheap to clone; every step that reads it gets all records.
pub struct Stream<T> {
    pub(crate) graph: Graph,
    pub(crate) node: NodeId,
    pub(crate) port: Port,
    pub(crate) partitioning: Partitioning,
    pub(crate) policy: BadRecordPolicy,
    /// Whether the records have event time.
    pub(crate) timed: bool,
    types: PhantomData<fn() -> T>,
}

impl<T> Clone for Stream<T> {
    fn clone(&self) -> Self {
        Stream {
            graph: Rc::clone(&self.graph),
            node: self.node,
            port: self.port,
            partitioning: self.partitioning.clone(),
            policy: self.policy,
            timed: self.timed,
            types: PhantomData,
        }
    }
}

impl<T> Stream<T> {
    pub(crate) fn new(graph: &Graph, node: NodeId, port: Port) -> Self {
        Stream {
            graph: Rc::clone(graph),
            node,
            port,
            partitioning: Partitioning::Forward,
            policy: BadRecordPolicy::DeadLetter,
            timed: false,
            types: PhantomData,
        }
    }

    /// A stream of what output `port` of `node` emits, with this stream's settings.
    pub(crate) fn derive<U>(&self, node: NodeId, port: Port) -> Stream<U> {
        let mut stream = Stream::new(&self.graph, node, port);
        stream.policy = self.policy;
        stream.timed = self.timed;
        stream
    }

    pub(crate) fn connect(&self, to: NodeId, to_port: Port) {
        let edge = Edge {
            from: self.node,
            from_port: self.port,
            to,
            to_port,
            partitioning: self.partitioning.clone(),
        };
        self.graph.borrow_mut().connect(edge);
    }

    /// Adds a step; with a name it keeps state under it, without it is given one.
    pub(crate) fn step<O, F>(
        &self,
        name: Option<&str>,
        label: &str,
        outputs: &[&str],
        make: F,
    ) -> NodeId
    where
        O: Operator + 'static,
        F: Fn(&OperatorInit) -> Result<O> + Send + Sync + 'static,
    {
        self.step_boxed(name, label, outputs, Arc::new(move |init| Ok(Box::new(make(init)?))))
    }

    pub(crate) fn step_boxed(
        &self,
        name: Option<&str>,
        label: &str,
        outputs: &[&str],
        factory: OperatorFactory,
    ) -> NodeId {
        let node = Node {
            name: name.unwrap_or_default().to_owned(),
            label: label.to_owned(),
            kind: NodeKind::Operator(factory),
            outputs: outputs.iter().map(|o| (*o).to_owned()).collect(),
        };
        let id = match name {
            Some(_) => self.graph.borrow_mut().named(node),
            None => self.graph.borrow_mut().unnamed(node),
        };
        self.connect(id, 0);
        id
    }

    pub(crate) fn fail(&self, error: Error) {
        self.graph.borrow_mut().fail(error);
    }

    /// Gives the step that this stream comes from another name, for `describe` and metrics.
    pub fn named(&self, name: &str) -> Stream<T> {
        self.graph.borrow_mut().rename(self.node, name);
        self.clone()
    }

    /// What happens to records that the `try_` steps from here on refuse; default: dead-lettered.
    pub fn on_error(&self, policy: BadRecordPolicy) -> Stream<T> {
        let mut stream = self.clone();
        stream.policy = policy;
        stream
    }
}

impl<T: Record> Stream<T> {
    /// Applies `f` to each record.
    ///
    /// Shape: one in, one out; order, event time kept.
    pub fn map<U: Record>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Stream<U> {
        let f = Arc::new(f);
        let node = self.step(None, "map", &["out"], move |_| Ok(Map::new(Arc::clone(&f))));
        self.derive(node, 0)
    }

    /// Applies `f` to each record; a record for which it fails follows the error policy.
    pub fn try_map<U: Record>(
        &self,
        f: impl Fn(&T) -> Result<U> + Send + Sync + 'static,
    ) -> Stream<U> {
        self.try_step("map", move |record| f(record).map(Some))
    }

    /// Keeps the records for which `keep` holds; the others are counted as filtered.
    pub fn filter(&self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Stream<T> {
        let keep = Arc::new(keep);
        let node = self.step(None, "filter", &["out"], move |_| Ok(Filter::new(Arc::clone(&keep))));
        self.derive(node, 0)
    }

    /// Like [`Stream::filter`]; a record for which `keep` fails follows the error policy.
    pub fn try_filter(
        &self,
        keep: impl Fn(&T) -> Result<bool> + Send + Sync + 'static,
    ) -> Stream<T> {
        self.try_step("filter", move |r| keep(r).map(|keep| keep.then(|| r.clone())))
    }

    /// Emits every item of what `f` makes of a record; none counts as filtered.
    pub fn flat_map<U, I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> Stream<U>
    where
        U: Record,
        I: IntoIterator<Item = U> + 'static,
    {
        let f = Arc::new(f);
        let node = self.step(None, "flat_map", &["out"], move |_| Ok(FlatMap::new(Arc::clone(&f))));
        self.derive(node, 0)
    }

    /// Like [`Stream::flat_map`]; a record for which `f` fails follows the error policy.
    pub fn try_flat_map<U, I>(
        &self,
        f: impl Fn(&T) -> Result<I> + Send + Sync + 'static,
    ) -> Stream<U>
    where
        U: Record,
        I: IntoIterator<Item = U> + 'static,
    {
        self.try_step("flat_map", f)
    }

    fn try_step<U, I>(
        &self,
        label: &str,
        f: impl Fn(&T) -> Result<I> + Send + Sync + 'static,
    ) -> Stream<U>
    where
        U: Record,
        I: IntoIterator<Item = U> + 'static,
    {
        let (f, policy) = (Arc::new(f), self.policy);
        let make = move |init: &OperatorInit| {
            Ok(TryFlatMap::new(init.name.clone(), policy, Arc::clone(&f)))
        };
        let node = self.step(None, label, &["out"], make);
        self.derive(node, 0)
    }

    /// Shows each record to `f` and passes it on.
    pub fn inspect(&self, f: impl Fn(&T) + Send + Sync + 'static) -> Stream<T> {
        let f = Arc::new(move |record: T| {
            f(&record);
            record
        });
        let node = self.step(None, "inspect", &["out"], move |_| Ok(Map::new(Arc::clone(&f))));
        self.derive(node, 0)
    }

    /// Both streams as one; its watermark is the lesser of the two.
    pub fn union(&self, other: &Stream<T>) -> Stream<T> {
        let node = self.step(None, "union", &["out"], |_| Ok(Union));
        other.connect(node, 1);
        let mut stream = self.derive(node, 0);
        stream.timed = self.timed && other.timed;
        stream
    }

    /// Sends each record to one of the named outputs: the one whose index `choose` returns; a
    /// record for which it returns another number is counted as filtered.
    ///
    /// ```
    /// # use headwater_api::Job;
    /// # use headwater_connect::{collection::collection, blackhole::blackhole};
    /// # let mut job = Job::new("j");
    /// let numbers = job.source("numbers", collection(vec![1u64, 2, 3]));
    /// let [even, odd] = numbers.split(["even", "odd"], |n| (n % 2) as usize);
    /// even.sink("even out", blackhole());
    /// odd.sink("odd out", blackhole());
    /// ```
    pub fn split<const N: usize>(
        &self,
        outputs: [&str; N],
        choose: impl Fn(&T) -> usize + Send + Sync + 'static,
    ) -> [Stream<T>; N] {
        let choose = Arc::new(move |record: &T| Some(choose(record)));
        let node =
            self.step(None, "split", &outputs, move |_| Ok(Branch::new(N, Arc::clone(&choose))));
        std::array::from_fn(|port| self.derive(node, port as Port))
    }

    /// Stamps records with event time and generates watermarks, per split of the source.
    ///
    /// - Time: everything behind this step sees these watermarks. A record is late when its time is
    ///   at or below the watermark of its own split.
    /// - Errors: a record without a time follows the error policy.
    pub fn event_time<O: EventTimeOf + 'static>(
        &self,
        time: impl Fn(&T) -> O + Send + Sync + 'static,
        watermarks: Watermarks<T>,
    ) -> Stream<T> {
        let (time, policy) = (Arc::new(time), self.policy);
        // User generators are made on the worker; the declaration is shared.
        let watermarks = std::sync::Mutex::new(watermarks);
        let make = move |init: &OperatorInit| {
            let w = watermarks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            Ok(GenerateWatermarks::new(init, policy, Arc::clone(&time), w))
        };
        let node = self.step(None, "event_time", &["out"], make);
        let mut stream = self.derive(node, 0);
        stream.timed = true;
        stream
    }

    /// Groups records by key: records of equal keys go to the same worker, in order.
    pub fn key_by<K: Key>(
        &self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> KeyedStream<K, T> {
        let key = Arc::new(key);
        let node = self.step(None, "key_by", &["out"], move |_| Ok(KeyBy::new(Arc::clone(&key))));
        let mut stream = self.derive(node, 0);
        let max_parallelism = self.graph.borrow_mut().key_groups();
        stream.partitioning = Partitioning::Exchange {
            label: "by key",
            partitioner: Arc::new(move |_| Box::new(ByKeyGroup::<K, T>::new(max_parallelism))),
        };
        KeyedStream { stream }
    }

    /// The next step gets batches dealt to all workers in turn.
    pub fn rebalance(&self) -> Stream<T> {
        let mut stream = self.clone();
        stream.partitioning = Partitioning::Exchange {
            label: "rebalance",
            partitioner: Arc::new(|worker| Box::new(Rebalance::<T>::new(worker))),
        };
        stream
    }

    /// The next step gets every record on every worker.
    pub fn broadcast(&self) -> Stream<T> {
        let mut stream = self.clone();
        stream.partitioning = Partitioning::Exchange {
            label: "broadcast",
            partitioner: Arc::new(|_| Box::new(Broadcast::<T>::new())),
        };
        stream
    }

    /// The next step gets the records of its own worker; the default, undoes `rebalance`.
    pub fn forward(&self) -> Stream<T> {
        let mut stream = self.clone();
        stream.partitioning = Partitioning::Forward;
        stream
    }

    /// Writes the records to `sink`.
    pub fn sink<S: Sink<Record = T>>(&self, name: &str, sink: S) {
        let node = Node {
            name: name.to_owned(),
            label: "sink".into(),
            kind: NodeKind::Sink(Arc::new(sink)),
            outputs: Vec::new(),
        };
        let id = self.graph.borrow_mut().named(node);
        self.connect(id, 0);
    }
}

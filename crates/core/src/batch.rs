//! The type-erased batch: one `Vec<Timed<T>>` behind one pointer.
//!
//! Invariants: a batch that travels is never empty; every record in it came from the split named by
//! its tag, or the tag is [`SplitTag::NONE`] (after an exchange, a window, a union).

use std::any::{Any, type_name};

use crate::record::{Record, Timed};

/// Which split of the source in this fused chain a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SplitTag(pub u32);

impl SplitTag {
    /// Not from one split: after an exchange or an aggregation.
    pub const NONE: SplitTag = SplitTag(u32::MAX);
}

/// A vector of stamped records whose type has been erased. One dynamic call per batch.
pub trait AnyBatch: Any + Send {
    /// Number of records.
    fn len(&self) -> usize;
    /// Whether there is no record.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// A copy, for a stream that is read by more than one operator.
    fn clone_box(&self) -> Box<dyn AnyBatch>;
    /// For the downcast.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    /// For the downcast by reference.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// Name of the record type, for the message of a failed downcast.
    fn record_type(&self) -> &'static str;
}

impl<T: Record> AnyBatch for Vec<Timed<T>> {
    fn len(&self) -> usize {
        Vec::len(self)
    }
    fn clone_box(&self) -> Box<dyn AnyBatch> {
        Box::new(self.clone())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn record_type(&self) -> &'static str {
        type_name::<T>()
    }
}

/// Many records of one type, type-erased, with the split they came from.
#[derive(Default)]
pub struct Batch {
    split: Option<SplitTag>,
    records: Option<Box<dyn AnyBatch>>,
}

impl Batch {
    /// Wraps records that belong to no particular split.
    pub fn new<T: Record>(records: Vec<Timed<T>>) -> Self {
        Batch { split: None, records: Some(Box::new(records)) }
    }

    /// Wraps records that are kept in another form than a vector: columns, say.
    pub fn of(records: Box<dyn AnyBatch>) -> Self {
        Batch { split: None, records: Some(records) }
    }

    /// Takes the records out in the form they are kept in; none if the batch is empty.
    pub fn into_records(self) -> Option<Box<dyn AnyBatch>> {
        self.records
    }

    /// The records inside, in the form they are kept in; none if the batch is empty.
    pub fn records_mut(&mut self) -> Option<&mut dyn AnyBatch> {
        self.records.as_deref_mut()
    }

    /// The same records, tagged with the split they came from.
    pub fn with_split(mut self, split: SplitTag) -> Self {
        self.split = (split != SplitTag::NONE).then_some(split);
        self
    }

    /// The split the records came from.
    pub fn split(&self) -> SplitTag {
        self.split.unwrap_or(SplitTag::NONE)
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.as_ref().map_or(0, |r| r.len())
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the records out as what they are.
    ///
    /// # Panics
    /// When the batch holds another type: the typed API makes that impossible, so it is our bug.
    #[expect(clippy::panic, reason = "a batch of another type is a broken invariant of the engine")]
    pub fn take<T: Record>(self) -> Vec<Timed<T>> {
        let Some(records) = self.records else { return Vec::new() };
        let found = records.record_type();
        match records.into_any().downcast::<Vec<Timed<T>>>() {
            Ok(records) => *records,
            Err(_) => panic!("batch holds {found}, operator expects {}", type_name::<T>()),
        }
    }

    /// The vector inside, created when the batch is empty: for accumulating per target.
    #[expect(clippy::panic, reason = "a batch of another type is a broken invariant of the engine")]
    pub fn as_mut_vec<T: Record>(&mut self) -> &mut Vec<Timed<T>> {
        let records = self.records.get_or_insert_with(|| Box::new(Vec::<Timed<T>>::new()));
        match records.as_any_mut().downcast_mut::<Vec<Timed<T>>>() {
            Some(records) => records,
            None => panic!("batch does not hold {}", type_name::<T>()),
        }
    }
}

impl Clone for Batch {
    fn clone(&self) -> Self {
        Batch { split: self.split, records: self.records.as_ref().map(|r| (**r).clone_box()) }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.records.as_ref().map_or("nothing", |r| r.record_type());
        write!(f, "Batch({} x {kind})", self.len())
    }
}

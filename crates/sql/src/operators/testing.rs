//! Helpers of the operators' tests: chunks as text in, chunks as text out, and a driver that can
//! crash and restore an operator.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt8Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use headwater_core::block::BlockSink;
use headwater_core::{
    Batch, Epoch, EventTime, KeyGroup, KeyGroupRange, ProcessingTime, RowKind, SplitTag,
};
use headwater_operators::{Operator, OperatorContext, OperatorInit};

use crate::rows::{Chunk, Rows, kind_code};

pub(crate) fn schema(fields: &[Field]) -> SchemaRef {
    Arc::new(Schema::new(fields.to_vec()))
}

pub(crate) fn int(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

pub(crate) fn float(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

pub(crate) fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

pub(crate) fn boolean(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

/// A TIMESTAMP(3), in tests written as milliseconds.
pub(crate) fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), true)
}

fn column(field: &Field, values: &[&str]) -> ArrayRef {
    let some = |v: &&str| (*v != "NULL").then(|| (*v).to_owned());
    let values = values.iter().map(some);
    match field.data_type() {
        DataType::Int64 => {
            Arc::new(values.map(|v| v.map(|v| v.parse().unwrap())).collect::<Int64Array>())
        }
        DataType::Float64 => {
            Arc::new(values.map(|v| v.map(|v| v.parse().unwrap())).collect::<Float64Array>())
        }
        DataType::Boolean => {
            Arc::new(values.map(|v| v.map(|v| v.parse().unwrap())).collect::<BooleanArray>())
        }
        DataType::Utf8 => Arc::new(values.collect::<StringArray>()),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            let values = values.map(|v| v.map(|v| v.parse().unwrap()));
            Arc::new(values.collect::<TimestampMillisecondArray>())
        }
        other => panic!("no test column of {other}"),
    }
}

/// Rows like `+I 1 a | -U NULL b`; after `@` the watermark that a row was read under.
pub(crate) fn chunk(schema: &SchemaRef, rows: &str) -> Chunk {
    let rows: Vec<&str> = rows.split('|').map(str::trim).filter(|r| !r.is_empty()).collect();
    let (mut kinds, mut read_at) = (Vec::new(), Vec::new());
    let mut values: Vec<Vec<&str>> = vec![Vec::new(); schema.fields().len()];
    for row in &rows {
        let (row, late) = row
            .split_once('@')
            .map_or((*row, i64::MIN), |(row, at)| (row, at.trim().parse().unwrap()));
        read_at.push(late);
        let mut words = row.split_whitespace();
        kinds.push(kind_code(match words.next().unwrap() {
            "+I" => RowKind::Insert,
            "-U" => RowKind::UpdateBefore,
            "+U" => RowKind::UpdateAfter,
            "-D" => RowKind::Delete,
            other => panic!("no row kind {other}"),
        }));
        let before = values[0].len();
        for (column, word) in values.iter_mut().zip(words) {
            column.push(word);
        }
        assert!(values.iter().all(|c| c.len() == before + 1), "values of {row:?}");
    }
    let columns = schema.fields().iter().zip(&values).map(|(f, v)| column(f, v)).collect();
    let late = read_at.iter().any(|at| *at != i64::MIN);
    Chunk {
        data: RecordBatch::try_new(Arc::clone(schema), columns).unwrap(),
        kinds: kinds.iter().any(|k| *k != 0).then(|| UInt8Array::from(kinds)),
        read_at: late.then(|| Int64Array::from(read_at)),
    }
}

/// The rows of a chunk as text; timestamps without zone as milliseconds.
pub(crate) fn lines(chunk: &Chunk) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayRef> = chunk
        .data
        .columns()
        .iter()
        .map(|c| match c.data_type() {
            DataType::Timestamp(TimeUnit::Millisecond, None) => {
                datafusion::arrow::compute::cast(c, &DataType::Int64).unwrap()
            }
            _ => Arc::clone(c),
        })
        .collect();
    let columns: Vec<_> =
        columns.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
    let row = |row: usize| {
        let values = columns.iter().map(|c| c.value(row).to_string());
        std::iter::once(chunk.kind(row).to_string()).chain(values).collect::<Vec<_>>().join(" ")
    };
    (0..chunk.len()).map(row).collect()
}

/// What was emitted since the last call.
pub(crate) fn drain(cx: &mut OperatorContext) -> Vec<String> {
    let emitted: Vec<_> = cx.emitted.drain(..).collect();
    emitted.into_iter().flat_map(|(_, b)| Rows::of(b)).flat_map(|c| lines(&c)).collect()
}

pub(crate) fn init() -> OperatorInit {
    OperatorInit { name: "step".into(), worker: 0, workers: 1, key_groups: KeyGroupRange::all(16) }
}

/// Drives one operator, and replaces it by a restored one when told to.
pub(crate) struct Driver<O> {
    make: Box<dyn Fn() -> O>,
    pub(crate) operator: O,
    pub(crate) cx: OperatorContext,
    pub(crate) now: ProcessingTime,
    watermark: EventTime,
    epoch: Epoch,
    blocks: Vec<(String, KeyGroup, Vec<u8>)>,
}

#[derive(Default)]
struct Blocks(Vec<(String, KeyGroup, Vec<u8>)>);

impl BlockSink for Blocks {
    fn block(&mut self, name: &str, group: KeyGroup, _entries: u32, bytes: &[u8]) {
        self.0.push((name.to_owned(), group, bytes.to_vec()));
    }
}

impl<O: Operator> Driver<O> {
    pub(crate) fn new(make: impl Fn() -> O + 'static) -> Self {
        Driver {
            operator: make(),
            make: Box::new(make),
            cx: OperatorContext::new(ProcessingTime(0)),
            now: ProcessingTime(0),
            watermark: EventTime::MIN,
            epoch: Epoch(1),
            blocks: Vec::new(),
        }
    }

    fn enter(&mut self) {
        self.cx.enter(self.now, self.watermark, SplitTag::NONE);
    }

    pub(crate) fn send(&mut self, chunk: Chunk) -> Vec<String> {
        self.enter();
        self.operator.process(0, Batch::from(chunk), &mut self.cx).unwrap();
        drain(&mut self.cx)
    }

    pub(crate) fn watermark(&mut self, at: i64) -> Vec<String> {
        if EventTime(at) <= self.watermark {
            return Vec::new();
        }
        self.watermark = EventTime(at);
        self.enter();
        self.operator.on_watermark(EventTime(at), &mut self.cx).unwrap();
        drain(&mut self.cx)
    }

    pub(crate) fn clock(&mut self, now: i64) -> Vec<String> {
        self.now = ProcessingTime(now);
        self.enter();
        if self.operator.wake_at().is_some_and(|at| at <= self.now) {
            self.operator.on_processing_time(&mut self.cx).unwrap();
        }
        drain(&mut self.cx)
    }

    /// Takes a checkpoint and goes on with an operator restored from it; its watermark starts over.
    pub(crate) fn restart(&mut self) {
        let parts = self.operator.snapshot(self.epoch).unwrap();
        for table in self.operator.tables() {
            table.freeze(self.epoch).unwrap();
            let mut blocks = Blocks::default();
            while !table.encode(64, &mut blocks).unwrap() {}
            self.blocks.extend(blocks.0);
        }
        self.operator = (self.make)();
        self.operator.restore(&parts).unwrap();
        for table in self.operator.tables() {
            let name = table.info().name;
            for (of, group, block) in &self.blocks {
                if *of == name {
                    table.load(*group, block).unwrap();
                }
            }
            table.start_after(self.epoch);
        }
        self.operator.restored().unwrap();
        self.epoch = self.epoch.next();
        self.watermark = EventTime::MIN;
    }
}

/// The rows that are there after a changelog, sorted.
pub(crate) fn fold(changes: &[String]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for change in changes {
        let (kind, row) = change.split_once(' ').unwrap_or((change, ""));
        match kind {
            "+I" | "+U" => rows.push(row.to_owned()),
            _ => {
                let at = rows.iter().position(|r| r == row);
                rows.swap_remove(at.unwrap_or_else(|| panic!("{change:?} takes back nothing")));
            }
        }
    }
    rows.sort();
    rows
}

/// A call of an aggregate function over test columns.
pub(crate) fn call(
    function: super::AggFunction,
    args: &[usize],
    output: DataType,
) -> super::AggCall {
    let name = format!("{function:?}({args:?})");
    super::AggCall {
        function,
        args: args.to_vec(),
        filter: None,
        distinct: false,
        output: Arc::new(Field::new(name, output, true)),
    }
}

/// The fields of keys, of results, and more: the output of an aggregation.
pub(crate) fn output(keys: &[Field], calls: &[super::AggCall], more: &[Field]) -> SchemaRef {
    let results = calls.iter().map(|call| call.output.as_ref().clone());
    let fields = keys.iter().cloned().chain(results).chain(more.iter().cloned());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A value or NULL.
pub(crate) fn show<T: std::fmt::Debug>(value: Option<T>) -> String {
    value.map_or("NULL".to_owned(), |value| format!("{value:?}").replace('"', ""))
}

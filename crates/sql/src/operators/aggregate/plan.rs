//! From aggregate calls to slots: which state each needs and where it lies.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use headwater_core::{Error, Result};

use super::distinct::MOST_CALLS;
use super::udaf::Udaf;
use super::{AggCall, AggFunction};
use crate::keys::{RowCodec, sort::is_ordered, words};

/// Where the values of DISTINCT are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistinctIn {
    /// In the state of the group: for groups that do not live long.
    Groups,
    /// In tables of their own, entry by entry: see [`super::distinct`].
    Tables,
}

/// What is kept for a slot.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// 1 word.
    Count,
    /// 3 words: a sum of 128 bits, and the number of values.
    SumInt,
    /// 2 words: the sum, and the number of values; with retractions also how many of these are NaN,
    /// infinite, and minus infinite, which cannot be subtracted.
    SumFloat,
    /// 2 words (value, whether there is one) or 1 blob; with retractions 1 blob of all values.
    Extreme { max: bool },
    /// 2 words or 1 blob; with retractions 1 blob of all values.
    Edge { last: bool },
    /// 1 blob; with retractions of all values.
    List { separator: String },
    /// 1 blob.
    Sketch,
    /// 1 blob.
    Udaf(Udaf),
}

/// How the values of a DISTINCT slot are found.
#[derive(Clone, Debug)]
pub(super) enum Distinct {
    /// In this blob.
    Inline { blob: usize },
    /// In this view of the tables, as the next of its calls.
    Table { view: usize },
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    /// Whether the state is word 0 and so counts itself.
    pub(super) is_rows: bool,
    pub(super) args: Vec<usize>,
    pub(super) codec: RowCodec,
    pub(super) filter: Option<usize>,
    pub(super) distinct: Option<Distinct>,
    pub(super) word: usize,
    pub(super) blob: usize,
    /// Whether the value fits a word.
    pub(super) in_words: bool,
    /// Name of the first argument, for errors.
    pub(super) column: String,
}

impl Slot {
    /// The view of the tables in which its DISTINCT values are.
    pub(super) fn view(&self) -> Option<usize> {
        match self.distinct {
            Some(Distinct::Table { view }) => Some(view),
            _ => None,
        }
    }

    pub(super) fn arg_type(&self) -> &DataType {
        self.codec.types().first().unwrap_or(&DataType::Null)
    }
}

/// What is made of a slot's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Count,
    Sum,
    Avg,
    Value,
}

#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) slot: usize,
    pub(super) finish: Finish,
    pub(super) field: FieldRef,
}

/// Arguments whose DISTINCT values are kept together, and how many calls ask for them.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) args: Vec<usize>,
    pub(super) codec: RowCodec,
    pub(super) calls: usize,
}

/// The aggregates of a query, compiled.
#[derive(Clone, Debug)]
pub struct Aggregates {
    pub(super) slots: Vec<Slot>,
    pub(super) outputs: Vec<Output>,
    pub(super) views: Vec<View>,
    pub(super) retract: bool,
    pub(super) width: usize,
    pub(super) blob_width: usize,
}

impl Aggregates {
    /// Compiles calls over rows of `input`, with retractions or without.
    ///
    /// # Errors
    /// Of kind `Plan`: a function is not defined for its arguments.
    pub fn new(
        calls: &[AggCall],
        input: &SchemaRef,
        retract: bool,
        distinct: DistinctIn,
    ) -> Result<Self> {
        let mut aggregates = Aggregates {
            slots: Vec::new(),
            outputs: Vec::new(),
            views: Vec::new(),
            retract,
            width: 1,
            blob_width: 0,
        };
        let mut known: Vec<Option<String>> = Vec::new();
        for call in calls {
            let slot = aggregates.slot(call, input)?;
            let name = same(&slot);
            let slot = match known.iter().position(|k| k.is_some() && *k == name) {
                Some(at) => at,
                None => {
                    known.push(name);
                    aggregates.add(slot, call, distinct)?;
                    aggregates.slots.len() - 1
                }
            };
            let finish = match call.function {
                AggFunction::CountStar | AggFunction::Count => Finish::Count,
                AggFunction::Sum => Finish::Sum,
                AggFunction::Avg => Finish::Avg,
                AggFunction::ApproxCountDistinct if retract => Finish::Count,
                _ => Finish::Value,
            };
            let field = Arc::clone(&call.output);
            aggregates.outputs.push(Output { slot, finish, field });
        }
        Ok(aggregates)
    }

    /// Words of a group.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Blobs of a group.
    pub fn blob_width(&self) -> usize {
        self.blob_width
    }

    /// Number of results.
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Whether there is no aggregate.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Whether some function keeps DISTINCT values.
    pub fn has_distinct(&self) -> bool {
        self.slots.iter().any(|slot| slot.distinct.is_some())
    }

    fn slot(&self, call: &AggCall, input: &SchemaRef) -> Result<Slot> {
        let state = state_of(call, input, self.retract)?;
        let (mut args, mut distinct) = (call.args.clone(), call.distinct);
        match call.function {
            AggFunction::CountStar => (args, distinct) = (Vec::new(), false),
            AggFunction::Min | AggFunction::Max => distinct = false,
            AggFunction::ApproxCountDistinct => distinct = self.retract,
            _ => {}
        }
        let nullable = args.iter().any(|a| input.field(*a).is_nullable());
        let is_count = matches!(state, State::Count);
        let is_rows = is_count && !distinct && !nullable && call.filter.is_none();
        let codec = RowCodec::of_columns(input, &args)?;
        let in_words = codec.types().first().is_some_and(words::is_word);
        let column = args.first().map_or("*", |a| input.field(*a).name()).to_owned();
        if is_rows {
            args.clear();
        }
        Ok(Slot {
            state,
            is_rows,
            args,
            codec,
            filter: call.filter,
            distinct: distinct.then_some(Distinct::Inline { blob: 0 }),
            word: 0,
            blob: 0,
            in_words,
            column,
        })
    }

    /// Gives a slot its place.
    fn add(&mut self, mut slot: Slot, call: &AggCall, distinct: DistinctIn) -> Result<()> {
        let retract = self.retract;
        let (words, blobs) = match &slot.state {
            State::Count if slot.is_rows => (0, 0),
            State::Count => (1, 0),
            State::SumInt => (3, 0),
            State::SumFloat => (if retract { 5 } else { 2 }, 0),
            State::Extreme { .. } | State::Edge { .. } if slot.in_words && !retract => (2, 0),
            _ => (0, 1),
        };
        slot.word = if slot.is_rows { 0 } else { self.width };
        slot.blob = self.blob_width;
        self.width += words;
        self.blob_width += blobs;
        if slot.distinct.is_some() {
            let in_table = distinct == DistinctIn::Tables;
            slot.distinct = Some(if in_table {
                self.view(&slot)
            } else {
                self.blob_width += 1;
                Distinct::Inline { blob: self.blob_width - 1 }
            });
            if let State::Udaf(_) = slot.state {
                let name = call.output.name();
                return Err(Error::plan(format!("DISTINCT is not supported in {name:?}")));
            }
        }
        self.slots.push(slot);
        Ok(())
    }

    fn view(&mut self, slot: &Slot) -> Distinct {
        let room = |v: &View| v.args == slot.args && v.calls < MOST_CALLS;
        let at = self.views.iter().position(room);
        let view = at.unwrap_or_else(|| {
            let (args, codec) = (slot.args.clone(), slot.codec.clone());
            self.views.push(View { args, codec, calls: 0 });
            self.views.len() - 1
        });
        self.views[view].calls += 1;
        Distinct::Table { view }
    }
}

/// What makes two slots the same; none for those that are never shared.
fn same(slot: &Slot) -> Option<String> {
    if let State::Udaf(_) = slot.state {
        return None;
    }
    let Slot { state, is_rows, args, filter, distinct, .. } = slot;
    let distinct = distinct.is_some();
    Some(format!("{state:?} {is_rows} {args:?} {filter:?} {distinct}"))
}

fn state_of(call: &AggCall, input: &SchemaRef, retract: bool) -> Result<State> {
    let name = call.output.name();
    let arg = call.args.first().map(|a| input.field(*a).data_type());
    let undefined = |function: &str| {
        let of = arg.map_or("nothing".to_owned(), ToString::to_string);
        Error::plan(format!("{function} is not defined for {of} ({name:?})"))
    };
    use DataType::*;
    Ok(match &call.function {
        AggFunction::CountStar | AggFunction::Count => State::Count,
        AggFunction::ApproxCountDistinct if retract => State::Count,
        AggFunction::ApproxCountDistinct => State::Sketch,
        AggFunction::Sum | AggFunction::Avg => match arg {
            Some(Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64) => State::SumInt,
            Some(Decimal128(..)) => State::SumInt,
            Some(Float32 | Float64) => State::SumFloat,
            _ if matches!(call.function, AggFunction::Sum) => return Err(undefined("SUM")),
            _ => return Err(undefined("AVG")),
        },
        AggFunction::Min | AggFunction::Max => {
            let max = matches!(call.function, AggFunction::Max);
            if !arg.is_some_and(is_ordered) {
                return Err(undefined(if max { "MAX" } else { "MIN" }));
            }
            State::Extreme { max }
        }
        AggFunction::FirstValue => State::Edge { last: false },
        AggFunction::LastValue => State::Edge { last: true },
        AggFunction::ListAgg(separator) => match arg {
            Some(Utf8) => State::List { separator: separator.clone() },
            _ => return Err(undefined("LISTAGG")),
        },
        AggFunction::Udaf(function) => State::Udaf(Udaf::new(function, retract)?),
    })
}

impl Aggregates {
    /// Whether the number of rows, which is word 0, is one of the results.
    pub fn counts_rows(&self) -> bool {
        self.outputs.iter().any(|output| self.slots[output.slot].is_rows)
    }
}

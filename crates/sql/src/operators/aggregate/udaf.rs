//! Functions that DataFusion runs: the accumulator's state is kept as the row of its state columns.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::logical_expr::Accumulator;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::scalar::ScalarValue;
use headwater_core::{Error, Result};

use super::state::{Blob, Groups};
use crate::keys::RowCodec;
use crate::operators::chunks::{datafusion_error, take_rows};

#[derive(Clone, Debug)]
pub(super) struct Udaf {
    function: Arc<AggregateFunctionExpr>,
    state: RowCodec,
    retract: bool,
}

impl Udaf {
    pub(super) fn new(function: &Arc<AggregateFunctionExpr>, retract: bool) -> Result<Self> {
        let fields = function.state_fields().map_err(datafusion_error)?;
        let state = RowCodec::new(fields.iter().map(|f| f.data_type().clone()).collect())?;
        if retract {
            let accumulator = function.create_sliding_accumulator();
            if !accumulator.is_ok_and(|a| a.supports_retract_batch()) {
                let name = function.fun().name();
                let message = format!("{name} is not supported over rows that are taken back");
                return Err(Error::plan(message));
            }
        }
        Ok(Udaf { function: Arc::clone(function), state, retract })
    }

    fn load(&self, blob: &Blob) -> Result<Box<dyn Accumulator>> {
        let accumulator = match self.retract {
            true => self.function.create_sliding_accumulator(),
            false => self.function.create_accumulator(),
        };
        let mut accumulator = accumulator.map_err(datafusion_error)?;
        if let Blob::Bytes(bytes) = blob {
            let state = self.state.decode(std::iter::once(bytes.as_slice()))?;
            accumulator.merge_batch(&state).map_err(datafusion_error)?;
        }
        Ok(accumulator)
    }

    fn store(&self, mut accumulator: Box<dyn Accumulator>) -> Result<Blob> {
        let state = accumulator.state().map_err(datafusion_error)?;
        let columns = state.iter().map(ScalarValue::to_array);
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(datafusion_error)?;
        Ok(Blob::Bytes(self.state.encode(&columns, 1)?.row(0).to_vec()))
    }

    /// Adds rows to their groups, or takes them back.
    pub(super) fn update(
        &self,
        args: &[ArrayRef],
        signs: Option<&[i8]>,
        of: &[u32],
        at: usize,
        groups: &mut Groups,
    ) -> Result<()> {
        let sign = |row: u32| signs.map_or(1, |s| s[row as usize]);
        let mut rows: Vec<u32> = (0..of.len() as u32).filter(|row| sign(*row) != 0).collect();
        rows.sort_by_key(|row| of[*row as usize]);
        for run in rows.chunk_by(|a, b| of[*a as usize] == of[*b as usize]) {
            let group = of[run[0] as usize];
            let mut accumulator = self.load(groups.blob(group, at))?;
            for same in run.chunk_by(|a, b| sign(*a) == sign(*b)) {
                let values = take_rows(args, &UInt32Array::from(same.to_vec()))?;
                let done = if sign(same[0]) > 0 {
                    accumulator.update_batch(&values)
                } else {
                    accumulator.retract_batch(&values)
                };
                done.map_err(datafusion_error)?;
            }
            *groups.blob(group, at) = self.store(accumulator)?;
        }
        Ok(())
    }

    /// Adds the state in `from` to that in `into`.
    pub(super) fn merge(&self, into: &mut Blob, from: &Blob) -> Result<()> {
        if let Blob::Bytes(bytes) = from {
            let mut accumulator = self.load(into)?;
            let state = self.state.decode(std::iter::once(bytes.as_slice()))?;
            accumulator.merge_batch(&state).map_err(datafusion_error)?;
            *into = self.store(accumulator)?;
        }
        Ok(())
    }

    /// The result.
    pub(super) fn finish(&self, blob: &Blob) -> Result<ScalarValue> {
        self.load(blob)?.evaluate().map_err(datafusion_error)
    }
}

//! Table functions: a step that puts rows beside what the function makes of each.

use std::sync::Arc;

use datafusion::logical_expr::UserDefinedLogicalNodeCore;

use super::Translator;
use crate::error::SqlResult;
use crate::planner::nodes::correlate::CorrelateNode;
use crate::planner::step::{Identity, Op, Step, Traits, WindowColumns};

impl Translator {
    pub(super) fn correlate(&mut self, node: &CorrelateNode) -> SqlResult<Arc<Step>> {
        let input = self.step(&node.input, None)?;
        let correlation = node.correlation()?;
        let schema = Arc::new(node.schema().as_arrow().clone());
        let keep = &correlation.keep;
        let made = schema.fields().len() - keep.len();
        let place = |column: usize| keep.iter().position(|kept| *kept == column);
        let window = input.traits.window.map(|w| WindowColumns {
            start: w.start.and_then(place),
            end: w.end.and_then(place),
            time: w.time.and_then(place),
            kind: w.kind,
        });
        let mut time: Vec<_> = keep.iter().map(|c| input.traits.time[*c]).collect();
        time.extend(vec![None; made]);
        // A row may stand there several times: what told rows apart no longer does.
        let traits = Traits {
            keys: Vec::new(),
            time,
            window: window.filter(|w| w.start.is_some() || w.end.is_some() || w.time.is_some()),
            ..input.traits.clone()
        };
        let of = &input.identity.columns;
        let args: Vec<&str> = correlation.args.iter().map(|arg| of[*arg].as_str()).collect();
        let join = if correlation.outer { "outer " } else { "" };
        let call = format!("{join}{}({})", correlation.function.name(), args.join(", "));
        let rows = Identity::short(format!("{} beside {call}", input.identity.rows));
        let mut columns: Vec<String> = keep.iter().map(|c| of[*c].clone()).collect();
        columns.extend((0..made).map(|n| Identity::short(format!("{n} of {call}"))));
        let identity = Identity { rows, columns };
        Ok(self.make(Op::Correlate(correlation), vec![input], schema, traits, identity))
    }
}

//! Fields of rows that nobody reads are not read: of `bid ROW<auction, price, …>` a query that says
//! `bid.price` wants one field of the source.
//!
//! DataFusion prunes whole columns; this goes on within them, over the steps of all queries of a
//! job. Identities stay as they are: what a column holds for those who read it does not change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Literal;

use super::growth::all_steps;
use super::step::{Op, PhysExpr, SourceHandle, Step};
use super::translate::column_of;
use crate::connectors::{self, ConnectorContext};
use crate::error::SqlResult;
use crate::operators::correlate::Correlation;

/// Name of the function that takes a field of a row.
const GET_FIELD: &str = "get_field";

/// What is read of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Need {
    /// Only these fields.
    Fields(BTreeMap<String, Need>),
    All,
}

impl Default for Need {
    fn default() -> Self {
        Need::Fields(BTreeMap::new())
    }
}

impl Need {
    fn add(&mut self, other: &Need) {
        match (&mut *self, other) {
            (Need::All, _) => {}
            (_, Need::All) => *self = Need::All,
            (Need::Fields(mine), Need::Fields(theirs)) => {
                for (name, need) in theirs {
                    mine.entry(name.clone()).or_default().add(need);
                }
            }
        }
    }

    /// The type with the fields that are read; none: as it is.
    fn narrow(&self, data_type: &DataType) -> Option<DataType> {
        let (Need::Fields(wanted), DataType::Struct(fields)) = (self, data_type) else {
            return None;
        };
        if wanted.is_empty() {
            // Whether the row is NULL may matter.
            return None;
        }
        let kept: Vec<FieldRef> = fields
            .iter()
            .filter_map(|field| {
                let narrow = wanted.get(field.name())?.narrow(field.data_type());
                Some(match narrow {
                    Some(narrow) => Arc::new(field.as_ref().clone().with_data_type(narrow)),
                    None => Arc::clone(field),
                })
            })
            .collect();
        Some(DataType::Struct(Fields::from(kept)))
    }
}

/// The steps with sources that give only what is read.
///
/// # Errors
/// When a source cannot be made again.
pub(crate) fn prune(
    roots: Vec<Arc<Step>>,
    connectors: &ConnectorContext,
) -> SqlResult<Vec<Arc<Step>>> {
    let needs = needs(&roots);
    let mut rebuilt: HashMap<*const Step, Arc<Step>> = HashMap::new();
    for step in all_steps(roots.iter()) {
        let new = rebuild(step, &needs, &rebuilt, connectors)?;
        rebuilt.insert(Arc::as_ptr(step), new);
    }
    Ok(roots.iter().map(|r| Arc::clone(&rebuilt[&Arc::as_ptr(r)])).collect())
}

type Needs = HashMap<*const Step, Vec<Need>>;

/// What is read of each step's columns, by anybody.
fn needs(roots: &[Arc<Step>]) -> Needs {
    let mut needs: Needs = HashMap::new();
    for step in all_steps(roots.iter()) {
        needs.insert(Arc::as_ptr(step), vec![Need::default(); step.schema.fields().len()]);
    }
    for root in roots {
        needs.insert(Arc::as_ptr(root), vec![Need::All; root.schema.fields().len()]);
    }
    // Those who read come before those who are read.
    for step in all_steps(roots.iter()).into_iter().rev() {
        let mine = needs.get(&Arc::as_ptr(step)).cloned().unwrap_or_default();
        for input in &step.inputs {
            let read = read_of(step, input, &mine);
            if let Some(known) = needs.get_mut(&Arc::as_ptr(input)) {
                known.iter_mut().zip(&read).for_each(|(known, read)| known.add(read));
            }
        }
    }
    needs
}

/// What a step reads of an input, given what is read of the step.
fn read_of(step: &Step, input: &Step, mine: &[Need]) -> Vec<Need> {
    let width = input.schema.fields().len();
    let mut read = vec![Need::default(); width];
    match &step.op {
        Op::Calc { filter, project } => {
            for (expr, need) in project.iter().zip(mine) {
                uses(expr, need, &mut read);
            }
            filter.iter().for_each(|filter| uses(filter, &Need::All, &mut read));
        }
        Op::Watermark { rowtime, expr, .. } => {
            read.iter_mut().zip(mine).for_each(|(read, mine)| read.add(mine));
            read[*rowtime] = Need::All;
            uses(expr, &Need::All, &mut read);
        }
        Op::AssignWindows { window, keys } => {
            read.iter_mut().zip(mine).for_each(|(read, mine)| read.add(mine));
            read[window.time] = Need::All;
            keys.iter().for_each(|key| read[*key] = Need::All);
        }
        Op::Correlate(Correlation { args, keep, .. }) => {
            keep.iter().zip(mine).for_each(|(column, mine)| read[*column].add(mine));
            args.iter().for_each(|arg| read[*arg] = Need::All);
        }
        Op::Limit { .. } => {
            read.iter_mut().zip(mine).for_each(|(read, mine)| read.add(mine));
        }
        // Inputs of a union have one type, so none is narrowed for it.
        _ => read.fill(Need::All),
    }
    read
}

/// Adds what an expression reads of the columns, if `need` is read of its value.
fn uses(expr: &PhysExpr, need: &Need, read: &mut [Need]) {
    if let Some((column, path)) = path_of(expr) {
        let wrap = |need: Need, name: &String| Need::Fields(BTreeMap::from([(name.clone(), need)]));
        let need = path.iter().rev().fold(need.clone(), wrap);
        if let Some(read) = read.get_mut(column) {
            read.add(&need);
        }
        return;
    }
    for child in expr.children() {
        uses(child, &Need::All, read);
    }
}

/// The column and the fields within it that an expression is, if it is that.
fn path_of(expr: &PhysExpr) -> Option<(usize, Vec<String>)> {
    if let Some(column) = column_of(expr) {
        return Some((column, Vec::new()));
    }
    let call = expr.downcast_ref::<ScalarFunctionExpr>().filter(|f| f.name() == GET_FIELD)?;
    let (of, names) = call.args().split_first()?;
    let (column, mut path) = path_of(of)?;
    for name in names {
        match name.downcast_ref::<Literal>()?.value() {
            ScalarValue::Utf8(Some(name))
            | ScalarValue::LargeUtf8(Some(name))
            | ScalarValue::Utf8View(Some(name)) => path.push(name.clone()),
            _ => return None,
        }
    }
    Some((column, path))
}

fn rebuild(
    step: &Arc<Step>,
    needs: &Needs,
    rebuilt: &HashMap<*const Step, Arc<Step>>,
    connectors: &ConnectorContext,
) -> SqlResult<Arc<Step>> {
    let inputs: Vec<Arc<Step>> = step
        .inputs
        .iter()
        .map(|i| rebuilt.get(&Arc::as_ptr(i)).map_or_else(|| Arc::clone(i), Arc::clone))
        .collect();
    let mine = needs.get(&Arc::as_ptr(step)).cloned().unwrap_or_default();
    let schema = narrowed(step, &mine, &inputs);
    let unchanged = schema == step.schema
        && inputs.iter().zip(&step.inputs).all(|(new, old)| Arc::ptr_eq(new, old));
    if unchanged {
        return Ok(Arc::clone(step));
    }
    let op = match &step.op {
        Op::Scan { table, .. } => {
            let source = connectors::source(table, Some(&schema), connectors)?;
            Op::Scan { table: Arc::clone(table), source: SourceHandle(source) }
        }
        other => other.clone(),
    };
    let (traits, identity) = (step.traits.clone(), step.identity.clone());
    Ok(Arc::new(Step { op, inputs, schema, traits, identity }))
}

/// The schema of a step whose source has only the fields that are read, and whose columns are as
/// they are handed on by its inputs.
fn narrowed(step: &Step, mine: &[Need], inputs: &[Arc<Step>]) -> SchemaRef {
    let input = inputs.first().map(|i| &i.schema);
    let narrow = |at: usize, field: &FieldRef| -> Option<DataType> {
        match &step.op {
            Op::Scan { .. } => mine.get(at)?.narrow(field.data_type()),
            Op::Calc { project, .. } => {
                let (column, path) = path_of(project.get(at)?)?;
                let handed_on = input?.fields().get(column)?.data_type();
                path.iter().try_fold(handed_on, |at, name| field_of(at, name)).cloned()
            }
            Op::Correlate(Correlation { keep, .. }) => {
                let column = *keep.get(at)?;
                input?.fields().get(column).map(|f| f.data_type().clone())
            }
            Op::Watermark { .. } | Op::AssignWindows { .. } | Op::Limit { .. } => {
                input?.fields().get(at).map(|f| f.data_type().clone())
            }
            _ => None,
        }
    };
    let fields: Vec<FieldRef> = step
        .schema
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| match narrow(at, field) {
            Some(narrow) if narrow != *field.data_type() => {
                Arc::new(field.as_ref().clone().with_data_type(narrow))
            }
            _ => Arc::clone(field),
        })
        .collect();
    if fields.iter().zip(step.schema.fields()).all(|(a, b)| a == b) {
        return Arc::clone(&step.schema);
    }
    Arc::new(Schema::new_with_metadata(fields, step.schema.metadata().clone()))
}

/// The type of a field of a row.
fn field_of<'t>(data_type: &'t DataType, name: &str) -> Option<&'t DataType> {
    match data_type {
        DataType::Struct(fields) => fields.find(name).map(|(_, field)| field.data_type()),
        _ => None,
    }
}

//! From `CREATE TABLE` to a table: types, computed columns, key, watermark.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::sql::sqlparser::ast::{Expr, FunctionArguments, Ident, ObjectNamePart, Spanned};

use super::like::take_over;
use super::{ColumnKind, Table, simple_name, sql_type, type_name};
use crate::error::{Span, SqlError, SqlResult, codes};
use crate::syntax::{Column, CreateTable};

/// Tells an expression's type and whether it may be NULL, over columns of a schema.
pub type TypeOf<'a> = dyn Fn(&Expr, &SchemaRef) -> SqlResult<(DataType, bool)> + 'a;

/// A column whose type may not be known yet.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) span: Span,
    /// The type and whether NULL is in it; a computed column's is found later.
    pub(super) data_type: Option<(DataType, bool)>,
    pub(super) kind: ColumnKind,
    pub(super) comment: Option<String>,
}

/// Makes a table of `CREATE TABLE`; `like` is the table of its LIKE clause.
///
/// # Errors
/// When columns, key or watermark do not fit; the error has their place.
pub fn table(create: &CreateTable, like: Option<&Table>, types: &TypeOf<'_>) -> SqlResult<Table> {
    let columns = create.columns.iter().map(draft).collect::<SqlResult<Vec<_>>>()?;
    match (&create.like, like) {
        (Some(clause), Some(base)) => {
            let (create, columns) = take_over(create, columns, clause, base)?;
            finish(&create, columns, base_watermark(&create, clause, base), types)
        }
        (None, _) => finish(create, columns, None, types),
        (Some(_), None) => Err(SqlError::internal("the table of LIKE was not looked up")),
    }
}

/// Makes the table of `CREATE TABLE … AS query`: the query's columns follow those declared.
///
/// # Errors
/// As [`table`] does.
pub fn table_as(create: &CreateTable, query: &Schema, types: &TypeOf<'_>) -> SqlResult<Table> {
    let mut columns = create.columns.iter().map(draft).collect::<SqlResult<Vec<_>>>()?;
    for field in query.fields() {
        if columns.iter().all(|c| c.name != *field.name()) {
            columns.push(Draft {
                name: field.name().clone(),
                span: create.name.span(),
                data_type: Some((field.data_type().clone(), field.is_nullable())),
                kind: ColumnKind::Physical,
                comment: None,
            });
        }
    }
    finish(create, columns, None, types)
}

/// The watermark that comes from the other table, unless there is an own one.
fn base_watermark(
    create: &CreateTable,
    clause: &crate::syntax::Like,
    base: &Table,
) -> Option<(String, Expr)> {
    if create.watermark.is_some() || !super::like::keeps_watermark(clause) {
        return None;
    }
    let (index, expr) = base.watermark.as_ref()?;
    Some((base.field(*index).name().clone(), expr.clone()))
}

fn draft(column: &Column) -> SqlResult<Draft> {
    let ident = column.name();
    let typed = |data_type, not_null: bool| {
        sql_type(data_type)
            .map(|t| Some((t, !not_null)))
            .map_err(|e| e.or_at(ident.span).within(format!("column `{}`", ident.value)))
    };
    let (data_type, kind, comment) = match column {
        Column::Physical { data_type, not_null, comment, .. } => {
            (typed(data_type, *not_null)?, ColumnKind::Physical, comment)
        }
        Column::Computed { expr, comment, .. } => {
            (None, ColumnKind::Computed(expr.clone()), comment)
        }
        Column::Metadata { data_type, not_null, from, is_virtual, comment, .. } => {
            let key = from.clone().unwrap_or_else(|| ident.value.clone());
            let kind = ColumnKind::Metadata { key, is_virtual: *is_virtual };
            (typed(data_type, *not_null)?, kind, comment)
        }
    };
    Ok(Draft {
        name: ident.value.clone(),
        span: ident.span,
        data_type,
        kind,
        comment: comment.clone(),
    })
}

fn finish(
    create: &CreateTable,
    mut columns: Vec<Draft>,
    watermark: Option<(String, Expr)>,
    types: &TypeOf<'_>,
) -> SqlResult<Table> {
    let name = simple_name(&create.name)?;
    if columns.is_empty() {
        return Err(SqlError::new(codes::BAD_COLUMN, format!("table `{name}` has no columns"))
            .at(create.name.span()));
    }
    no_duplicates(&name, &columns)?;
    let primary_key = key(&name, create, &mut columns)?;
    compute_types(&mut columns, types)?;
    let fields: Vec<Field> = columns
        .iter()
        .map(|c| {
            let (data_type, nullable) = c.data_type.clone().unwrap_or((DataType::Null, true));
            Field::new(&c.name, data_type, nullable)
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let partitioned_by = partitions(&name, create, &columns)?;
    let watermark = watermark_of(create, watermark, &schema, types)?;
    let options = create.options.iter().map(|o| (o.key.clone(), o.value.clone())).collect();
    let option_spans =
        create.options.iter().map(|o| (o.key.clone(), (o.span, o.value_span))).collect();
    let column_comments: BTreeMap<String, String> = columns
        .iter()
        .filter_map(|c| c.comment.as_ref().map(|text| (c.name.clone(), text.clone())))
        .collect();
    Ok(Table {
        name,
        schema,
        columns: columns.into_iter().map(|c| c.kind).collect(),
        primary_key,
        watermark,
        options,
        option_spans,
        partitioned_by,
        comment: create.comment.clone(),
        column_comments,
        temporary: create.temporary,
    })
}

fn no_duplicates(table: &str, columns: &[Draft]) -> SqlResult<()> {
    let mut seen = std::collections::BTreeSet::new();
    match columns.iter().find(|c| !seen.insert(c.name.as_str())) {
        None => Ok(()),
        Some(twice) => Err(SqlError::new(
            codes::DUPLICATE_COLUMN,
            format!("table `{table}` has two columns `{}`", twice.name),
        )
        .at(twice.span)),
    }
}

fn find(table: &str, columns: &[Draft], wanted: &Ident, code: &'static str) -> SqlResult<usize> {
    columns.iter().position(|c| c.name == wanted.value).ok_or_else(|| {
        SqlError::new(code, format!("no column `{}` in table {table}", wanted.value))
            .at(wanted.span)
            .names(&wanted.value, "columns", columns.iter().map(|c| c.name.as_str()))
    })
}

/// The key's columns; they can't be NULL.
fn key(table: &str, create: &CreateTable, columns: &mut [Draft]) -> SqlResult<Vec<usize>> {
    let mut key = Vec::new();
    for ident in &create.primary_key {
        let index = find(table, columns, ident, codes::BAD_KEY)?;
        let wrong = |why: &str| {
            Err(SqlError::new(
                codes::BAD_KEY,
                format!("column `{}` of the primary key is {why}", ident.value),
            )
            .at(ident.span))
        };
        match columns[index].kind {
            ColumnKind::Computed(_) => return wrong("computed"),
            ColumnKind::Metadata { is_virtual: true, .. } => return wrong("virtual"),
            _ if key.contains(&index) => return wrong("there twice"),
            _ => {}
        }
        if let Some((_, nullable)) = &mut columns[index].data_type {
            *nullable = false;
        }
        key.push(index);
    }
    Ok(key)
}

fn partitions(table: &str, create: &CreateTable, columns: &[Draft]) -> SqlResult<Vec<usize>> {
    let mut found = Vec::new();
    for ident in &create.partitioned_by {
        let index = find(table, columns, ident, codes::BAD_COLUMN)?;
        if columns[index].kind != ColumnKind::Physical || found.contains(&index) {
            return Err(SqlError::new(
                codes::BAD_COLUMN,
                format!("a table can't be partitioned by `{}`", ident.value),
            )
            .at(ident.span)
            .help("PARTITIONED BY names physical columns, each once"));
        }
        found.push(index);
    }
    Ok(found)
}

/// Finds the types of computed columns, over the columns that are read.
fn compute_types(columns: &mut [Draft], types: &TypeOf<'_>) -> SqlResult<()> {
    let read: Vec<Field> = columns
        .iter()
        .filter_map(|c| c.data_type.as_ref().map(|(t, n)| Field::new(&c.name, t.clone(), *n)))
        .collect();
    let read = Arc::new(Schema::new(read));
    let computed: Vec<String> =
        columns.iter().filter(|c| c.data_type.is_none()).map(|c| c.name.clone()).collect();
    for column in columns.iter_mut() {
        let (ColumnKind::Computed(expr), None) = (&column.kind, &column.data_type) else {
            continue;
        };
        let found = if is_proctime(expr) {
            (DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false)
        } else {
            types(expr, &read).map_err(|mut e| {
                if e.code == codes::UNKNOWN_COLUMN
                    && computed.iter().any(|name| e.message.contains(&format!("`{name}`")))
                {
                    e.help.insert(0, "a computed column can't use another computed column".into());
                }
                e.or_at(column.span)
            })?
        };
        column.data_type = Some(found);
    }
    Ok(())
}

/// Whether an expression is `PROCTIME()`.
pub fn is_proctime(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let named = matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(i)]
        if i.value.eq_ignore_ascii_case("PROCTIME"));
    named
        && match &function.args {
            FunctionArguments::List(list) => list.args.is_empty(),
            FunctionArguments::None => true,
            FunctionArguments::Subquery(_) => false,
        }
}

fn watermark_of(
    create: &CreateTable,
    taken: Option<(String, Expr)>,
    schema: &SchemaRef,
    types: &TypeOf<'_>,
) -> SqlResult<Option<(usize, Expr)>> {
    let (column, expr) = match (&create.watermark, taken) {
        (Some(own), _) => (own.column.clone(), own.expr.clone()),
        (None, Some((name, expr))) => (Ident::new(name), expr),
        (None, None) => return Ok(None),
    };
    let wrong = |message: String| SqlError::new(codes::BAD_WATERMARK, message).at(column.span);
    let Ok(index) = schema.index_of(&column.value) else {
        return Err(wrong(format!("no column `{}` for the watermark", column.value)).names(
            &column.value,
            "columns",
            schema.fields().iter().map(|f| f.name().as_str()),
        ));
    };
    let data_type = schema.field(index).data_type();
    match data_type {
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _) => {}
        DataType::Timestamp(_, zone) => {
            let name = if zone.is_some() { "TIMESTAMP_LTZ" } else { "TIMESTAMP" };
            return Err(wrong(format!(
                "column `{}` of the watermark is {}, it must be {name}(3) or less",
                column.value,
                type_name(data_type)
            ))
            .help(format!("declare it as {name}(3)")));
        }
        _ => {
            return Err(wrong(format!(
                "column `{}` of the watermark is {}, it must be TIMESTAMP(3) or TIMESTAMP_LTZ(3)",
                column.value,
                type_name(data_type)
            ))
            .help("a computed column makes one: ts AS TO_TIMESTAMP_LTZ(millis, 3)"));
        }
    }
    let (of, _) = types(&expr, schema).map_err(|e| e.or_at(expr.span()))?;
    if !matches!(of, DataType::Timestamp(..)) {
        return Err(SqlError::new(
            codes::BAD_WATERMARK,
            format!("the watermark's expression is {}, it must be a timestamp", type_name(&of)),
        )
        .at(expr.span())
        .help(format!("write {0} - INTERVAL '5' SECOND", column.value)));
    }
    Ok(Some((index, expr)))
}

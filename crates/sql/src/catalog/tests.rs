//! Statements in, tables out; errors as they are drawn.

mod like;
mod tables;
mod types;

use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::sql::sqlparser::ast::{Expr, Value};
use std::fmt::Write as _;

use super::*;
use crate::error::{SqlError, SqlResult, codes};
use crate::syntax::{Statement, parse};

/// The types of a few kinds of expressions: the planner knows all of them.
fn type_of(expr: &Expr, schema: &SchemaRef) -> SqlResult<(DataType, bool)> {
    match expr {
        Expr::Identifier(name) => match schema.field_with_name(&name.value) {
            Ok(field) => Ok((field.data_type().clone(), field.is_nullable())),
            Err(_) => {
                Err(SqlError::new(codes::UNKNOWN_COLUMN, format!("no column `{}`", name.value))
                    .at(name.span))
            }
        },
        Expr::BinaryOp { left, .. } => type_of(left, schema),
        Expr::Cast { data_type, .. } => Ok((sql_type(data_type)?, true)),
        Expr::Value(v) if matches!(v.value, Value::Number(..)) => Ok((DataType::Int64, false)),
        Expr::Function(_) => {
            Ok((DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true))
        }
        _ => Ok((DataType::Utf8, true)),
    }
}

/// Runs the CREATE and DROP statements of a text.
fn run(catalog: &mut Catalog, text: &str) -> SqlResult<()> {
    for parsed in parse(text)? {
        match parsed.statement {
            Statement::CreateTable(create) => {
                let like = match &create.like {
                    Some(like) => Some(catalog.table(&like.table)?),
                    None => None,
                };
                let made = table(&create, like.as_deref(), &type_of)?;
                catalog.create_table(made, &create.name, create.if_not_exists)?;
            }
            Statement::CreateView(create) => {
                catalog.create_view(&create)?;
            }
            Statement::CreateFunction(create) => {
                catalog.create_function(&create)?;
            }
            Statement::Drop(drop) => {
                catalog.drop(drop.kind, &drop.name, drop.if_exists)?;
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

fn catalog(text: &str) -> Catalog {
    let mut catalog = Catalog::new();
    run(&mut catalog, text).unwrap();
    catalog
}

/// The error that a text ends with, drawn.
fn error(text: &str) -> String {
    match run(&mut Catalog::new(), text) {
        Ok(()) => format!("no error: {text}"),
        Err(error) => error.render(text, false),
    }
}

fn errors(texts: &[&str], expected: expect_test::Expect) {
    let drawn: Vec<String> = texts.iter().map(|text| error(text)).collect();
    expected.assert_eq(&drawn.join("\n"));
}

/// A table as the planner sees it.
fn describe(table: &Table) -> String {
    let mut out = format!("{}\n", table.name);
    for (field, kind) in table.schema.fields().iter().zip(&table.columns) {
        let null = if field.is_nullable() { "" } else { " not null" };
        let kind = match kind {
            ColumnKind::Physical => String::new(),
            ColumnKind::Computed(expr) => format!(" is {expr}"),
            ColumnKind::Metadata { key, is_virtual } => {
                format!(" metadata {key}{}", if *is_virtual { " virtual" } else { "" })
            }
        };
        let _ = writeln!(out, "  {} {}{null}{kind}", field.name(), field.data_type());
    }
    let _ = writeln!(out, "  key {:?} by {:?}", table.primary_key, table.partitioned_by);
    if let Some((column, expr)) = &table.watermark {
        let _ = writeln!(out, "  watermark {column} {expr}");
    }
    let _ = write!(out, "  {:?}", table.options);
    out
}

/// A table's statement, made again from what it prints, prints the same.
fn round_trip(text: &str) -> String {
    let printed = |text: &str| match catalog(text).tables().next() {
        Some(table) => table.show_create(),
        None => catalog(text).views().next().unwrap().show_create(),
    };
    let first = printed(text);
    assert_eq!(printed(&first), first);
    first
}

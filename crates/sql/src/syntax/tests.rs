//! Texts in, statements out; errors as they are drawn.

mod errors;
mod forms;
mod limits;
mod queries;
mod statements;
mod unsupported;

use std::fmt::Write as _;

use super::print::{expr_text, query_text};
use super::*;

/// What a text says, in few words; or its error, drawn.
fn say(text: &str) -> String {
    match parse(text) {
        Ok(parsed) => parsed.iter().map(|p| statement(&p.statement)).collect::<Vec<_>>().join("\n"),
        Err(error) => error.render(text, false),
    }
}

fn check(text: &str, expected: expect_test::Expect) {
    expected.assert_eq(&say(text));
}

fn refuse(texts: &[&str], expected: expect_test::Expect) {
    let drawn: Vec<String> = texts.iter().map(|text| say(text)).collect();
    expected.assert_eq(&drawn.join("\n"));
}

fn statement(statement: &Statement) -> String {
    match statement {
        Statement::CreateTable(table) => create_table(table),
        Statement::CreateTableAs(table, query) => {
            format!("{}\n  as {}", create_table(table), query_text(query))
        }
        Statement::CreateView(view) => {
            let mut out = format!("view {}", view.name);
            flags(
                &mut out,
                &[
                    (view.temporary, "temporary"),
                    (view.or_replace, "or replace"),
                    (view.if_not_exists, "if not exists"),
                    (view.materialized, "materialized"),
                ],
            );
            if !view.columns.is_empty() {
                let _ = write!(out, " {:?}", names(&view.columns));
            }
            let _ = write!(out, " as {}\n  text {:?}", query_text(&view.query), view.text);
            out
        }
        Statement::CreateFunction(f) => {
            let mut out = format!("function {} is {:?} in {}", f.name, f.class, f.language);
            flags(&mut out, &[(f.temporary, "temporary"), (f.if_not_exists, "if not exists")]);
            out
        }
        Statement::Insert(i) => insert(i),
        Statement::StatementSet(inserts) => {
            let inserts: Vec<String> = inserts.iter().map(|i| format!("  {}", insert(i))).collect();
            format!("set of\n{}", inserts.join("\n"))
        }
        Statement::Query(query) => format!("query {}", query_text(query)),
        Statement::Explain(e) => {
            let analyze = if e.analyze { " analyze" } else { "" };
            format!("explain{analyze} {:?} {}", e.details, self::statement(&e.of))
        }
        Statement::Set { key, value } => format!("set {key:?} to {value:?}"),
        Statement::Reset(key) => format!("reset {key:?}"),
        Statement::Show(show) => format!("show {} like {:?}", what(&show.what), show.like),
        Statement::Describe(name) => format!("describe {name}"),
        Statement::Drop(d) => {
            let mut out = format!("drop {} {}", d.kind.name(), d.name);
            flags(&mut out, &[(d.if_exists, "if exists"), (d.temporary, "temporary")]);
            out
        }
        Statement::Use(name) => format!("use {name}"),
        Statement::Copy(c) => {
            format!("copy {} to {:?} {}", query_text(&c.query), c.path, options(&c.options))
        }
    }
}

fn what(what: &ShowWhat) -> String {
    match what {
        ShowWhat::Columns(name) => format!("columns of {name}"),
        ShowWhat::CreateTable(name) => format!("create table {name}"),
        ShowWhat::CreateView(name) => format!("create view {name}"),
        other => format!("{other:?}"),
    }
}

fn flags(out: &mut String, flags: &[(bool, &str)]) {
    for (_, flag) in flags.iter().filter(|(set, _)| *set) {
        let _ = write!(out, ", {flag}");
    }
}

fn names(idents: &[datafusion::sql::sqlparser::ast::Ident]) -> Vec<&str> {
    idents.iter().map(|i| i.value.as_str()).collect()
}

fn options(options: &[TableOption]) -> String {
    let options: Vec<String> = options.iter().map(|o| format!("{} = {}", o.key, o.value)).collect();
    format!("with [{}]", options.join(", "))
}

fn insert(i: &Insert) -> String {
    let mut out = format!("insert into {}", i.target);
    flags(&mut out, &[(i.overwrite, "overwrite")]);
    if !i.hints.is_empty() {
        let _ = write!(out, " {}", options(&i.hints));
    }
    if !i.partition.is_empty() {
        let parts: Vec<String> =
            i.partition.iter().map(|(n, e)| format!("{n} = {}", expr_text(e))).collect();
        let _ = write!(out, " partition {parts:?}");
    }
    if !i.columns.is_empty() {
        let _ = write!(out, " {:?}", names(&i.columns));
    }
    format!("{out} {}", query_text(&i.query))
}

fn create_table(table: &CreateTable) -> String {
    let mut out = format!("table {}", table.name);
    flags(&mut out, &[(table.temporary, "temporary"), (table.if_not_exists, "if not exists")]);
    for column in &table.columns {
        let null = |not_null: &bool| if *not_null { " not null" } else { "" };
        let said = |comment: &Option<String>| match comment {
            Some(text) => format!(" -- {text}"),
            None => String::new(),
        };
        let _ = match column {
            Column::Physical { name, data_type, not_null, comment } => {
                write!(out, "\n  {name} {data_type}{}{}", null(not_null), said(comment))
            }
            Column::Computed { name, expr, comment } => {
                write!(out, "\n  {name} is {}{}", expr_text(expr), said(comment))
            }
            Column::Metadata { name, data_type, not_null, from, is_virtual, comment } => write!(
                out,
                "\n  {name} {data_type}{} from metadata {from:?} virtual {is_virtual}{}",
                null(not_null),
                said(comment)
            ),
        };
    }
    if let Some(watermark) = &table.watermark {
        let _ = write!(out, "\n  watermark {} {}", watermark.column, expr_text(&watermark.expr));
    }
    if !table.primary_key.is_empty() {
        let _ = write!(out, "\n  key {:?}", names(&table.primary_key));
    }
    if !table.partitioned_by.is_empty() {
        let _ = write!(out, "\n  by {:?}", names(&table.partitioned_by));
    }
    if let Some(comment) = &table.comment {
        let _ = write!(out, "\n  -- {comment}");
    }
    if !table.options.is_empty() {
        let _ = write!(out, "\n  {}", options(&table.options));
    }
    if let Some(like) = &table.like {
        let _ = write!(out, "\n  like {}", like.table);
        for rule in &like.rules {
            let _ = write!(out, " {:?}:{:?}", rule.strategy, rule.feature);
        }
    }
    out
}

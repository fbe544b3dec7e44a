//! SHOW, DESCRIBE, SET, USE: statements whose answer is a list of names.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::sql::sqlparser::ast::ObjectName;

use super::Session;
use super::outcome::{Outcome, RowSet};
use crate::catalog::{CATALOG, ColumnKind, DATABASE, Relation, type_name};
use crate::connectors::CONNECTORS;
use crate::error::{SqlError, SqlResult, codes};
use crate::functions::names::FUNCTIONS;
use crate::syntax::print::expr_text;
use crate::syntax::{Show, ShowWhat};

type Row = Vec<Option<String>>;

/// Rows of text.
fn table(columns: &[&str], rows: &[Row]) -> SqlResult<Outcome> {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(*c, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = (0..columns.len()).map(|at| {
        let column = rows.iter().map(|row| row.get(at).cloned().flatten());
        Arc::new(column.collect::<StringArray>()) as ArrayRef
    });
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.collect())?;
    Ok(Outcome::Rows(RowSet { schema, batches: vec![batch], warnings: Vec::new() }))
}

fn row<const N: usize>(values: [&str; N]) -> Row {
    values.into_iter().map(|v| Some(v.to_owned())).collect()
}

impl Session {
    pub(super) fn show(&mut self, show: &Show) -> SqlResult<Outcome> {
        let (columns, rows): (&[&str], Vec<Row>) = match &show.what {
            ShowWhat::CreateTable(name) => {
                let text = self.catalog.table(name)?.show_create();
                return Ok(Outcome::Text(text));
            }
            ShowWhat::CreateView(name) => {
                let text = self.catalog.view(name)?.show_create();
                return Ok(Outcome::Text(text));
            }
            ShowWhat::Columns(name) => return self.describe_like(name, show.like.as_ref()),
            ShowWhat::Tables => {
                let tables = self.catalog.tables().map(|t| row([&t.name, "table"]));
                let views = self.catalog.views().map(|v| row([&v.name, "view"]));
                let mut rows: Vec<Row> = tables.chain(views).collect();
                rows.sort();
                (&["name", "kind"], rows)
            }
            ShowWhat::Views => (&["name"], self.catalog.views().map(|v| row([&v.name])).collect()),
            ShowWhat::Functions { user_only } => {
                let mut names: Vec<String> =
                    self.catalog.functions().map(|f| f.name.clone()).collect();
                names.extend(self.registered.iter().cloned());
                if !user_only {
                    names.extend(FUNCTIONS.iter().map(|(name, _)| (*name).to_owned()));
                }
                names.sort();
                names.dedup();
                (&["name"], names.iter().map(|n| row([n])).collect())
            }
            ShowWhat::Catalogs => (&["name"], vec![row([CATALOG])]),
            ShowWhat::Databases => (&["name"], vec![row([DATABASE])]),
            ShowWhat::CurrentCatalog => (&["name"], vec![row([CATALOG])]),
            ShowWhat::CurrentDatabase => (&["name"], vec![row([DATABASE])]),
            ShowWhat::Connectors => {
                let rows = CONNECTORS.iter().map(|c| {
                    let how = match (c.reads, c.writes) {
                        (true, true) => "source, sink",
                        (true, false) => "source",
                        _ => "sink",
                    };
                    row([c.name, how, c.help])
                });
                (&["name", "kind", "help"], rows.collect())
            }
            ShowWhat::Formats => {
                let names = crate::formats::NAMES.iter();
                (&["name"], names.map(|n| row([n])).collect())
            }
            ShowWhat::Jobs => {
                return Err(SqlError::unsupported("SHOW JOBS")
                    .help("jobs belong to the program that started them"));
            }
        };
        table(columns, &filtered(rows, show.like.as_ref()))
    }

    pub(super) fn describe(&mut self, name: &ObjectName) -> SqlResult<Outcome> {
        self.describe_like(name, None)
    }

    fn describe_like(
        &self,
        name: &ObjectName,
        like: Option<&(String, bool)>,
    ) -> SqlResult<Outcome> {
        let (schema, relation) = self.columns_of(name)?;
        let mut rows: Vec<Row> = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            let nullable = if field.is_nullable() { "TRUE" } else { "FALSE" };
            let mut extra: Vec<String> = Vec::new();
            let mut key = None;
            let mut watermark = None;
            if let Relation::Table(table) = &relation {
                key = table.primary_key.contains(&at).then(|| "PRI".to_owned());
                match &table.columns[at] {
                    ColumnKind::Physical => {}
                    ColumnKind::Computed(expr) => extra.push(format!("AS {}", expr_text(expr))),
                    ColumnKind::Metadata { key, is_virtual } => {
                        let kind = if *is_virtual { " VIRTUAL" } else { "" };
                        extra.push(format!("METADATA FROM '{key}'{kind}"));
                    }
                }
                watermark = table
                    .watermark
                    .as_ref()
                    .filter(|(column, _)| *column == at)
                    .map(|(_, expr)| expr_text(expr));
            }
            rows.push(vec![
                Some(field.name().clone()),
                Some(type_name(field.data_type())),
                Some(nullable.to_owned()),
                key,
                (!extra.is_empty()).then(|| extra.join(", ")),
                watermark,
            ]);
        }
        table(&["name", "type", "null", "key", "extras", "watermark"], &filtered(rows, like))
    }

    pub(super) fn set(&mut self, key: Option<&str>, value: Option<&str>) -> SqlResult<Outcome> {
        match (key, value) {
            (Some(key), Some(value)) => {
                self.settings.set(key, value)?;
                Ok(Outcome::Done(format!("{key} = {value}")))
            }
            (Some(key), None) => {
                let listed = self.settings.list().find(|(spec, _)| spec.key == key);
                let Some((spec, value)) = listed else {
                    return self
                        .settings
                        .clone()
                        .set(key, "")
                        .map(|()| Outcome::Done(String::new()));
                };
                table(
                    &["key", "value"],
                    &[vec![Some(spec.key.to_owned()), value.map(str::to_owned)]],
                )
            }
            _ => {
                let rows: Vec<Row> = self
                    .settings
                    .list()
                    .map(|(spec, value)| {
                        vec![
                            Some(spec.key.to_owned()),
                            value.map(str::to_owned),
                            Some(spec.help.to_owned()),
                        ]
                    })
                    .collect();
                table(&["key", "value", "help"], &rows)
            }
        }
    }

    pub(super) fn use_database(&mut self, name: &ObjectName) -> SqlResult<Outcome> {
        let text = name.to_string().replace('`', "");
        let known = [CATALOG.to_owned(), DATABASE.to_owned(), format!("{CATALOG}.{DATABASE}")];
        if known.contains(&text) {
            return Ok(Outcome::Done(format!("using {text}")));
        }
        Err(SqlError::new(codes::UNKNOWN_OBJECT, format!("no catalog or database `{text}`"))
            .help(format!("there is one: {CATALOG}.{DATABASE}")))
    }
}

/// The rows whose first value is like a pattern.
fn filtered(rows: Vec<Row>, like: Option<&(String, bool)>) -> Vec<Row> {
    let Some((pattern, negated)) = like else { return rows };
    let pattern: Vec<char> = pattern.chars().collect();
    let fits = |row: &Row| {
        let name = row.first().cloned().flatten().unwrap_or_default();
        let name: Vec<char> = name.chars().collect();
        is_like(&name, &pattern) != *negated
    };
    rows.into_iter().filter(fits).collect()
}

/// Whether a name is like a pattern with `%` and `_`.
fn is_like(name: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('%', rest)) => (0..=name.len()).any(|skip| is_like(&name[skip..], rest)),
        Some((wanted, rest)) => match name.split_first() {
            Some((first, after)) if *wanted == '_' || wanted == first => is_like(after, rest),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns() {
        let like = |name: &str, pattern: &str| {
            let chars = |t: &str| t.chars().collect::<Vec<_>>();
            is_like(&chars(name), &chars(pattern))
        };
        assert!(like("orders", "or%") && like("orders", "_rders") && like("", "%"));
        assert!(!like("orders", "order") && !like("a", "__"));
    }
}

//! The names a session knows, for completion.

use arrow::array::AsArray;
use headwater_sql::connectors::{CONNECTORS, OptionKind, options};
use headwater_sql::session::settings::{SETTINGS, SettingKind};
use headwater_sql::session::{Outcome, Session};
use headwater_sql::syntax::parse;

use super::complete::{Key, Names};

/// The names that stay as they are.
pub(super) fn fixed(session: &Session) -> Names {
    Names {
        tables: Vec::new(),
        functions: session.function_names(),
        settings: SETTINGS
            .iter()
            .map(|setting| Key {
                name: setting.key.to_owned(),
                values: match setting.kind {
                    SettingKind::Choice(values) => owned(values),
                    SettingKind::Boolean => owned(&["true", "false"]),
                    _ => Vec::new(),
                },
            })
            .collect(),
        connectors: CONNECTORS.iter().map(|c| (c.name.to_owned(), keys(c.name))).collect(),
    }
}

/// The tables and views there are now, with their columns.
pub(super) fn tables(session: &mut Session) -> Vec<(String, Vec<String>)> {
    let names = first_column(session, "SHOW TABLES");
    let with_columns = names.into_iter().map(|name| {
        let columns = first_column(session, &format!("DESCRIBE `{name}`"));
        (name, columns)
    });
    with_columns.collect()
}

/// The texts in the first column of what a statement gives; none where it fails, as completion is
/// no place to complain.
fn first_column(session: &mut Session, text: &str) -> Vec<String> {
    let parsed = parse(text).unwrap_or_default();
    let Some(statement) = parsed.first() else { return Vec::new() };
    let Ok(Outcome::Rows(rows)) = session.run(statement) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for batch in &rows.batches {
        if let Some(column) = batch.columns().first().and_then(|c| c.as_string_opt::<i32>()) {
            names.extend(column.iter().flatten().map(str::to_owned));
        }
    }
    names
}

fn keys(connector: &str) -> Vec<Key> {
    let connector_key = Key { name: "connector".to_owned(), values: Vec::new() };
    let options = options(connector).unwrap_or_default();
    let keys = options.iter().filter(|option| !option.key.contains('#')).map(|option| Key {
        name: option.key.to_owned(),
        values: match option.kind {
            OptionKind::Choice(values) => owned(values),
            OptionKind::Boolean => owned(&["true", "false"]),
            _ => Vec::new(),
        },
    });
    std::iter::once(connector_key).chain(keys).collect()
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

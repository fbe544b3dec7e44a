//! `FROM t /*+ OPTIONS('key' = 'value') */`: DataFusion knows a table by its name only, so the
//! options travel in the name, and the catalog takes them out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, TableAlias, TableFactor};

use crate::catalog::Table;
use crate::error::{SqlError, SqlResult};
use crate::syntax::hints::table_options;

/// The catalog of names that carry options; their database is the options.
const HINTED: &str = "__options";

/// Moves the options of a table into its name.
pub(super) fn rewrite(factor: &mut TableFactor) -> SqlResult<()> {
    let TableFactor::Table { name, alias, with_hints, .. } = factor else { return Ok(()) };
    if with_hints.is_empty() {
        return Ok(());
    }
    let options = table_options(&std::mem::take(with_hints))?;
    let Some(table) = name.0.last().and_then(|part| part.as_ident()).cloned() else {
        return Ok(());
    };
    let options: BTreeMap<String, String> =
        options.into_iter().map(|option| (option.key, option.value)).collect();
    let text = serde_json::to_string(&options)
        .map_err(|e| SqlError::internal(format!("options of a hint: {e}")))?;
    alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: table.clone(),
        columns: Vec::new(),
        at: None,
    });
    let quoted = |text: &str| Ident::with_quote('`', text);
    *name = ObjectName::from(vec![quoted(HINTED), quoted(&text), table]);
    Ok(())
}

/// The table with the options that its name carries.
pub(crate) fn with_options(name: &TableReference, table: Arc<Table>) -> SqlResult<Arc<Table>> {
    let (Some(HINTED), Some(text)) = (name.catalog(), name.schema()) else { return Ok(table) };
    let options: BTreeMap<String, String> = serde_json::from_str(text)
        .map_err(|e| SqlError::internal(format!("options of a hint: {e}")))?;
    let mut hinted = Table::clone(&table);
    hinted.options.extend(options);
    Ok(Arc::new(hinted))
}

//! `SHOW CREATE TABLE` and `SHOW CREATE VIEW`: the statement that makes it, in the main spelling.
//!
//! Invariant: parsing what is printed gives the same table, but for secrets, which are not printed.

use super::{ColumnKind, Function, Table, View, type_name};
use crate::syntax::print::{expr_text, has_alias, literal, query_text, quoted};

/// Whether an option's value is kept secret.
pub fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 9] = [
        "password",
        "secret",
        "token",
        "apikey",
        "api-key",
        "account.key",
        "service-key",
        "basic-auth",
        "jaas.config",
    ];
    let key = key.to_ascii_lowercase();
    WORDS.iter().any(|word| key.contains(word))
}

impl Table {
    /// The statement that makes the table.
    pub fn show_create(&self) -> String {
        let mut lines: Vec<String> = (0..self.columns.len()).map(|i| self.column_text(i)).collect();
        if let Some((index, expr)) = &self.watermark {
            lines.push(format!(
                "WATERMARK FOR {} AS {}",
                quoted(self.field(*index).name()),
                expr_text(expr)
            ));
        }
        if !self.primary_key.is_empty() {
            lines.push(format!("PRIMARY KEY ({}) NOT ENFORCED", self.names(&self.primary_key)));
        }
        let temporary = if self.temporary { "TEMPORARY " } else { "" };
        let mut out = format!(
            "CREATE {temporary}TABLE {} (\n  {}\n)",
            quoted(&self.name),
            lines.join(",\n  ")
        );
        if let Some(comment) = &self.comment {
            out.push_str(&format!("\nCOMMENT {}", literal(comment)));
        }
        if !self.partitioned_by.is_empty() {
            out.push_str(&format!("\nPARTITIONED BY ({})", self.names(&self.partitioned_by)));
        }
        if !self.options.is_empty() {
            let options: Vec<String> = self
                .options
                .iter()
                .map(|(key, value)| {
                    let value = if is_secret(key) { "****" } else { value };
                    format!("{} = {}", literal(key), literal(value))
                })
                .collect();
            out.push_str(&format!("\nWITH (\n  {}\n)", options.join(",\n  ")));
        }
        out
    }

    fn column_text(&self, index: usize) -> String {
        let field = self.field(index);
        let name = quoted(field.name());
        let comment = match self.column_comments.get(field.name()) {
            Some(text) => format!(" COMMENT {}", literal(text)),
            None => String::new(),
        };
        let data_type = type_name(field.data_type());
        let null = if field.is_nullable() { "" } else { " NOT NULL" };
        match &self.columns[index] {
            ColumnKind::Physical => format!("{name} {data_type}{null}{comment}"),
            ColumnKind::Computed(expr) => format!("{name} AS {}{comment}", expr_text(expr)),
            ColumnKind::Metadata { key, is_virtual } => {
                let from = match key == field.name() {
                    true => String::new(),
                    false => format!(" FROM {}", literal(key)),
                };
                let suffix = if *is_virtual { " VIRTUAL" } else { "" };
                format!("{name} {data_type}{null} METADATA{from}{suffix}{comment}")
            }
        }
    }

    fn names(&self, indices: &[usize]) -> String {
        let names: Vec<String> = indices.iter().map(|&i| quoted(self.field(i).name())).collect();
        names.join(", ")
    }
}

impl View {
    /// The statement that makes the view.
    pub fn show_create(&self) -> String {
        let temporary = if self.temporary { "TEMPORARY " } else { "" };
        let materialized = if self.materialized { "MATERIALIZED " } else { "" };
        let columns = if self.columns.is_empty() {
            String::new()
        } else {
            let names: Vec<String> = self.columns.iter().map(|c| quoted(c)).collect();
            format!(" ({})", names.join(", "))
        };
        let comment = match &self.comment {
            Some(text) => format!("\nCOMMENT {}", literal(text)),
            None => String::new(),
        };
        // As written, unless it was written in other than the main spelling.
        let query =
            if has_alias(&self.query) { query_text(&self.query) } else { self.text.clone() };
        format!(
            "CREATE {temporary}{materialized}VIEW {}{columns}{comment}\nAS {query}",
            quoted(&self.name)
        )
    }
}

impl Function {
    /// The statement that makes the function.
    pub fn show_create(&self) -> String {
        let temporary = if self.temporary { "TEMPORARY " } else { "" };
        let language = match self.language.as_str() {
            "java" => String::new(),
            other => format!(" LANGUAGE {}", other.to_ascii_uppercase()),
        };
        format!(
            "CREATE {temporary}FUNCTION {} AS {}{language}",
            quoted(&self.name),
            literal(&self.class)
        )
    }
}

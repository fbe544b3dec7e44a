//! Prints figures: one JSON object a line, or a table.
//!
//! What is measured describes itself once, as a list of named figures with a unit; JSON keys carry
//! the exact value, tables a readable one. Figures that are unknown on this system are left out.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// A table for people
    Table,
    /// One JSON object per run and line
    Json,
}

/// One named value of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    /// Key in JSON and, spelled with spaces, title in a table; names its unit.
    pub(super) name: &'static str,
    pub(super) value: Option<Value>,
}

/// The figures of one run, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures(pub(super) Vec<Figure>);

impl Figures {
    /// Adds a figure; `None` is left out.
    pub(super) fn add<V: serde::Serialize>(mut self, name: &'static str, value: Option<V>) -> Self {
        self.0.push(Figure { name, value: value.map(|v| json!(v)) });
        self
    }

    fn to_json(&self) -> String {
        let known = self.0.iter().filter_map(|f| f.value.as_ref().map(|v| (f.name, v)));
        let pairs = known.map(|(name, value)| format!("{}:{value}", json!(name)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }

    /// Reads back what [`Figures::to_json`] wrote, for the names in `like`.
    pub(super) fn from_json(line: &str, names: &[&'static str]) -> Option<Figures> {
        let values: Value = serde_json::from_str(line).ok()?;
        let figure = |name: &&'static str| Figure { name, value: values.get(*name).cloned() };
        Some(Figures(names.iter().map(figure).collect()))
    }
}

/// Rounds to three decimals, as more are noise.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The runs in the given form.
pub(super) fn render(runs: &[Figures], output: Output) -> String {
    match output {
        Output::Json => runs.iter().map(|run| run.to_json() + "\n").collect(),
        Output::Table => table(runs) + "\n",
    }
}

fn table(runs: &[Figures]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(first.0.iter().map(|figure| figure.name.replace('_', " ")));
    for run in runs {
        table.add_row(run.0.iter().map(|f| f.value.as_ref().map_or("-".into(), readable)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Numbers with their thousands apart.
fn readable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) if n.is_u64() => thousands(n.as_u64().unwrap_or_default()),
        other => other.to_string(),
    }
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        Figures::default()
            .add("query", Some("q0"))
            .add("events", Some(1_234_567_u64))
            .add("seconds", Some(rounded(1.23456)))
            .add("cpu_seconds", None::<f64>)
    }

    #[test]
    fn json_keeps_the_order_and_leaves_out_what_is_unknown() {
        let line = render(&[figures()], Output::Json);
        assert_eq!(line, "{\"query\":\"q0\",\"events\":1234567,\"seconds\":1.235}\n");
        let names = ["query", "events", "seconds", "cpu_seconds"];
        assert_eq!(Figures::from_json(&line, &names), Some(figures()));
        assert_eq!(Figures::from_json("no json", &names), None);
    }

    #[test]
    fn tables_are_readable() {
        let text = render(&[figures()], Output::Table);
        for part in ["cpu seconds", "1,234,567", "1.235", "-"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert_eq!(
            (thousands(0), thousands(999), thousands(1000)),
            ("0".into(), "999".into(), "1,000".into())
        );
    }
}

//! `docs/sql-reference.md`: the lists that the program itself reads, as a page. The test keeps the
//! page as the lists are now; `UPDATE_EXPECT=1` writes it anew.

use std::fmt::Write;

use expect_test::expect_file;
use headwater_sql::connectors::{CONNECTORS, OptionKind, OptionSpec, SCAN_OPTIONS};
use headwater_sql::error::codes::CODES;
use headwater_sql::formats;
use headwater_sql::functions::names::FUNCTIONS;
use headwater_sql::session::settings::{SETTINGS, SettingKind};

const HEADER: &str = "\
# SQL reference

Made from the lists that the program itself reads; [sql.md](sql.md) is the guide.
`headwater connectors show NAME`, `SET`, `SHOW FUNCTIONS` and `headwater error CODE` print the same.

";

fn page() -> String {
    let mut out = HEADER.to_owned();
    connectors(&mut out);
    settings(&mut out);
    functions(&mut out);
    codes(&mut out);
    format!("{}\n", out.trim_end())
}

fn connectors(out: &mut String) {
    out.push_str("## Options of connectors\n");
    for connector in CONNECTORS {
        let uses = match (connector.reads, connector.writes) {
            (true, true) => "Read and written",
            (true, false) => "Read",
            _ => "Written",
        };
        _ = write!(out, "\n### {}\n\n{uses}: {}.\n\n", connector.name, connector.help);
        options(out, connector.options);
    }
    out.push_str("\n### Every table that is read\n\n");
    options(out, SCAN_OPTIONS);
    out.push_str(
        "\n### Formats\n\nOf Kafka tables these may also be behind `key.` and `value.`.\n\n",
    );
    options(out, &formats::options(&[""]));
}

fn options(out: &mut String, options: &[OptionSpec]) {
    if options.is_empty() {
        out.push_str("No options of its own.\n");
        return;
    }
    out.push_str("| option | values | default | |\n|---|---|---|---|\n");
    for option in options {
        let default = match (option.required, option.default) {
            (true, _) => "required".to_owned(),
            (false, default) => default.map(code).unwrap_or_default(),
        };
        let values = match option.kind {
            OptionKind::Choice(values) => choices(values),
            other => other.describe(),
        };
        let (key, help) = (code(option.key), cell(option.help));
        _ = writeln!(out, "| {key} | {} | {default} | {help} |", cell(&values));
    }
}

fn settings(out: &mut String) {
    out.push_str("\n## Settings\n\n`SET 'key' = 'value'`, `RESET 'key'`.\n\n");
    out.push_str("| setting | values | default | |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let values = match setting.kind {
            SettingKind::Text => "any text".to_owned(),
            SettingKind::Boolean => choices(&["true", "false"]),
            SettingKind::Count => "a whole number".to_owned(),
            SettingKind::Duration => "a duration".to_owned(),
            SettingKind::Choice(values) => choices(values),
        };
        let default = setting.default.map(code).unwrap_or_default();
        let (key, help) = (code(setting.key), cell(setting.help));
        _ = writeln!(out, "| {key} | {values} | {default} | {help} |");
    }
}

fn functions(out: &mut String) {
    out.push_str(
        "\n## Functions\n\nFlink's, by their names there; those of DataFusion can be called too.\n\n",
    );
    let names: Vec<String> =
        FUNCTIONS.iter().map(|(name, _)| code(&name.to_ascii_uppercase())).collect();
    _ = writeln!(out, "{}", names.join(", "));
    out.push_str(
        "\nIn FROM: `TUMBLE`, `HOP`, `CUMULATE`, `SESSION`; `UNNEST` of arrays and maps; and the \
         table functions\nthat a program registers, as `LATERAL TABLE(f(x))`.\n",
    );
}

fn codes(out: &mut String) {
    out.push_str("\n## Error codes\n");
    for code in CODES {
        _ = write!(out, "\n### {}: {}\n\n{}\n", code.code, code.title, plain(code.page));
    }
}

/// A page's text, in which Markdown would see signs of its own.
fn plain(page: &str) -> String {
    let escaped = |line: &str| line.replace('<', "\\<").replace('*', "\\*");
    let lines = page.split('\n').map(|line| match line.strip_prefix("  ") {
        Some(example) => format!("    {example}"),
        None => escaped(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn choices(values: &[&str]) -> String {
    values.iter().map(|value| code(value)).collect::<Vec<_>>().join(", ")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_page_is_as_the_lists_are() {
    expect_file!["../../../../docs/sql-reference.md"].assert_eq(&page());
}

//! What DataFusion's planner says, in the terms of the dialect.

use super::convert::sentence;
use super::{SqlError, codes, nearest};
use crate::functions::names::FUNCTIONS;

/// Tells a plan error's code by its sentence: DataFusion has one variant for all of them.
pub(super) fn planned(message: &str) -> SqlError {
    let m = sentence(message);
    let quoted = |m: &str| m.split('\'').nth(1).map(str::to_owned);
    if m.starts_with("table '") && m.ends_with("not found") {
        let name = quoted(&m).unwrap_or_default();
        // Names are written with their catalog and schema, of which there is one.
        let name = name.rsplit('.').next().unwrap_or_default().to_owned();
        return SqlError::new(codes::UNKNOWN_TABLE, format!("no table `{name}`"))
            .help("SHOW TABLES lists tables and views; names are case-sensitive");
    }
    if m.starts_with("invalid function '") || m.starts_with("table function '") {
        return unknown_function(&quoted(&m).unwrap_or_default());
    }
    if let Some(error) = bad_call(&m) {
        return error;
    }
    if let Some((_, rest)) = m.split_once("column \"")
        && let Some((column, _)) = rest.split_once("\" must appear in the GROUP BY clause")
    {
        let name = column.rsplit('.').next().unwrap_or(column);
        let message = format!("`{name}` is neither grouped by nor within an aggregate");
        return SqlError::new(codes::NOT_GROUPED, message)
            .help(format!("add it to GROUP BY, or write MAX({name}) or FIRST_VALUE({name})"));
    }
    let m = sql_types(&m);
    let lower = m.to_ascii_lowercase();
    let code = if lower.contains("must be in the group by clause")
        || lower.contains("must appear in the group by clause")
        || lower.contains("references non-aggregate values")
    {
        codes::NOT_GROUPED
    } else if lower.contains("cannot coerce")
        || lower.contains("coercion from")
        || lower.contains("cannot infer common")
        || lower.contains("no function matches")
        || lower.contains("cannot cast")
        || lower.contains("unsupported cast")
        || lower.contains("incompatible")
    {
        codes::TYPE_MISMATCH
    } else {
        codes::PLAN
    };
    SqlError::new(code, m)
}

fn unknown_function(name: &str) -> SqlError {
    let window = ["tumble", "hop", "session", "cumulate"]
        .iter()
        .find(|w| name.strip_prefix(**w).is_some_and(|rest| rest.starts_with('_')));
    if let Some(window) = window {
        let (name, window) = (name.to_ascii_uppercase(), window.to_ascii_uppercase());
        let message = format!("{name} is of a window that the query groups by");
        return SqlError::new(codes::BAD_WINDOW, message)
            .help(format!("add GROUP BY {window}(time, …), with the same arguments"));
    }
    let error = SqlError::new(codes::UNKNOWN_FUNCTION, format!("no function `{name}`"));
    match nearest(name, FUNCTIONS.iter().map(|(known, _)| *known)) {
        Some(near) => error.label(format!("did you mean `{near}`?")),
        None => error.help("SHOW FUNCTIONS lists them all"),
    }
}

/// A call with arguments that the function does not take: what it said itself if it did, else the
/// types. DataFusion's lists of signatures are left out.
fn bad_call(message: &str) -> Option<SqlError> {
    let mismatch = |message: String| Some(SqlError::new(codes::TYPE_MISMATCH, message));
    if let Some((_, said)) = message.split_once("coercion failed with: ") {
        let said = said.split(" No function matches").next().unwrap_or(said);
        return mismatch(sql_types(&sentence(said)));
    }
    let (_, call) = message.split_once("the given name and argument types '")?;
    let call = call.split_once(")'").map_or(call, |(call, _)| call);
    let (name, types) = call.split_once('(')?;
    let name = name.to_ascii_uppercase();
    let counted = message.split_once(" expects ").and_then(|(_, rest)| {
        let (wanted, rest) = rest.split_once(" arguments but received ")?;
        Some((wanted, rest.split(['.', ' ']).next()?))
    });
    if let Some((wanted, given)) = counted {
        let s = if wanted == "1" { "" } else { "s" };
        return mismatch(format!("function {name} takes {wanted} argument{s}, got {given}"));
    }
    mismatch(format!("function {name} does not take ({})", sql_types(types)))
}

/// Names of types as the dialect writes them, outside of quotes.
pub(super) fn sql_types(message: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("Utf8", "STRING"),
        ("Utf8View", "STRING"),
        ("Boolean", "BOOLEAN"),
        ("Int8", "TINYINT"),
        ("Int16", "SMALLINT"),
        ("Int32", "INT"),
        ("Int64", "BIGINT"),
        ("Float32", "FLOAT"),
        ("Float64", "DOUBLE"),
        ("Date32", "DATE"),
        ("Binary", "BYTES"),
        ("Decimal128", "DECIMAL"),
        ("Timestamp(ms)", "TIMESTAMP(3)"),
        ("Timestamp(µs)", "TIMESTAMP(6)"),
        ("Timestamp(ns)", "TIMESTAMP(9)"),
        ("List", "ARRAY"),
        ("Struct", "ROW"),
        ("Map", "MAP"),
        ("Interval", "INTERVAL"),
    ];
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    let mut quoted = false;
    while let Some(first) = rest.chars().next() {
        let after_word = out.chars().next_back().is_some_and(is_word);
        let known = NAMES.iter().filter(|_| !quoted && !after_word).find(|(name, _)| {
            rest.strip_prefix(name).is_some_and(|tail| !tail.starts_with(is_word))
        });
        let taken = match known {
            Some((name, written)) => {
                out.push_str(written);
                name.len()
            }
            None => {
                quoted ^= matches!(first, '\'' | '`');
                out.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_the_dialect_does() {
        let message =
            "cannot coerce List(Utf8) and Int64 of 'Utf8' in `Int64`, Int64s, Timestamp(ms)";
        let named =
            "cannot coerce ARRAY(STRING) and BIGINT of 'Utf8' in `Int64`, Int64s, TIMESTAMP(3)";
        assert_eq!(sql_types(message), named);
    }

    #[test]
    fn a_call_is_refused_in_few_words() {
        let of = |message: &str| planned(message).message;
        assert_eq!(
            of("Function 'sum' failed to match any signature, errors: … No function matches the \
                given name and argument types 'sum(Utf8)'. You might need to add explicit type casts."),
            "function SUM does not take (STRING)"
        );
        assert_eq!(
            of(
                "Function 'upper' expects 1 arguments but received 2. No function matches the given \
                name and argument types 'upper(Int64, Utf8)'."
            ),
            "function UPPER takes 1 argument, got 2"
        );
        assert_eq!(
            of(
                "Function 'avg' user-defined coercion failed with: Error during planning: argument \
                of AVG(number) must be a number, got STRING. No function matches the given name"
            ),
            "argument of AVG(number) must be a number, got STRING"
        );
    }
}

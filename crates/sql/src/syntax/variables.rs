//! `${NAME}` in a text: values from outside, put in before it is parsed.

use crate::error::{Location, SqlError, SqlResult, codes};

/// Puts the values of `${NAME}` and `${NAME:-default}` in, within strings too.
///
/// What stands in braces but is no name stays as it is.
///
/// # Errors
/// When a variable has no value.
pub fn substitute(text: &str, value: impl Fn(&str) -> Option<String>) -> SqlResult<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else {
            out.push_str(&rest[at..]);
            return Ok(out);
        };
        let (name, default) = match inner[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inner[..end], None),
        };
        if !is_name(name) {
            out.push_str("${");
            rest = inner;
            continue;
        }
        match value(name).or_else(|| default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            None => return Err(unset(text, text.len() - rest.len() + at, name)),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unset(text: &str, byte: usize, name: &str) -> SqlError {
    let before = &text[..byte];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let start = Location::new(number(line), number(column));
    let end = Location::new(start.line, start.column + number(name.chars().count()) + 3);
    SqlError::new(codes::UNSET_VARIABLE, format!("the variable `{name}` has no value"))
        .at(start.span_to(end))
        .help(format!("give it one, or write ${{{name}:-value}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> SqlResult<String> {
        substitute(text, |name| (name == "TPS").then(|| "100".to_owned()))
    }

    #[test]
    fn puts_values_in() {
        assert_eq!(with("'rate' = '${TPS}', ${TPS}").unwrap(), "'rate' = '100', 100");
        assert_eq!(with("${X:-7} $TPS ${} ${a b} ${").unwrap(), "7 $TPS ${} ${a b} ${");
    }

    #[test]
    fn names_what_has_no_value() {
        let error = with("SELECT\n 'ß', ${NOPE}").unwrap_err();
        assert_eq!(error.code, codes::UNSET_VARIABLE);
        let span = error.span.unwrap();
        assert_eq!((span.start.line, span.start.column, span.end.column), (2, 7, 14));
    }
}

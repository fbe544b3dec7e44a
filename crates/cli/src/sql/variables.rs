//! `${NAME}` in a text: the value of `--var NAME=VALUE`, or of the environment.

use headwater_sql::error::SqlResult;
use headwater_sql::syntax::variables::substitute;

/// Values for texts.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Variables {
    /// The value of ${NAME} in the text; without it, that of the environment
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = name_and_value)]
    given: Vec<(String, String)>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

impl Variables {
    /// The text with all values in it.
    ///
    /// # Errors
    /// When a variable has none.
    pub(super) fn put_into(&self, text: &str) -> SqlResult<String> {
        substitute(text, |name| self.value(name).or_else(|| std::env::var(name).ok()))
    }

    fn value(&self, name: &str) -> Option<String> {
        let given = self.given.iter().rev().find(|(given, _)| given == name);
        given.map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in() {
        let given = ["TOPIC=a=b", "TOPIC=c", "N="].map(|text| name_and_value(text).unwrap());
        let variables = Variables { given: given.to_vec() };
        let text = variables.put_into("'${TOPIC}' ${N}${HEADWATER_NO_SUCH:-7}").unwrap();
        assert_eq!(text, "'c' 7");
        assert_eq!(variables.put_into("${HEADWATER_NO_SUCH}").unwrap_err().code, "HW-S012");
        assert!(name_and_value("x").is_err() && name_and_value("=x").is_err());
    }
}

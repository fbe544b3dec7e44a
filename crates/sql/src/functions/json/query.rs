//! JSON_VALUE, JSON_QUERY, JSON_EXISTS and IS JSON.
//!
//! What happens on nothing (`ON EMPTY`) and on an error follows Calcite, which Flink evaluates
//! these by: a missing key is an error in strict mode, which is the mode of a path that names none.

use std::cell::RefCell;
use std::rc::Rc;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, plan_err};

use crate::functions::args::{Call, Texts};
use crate::functions::cache::Cache;
use crate::functions::native::{Spec, Types};
use crate::functions::params::Param::Text;

use super::path::{Found, Path};
use super::value::Json;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new(
        "json_value_of",
        &[
            ("json", Text),
            ("path", Text),
            ("on empty", Text),
            ("default on empty", Text),
            ("on error", Text),
            ("default on error", Text),
        ],
        |types| checked(types, DataType::Utf8),
        json_value,
    ),
    Spec::new(
        "json_query_of",
        &[
            ("json", Text),
            ("path", Text),
            ("wrapper", Text),
            ("on empty", Text),
            ("on error", Text),
        ],
        |types| checked(types, DataType::Utf8),
        json_query,
    ),
    Spec::new(
        "json_exists_of",
        &[("json", Text), ("path", Text), ("on error", Text)],
        |types| checked(types, DataType::Boolean),
        json_exists,
    ),
    Spec::new("is_json", &[("json", Text), ("kind", Text)], |_| Ok(DataType::Boolean), is_json),
];

fn checked(types: &Types<'_>, returned: DataType) -> Result<DataType> {
    match types.constant_text(1).map(Path::new) {
        Some(Err(message)) => plan_err!("{message}"),
        _ => Ok(returned),
    }
}

thread_local! {
    static COMPILED: RefCell<Cache<Path>> = RefCell::default();
}

/// What a path leads to in a document.
enum Reached {
    /// The value, if any.
    Value(bool, Option<Owned>),
    /// There is no such path, or no JSON.
    Error(String),
}

/// What a path led to, as text.
struct Owned {
    scalar: bool,
    array: bool,
    /// A scalar without quotes.
    plain: Option<String>,
    json: String,
}

impl Owned {
    fn of(value: &Json<'_>, plain: bool) -> Self {
        Owned {
            scalar: value.is_scalar(),
            array: matches!(value, Json::Array(_)),
            plain: if plain && value.is_scalar() { value.scalar_text() } else { None },
            json: if plain { String::new() } else { value.to_string() },
        }
    }
}

/// Evaluates a path; `plain` says whether a scalar is wanted as text rather than as JSON.
fn reach(call: &Call<'_>, text: &str, path: &str, plain: bool) -> Result<Reached> {
    let compiled: Result<Rc<Path>, String> =
        COMPILED.with(|cache| cache.borrow_mut().get(path, Path::new));
    let path = compiled.map_err(|message| call.error(message))?;
    let Some(document) = Json::parse(text) else {
        return Ok(Reached::Error("the text is no JSON".into()));
    };
    Ok(match path.find(&document) {
        Found::Missing if path.strict => Reached::Error("the path leads nowhere".into()),
        Found::Missing | Found::One(Json::Null) => Reached::Value(path.strict, None),
        Found::One(value) => Reached::Value(path.strict, Some(Owned::of(value, plain))),
        Found::Many(values) => {
            let values = Json::Array(values.into_iter().cloned().collect());
            Reached::Value(path.strict, Some(Owned::of(&values, plain)))
        }
    })
}

/// A clause such as `NULL ON EMPTY`: the word of it, and the value of `DEFAULT`.
fn otherwise(
    call: &Call<'_>,
    clause: &str,
    word: Option<&str>,
    default: Option<&str>,
    why: &str,
) -> Option<Result<String>> {
    match word {
        Some("DEFAULT") => default.map(|default| Ok(default.to_owned())),
        Some("ARRAY") => Some(Ok("[]".into())),
        Some("OBJECT") => Some(Ok("{}".into())),
        Some("ERROR") => Some(Err(failed(call, clause, why))),
        _ => None,
    }
}

fn failed(call: &Call<'_>, clause: &str, why: &str) -> DataFusionError {
    let name = call.name().replace("_OF", "");
    DataFusionError::Execution(format!("function {name}: {why} (ERROR ON {clause})"))
}

fn json_value(call: &Call<'_>) -> Result<ArrayRef> {
    let args: Vec<Texts<'_>> = (0..6).map(|i| call.texts(i)).collect::<Result<_>>()?;
    call.try_texts(|row| {
        let at = |i: usize| args[i].at(row);
        let on_empty = || otherwise(call, "EMPTY", at(2), at(3), "there is no value");
        let on_error = |why: &str| otherwise(call, "ERROR", at(4), at(5), why);
        match reach(call, at(0)?, at(1)?, true) {
            Err(error) => Some(Err(error)),
            Ok(Reached::Error(why)) => on_error(&why),
            Ok(Reached::Value(_, None)) => on_empty(),
            Ok(Reached::Value(true, Some(value))) if !value.scalar => on_error("no scalar"),
            Ok(Reached::Value(false, Some(value))) if !value.scalar => on_empty(),
            Ok(Reached::Value(_, Some(value))) => value.plain.map(Ok),
        }
    })
}

fn json_query(call: &Call<'_>) -> Result<ArrayRef> {
    let args: Vec<Texts<'_>> = (0..5).map(|i| call.texts(i)).collect::<Result<_>>()?;
    call.try_texts(|row| {
        let at = |i: usize| args[i].at(row);
        let (strict, value) = match reach(call, at(0)?, at(1)?, false) {
            Err(error) => return Some(Err(error)),
            Ok(Reached::Error(why)) => return otherwise(call, "ERROR", at(4), None, &why),
            Ok(Reached::Value(strict, value)) => (strict, value),
        };
        let on_empty = || otherwise(call, "EMPTY", at(3), None, "there is no value");
        let Some(value) = value else { return on_empty() };
        let wrap = match at(2) {
            Some("UNCONDITIONAL") => true,
            Some("CONDITIONAL") => !value.array,
            _ => false,
        };
        if wrap {
            return Some(Ok(format!("[{}]", value.json)));
        }
        match (value.scalar, strict) {
            (true, true) => otherwise(call, "ERROR", at(4), None, "the value is a scalar"),
            (true, false) => on_empty(),
            (false, _) => Some(Ok(value.json)),
        }
    })
}

fn json_exists(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, path, on_error) = (call.texts(0)?, call.texts(1)?, call.texts(2)?);
    call.try_bools(|row| match reach(call, text.at(row)?, path.at(row)?, true) {
        Err(error) => Some(Err(error)),
        Ok(Reached::Value(_, value)) => Some(Ok(value.is_some())),
        Ok(Reached::Error(why)) => match on_error.at(row) {
            Some("TRUE") => Some(Ok(true)),
            Some("UNKNOWN") => None,
            Some("ERROR") => Some(Err(failed(call, "ERROR", &why))),
            _ => Some(Ok(false)),
        },
    })
}

/// NULL is no JSON.
fn is_json(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, kind) = (call.texts(0)?, call.texts(1)?);
    let is = |row: usize| {
        let Some(value) = text.at(row).and_then(Json::parse) else { return false };
        match kind.at(row) {
            Some("ARRAY") => matches!(value, Json::Array(_)),
            Some("OBJECT") => matches!(value, Json::Object(_)),
            Some("SCALAR") => value.is_scalar(),
            _ => true,
        }
    };
    let answers: BooleanArray = (0..call.rows).map(|row| Some(is(row))).collect();
    Ok(std::sync::Arc::new(answers))
}

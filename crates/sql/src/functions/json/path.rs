//! Paths into JSON: `$.store.book[0]['title']`, `$.a[*].b`, `$..c`, `lax $.d`, `strict $.d`.
//!
//! Not `serde_json_path` or `jsonpath-rust`: they want an owned tree whose keys lose their order,
//! and read the published standard, while queries are written for Jayway's dialect (`$.['a']`,
//! negative positions). Filters (`[?(…)]`) and path functions are refused by name.

use super::value::Json;

/// A compiled path.
#[derive(Debug)]
pub(super) struct Path {
    /// Whether what is missing is an error rather than nothing.
    pub strict: bool,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(i64),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    All,
    /// What follows applies at any depth.
    Descend,
}

/// What a path leads to.
pub(super) enum Found<'v, 'a> {
    /// Nothing.
    Missing,
    /// One value.
    One(&'v Json<'a>),
    /// The values of a path that may lead to several.
    Many(Vec<&'v Json<'a>>),
}

impl Path {
    /// Compiles a path; the error is a sentence.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let mode = |mode: &str| {
            let start = trimmed.get(..mode.len())?;
            let rest = &trimmed[mode.len()..];
            (start.eq_ignore_ascii_case(mode) && rest.starts_with(char::is_whitespace))
                .then(|| rest.trim_start())
        };
        let (strict, rest) = match (mode("strict"), mode("lax")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => (true, trimmed),
        };
        let fail = |why: &str| Err(format!("JSON path '{text}': {why}"));
        let Some(mut rest) = rest.strip_prefix('$') else {
            return fail("it starts with $, as in '$.name'");
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix("..") {
                steps.push(Step::Descend);
                rest = behind;
                if rest.starts_with('[') {
                    continue;
                }
            } else if let Some(behind) = rest.strip_prefix('.') {
                rest = behind;
                if rest.starts_with('[') {
                    continue;
                }
            } else if let Some(behind) = rest.strip_prefix('[') {
                let Some(end) = bracket_end(behind) else { return fail("a '[' is not closed") };
                match bracket(behind[..end].trim()) {
                    Ok(step) => steps.push(step),
                    Err(why) => return fail(why),
                }
                rest = &behind[end + 1..];
                continue;
            } else {
                return fail(&format!("'{rest}' is no step; steps are .name, ['name'], [0], [*]"));
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let name = rest[..end].trim_end();
            match name {
                "" => return fail("a name is missing"),
                "*" => steps.push(Step::All),
                _ if name.ends_with(')') => return fail("functions are not supported"),
                _ => steps.push(Step::Key(name.to_owned())),
            }
            rest = &rest[end..];
        }
        Ok(Path { strict, steps })
    }

    /// What the path leads to.
    pub(super) fn find<'v, 'a>(&self, root: &'v Json<'a>) -> Found<'v, 'a> {
        let several = |step: &Step| !matches!(step, Step::Key(_) | Step::Index(_));
        if !self.steps.iter().any(several) {
            let mut at = root;
            for step in &self.steps {
                match one(step, at) {
                    Some(next) => at = next,
                    None => return Found::Missing,
                }
            }
            return Found::One(at);
        }
        let mut reached = vec![root];
        for step in &self.steps {
            let mut next = Vec::new();
            for at in reached {
                follow(step, at, &mut next);
            }
            reached = next;
        }
        Found::Many(reached)
    }
}

/// Where the closing bracket is; one within quotes is none.
fn bracket_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some(i),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn bracket(text: &str) -> Result<Step, &'static str> {
    let wrong = "in brackets stands a position, 'name', * or from:to";
    if text == "*" {
        return Ok(Step::All);
    }
    if text.starts_with('?') {
        return Err("filters are not supported");
    }
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let name = text[1..].strip_suffix(quote).ok_or(wrong)?;
        if name.contains(quote) {
            return Err("several names in brackets are not supported");
        }
        return Ok(Step::Key(name.to_owned()));
    }
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| wrong);
    let bound = |text: &str| match text.trim() {
        "" => Ok(None),
        text => number(text).map(Some),
    };
    if let Some((from, to)) = text.split_once(':') {
        return Ok(Step::Slice(bound(from)?, bound(to)?));
    }
    if text.contains(',') {
        return Ok(Step::Indexes(text.split(',').map(number).collect::<Result<_, _>>()?));
    }
    number(text).map(Step::Index)
}

/// The item at a position; a negative one counts from the end.
fn item<'v, 'a>(items: &'v [Json<'a>], index: i64) -> Option<&'v Json<'a>> {
    let index = if index < 0 { items.len() as i64 + index } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn one<'v, 'a>(step: &Step, at: &'v Json<'a>) -> Option<&'v Json<'a>> {
    match (step, at) {
        (Step::Key(name), at) => at.key(name),
        (Step::Index(index), Json::Array(items)) => item(items, *index),
        _ => None,
    }
}

fn follow<'v, 'a>(step: &Step, at: &'v Json<'a>, found: &mut Vec<&'v Json<'a>>) {
    match (step, at) {
        (Step::All, Json::Array(items)) => found.extend(items),
        (Step::All, Json::Object(entries)) => found.extend(entries.iter().map(|(_, v)| v)),
        (Step::Indexes(indexes), Json::Array(items)) => {
            found.extend(indexes.iter().filter_map(|index| item(items, *index)));
        }
        (Step::Slice(from, to), Json::Array(items)) => {
            let length = items.len() as i64;
            let bound = |at: i64| if at < 0 { (length + at).max(0) } else { at.min(length) };
            let (from, to) = (bound(from.unwrap_or(0)), bound(to.unwrap_or(length)));
            found.extend(items.iter().take(to as usize).skip(from as usize));
        }
        (Step::Descend, at) => {
            found.push(at);
            match at {
                Json::Array(items) => items.iter().for_each(|item| follow(step, item, found)),
                Json::Object(entries) => {
                    entries.iter().for_each(|(_, value)| follow(step, value, found));
                }
                _ => {}
            }
        }
        _ => found.extend(one(step, at)),
    }
}

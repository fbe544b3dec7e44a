//! What Tab offers: keywords, tables, columns, functions, options, settings, files.
//!
//! What is offered depends on the words around the cursor in the statement that it is in. Names are
//! a snapshot ([`Names`]), taken after each statement.

use std::collections::BTreeSet;

use super::meta;
use super::scan::{Kind, Token, statement_at, tokens};

mod words;

/// The names that a session knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Tables and views with their columns.
    pub(super) tables: Vec<(String, Vec<String>)>,
    pub(super) functions: Vec<String>,
    pub(super) settings: Vec<Key>,
    /// Connectors with their options.
    pub(super) connectors: Vec<(String, Vec<Key>)>,
}

/// An option or setting.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    /// Its values, where they can be told one by one.
    pub(super) values: Vec<String>,
}

/// What fits at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Replacements for the text from this place to the cursor.
    Words(usize, Vec<String>),
    /// Names of files.
    Files,
}

/// What can be written at `position` of `text`.
pub(super) fn offer(names: &Names, text: &str, position: usize) -> Offer {
    let before = text.get(..position).unwrap_or(text);
    if meta::is_meta(text) {
        return offer_meta(names, before);
    }
    let statement = statement_at(text, position);
    let left = before.get(statement.start..).unwrap_or_default();
    let left_tokens: Vec<Token<'_>> =
        tokens(left).into_iter().filter(|t| t.kind != Kind::Comment || !t.closed).collect();
    let at_word = left_tokens.last().filter(|t| {
        t.at + t.text.len() == left.len() && (!t.closed || matches!(t.kind, Kind::Word))
    });
    let (prefix, from, context) = match at_word {
        Some(word) => {
            (word.bare(), statement.start + word.at, &left_tokens[..left_tokens.len() - 1])
        }
        None => ("", position, &left_tokens[..]),
    };
    // By itself: a quote that is open at the cursor would reach over it.
    let right = tokens(text.get(position..statement.end).unwrap_or_default());
    let place = Place { names, context, around: context.iter().chain(&right).copied().collect() };
    match at_word.map(|word| word.kind) {
        Some(Kind::Comment) => Offer::Words(position, Vec::new()),
        Some(Kind::Text) => place.in_text(prefix, from + 1),
        quoted => {
            let quoted = quoted == Some(Kind::Quoted);
            let fitting = place.candidates(prefix).into_iter().filter(|candidate| {
                let name = matches!(candidate, Candidate::Name(_));
                (name || !quoted) && has_prefix(candidate.text(), prefix)
            });
            Offer::Words(from, unique(fitting.map(|c| c.written(prefix, quoted))))
        }
    }
}

fn unique(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    words.filter(|word| seen.insert(word.clone())).collect()
}

fn offer_meta(names: &Names, before: &str) -> Offer {
    let indent = before.len() - before.trim_start().len();
    let Some((command, rest)) = before.trim_start().split_once(char::is_whitespace) else {
        let typed = before.trim_start();
        let fitting = meta::names().filter(|name| name.starts_with(typed)).map(str::to_owned);
        return Offer::Words(indent, fitting.collect());
    };
    let typed = rest.trim_start();
    let of = |all: Vec<String>| {
        let fitting = all.into_iter().filter(|name| has_prefix(name, typed));
        Offer::Words(before.len() - typed.len(), fitting.collect())
    };
    match command {
        "\\d" | ".schema" => of(names.tables.iter().map(|(name, _)| name.clone()).collect()),
        "\\mode" | ".mode" => {
            of(["table", "vertical", "json", "csv", "changelog"].map(str::to_owned).to_vec())
        }
        "\\timing" | ".timer" | "\\x" | ".expanded" => {
            of(["on", "off"].map(str::to_owned).to_vec())
        }
        "\\error" | ".error" => {
            let codes = headwater_sql::error::codes::CODES.iter();
            of(codes.map(|code| code.code.to_owned()).collect())
        }
        "\\i" | "\\o" | ".read" | ".output" => Offer::Files,
        _ => of(Vec::new()),
    }
}

/// Something that may be written.
#[derive(Clone, Debug)]
enum Candidate {
    Keyword(&'static str),
    Function(String),
    Name(String),
}

impl Candidate {
    fn text(&self) -> &str {
        match self {
            Candidate::Keyword(text) => text,
            Candidate::Function(text) | Candidate::Name(text) => text,
        }
    }

    /// As it is written after `prefix`: keywords in its case, odd names in backticks.
    fn written(&self, prefix: &str, quoted: bool) -> String {
        let lower = !prefix.is_empty() && !prefix.contains(|c: char| c.is_uppercase());
        match self {
            Candidate::Keyword(text) if lower => text.to_lowercase(),
            Candidate::Keyword(text) => (*text).to_owned(),
            Candidate::Function(text) if lower => format!("{}(", text.to_lowercase()),
            Candidate::Function(text) => format!("{}(", text.to_uppercase()),
            Candidate::Name(text) if quoted || !is_plain(text) => format!("`{text}`"),
            Candidate::Name(text) => text.clone(),
        }
    }
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    let start = text.get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether a word is one of the language's.
pub(super) fn is_keyword(word: &str) -> bool {
    let lists = [words::KEYWORDS, words::STATEMENTS, words::RESERVED, words::BEFORE_TABLE];
    let mut all = lists.iter().flat_map(|list| list.iter()).flat_map(|text| text.split(' '));
    all.any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// Whether a name can stand without quotes.
fn is_plain(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let rest = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    first && rest && !words::RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// A place in a statement.
struct Place<'a> {
    names: &'a Names,
    /// What is to the left of the word at the cursor.
    context: &'a [Token<'a>],
    /// The whole statement but for that word.
    around: Vec<Token<'a>>,
}

impl Place<'_> {
    /// The token so many before the word at the cursor.
    fn back(&self, by: usize) -> Option<&Token<'_>> {
        self.context.len().checked_sub(by).and_then(|at| self.context.get(at))
    }

    /// Within single quotes: options, settings and files.
    fn in_text(&self, typed: &str, from: usize) -> Offer {
        let of = |all: Vec<String>| {
            let fitting = all.into_iter().filter(|name| has_prefix(name, typed));
            Offer::Words(from, unique(fitting))
        };
        if self.back(1).is_some_and(|t| t.is("FROM") || t.is("JOIN")) {
            return Offer::Files;
        }
        let connectors = &self.names.connectors;
        let keys: Vec<&Key> = if self.context.first().is_some_and(|t| t.is("SET") || t.is("RESET"))
        {
            self.names.settings.iter().collect()
        } else if self.context.iter().any(|t| t.is("WITH") || t.is("OPTIONS")) {
            self.options()
        } else {
            Vec::new()
        };
        let value_of = self.back(1).filter(|t| t.is_sign("=")).and_then(|_| self.back(2));
        match value_of.map(Token::bare) {
            Some("connector") => of(connectors.iter().map(|(name, _)| name.clone()).collect()),
            Some(name) => {
                let key = keys.iter().find(|key| key.name == name);
                of(key.map(|key| key.values.clone()).unwrap_or_default())
            }
            None => of(keys.iter().map(|key| key.name.clone()).collect()),
        }
    }

    /// The options of the connector that the statement names; of all, where it names none yet.
    fn options(&self) -> Vec<&Key> {
        let connector = self
            .around
            .windows(3)
            .find_map(|t| (t[0].bare() == "connector" && t[1].is_sign("=")).then(|| t[2].bare()));
        let connectors = self.names.connectors.iter();
        let named = connectors.filter(|(name, _)| connector.is_none_or(|named| named == name));
        named.flat_map(|(_, keys)| keys).collect()
    }

    /// Anywhere else: tables, columns, functions and keywords.
    fn candidates(&self, prefix: &str) -> Vec<Candidate> {
        let last = self.back(1);
        if last.is_some_and(|t| t.is_sign(".")) {
            return self.back(2).map(|of| self.columns_of(of.bare())).unwrap_or_default();
        }
        let after = |words: &[&str]| last.is_some_and(|t| words.iter().any(|word| t.is(word)));
        if after(words::BEFORE_TABLE) {
            let mut candidates = self.tables();
            if after(&["FROM", "JOIN"]) {
                candidates.push(Candidate::Keyword("TABLE"));
            }
            return candidates;
        }
        if self.context.is_empty() {
            return words::STATEMENTS.iter().map(|word| Candidate::Keyword(word)).collect();
        }
        let mut candidates = self.columns();
        // Without a letter there would be a thousand words to choose from.
        if !prefix.is_empty() {
            candidates.extend(self.names.functions.iter().cloned().map(Candidate::Function));
        }
        candidates.extend(words::KEYWORDS.iter().map(|word| Candidate::Keyword(word)));
        candidates
    }

    fn tables(&self) -> Vec<Candidate> {
        self.names.tables.iter().map(|(name, _)| Candidate::Name(name.clone())).collect()
    }

    /// The columns of the tables that the statement names.
    fn columns(&self) -> Vec<Candidate> {
        let is_name = |t: &&Token<'_>| matches!(t.kind, Kind::Word | Kind::Quoted);
        let names = self.around.iter().filter(is_name);
        let named = |table: &str| names.clone().any(|t| t.bare() == table);
        let tables = self.names.tables.iter().filter(|(table, _)| named(table));
        tables.flat_map(|(_, columns)| columns.iter().cloned()).map(Candidate::Name).collect()
    }

    /// The columns of a table or alias.
    fn columns_of(&self, name: &str) -> Vec<Candidate> {
        let find = |name: &str| self.names.tables.iter().find(|(table, _)| table == name);
        let aliased = || {
            self.around.iter().enumerate().skip(1).find_map(|(at, token)| {
                let before = |by: usize| at.checked_sub(by).and_then(|at| self.around.get(at));
                let table = before(1).filter(|t| !t.is("AS")).or_else(|| before(2))?;
                (token.bare() == name).then(|| find(table.bare())).flatten()
            })
        };
        let columns = find(name).or_else(aliased).map(|(_, columns)| columns.clone());
        columns.unwrap_or_default().into_iter().map(Candidate::Name).collect()
    }
}

#[cfg(test)]
mod tests;

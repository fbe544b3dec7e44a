//! Java's regular expressions on top of the `fancy-regex` crate (the `regex` crate's engine with
//! look-around and back references).
//!
//! Both languages agree on nearly all; what is read otherwise is translated first: `\Q…\E`,
//! `\d \w \s \h` and their negations (ASCII in Java), and POSIX classes such as `\p{Alpha}`.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use datafusion::common::Result;
use fancy_regex::Regex;
use regex::CaptureLocations;

use super::one_pass::OnePass;
use crate::functions::args::Call;
use crate::functions::cache::{Cache, Recent};

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// The same without look-around and back references, if it has none, and room for what its
    /// groups match: the faster way.
    plain: Option<(regex::Regex, RefCell<CaptureLocations>)>,
    /// The same for patterns that begin with known text: faster still.
    one_pass: Option<OnePass>,
}

impl Pattern {
    /// Compiles a pattern; the error is a sentence.
    pub(crate) fn new(pattern: &str) -> std::result::Result<Self, String> {
        let translated = translate(pattern);
        match Regex::new(&translated) {
            Ok(regex) => {
                let plain = regex::Regex::new(&translated).ok().map(|plain| {
                    let groups = RefCell::new(plain.capture_locations());
                    (plain, groups)
                });
                let one_pass = plain.as_ref().and_then(|_| OnePass::new(&translated));
                Ok(Pattern { regex, plain, one_pass })
            }
            Err(error) => Err(format!("'{pattern}' is not a regular expression: {error}")),
        }
    }

    /// Number of groups, without the whole match.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Where the first match is. A match given up for its cost is none.
    pub(crate) fn find(&self, text: &str) -> Option<Range<usize>> {
        match &self.plain {
            Some((plain, _)) => plain.find(text).map(|found| found.range()),
            None => self.regex.find(text).ok().flatten().map(|found| found.range()),
        }
    }

    /// Where all matches are, from left to right.
    pub(crate) fn find_all<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.regex.find_iter(text).map_while(|found| found.ok()).map(|found| found.range())
    }

    /// A group of the first match; 0 is the whole of it.
    pub(crate) fn group<'a>(&self, text: &'a str, group: usize) -> Option<&'a str> {
        if group == 0 {
            return Some(&text[self.find(text)?]);
        }
        if let Some(one_pass) = &self.one_pass
            && let Ok(found) = one_pass.group(text, group)
        {
            return found;
        }
        if let Some((plain, groups)) = &self.plain {
            let mut groups = groups.borrow_mut();
            plain.captures_read(&mut groups, text)?;
            let (start, end) = groups.get(group)?;
            return text.get(start..end);
        }
        let captures = self.regex.captures(text).ok().flatten()?;
        Some(&text[captures.get(group)?.range()])
    }

    /// A group of every match; none where the group took no part.
    pub(crate) fn group_all<'a>(&self, text: &'a str, group: usize) -> Vec<Option<&'a str>> {
        let all = self.regex.captures_iter(text).map_while(|captures| captures.ok());
        all.map(|captures| Some(&text[captures.get(group)?.range()])).collect()
    }

    /// The text between matches.
    pub(crate) fn split<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let mut from = 0;
        let mut ends = self.find_all(text).filter(|found| found.end > 0);
        let mut done = false;
        std::iter::from_fn(move || {
            if done {
                return None;
            }
            match ends.next() {
                Some(found) => {
                    let part = &text[from..found.start];
                    from = found.end;
                    Some(part)
                }
                None => {
                    done = true;
                    Some(&text[from..])
                }
            }
        })
    }
}

thread_local! {
    static COMPILED: RefCell<Cache<Pattern>> = RefCell::default();
}

/// The patterns of a call, each compiled once a thread.
pub(super) struct Patterns<'a> {
    call: &'a Call<'a>,
    recent: Recent<Pattern>,
}

impl<'a> Patterns<'a> {
    /// No pattern yet.
    pub(super) fn new(call: &'a Call<'a>) -> Self {
        Patterns { call, recent: Recent::default() }
    }

    /// The pattern of a text. What is none fails the query: a typing error in a constant must not
    /// turn every row into NULL.
    pub(super) fn get(&mut self, text: &str) -> Result<Rc<Pattern>> {
        self.recent.get(text, |text| {
            let compiled = COMPILED.with(|cache| cache.borrow_mut().get(text, Pattern::new));
            compiled.map_err(|message| self.call.error(message))
        })
    }
}

/// What stands for a class in ASCII, without its brackets.
fn class(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => r"\x00-\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "a-zA-Z0-9",
        "Punct" => r"!-/:-@\[-`{-~",
        "Graph" => "!-~",
        "Print" => " -~",
        "Blank" => r" \t",
        "Cntrl" => r"\x00-\x1F\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => r" \t\n\x0B\f\r",
        "javaLowerCase" => r"\p{Lowercase}",
        "javaUpperCase" => r"\p{Uppercase}",
        "javaWhitespace" => r"\s",
        "IsAlphabetic" => r"\p{Alphabetic}",
        "IsLetter" => r"\p{L}",
        "IsDigit" => r"\p{Nd}",
        _ => return None,
    })
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut depth = 0_usize; // of brackets
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if c != '\\' {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            out.push(c);
            rest = after;
            continue;
        }
        let Some(escaped) = after.chars().next() else {
            out.push(c);
            break;
        };
        let behind = &after[escaped.len_utf8()..];
        rest = behind;
        match escaped {
            'Q' => {
                let (literal, behind) = behind.split_once(r"\E").unwrap_or((behind, ""));
                out.push_str(&fancy_regex::escape(literal));
                rest = behind;
            }
            'd' => push_class(&mut out, "0-9", false, depth),
            'D' => push_class(&mut out, "0-9", true, depth),
            'w' => push_class(&mut out, "a-zA-Z_0-9", false, depth),
            'W' => push_class(&mut out, "a-zA-Z_0-9", true, depth),
            's' => push_class(&mut out, r" \t\n\x0B\f\r", false, depth),
            'S' => push_class(&mut out, r" \t\n\x0B\f\r", true, depth),
            'h' => push_class(&mut out, r" \t\xA0\u{1680}\u{2000}-\u{200A}", false, depth),
            'p' | 'P' => {
                let named = behind.strip_prefix('{').and_then(|named| named.split_once('}'));
                match named.and_then(|(name, behind)| Some((class(name)?, behind))) {
                    Some((class, behind)) => {
                        push_class(&mut out, class, escaped == 'P', depth);
                        rest = behind;
                    }
                    None => out.extend(['\\', escaped]),
                }
            }
            other => out.extend(['\\', other]),
        }
    }
    out
}

fn push_class(out: &mut String, class: &str, negated: bool, depth: usize) {
    match (negated, depth > 0) {
        (false, true) => out.push_str(class),
        (false, false) => out.extend(["[", class, "]"]),
        (true, _) => out.extend(["[^", class, "]"]),
    }
}

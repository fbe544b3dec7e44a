//! A pull parser for JSON (RFC 8259) that gives numbers as their text.
//!
//! Invariant: it accepts what `serde_json` accepts and nothing else, but that `-0` and long numbers
//! stay as they are written.

use super::super::text::quoted;

/// How deep values may be nested.
const MAX_DEPTH: u32 = 128;

/// What a value begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    Text,
    /// A digit or `-`
    Number,
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
}

/// Reads one text from front to back.
#[derive(Clone)]
pub struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Parser<'a> {
    /// A parser at the front of a text.
    pub fn new(text: &'a str) -> Self {
        Parser { text, at: 0, depth: 0 }
    }

    fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} at column {}", self.at + 1))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes blanks.
    #[inline]
    pub fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Passes blanks and tells whether there is nothing else.
    pub fn is_at_end(&mut self) -> bool {
        self.blanks();
        self.at == self.text.len()
    }

    /// Where it is.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The text from a position to here.
    pub fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    /// What comes next; literals are passed.
    pub fn value(&mut self) -> Result<Kind, String> {
        self.blanks();
        let rest = &self.text.as_bytes()[self.at..];
        let (kind, literal) = match rest.first() {
            Some(b'{') => return Ok(Kind::Object),
            Some(b'[') => return Ok(Kind::Array),
            Some(b'"') => return Ok(Kind::Text),
            Some(b'-' | b'0'..=b'9') => return Ok(Kind::Number),
            Some(b't') => (Kind::Bool(true), "true"),
            Some(b'f') => (Kind::Bool(false), "false"),
            Some(b'n') => (Kind::Null, "null"),
            Some(_) => return self.error("expected a value"),
            None => return self.error("the record ends"),
        };
        if !rest.starts_with(literal.as_bytes()) {
            return self.error("expected a value");
        }
        self.at += literal.len();
        Ok(kind)
    }

    /// Passes the `{` or `[` that [`value`](Self::value) saw.
    pub fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.error("nested more than 128 deep");
        }
        self.at += 1;
        Ok(())
    }

    /// The next key of an object, and past its colon, given to `take`; none at the object's end.
    pub fn key<T>(
        &mut self,
        first: bool,
        scratch: &mut String,
        take: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>, String> {
        if !self.next(first, b'}')? {
            return Ok(None);
        }
        if self.byte() != Some(b'"') {
            return self.error("expected a key in quotes");
        }
        let taken = take(self.string(scratch)?);
        self.blanks();
        if self.byte() != Some(b':') {
            return self.error("expected a colon");
        }
        self.at += 1;
        Ok(Some(taken))
    }

    /// Whether an array goes on; past the comma or the end.
    pub fn item(&mut self, first: bool) -> Result<bool, String> {
        self.next(first, b']')
    }

    fn next(&mut self, first: bool, close: u8) -> Result<bool, String> {
        self.blanks();
        match self.byte() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                self.blanks();
                if self.byte() == Some(close) {
                    return self.error("a comma without a value behind it");
                }
                Ok(true)
            }
            Some(_) if first => Ok(true),
            Some(_) => self.error("expected a comma or the end"),
            None => self.error("the record ends"),
        }
    }

    /// The text of a number.
    pub fn number(&mut self) -> Result<&'a str, String> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.error("expected a digit"),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), String> {
        let start = self.at;
        self.digits();
        if self.at == start { self.error("expected a digit") } else { Ok(()) }
    }

    /// The text in quotes that comes next: a part of the input, or unescaped into `scratch`.
    pub fn string<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str, String>
    where
        'a: 's,
    {
        self.at += 1;
        let start = self.at;
        self.plain();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(&self.text[start..self.at - 1]);
        }
        scratch.clear();
        scratch.push_str(&self.text[start..self.at]);
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(scratch);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escape()?;
                    scratch.push(character);
                }
                Some(_) => return self.error("a control character in a text"),
                None => return self.error("the record ends within a text"),
            }
            let plain = self.at;
            self.plain();
            scratch.push_str(&self.text[plain..self.at]);
        }
    }

    /// Passes what needs no care in a text.
    #[inline]
    fn plain(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(byte) = self.byte() else { return self.error("the record ends within a text") };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => {
                self.at -= 1;
                return self.error("an unknown escape");
            }
        })
    }

    fn unicode(&mut self) -> Result<char, String> {
        let first = self.four_hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.text[self.at..].starts_with("\\u") {
                return self.error("half of a surrogate pair");
            }
            self.at += 2;
            let second = self.four_hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return self.error("half of a surrogate pair");
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.error("half of a surrogate pair"),
        }
    }

    fn four_hex(&mut self) -> Result<u32, String> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let number = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let number = number.and_then(|d| std::str::from_utf8(d).ok());
        match number.and_then(|d| u32::from_str_radix(d, 16).ok()) {
            Some(number) => {
                self.at += 4;
                Ok(number)
            }
            None => self.error("expected four hexadecimal digits"),
        }
    }

    /// Passes a value.
    pub fn skip(&mut self, scratch: &mut String) -> Result<(), String> {
        match self.value()? {
            Kind::Object => {
                self.enter()?;
                let mut first = true;
                while self.key(first, scratch, |_| ())?.is_some() {
                    self.skip(scratch)?;
                    first = false;
                }
            }
            Kind::Array => {
                self.enter()?;
                let mut first = true;
                while self.item(first)? {
                    self.skip(scratch)?;
                    first = false;
                }
            }
            Kind::Text => {
                self.string(scratch)?;
            }
            Kind::Number => {
                self.number()?;
            }
            Kind::Bool(_) | Kind::Null => {}
        }
        Ok(())
    }

    /// Goes back to a position within the value that is being read, at this depth.
    pub fn back_to(&mut self, earlier: &Parser<'a>) {
        self.at = earlier.at;
        self.depth = earlier.depth;
    }
}

/// The text of a value without the blanks between its parts.
pub fn without_blanks(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in json.chars() {
        if quoted || !matches!(character, ' ' | '\n' | '\r' | '\t') {
            text.push(character);
        }
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    text
}

/// The record as text, or why it is none.
pub fn utf8(record: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(record).map_err(|e| format!("not UTF-8 from byte {} on", e.valid_up_to()))
}

/// The error of a value that is of another kind than its column.
pub fn unlike(value: &str, wanted: &str) -> String {
    format!("{} is no {wanted}", quoted(value))
}

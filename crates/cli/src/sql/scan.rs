//! Texts as a shell needs to see them: words, quoted things, comments, and where statements end.
//!
//! The parser reads texts that are whole; this reads them while they are typed, so nothing is an
//! error here. A quote or comment that has no end yet reaches to the end of the text.

/// What a piece of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or bare name.
    Word,
    /// A number.
    Number,
    /// Text in single quotes.
    Text,
    /// A name in backticks or double quotes.
    Quoted,
    /// A comment; hints too.
    Comment,
    /// Anything else, one sign each.
    Sign,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As it is written.
    pub(super) text: &'a str,
    /// Where it starts, in bytes.
    pub(super) at: usize,
    /// Whether the quote or comment has its end.
    pub(super) closed: bool,
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this sign.
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// The name or text without its quotes.
    pub(super) fn bare(&self) -> &str {
        let inner = match self.kind {
            Kind::Text | Kind::Quoted => self.text.get(1..).unwrap_or_default(),
            _ => return self.text,
        };
        let end = inner.len().saturating_sub(usize::from(self.closed));
        inner.get(..end).unwrap_or(inner)
    }
}

/// The pieces of a text; white space is between them.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length, closed) = piece(rest, first);
        tokens.push(Token { kind, text: &rest[..length], at, closed });
        at += length;
    }
    tokens
}

/// Kind and length of the piece that `rest` begins with, and whether it has its end.
fn piece(rest: &str, first: char) -> (Kind, usize, bool) {
    let to = |end: Option<usize>, kind| match end {
        Some(end) => (kind, end, true),
        None => (kind, rest.len(), false),
    };
    match first {
        '\'' => to(end_of_quote(rest, '\''), Kind::Text),
        '`' | '"' => to(end_of_quote(rest, first), Kind::Quoted),
        '-' if rest.starts_with("--") => {
            // A line comment always has its end: that of the text will do.
            (Kind::Comment, rest.find('\n').unwrap_or(rest.len()), true)
        }
        '/' if rest.starts_with("/*") => to(rest[2..].find("*/").map(|end| end + 4), Kind::Comment),
        c if c.is_alphabetic() || c == '_' => {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
            (Kind::Word, end.unwrap_or(rest.len()), true)
        }
        c if c.is_ascii_digit() => {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
            (Kind::Number, end.unwrap_or(rest.len()), true)
        }
        c => (Kind::Sign, c.len_utf8(), true),
    }
}

/// Where a quoted thing ends; a doubled quote is part of it.
fn end_of_quote(rest: &str, quote: char) -> Option<usize> {
    let mut from = 1;
    loop {
        let end = from + rest.get(from..)?.find(quote)? + 1;
        if !rest[end..].starts_with(quote) {
            return Some(end);
        }
        from = end + 1;
    }
}

/// The part of a text that is the statement at `position`.
pub(super) fn statement_at(text: &str, position: usize) -> std::ops::Range<usize> {
    let (mut start, mut end) = (0, text.len());
    for token in tokens(text).iter().filter(|t| t.is_sign(";")) {
        if token.at < position {
            start = token.at + 1;
        } else {
            end = end.min(token.at);
        }
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).into_iter().map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn texts_are_cut_into_pieces() {
        use Kind::*;
        assert_eq!(
            kinds("SELECT a.`b c`, 'it''s', 1.5e3 -- x; y\nFROM \"t\" /* ; */;"),
            [
                (Word, "SELECT"),
                (Word, "a"),
                (Sign, "."),
                (Quoted, "`b c`"),
                (Sign, ","),
                (Text, "'it''s'"),
                (Sign, ","),
                (Number, "1.5e3"),
                (Comment, "-- x; y"),
                (Word, "FROM"),
                (Quoted, "\"t\""),
                (Comment, "/* ; */"),
                (Sign, ";"),
            ]
        );
        assert_eq!(tokens("größe 'ä")[1].bare(), "ä");
        assert_eq!(tokens("'it''s'")[0].bare(), "it''s");
        assert_eq!(tokens("`x`")[0].bare(), "x");
    }

    #[test]
    fn what_has_no_end_reaches_to_the_end() {
        for text in ["'a; b", "`a", "\"a", "/* a;", "'a''"] {
            let tokens = tokens(text);
            assert_eq!((tokens.len(), tokens[0].closed), (1, false), "{text}");
            assert_eq!(tokens[0].text, text);
        }
    }

    #[test]
    fn the_statement_at_a_place() {
        let text = "SELECT 1; SELECT ';' ; x";
        assert_eq!(&text[statement_at(text, 3)], "SELECT 1");
        assert_eq!(&text[statement_at(text, 12)], " SELECT ';' ");
        assert_eq!(&text[statement_at(text, text.len())], " x");
        assert_eq!(statement_at("", 0), 0..0);
    }
}

//! How many columns of a terminal a text takes.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns of a text.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text with spaces up to `columns`: behind it, or before it.
pub(super) fn pad(text: &str, columns: usize, before: bool) -> String {
    let spaces = " ".repeat(columns.saturating_sub(width(text)));
    if before { spaces + text } else { text.to_owned() + &spaces }
}

/// The beginning of a text that takes at most so many columns, with a sign where it was cut.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = most.saturating_sub(1);
    for character in text.chars() {
        match left.checked_sub(character.width().unwrap_or(0)) {
            Some(rest) => left = rest,
            None => break,
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_signs_take_two_columns() {
        assert_eq!((width("日本"), width("ab")), (4, 2));
        assert_eq!((pad("日", 4, false), pad("1", 3, true)), ("日  ".to_owned(), "  1".to_owned()));
        assert_eq!((cut("日本語", 5), cut("abc", 2)), ("日本…".to_owned(), "a…".to_owned()));
        assert_eq!(cut("abc", 3), "abc");
    }
}

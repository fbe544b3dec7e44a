//! How an error is drawn: the code and sentence, the line of text with carets, the help.

use std::fmt::Write as _;

use super::{Span, SqlError};

/// A line longer than this is shown in part, around the carets.
const WIDEST: usize = 120;

const RED: &str = "\x1b[1;31m";
const BLUE: &str = "\x1b[34m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

impl SqlError {
    /// Draws the error over the text it is about; `color` adds ANSI colours.
    pub fn render(&self, text: &str, color: bool) -> String {
        let paint = |style: &'static str| if color { style } else { "" };
        let mut out = format!(
            "{}error[{}]{}: {}{}{}\n",
            paint(RED),
            self.code,
            paint(PLAIN),
            paint(BOLD),
            self.message,
            paint(PLAIN)
        );
        let mut said = false;
        if let Some(span) = self.span
            && let Some(shown) = excerpt(text, span)
        {
            let width = shown.number.len();
            let label = self.label.as_deref().unwrap_or_default();
            said = self.label.is_some();
            let _ =
                writeln!(out, "  {}{} │{} {}", paint(BLUE), shown.number, paint(PLAIN), shown.line);
            let carets =
                format!("{}{} {label}", " ".repeat(shown.indent), "^".repeat(shown.carets));
            let _ = writeln!(
                out,
                "  {}{} ·{} {}{}{}",
                paint(BLUE),
                " ".repeat(width),
                paint(PLAIN),
                paint(RED),
                carets.trim_end(),
                paint(PLAIN)
            );
        }
        if let (false, Some(label)) = (said, &self.label) {
            let _ = writeln!(out, "  help: {label}");
        }
        for help in &self.help {
            let _ = writeln!(out, "  help: {help}");
        }
        let _ = write!(out, "  more: headwater error {}", self.code);
        out
    }
}

/// The part of a line that is shown.
struct Excerpt {
    number: String,
    line: String,
    indent: usize,
    carets: usize,
}

fn excerpt(text: &str, span: Span) -> Option<Excerpt> {
    let start = usize::try_from(span.start.column).ok()?.checked_sub(1)?;
    let line = text.split('\n').nth(usize::try_from(span.start.line).ok()?.checked_sub(1)?)?;
    let line: Vec<char> = line.trim_end_matches('\r').chars().collect();
    // An error at the end of the text may point behind its last letter.
    let start = start.min(line.len());
    let end = if span.end.line == span.start.line {
        usize::try_from(span.end.column.saturating_sub(1)).ok()?.min(line.len())
    } else {
        line.len()
    };
    let carets = end.saturating_sub(start).max(1);

    let from = if line.len() <= WIDEST { 0 } else { start.saturating_sub(WIDEST / 3) };
    let to = line.len().min(from + WIDEST);
    let mut shown = String::new();
    let before = if from > 0 { "… " } else { "" };
    shown.push_str(before);
    // A tab would move the carets away from what they point at.
    shown.extend(line[from..to].iter().map(|&c| if c == '\t' { ' ' } else { c }));
    if to < line.len() {
        shown.push_str(" …");
    }
    Some(Excerpt {
        number: span.start.line.to_string(),
        line: shown,
        indent: before.chars().count() + start - from,
        carets: carets.min(WIDEST - (start - from).min(WIDEST - 1)),
    })
}

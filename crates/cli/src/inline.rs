//! A frame that is drawn again in place, below what the terminal shows already.

use headwater::cli::terminal;

/// A frame on the standard output.
#[derive(Default)]
pub(crate) struct Inline {
    /// Lines of the frame that is shown.
    drawn: usize,
}

impl Inline {
    /// Shows `frame`, whose lines end with line ends and fit the terminal, in place of the last
    /// one; false when nobody sees it any more.
    pub(crate) fn draw(&mut self, frame: &str) -> bool {
        let text = self.replacing(frame);
        terminal::print(&text)
    }

    fn replacing(&mut self, frame: &str) -> String {
        // Up to where the last frame began, and away with it.
        let back =
            if self.drawn > 0 { format!("\x1b[{}A\r\x1b[J", self.drawn) } else { String::new() };
        self.drawn = frame.lines().count();
        back + frame
    }

    /// The last frame stays; what follows comes below it.
    pub(crate) fn close(&mut self) {
        self.drawn = 0;
    }
}

/// Columns of the terminal that a frame may take.
pub(crate) fn columns() -> usize {
    // Some terminals say that they have no columns at all.
    let columns = comfy_table::Table::new().width().filter(|columns| *columns >= 20);
    usize::from(columns.unwrap_or(80)) - 1
}

/// Dims a line, where there is colour.
pub(crate) fn dim(line: &str, colour: bool) -> String {
    if colour { format!("\x1b[2m{line}\x1b[0m") } else { line.to_owned() }
}

/// A line in as many lines of up to `width` characters as it takes, broken at its dots; a part that
/// is longer is cut.
pub(crate) fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in line.split(" · ") {
        let part: String = part.chars().take(width).collect();
        match lines.last_mut() {
            Some(last) if last.chars().count() + 3 + part.chars().count() <= width => {
                last.push_str(" · ");
                last.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_their_dots() {
        assert_eq!(wrap("ab · cd · ef", 7), ["ab · cd", "ef"]);
        assert_eq!(wrap("ab · cd · ef", 6), ["ab", "cd", "ef"]);
        assert_eq!(wrap("äöü", 2), ["äö"]);
    }

    #[test]
    fn a_frame_takes_the_place_of_the_last_one() {
        let mut inline = Inline::default();
        assert_eq!(inline.replacing("a\nb\n"), "a\nb\n");
        assert_eq!(inline.replacing("c\n"), "\x1b[2A\r\x1b[Jc\n");
        inline.close();
        assert_eq!(inline.replacing("d\n"), "d\n");
    }
}

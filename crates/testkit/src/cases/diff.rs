//! The difference between two lists of lines, as people read it.

/// Lines that are only in `expected` after `-`, only in `found` after `+`, in both after a blank.
pub(super) fn diff(expected: &[String], found: &[String]) -> String {
    let (rows, columns) = (expected.len(), found.len());
    // Length of the longest common subsequence of the tails that start at (row, column).
    let mut common = vec![vec![0usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if expected[row] == found[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut text = String::new();
    let mut push = |sign: char, line: &str| text.push_str(&format!("  {sign} {line}\n"));
    while row < rows || column < columns {
        let same = row < rows && column < columns && expected[row] == found[column];
        if same {
            push(' ', &expected[row]);
            (row, column) = (row + 1, column + 1);
        } else if column == columns
            || (row < rows && common[row + 1][column] >= common[row][column + 1])
        {
            push('-', &expected[row]);
            row += 1;
        } else {
            push('+', &found[column]);
            column += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_lines_are_kept_together() {
        let lines = |text: &str| text.chars().map(|c| c.to_string()).collect::<Vec<_>>();
        let shown = diff(&lines("abcd"), &lines("axcde"));
        assert_eq!(shown, "    a\n  - b\n  + x\n    c\n    d\n  + e\n");
        assert_eq!(diff(&[], &lines("a")), "  + a\n");
    }
}

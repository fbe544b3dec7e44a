//! The form of a file: blocks in, blocks out.

/// A block of a file.
#[derive(Clone, Debug)]
pub struct Block {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Comments and empty lines before it.
    pub before: String,
    /// The words of its first line.
    pub head: Vec<String>,
    /// The statement, or a file's content.
    pub body: String,
    /// What is expected; none: there is no `----`.
    pub expected: Option<Vec<String>>,
}

/// The blocks of a text, and what follows the last one.
pub fn parse(text: &str) -> (Vec<Block>, String) {
    let mut blocks = Vec::new();
    let mut before = String::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim().is_empty() || lines[at].starts_with('#') {
            before.push_str(lines[at]);
            before.push('\n');
            at += 1;
            continue;
        }
        let line = at + 1;
        let head = lines[at].split_whitespace().map(str::to_owned).collect();
        at += 1;
        let mut body = Vec::new();
        while at < lines.len() && lines[at] != "----" && !lines[at].is_empty() {
            body.push(lines[at]);
            at += 1;
        }
        let mut expected = None;
        if at < lines.len() && lines[at] == "----" {
            at += 1;
            let mut rows = Vec::new();
            while at < lines.len() && !lines[at].is_empty() {
                rows.push(lines[at].to_owned());
                at += 1;
            }
            expected = Some(rows);
        }
        let before = std::mem::take(&mut before);
        blocks.push(Block { line, before, head, body: body.join("\n"), expected });
    }
    (blocks, before)
}

/// The text of blocks.
pub fn print(blocks: &[Block], after: &str) -> String {
    let mut text = String::new();
    for block in blocks {
        text.push_str(&block.before);
        text.push_str(&block.head.join(" "));
        text.push('\n');
        if !block.body.is_empty() {
            text.push_str(&block.body);
            text.push('\n');
        }
        if let Some(expected) = &block.expected {
            text.push_str("----\n");
            for row in expected {
                text.push_str(row);
                text.push('\n');
            }
        }
    }
    text.push_str(after);
    text
}

#[test]
fn what_is_parsed_prints_the_same() {
    let text = "# one\n\nstatement\nSELECT 1\n\nquery batch\nSELECT 2\n----\n2\n\n# end\n";
    let (blocks, after) = parse(text);
    assert_eq!(blocks.len(), 2);
    assert_eq!(blocks[1].expected.as_deref(), Some(&["2".to_owned()][..]));
    assert_eq!(print(&blocks, &after), text);
}

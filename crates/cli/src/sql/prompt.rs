//! The prompt: a line editor that knows statements, and a shell behind it.

use std::borrow::Cow;
use std::path::PathBuf;

use headwater::Exit;
use headwater_sql::syntax::is_open;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::complete::{Names, Offer, offer};
use super::meta;
use super::names;
use super::scan::{Kind, tokens};
use super::shell::{Flow, Shell};

const PROMPT: &str = "hw> ";
/// As many lines are remembered from one session to the next.
const HISTORY: usize = 10_000;

/// What the editor asks while a statement is typed.
struct Assistant {
    names: Names,
    files: FilenameCompleter,
    history: HistoryHinter,
    colour: bool,
}

/// Reads statements and runs them until it is told to leave.
pub(super) fn talk(shell: &mut Shell) -> Exit {
    let mut editor = match editor(shell.manner.colour) {
        Ok(editor) => editor,
        Err(e) => {
            eprintln!("error: cannot read from the terminal: {e}");
            return Exit::FAILED;
        }
    };
    let file = history_file();
    if let Some(file) = &file {
        // There is none the first time.
        let _ = editor.load_history(file);
    }
    if let Some(assistant) = editor.helper_mut() {
        assistant.names = names::fixed(&shell.session);
    }
    loop {
        if let Some(assistant) = editor.helper_mut() {
            assistant.names.tables = names::tables(&mut shell.session);
        }
        let text = match editor.readline(PROMPT) {
            Ok(text) => text,
            // What was typed is dropped.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(e) => {
                eprintln!("error: cannot read from the terminal: {e}");
                return Exit::FAILED;
            }
        };
        if text.trim().is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(text.trim_end());
        if let Some(file) = &file {
            let _ = editor.save_history(file);
        }
        // The error has been told, and whoever typed it goes on.
        if shell.run(&text) == Ok(Flow::Leave) {
            break;
        }
    }
    Exit::OK
}

fn editor(colour: bool) -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .max_history_size(HISTORY)?
        .history_ignore_space(true)
        .keyseq_timeout(Some(50))
        .tab_stop(2)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant {
        names: Names::default(),
        files: FilenameCompleter::new(),
        history: HistoryHinter::new(),
        colour,
    }));
    Ok(editor)
}

/// Where lines typed are remembered: `HEADWATER_HISTORY` (empty: nowhere), or in the home directory.
fn history_file() -> Option<PathBuf> {
    match std::env::var_os("HEADWATER_HISTORY") {
        Some(file) if file.is_empty() => None,
        Some(file) => Some(file.into()),
        None => std::env::home_dir().map(|home| home.join(".headwater_history")),
    }
}

impl Helper for Assistant {}

impl Validator for Assistant {
    fn validate(&self, cx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if meta::is_meta(cx.input()) || !is_open(cx.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        cx: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        match offer(&self.names, line, position) {
            Offer::Files => self.files.complete(line, position, cx),
            Offer::Words(from, words) => {
                let pair = |word: String| Pair { display: word.clone(), replacement: word };
                Ok((from, words.into_iter().map(pair).collect()))
            }
        }
    }
}

impl Hinter for Assistant {
    type Hint = String;

    /// The rest of what was typed before; behind a word with one completion, that.
    fn hint(&self, line: &str, position: usize, cx: &Context<'_>) -> Option<String> {
        if line.trim().is_empty() || position < line.len() {
            return None;
        }
        self.history.hint(line, position, cx).or_else(|| only_word(&self.names, line))
    }
}

/// The rest of the only word that fits at the end of a line, if a good part of it is there.
fn only_word(names: &Names, line: &str) -> Option<String> {
    let Offer::Words(from, words) = offer(names, line, line.len()) else { return None };
    let typed = line.get(from..)?;
    match &words[..] {
        [word] if typed.len() >= 3 && typed.len() < word.len() => {
            word.strip_prefix(typed).map(str::to_owned)
        }
        _ => None,
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _position: usize) -> Cow<'l, str> {
        if !self.colour || meta::is_meta(line) {
            return Cow::Borrowed(line);
        }
        Cow::Owned(coloured(line))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        if self.colour {
            Cow::Owned(format!("\x1b[1m{prompt}\x1b[0m"))
        } else {
            Cow::Borrowed(prompt)
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.colour { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _line: &str, _position: usize, kind: CmdKind) -> bool {
        self.colour && kind != CmdKind::MoveCursor
    }
}

/// A text with texts, comments and keywords in colour.
fn coloured(line: &str) -> String {
    let mut out = String::with_capacity(line.len() * 2);
    let mut at = 0;
    for token in tokens(line) {
        out.push_str(&line[at..token.at]);
        let style = match token.kind {
            Kind::Text => "\x1b[32m",
            Kind::Comment => "\x1b[2m",
            Kind::Word if super::complete::is_keyword(token.text) => "\x1b[1m",
            _ => "",
        };
        if style.is_empty() {
            out.push_str(token.text);
        } else {
            out.push_str(&format!("{style}{}\x1b[0m", token.text));
        }
        at = token.at + token.text.len();
    }
    out.push_str(&line[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_changes_no_letter() {
        let line = "SELECT 'a' -- b\nFROM `t`  ;";
        let coloured = coloured(line);
        assert!(coloured.contains("\x1b[1mSELECT\x1b[0m"), "{coloured:?}");
        assert!(coloured.contains("\x1b[32m'a'\x1b[0m"), "{coloured:?}");
        let mut plain = coloured;
        for code in ["\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, line);
    }

    #[test]
    fn a_word_without_rival_is_hinted_at() {
        let names = Names {
            tables: vec![("bid".to_owned(), vec!["channel".to_owned()])],
            ..Names::default()
        };
        assert_eq!(only_word(&names, "DESCR"), Some("IBE".to_owned()));
        assert_eq!(only_word(&names, "DE"), None);
        assert_eq!(only_word(&names, "DESCRIBE"), None);
    }
}

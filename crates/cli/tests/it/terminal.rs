//! A terminal for tests: a program runs in it, keys are pressed, and what stands on the screen is
//! looked at.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rexpect::process::{PtyProcess, WaitStatus};

const LINES: NonZeroU16 = NonZeroU16::new(45).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(130).unwrap();
/// So long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const CTRL_C: &str = "\x03";
pub(super) const CTRL_D: &str = "\x04";
pub(super) const TAB: &str = "\t";
pub(super) const UP: &str = "\x1b[A";

/// See the module documentation.
pub(super) struct Terminal {
    process: PtyProcess,
    keys: File,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    /// Runs the command in a directory that is its home too.
    pub(super) fn start(directory: &Path, args: &[&str]) -> Terminal {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.current_dir(directory).args(args);
        command.env("HOME", directory).env("TERM", "xterm").env("HEADWATER_WORKERS", "2");
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "HEADWATER_LOG", "HEADWATER_HISTORY"] {
            command.env_remove(name);
        }
        let process = PtyProcess::new(command).unwrap();
        let keys = process.get_file_handle().unwrap();
        let size = rustix::termios::Winsize {
            ws_row: LINES.get(),
            ws_col: COLUMNS.get(),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&keys, size).unwrap();
        let mut reader = keys.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // When the program has ended there is an error instead of an end.
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { process, keys, output, screen: vt100::Parser::new(LINES, COLUMNS, 0) }
    }

    /// Presses keys.
    pub(super) fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// What stands on the screen.
    pub(super) fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen shows a text.
    pub(super) fn sees(&mut self, text: &str) {
        self.sees_that(&format!("{text:?}"), |screen| screen.contains(text));
    }

    /// Waits until something is true of the screen.
    pub(super) fn sees_that(&mut self, what: &str, is: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is(&self.contents()) {
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(why) => panic!("no {what} ({why}) on the screen:\n{}", self.contents()),
            }
        }
    }

    /// Presses keys again and again until the screen shows a text.
    pub(super) fn types_until(&mut self, keys: &str, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.contents().contains(text) {
            assert!(Instant::now() < until, "no {text:?} on the screen:\n{}", self.contents());
            self.types(keys);
            while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
                self.screen.process(&bytes);
            }
        }
    }

    /// Waits for an empty prompt in the last line. Where something was just typed, wait for what it
    /// gives first: keys that come before the prompt is there are lost.
    pub(super) fn is_asked(&mut self) {
        self.sees_that("prompt", |screen| screen.trim_end().ends_with("hw>"));
    }

    /// Clears what is there, so that what is seen next is new.
    pub(super) fn clears(&mut self) {
        self.screen = vt100::Parser::new(LINES, COLUMNS, 0);
    }

    /// Waits for the program to end, and gives its code.
    pub(super) fn ends(mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end:\n{}", self.contents()),
            }
        }
        self.process.set_kill_timeout(Some(1_000));
        match self.process.wait().unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("{other:?}"),
        }
    }
}

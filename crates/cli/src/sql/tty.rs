//! The terminal while a query runs: how high it is, and that keys pressed are not shown in between
//! the rows.

/// Lines of the terminal on the standard output.
pub(super) fn lines() -> usize {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout())
        && size.ws_row >= 5
    {
        return usize::from(size.ws_row);
    }
    24
}

/// Keys are not shown until this is dropped; what is typed meanwhile is the next line's.
pub(super) struct Hush {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Hush {
    /// Stops showing keys, where the standard input is a terminal.
    pub(super) fn new() -> Hush {
        #[cfg(unix)]
        {
            use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
            let input = std::io::stdin();
            let before = tcgetattr(&input).ok();
            if let Some(mut quiet) = before.clone() {
                quiet.local_modes.remove(LocalModes::ECHO);
                // Ugly, no more, if it cannot be.
                let _ = tcsetattr(&input, OptionalActions::Now, &quiet);
            }
            Hush { before }
        }
        #[cfg(not(unix))]
        Hush {}
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            use rustix::termios::{OptionalActions, tcsetattr};
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

//! Ctrl-C while a statement runs: ends the statement. Where nobody is at the prompt, a second one
//! ends the program.
//!
//! At the prompt Ctrl-C is a key like others, so no signal comes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater::Exit;
use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// Whether Ctrl-C was pressed.
#[derive(Clone)]
pub(super) struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// From now on Ctrl-C is noted here; with `twice_ends`, the second one ends the program.
    ///
    /// # Errors
    /// When the system does not let signals be handled.
    pub(super) fn watch(twice_ends: bool) -> io::Result<Interrupts> {
        let pressed = Arc::new(AtomicBool::new(false));
        if twice_ends {
            let code = i32::from(Exit::INTERRUPTED.code());
            flag::register_conditional_shutdown(SIGINT, code, Arc::clone(&pressed))?;
        }
        flag::register(SIGINT, Arc::clone(&pressed))?;
        Ok(Interrupts(pressed))
    }

    /// What says so to others.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether Ctrl-C was pressed since [`Interrupts::clear`].
    pub(super) fn pressed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Forgets that it was.
    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

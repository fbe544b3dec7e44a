//! Formats from the outside: what they take, what they refuse and why, and that no bytes break them.

mod hostile;
mod json;
mod text;

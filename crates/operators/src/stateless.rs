//! stateless

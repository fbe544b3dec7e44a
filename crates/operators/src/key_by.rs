//! key_by

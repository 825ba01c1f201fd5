//! Tests that need a whole server. They are in `it/`.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what went wrong")]

mod examples;

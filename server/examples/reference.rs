//! Prints `docs/config.md`: `cargo run -p server --example reference > docs/config.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(server::config::reference().as_bytes())
}

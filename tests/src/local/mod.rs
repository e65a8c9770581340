//! What the program `local-client` does inside a host.

pub mod ask;
pub mod attack;
pub mod executor;

use std::path::PathBuf;

use anyhow::{Context, Result};

/// Where the program is: beside the running one.
pub fn program() -> Result<PathBuf> {
    let running = std::env::current_exe().context("find the running executable")?;
    let mut beside = running.ancestors().skip(1).take(2).map(|folder| folder.join("local-client"));
    beside.find(|path| path.exists()).with_context(|| format!("no local-client beside {}", running.display()))
}

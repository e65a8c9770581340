//! The packages as an administrator meets them: installed into clean roots, upgraded, removed, and put in the place of
//! `pacemaker-remote` under a running cluster.
//!
//! `packaging/build` makes them; the roots are made by mmdebstrap, once, and kept in `target/roots`. Nothing is ever
//! written to them: each test works on an overlay in its own folder.

pub mod beside;
pub mod containers;
pub mod deb;
pub mod devices;
pub mod document;
pub mod fence;
pub mod fencer;
pub mod machine;
pub mod migration;
mod platform;
pub mod root;
pub mod rpm;
pub mod size;
mod stage;
pub mod unit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

/// The checkout.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What `packaging/build` made.
pub struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Finds them.
    ///
    /// # Errors
    /// They have not been built.
    pub fn find() -> Result<Self> {
        let packages = Self { folder: checkout().join("target/package") };
        packages.file("picket-agent_", ".deb")?;
        Ok(packages)
    }

    /// The `.deb` of that name.
    pub fn deb(&self, name: &str) -> Result<PathBuf> {
        self.file(&format!("{name}_"), ".deb")
    }

    /// The `.rpm` of that name.
    pub fn rpm(&self, name: &str) -> Result<PathBuf> {
        self.file(&format!("{name}-0"), ".rpm")
    }

    /// All files that end so.
    pub fn all(&self, end: &str) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder)
            .with_context(|| format!("{}: run 'make packages' first", self.folder.display()))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn file(&self, start: &str, end: &str) -> Result<PathBuf> {
        let of_that_name =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
        let found = self.all(end)?.into_iter().find(of_that_name);
        let path = found
            .with_context(|| format!("no {start}*{end} in {}: run 'make packages'", self.folder.display()))?;
        Ok(path.canonicalize()?)
    }
}

/// Runs a command of this machine that must succeed; its standard output.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {}", command.get_program().display()))?;
    check(&format!("{command:?}"), &output)
}

fn check(what: &str, output: &Output) -> Result<String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{what}: {}: {}{}",
            output.status,
            stdout.trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(stdout)
}

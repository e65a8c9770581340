//! Fetches the schemas of a newer cluster for the tools on this node.
//!
//! A thread of its own asks, one fetch at a time, through our own local endpoint: the hub waits for nothing.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use picket_proto::schemas::{self, NameError, SchemaFile};
use thiserror::Error;

use crate::ipc::cluster::{self, ClusterError};

/// Where schemas are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Folders {
    /// `PCMK_schema_directory`: those that are installed here.
    pub installed: PathBuf,
    /// `PCMK_remote_schema_directory`: those of the cluster.
    pub fetched: PathBuf,
}

#[derive(Debug, Error)]
enum FetchError {
    #[error("cannot ask the cluster for newer schemas: {0}")]
    Cluster(#[from] ClusterError),
    #[error("the cluster's schemas are refused: {0}")]
    Name(#[from] NameError),
    #[error("cannot keep the cluster's schemas in {folder}: {cause}")]
    Folder { folder: PathBuf, cause: io::Error },
}

/// Starts fetches.
#[derive(Debug)]
pub struct Schemas {
    folders: Folders,
    requests: Option<Sender<()>>,
}

impl Schemas {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new(folders: Folders) -> Self {
        Self { folders, requests: None }
    }

    /// A cluster that can be asked has connected.
    pub fn fetch(&mut self) {
        if self.requests.as_ref().is_some_and(|requests| requests.send(()).is_ok()) {
            return;
        }
        let (sender, receiver) = channel();
        // The receiver is right here.
        let _ = sender.send(());
        let folders = self.folders.clone();
        let thread = thread::Builder::new().name("schemas".into()).spawn(move || serve(&folders, &receiver));
        match thread {
            Ok(_) => self.requests = Some(sender),
            Err(error) => tracing::warn!("cannot start the thread that fetches schemas: {error}"),
        }
    }
}

fn serve(folders: &Folders, requests: &Receiver<()>) {
    while requests.recv().is_ok() {
        // Clusters that connected while the last fetch went on need one more, not several.
        while requests.try_recv().is_ok() {}
        match fetch(folders) {
            Ok(0) => tracing::debug!("the cluster has no newer schemas"),
            Ok(count) => tracing::info!(
                "the cluster's {count} newer schema files are in {}",
                folders.fetched.display()
            ),
            // The tools here then validate with what is installed.
            Err(error) => tracing::info!("{error}"),
        }
    }
}

/// How many files were written.
fn fetch(folders: &Folders) -> Result<usize, FetchError> {
    let names = names(&folders.installed).unwrap_or_default();
    // Without schemas there are no tools that could miss some.
    let Some(known) = schemas::newest(names.iter().map(String::as_str)) else { return Ok(0) };
    let failed = |cause| FetchError::Folder { folder: folders.fetched.clone(), cause };
    empty(&folders.fetched).map_err(failed)?;
    let files = schemas::files(&cluster::schemas(&known)?)?;
    files.iter().try_for_each(|file| write(&folders.fetched, file)).map_err(failed)?;
    Ok(files.len())
}

/// What an earlier cluster left is another cluster's.
fn empty(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    for name in names(folder)?.iter().filter(|name| schemas::is_plain(name)) {
        fs::remove_file(folder.join(name))?;
    }
    Ok(())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
    names.collect()
}

/// Anybody's tools may read it, whatever our umask; a link in its place is not followed.
fn write(folder: &Path, file: &SchemaFile) -> io::Result<()> {
    let path = folder.join(&file.name);
    let mut opened = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    opened.set_permissions(fs::Permissions::from_mode(0o644))?;
    io::Write::write_all(&mut opened, file.text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_schemas_go_and_other_files_stay() {
        let folder = std::env::temp_dir().join(format!("picket-schemas-{}", std::process::id()));
        empty(&folder).unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        let file = SchemaFile { name: "nodes-3.9.rng".into(), text: "<a/>".into() };
        write(&folder, &file).unwrap();
        assert!(write(&folder, &file).is_err(), "nothing is overwritten");
        assert_eq!(fs::read_to_string(folder.join("nodes-3.9.rng")).unwrap(), "<a/>");
        empty(&folder).unwrap();
        assert_eq!(names(&folder).unwrap(), ["notes.txt"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}

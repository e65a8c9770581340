//! The disk of a virtual machine: the Debian of packaging/dev/vm-image, and what this run puts into it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::super::{checkout, output};

/// What a machine boots from. The files are its own.
pub(super) struct Boot {
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    pub(super) disk: PathBuf,
}

/// A file to be put into the disk, with root as its owner.
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) mode: u32,
    pub(super) content: Content,
}

pub(super) enum Content {
    Bytes(Vec<u8>),
    CopyOf(PathBuf),
}

/// Makes a disk in `folder`, which must be empty.
pub(super) fn make(folder: &Path, files: &[File]) -> Result<Boot> {
    let image = output(&mut Command::new(checkout().join("packaging/dev/vm-image")))?;
    // It is mostly holes.
    for file in ["vmlinuz", "initrd.img", "disk.img"] {
        output(Command::new("cp").arg("--sparse=always").arg(Path::new(&image).join(file)).arg(folder))?;
    }
    let disk = folder.join("disk.img");
    let mut commands = String::from("mkdir /etc/pacemaker\n");
    for (number, file) in files.iter().enumerate() {
        let source = match &file.content {
            Content::CopyOf(source) => source.clone(),
            Content::Bytes(bytes) => {
                let source = folder.join(format!("put-{number}"));
                fs::write(&source, bytes).with_context(|| format!("write {}", source.display()))?;
                source
            }
        };
        put(&mut commands, &source, file);
    }
    let list = folder.join("commands");
    fs::write(&list, commands).with_context(|| format!("write {}", list.display()))?;
    let mut debugfs = Command::new("debugfs");
    debugfs.arg("-w").arg("-f").arg(&list).arg(&disk);
    let run = debugfs.output().context("start debugfs")?;
    // It succeeds whatever came of the commands; errors follow the line with its version.
    let errors = String::from_utf8_lossy(&run.stderr);
    let errors: Vec<&str> = errors.lines().skip(1).collect();
    ensure!(run.status.success() && errors.is_empty(), "{debugfs:?}: {}: {errors:?}", run.status);
    Ok(Boot { kernel: folder.join("vmlinuz"), initrd: folder.join("initrd.img"), disk })
}

/// The commands of debugfs for a file.
fn put(commands: &mut String, source: &Path, file: &File) {
    let File { path, mode, .. } = file;
    writeln!(commands, "write \"{}\" {path}\nsif {path} mode 0{:o}", source.display(), 0o100_000 | mode)
        .expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_put_with_its_mode_as_a_regular_one() {
        let mut commands = String::new();
        let file = File { path: "/usr/sbin/agent", mode: 0o755, content: Content::Bytes(Vec::new()) };
        put(&mut commands, Path::new("/a folder/agent"), &file);
        assert_eq!(commands, "write \"/a folder/agent\" /usr/sbin/agent\nsif /usr/sbin/agent mode 0100755\n");
    }
}

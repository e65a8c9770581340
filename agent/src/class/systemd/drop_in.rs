//! The drop-in that makes a unit the cluster's while it runs: systemd must neither restart it by itself nor stop it
//! after the cluster's daemons at shutdown. File, mode and content are the original's.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where systemd looks for what lasts until the next boot.
const FOLDER: &str = "/run/systemd/system";

/// The drop-in's name.
const FILE: &str = "50-pacemaker.conf";

/// Its path.
pub(super) fn file(unit: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{unit}.d")).join(FILE)
}

/// Writes it. The unit is started even where that fails, as by the original.
pub(super) async fn write(agent: &str, unit: &str) {
    let content = content(agent, unit);
    blocking(unit, move |file| put(&file, &content)).await;
}

/// Removes it.
pub(super) async fn remove(unit: &str) {
    blocking(unit, |file| match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await;
}

async fn blocking(unit: &str, act: impl FnOnce(PathBuf) -> io::Result<()> + Send + 'static) {
    // systemd knows no unit of such a name, and it would lead out of the folder.
    if unit.contains('/') {
        return;
    }
    let done = tokio::task::spawn_blocking({
        let file = file(unit);
        move || act(file)
    });
    if let Err(error) = done.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked))) {
        tracing::warn!("cannot change {}: {error}; systemd may restart it by itself", file(unit).display());
    }
}

fn content(agent: &str, unit: &str) -> String {
    let mut content = format!(
        "[Unit]\nDescription=Cluster Controlled {agent}\nBefore=pacemaker.service pacemaker_remote.service\n"
    );
    if unit.ends_with(".service") {
        content += "\n[Service]\nRestart=no\n";
    }
    content
}

/// Writes the file beside its place first, so that systemd never reads half of it. The umask does not count.
fn put(file: &Path, content: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new(FOLDER));
    if !folder.is_dir() {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
    }
    // systemd reads only names that end in .conf.
    let new = file.with_extension("new");
    let mut open = std::fs::OpenOptions::new();
    let mut opened = open.write(true).create(true).truncate(true).mode(0o644).open(&new)?;
    io::Write::write_all(&mut opened, content.as_bytes())?;
    opened.set_permissions(PermissionsExt::from_mode(0o644))?;
    std::fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_services_have_a_service_section() {
        let service = content("nginx", "nginx.service");
        assert_eq!(
            service,
            "[Unit]\nDescription=Cluster Controlled nginx\n\
             Before=pacemaker.service pacemaker_remote.service\n\n[Service]\nRestart=no\n"
        );
        assert!(service.starts_with(&content("nginx", "nginx.socket")));
        assert!(!content("nginx", "nginx.socket").contains("[Service]"));
    }

    #[test]
    fn the_file_is_readable_by_all_whatever_the_umask() {
        let folder = std::env::temp_dir().join(format!("picket-drop-in-{}.d", std::process::id()));
        let file = folder.join(FILE);
        for content in ["first", "second"] {
            put(&file, content).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        }
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

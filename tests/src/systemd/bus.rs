//! A private message bus for one test.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait::wait_until;

const START: Duration = Duration::from_secs(10);

/// A running dbus-daemon that lets everybody do everything.
pub(super) struct Bus {
    daemon: Child,
    folder: PathBuf,
}

impl Bus {
    /// Starts one with its socket in a folder; the next one may use the same.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let (config, socket) = (folder.join("bus.conf"), folder.join("bus"));
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/>
<allow send_requested_reply="true"/><allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>
"#,
            socket.display()
        );
        fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let _ = fs::remove_file(&socket);
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "dbus-daemon", "--nofork", "--nopidfile", "--config-file"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start dbus-daemon")?;
        let bus = Self { daemon, folder: folder.to_owned() };
        wait_until("dbus-daemon listens", START, || Ok(Some(UnixStream::connect(&socket)?)))?;
        Ok(bus)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        format!("unix:path={}", self.folder.join("bus").display())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // Not reaped before, so the pid is its own.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

//! What is promised of picket-fence: run with the program itself, with the tests of its crate that need servers or an
//! hour, and with the fencer of a real cluster.

mod bench;
mod device;
mod fencer;
pub mod frozen;
pub mod show;
mod suite;
mod vm;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::wait::wait_until;

/// The program: programs are in target/debug, tests in target/debug/deps.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("picket-fence"));
    let found = beside.into_iter().find(|path| path.exists());
    found.with_context(|| format!("no picket-fence beside {}: build it", own.display()))
}

/// Where the tests of the crate keep what they fetch: `tmp` of the target folder.
fn kept() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    let target = own.parent().and_then(Path::parent).context("this program is in no target folder")?;
    let path = target.join("tmp");
    std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(path)
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// A script of the crate's tests, which starts a server or asks one.
fn script(name: &str) -> Command {
    Command::new(checkout().join("fence/tests/servers").join(name))
}

/// Runs a command to its end and gives its output.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {}", output.status, stderr.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// A folder that is gone with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let path = kept()?.join(format!("show-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that is ended, and waited for, with its owner.
struct Server(Child);

impl Server {
    fn start(mut command: Command, log: &Path, ready: impl Fn() -> bool) -> Result<Self> {
        let log = std::fs::File::create(log).with_context(|| format!("write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut server = Self(command.spawn().with_context(|| format!("start {command:?}"))?);
        wait_until(&format!("{command:?} is ready"), Duration::from_secs(120), || {
            if let Some(status) = server.0.try_wait()? {
                bail!("it ended: {status}");
            }
            Ok(ready().then_some(()))
        })?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

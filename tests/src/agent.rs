//! Which agent serves port 3121: ours or the one it replaces.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};

use crate::program::Program;

/// The two implementations every black-box test can run against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Agent {
    /// Pacemaker's `pacemaker-remoted`.
    Original,
    /// Our `picket-agent`.
    Picket,
}

impl Agent {
    /// The path of its executable: for ours `PICKET_AGENT`, or what cargo built beside the running program.
    pub fn executable(self) -> Result<PathBuf> {
        match self {
            Self::Original => original(),
            Self::Picket => picket(),
        }
    }

    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Picket => "picket",
        }
    }

    /// How to run it, with the environment its unit file would give it. Its detail log is [`Agent::LOG`].
    pub fn program(self, environment: &[(&str, &str)]) -> Result<Program> {
        let executable = self.executable()?;
        let path = executable.to_str().with_context(|| format!("{} is not UTF-8", executable.display()))?;
        Ok(Program::new("agent", &[path]).with(&[("PCMK_logfile", Self::LOG)]).with(environment))
    }

    /// Where both write their log, unless told otherwise.
    pub const LOG: &str = "/var/log/pacemaker/pacemaker.log";
}

/// The path of the picketctl that was built with our agent.
pub fn picketctl() -> Result<String> {
    let path = Agent::Picket.executable()?.with_file_name("picketctl");
    path.into_os_string().into_string().map_err(|path| anyhow!("the path {path:?} is not UTF-8"))
}

impl FromStr for Agent {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "original" => Ok(Self::Original),
            "picket" => Ok(Self::Picket),
            _ => bail!("no agent '{name}': it is 'picket' or 'original'"),
        }
    }
}

fn original() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/dev/original");
    let output = Command::new(&script).output().with_context(|| format!("run {}", script.display()))?;
    if !output.status.success() {
        bail!("{}: {}: {}", script.display(), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn picket() -> Result<PathBuf> {
    let path = match env::var_os("PICKET_AGENT") {
        Some(path) => PathBuf::from(path),
        None => {
            // Programs are in target/debug, tests in target/debug/deps.
            let running = env::current_exe().context("find the running executable")?;
            let beside = running.ancestors().skip(1).take(2).map(|folder| folder.join("picket-agent"));
            let found = beside.into_iter().find(|path| path.exists());
            found.with_context(|| {
                format!("no picket-agent beside {}: build it, or set PICKET_AGENT", running.display())
            })?
        }
    };
    path.canonicalize().with_context(|| format!("find the agent {}", path.display()))
}

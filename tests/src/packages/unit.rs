//! What systemd itself says about the unit.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::{checkout, run};
use crate::report::Finding;
use crate::scratch::Scratch;

/// `systemd-analyze verify`: without a complaint.
pub fn verified() -> Result<Finding> {
    let scratch = Scratch::new()?;
    let unit = checkout().join("packaging/systemd/picket-agent.service");
    // The program need not be installed on the machine that checks.
    let text = fs::read_to_string(&unit).with_context(|| format!("read {}", unit.display()))?;
    let copy = scratch.folder().join("picket-agent.service");
    fs::write(&copy, text.replace("ExecStart=/usr/sbin/picket-agent", "ExecStart=/bin/true"))?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&copy);
    let output = verify.output().context("run systemd-analyze")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("picket-agent.service")).collect();
    Ok(Finding {
        figure: format!("{} complaints {}", ours.len(), ours.join("; ")),
        holds: output.status.success() && ours.is_empty(),
    })
}

/// `systemd-analyze security`: no worse than the original's unit, in tenths of its points.
pub fn exposure() -> Result<Finding> {
    // 9.6: what systemd 252 says of pacemaker_remote.service 2.1.5. Resource agents may do everything.
    const ORIGINAL: u32 = 96;
    let unit = checkout().join("packaging/systemd/picket-agent.service");
    let said =
        run(Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager"]).arg(&unit))?;
    let figure = said
        .split("exposure level for picket-agent.service: ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let figure = figure.context("systemd-analyze tells no exposure level")?;
    let tenths: u32 = figure.replace('.', "").parse().with_context(|| format!("the level is '{figure}'"))?;
    Ok(Finding { figure: format!("exposure {figure}; the original's unit 9.6"), holds: tenths <= ORIGINAL })
}

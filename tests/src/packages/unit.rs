//! What systemd itself says about the unit.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::machine::Machine;
use super::root::Kind;
use super::{Packages, checkout, run};
use crate::report::{Finding, Report};
use crate::scratch::Scratch;
use crate::wait::wait_until;

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

/// `capabilities(7)`: needed to lower a process's OOM score.
const CAP_SYS_RESOURCE: u32 = 24;

/// The installed unit on a machine with a systemd: what happens to a service's process while the agent comes and goes.
pub fn life(packages: &Packages) -> Report {
    let mut report = Report::default();
    if let Err(error) = live(packages, &mut report) {
        report.step("life of the unit", || Err(error));
    }
    report
}

fn live(packages: &Packages, report: &mut Report) -> Result<()> {
    let machine = Machine::boot(Kind::Remote, None, &[])?;
    machine.give(&packages.deb("picket-agent")?)?;
    machine.check("apt-get install --yes ./picket-agent_*.deb")?;
    let show = |property: &str| -> Result<String> {
        let value =
            machine.check(&format!("systemctl show --value --property {property} picket-agent.service"))?;
        Ok(value.trim().to_owned())
    };
    // Stands for a service that a resource agent has started: a process in the unit's control group.
    let group = machine.check(
        "awk -F: '/name=systemd/ || /^0::/ {print $3}' /proc/$(systemctl show --value \
        --property MainPID picket-agent)/cgroup | grep -m 1 picket-agent",
    )?;
    let service = machine.check(&format!(
        "sleep 1000 >/dev/null 2>&1 & echo $! | tee $(find /sys/fs/cgroup -path '*{}/cgroup.procs' | head -n 1)",
        group.trim()
    ))?;
    let service = service.trim();
    let alive = || machine.check(&format!("kill -0 {service}"));

    report.step("the agent is protected from the OOM killer, and ready when systemd says so", || {
        machine.check("ss -Hltn sport = :3121 | grep -q LISTEN")?;
        let wanted = format!("{} {} {}", show("Type")?, show("ActiveState")?, show("OOMScoreAdjust")?);
        let score = machine
            .check("cat /proc/$(systemctl show --value --property MainPID picket-agent)/oom_score_adj")?;
        // systemd passes over it in silence where it may not.
        let bounds = machine.check("grep CapBnd /proc/1/status")?;
        let bounds = u64::from_str_radix(bounds.trim().rsplit('\t').next().unwrap_or_default(), 16)?;
        let may = (bounds >> CAP_SYS_RESOURCE) & 1 == 1;
        let effect = if may { score.trim() } else { "not permitted to this machine's root" };
        let holds = wanted == "notify active -1000" && (!may || effect == "-1000");
        Ok(Finding { figure: format!("{wanted}, in effect: {effect}"), holds })
    });
    report.step("an upgrade does not stop the agent", || {
        let before = show("MainPID")?;
        machine.check("dpkg --install picket-agent_*.deb")?;
        alive()?;
        let after = show("MainPID")?;
        Ok(Finding { figure: format!("pid {before} -> {after}"), holds: before == after })
    });
    report.step("a restart leaves the service's process alone", || {
        let before = show("MainPID")?;
        machine.check("systemctl restart picket-agent.service")?;
        alive()?;
        let after = show("MainPID")?;
        Ok(Finding {
            figure: format!("agent {before} -> {after}, service {service} lives"),
            holds: before != after,
        })
    });
    report.step("an agent that hangs is started again by the watchdog", || {
        machine.check(
            "mkdir -p /run/systemd/system/picket-agent.service.d && printf '[Service]\\nWatchdogSec=2s\\n' \
             >/run/systemd/system/picket-agent.service.d/quick.conf && systemctl daemon-reload && systemctl restart picket-agent",
        )?;
        let before = show("MainPID")?;
        ensure!(show("NRestarts")? == "0", "it restarts by itself");
        machine.check(&format!("kill -STOP {before}"))?;
        let restarted = || Ok((show("NRestarts")? == "1" && show("ActiveState")? == "active").then_some(()));
        wait_until("systemd starts the agent again", std::time::Duration::from_secs(60), restarted)?;
        alive()?;
        let after = show("MainPID")?;
        Ok(Finding { figure: format!("agent {before} -> {after}, service {service} lives"), holds: before != after })
    });
    report.step("the agent ends by itself when it is stopped, and the service's process lives", || {
        machine.check("systemctl stop picket-agent.service")?;
        alive()?;
        Ok(Finding { figure: show("Result")?, holds: show("Result")? == "success" })
    });
    Ok(())
}

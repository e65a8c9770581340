//! The life of the `.deb` in a clean root: installed, upgraded, downgraded, removed, purged.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::root::{Kind, Root, changes};
use super::{Packages, run};
use crate::report::{Finding, Report};

const CONFFILE: &str = "/etc/logrotate.d/00-picket-agent";
const KEY: &str = "/etc/pacemaker/authkey";

/// What purging may leave: accounts, and what is the administrator's.
const LEFT: [&str; 11] = [
    "/etc/group",
    "/etc/group-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/passwd",
    "/etc/passwd-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/pacemaker",
    KEY,
    "/etc/subuid",
];

/// From the first installation to the purge. With a service of an agent running all the time that no step may touch.
pub fn life_cycle(packages: &Packages) -> Report {
    let mut report = Report::default();
    if let Err(error) = play(packages, &mut report) {
        report.step("life of the .deb", || Err(error));
    }
    report
}

fn play(packages: &Packages, report: &mut Report) -> Result<()> {
    let root = Root::new(Kind::Plain)?;
    let old = packages.deb("picket-agent")?;
    let new = newer(&root, &old)?;
    let first = run(Command::new("dpkg-deb").args(["--field"]).arg(&old).arg("Version"))?;
    let old = root.give(&old)?;
    let before = root.snapshot()?;

    report.step("install: programs run, accounts, folders, unit enabled under its three names", || {
        root.check(&format!("dpkg --install {old}"))?;
        installed(&root)
    });
    root.check(&format!(
        "echo key >{KEY}; chgrp haclient {KEY}; chmod 640 {KEY}; echo '# mine' >>{CONFFILE}"
    ))?;
    report.step("upgrade: new version, edited conffile and key kept", || {
        root.check(&format!("dpkg --force-confdef --force-confold --install {new}"))?;
        kept(&root, "9.9.9-1")
    });
    report.step("downgrade: old version, edited conffile and key kept", || {
        root.check(&format!("dpkg --force-confdef --force-confold --install {old}"))?;
        kept(&root, first.trim())
    });
    report.step("remove: programs gone; conffile, key and accounts stay", || {
        root.check("dpkg --remove picket-agent")?;
        let gone = root.sh("ls /usr/sbin/picket* /usr/sbin/pacemaker?remoted /usr/lib/picket-agent")?;
        ensure!(gone.stdout.is_empty(), "still there: {}", String::from_utf8_lossy(&gone.stdout).trim());
        root.check(&format!("grep '# mine' {CONFFILE} && test -s {KEY} && getent passwd hacluster"))?;
        Ok(Finding::good("as it should be"))
    });
    report.step("purge: nothing left but accounts and the key", || {
        root.check("dpkg --purge picket-agent")?;
        let left = changes(&before, &root.snapshot()?);
        let wrong: Vec<_> = left.iter().filter(|path| !LEFT.contains(&path.as_str())).cloned().collect();
        Ok(Finding { figure: describe(&left, &wrong), holds: wrong.is_empty() })
    });
    Ok(())
}

fn describe(left: &[String], wrong: &[String]) -> String {
    if wrong.is_empty() {
        format!("left or changed: {}", left.join(" "))
    } else {
        format!("left over: {}", wrong.join(" "))
    }
}

fn installed(root: &Root) -> Result<Finding> {
    let version =
        root.check("picket-agent --version && pacemaker-remoted --version && picketctl --version")?;
    ensure!(version.lines().count() == 3, "{version}");
    let folders = root.check(
        "stat -c '%n %U:%G %a' /etc/pacemaker /var/lib/pacemaker /var/lib/pacemaker/cores /var/log/pacemaker",
    )?;
    let expected = "/etc/pacemaker root:haclient 750\n/var/lib/pacemaker root:root 755\n\
                    /var/lib/pacemaker/cores hacluster:haclient 750\n/var/log/pacemaker hacluster:haclient 770\n";
    ensure!(folders == expected, "folders: {folders}");
    let links = root.check(
        "cd /etc/systemd/system && readlink pacemaker_remote.service pacemaker-remote.service \
         multi-user.target.wants/picket-agent.service",
    )?;
    ensure!(links.lines().all(|to| to.ends_with("/systemd/system/picket-agent.service")), "{links}");
    root.check("man_of() { test -s /usr/share/man/man8/$1.8.gz; }; man_of picket-agent && man_of picketctl")?;
    Ok(Finding::good(version.lines().next().unwrap_or_default()))
}

fn kept(root: &Root, expected: &str) -> Result<Finding> {
    let found = root.check("dpkg-query -W -f '${Version}' picket-agent")?;
    ensure!(found == expected, "version {found} and not {expected}");
    root.check(&format!("tail -n 1 {CONFFILE} | grep -x '# mine' && grep -x key {KEY}"))?;
    installed(root)?;
    Ok(Finding::good(found))
}

/// The same package as version 9.9.9, as the root sees it, with a changed conffile, so that dpkg has something to ask about.
pub(super) fn newer(root: &Root, package: &Path) -> Result<String> {
    let name = package.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.split('_').next().unwrap_or_default();
    let folder = root.exchange()?.join("newer");
    run(Command::new("dpkg-deb").arg("--raw-extract").arg(package).arg(&folder))?;
    let edit = "sed -i 's/^Version: .*/Version: 9.9.9-1/' DEBIAN/control
        for file in etc/logrotate.d/*; do [ ! -e \"$file\" ] || sed -i 's/rotate 52/rotate 53/' \"$file\"; done";
    run(Command::new("sh").args(["-ec", edit]).current_dir(&folder))?;
    let made = root.exchange()?.join(format!("{name}-newer.deb"));
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&folder).arg(&made))?;
    std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    Ok(format!("/mnt/{name}-newer.deb"))
}

/// What lintian finds wrong with every `.deb`.
pub fn lint(packages: &Packages) -> Result<Finding> {
    let debs = packages.all(".deb")?;
    let output = Command::new("lintian")
        .args(["--fail-on", "error", "--tag-display-limit", "0", "--allow-root"])
        .args(&debs)
        .output()
        .context("run lintian")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let count = |letter: &str| said.lines().filter(|line| line.starts_with(letter)).count();
    let errors: Vec<_> = said.lines().filter(|line| line.starts_with("E:")).collect();
    let figure = format!(
        "{} packages, {} errors, {} warnings {}",
        debs.len(),
        count("E:"),
        count("W:"),
        errors.join("; ")
    );
    Ok(Finding { figure, holds: output.status.success() && errors.is_empty() })
}

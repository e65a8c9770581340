//! `picket-fence-compat` beside the distribution's fence-agents: it takes the names that it has, and gives them back.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use super::fence::NAMES;
use super::root::{Kind, Root, changes};
use super::{Packages, deb, run};
use crate::report::{Finding, Report};

/// An agent that both have, and one that only fence-agents has.
const SHARED: &str = "/usr/sbin/fence_redfish";
const THEIRS: &str = "/usr/sbin/fence_ipmilan";
const ASIDE: &str = "/usr/lib/picket-fence-compat/fence_redfish";

/// A later version of fence-agents, with no more than two agents.
const LATER: &str = r#"
mkdir -p later/DEBIAN later/usr/sbin
printf 'Package: fence-agents\nVersion: 99\nArchitecture: all\nMaintainer: nobody\nDescription: later\n' >later/DEBIAN/control
for name in redfish ipmilan; do
    printf '#!/bin/sh\necho later\n' >later/usr/sbin/fence_$name
    chmod 755 later/usr/sbin/fence_$name
done
dpkg-deb --root-owner-group --build later later.deb
"#;

/// The `.deb` in a root with Debian's fence-agents.
pub fn debs(packages: &Packages) -> Report {
    let mut report = Report::default();
    if let Err(error) = play_debs(packages, &mut report) {
        report.step("the .deb beside fence-agents", || Err(error));
    }
    report
}

fn play_debs(packages: &Packages, report: &mut Report) -> Result<()> {
    let root = Root::new(Kind::Node)?;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for name in NAMES {
        let package = packages.deb(name)?;
        new.push(deb::newer(&root, &package)?);
        old.push(root.give(&package)?);
    }
    run(Command::new("sh").args(["-ec", LATER]).current_dir(root.exchange()?))?;
    let before = root.snapshot()?;

    report.step("installed: its names are ours, all others are Debian's, Pacemaker finds each once", || {
        root.check(&format!("dpkg --install {}", old.join(" ")))?;
        ours(&root)?;
        same(&root, &before, THEIRS)?;
        // What made room still works.
        root.check(&format!(
            "test -f {ASIDE} && {ASIDE} --action metadata | grep -q '<resource-agent name='"
        ))?;
        let listed = root.check("cd /usr/sbin && ls fence_*")?;
        let odd: Vec<_> = listed.lines().filter(|name| name.contains('.')).collect();
        ensure!(odd.is_empty(), "Pacemaker would take {odd:?} for agents");
        Ok(Finding::good(format!("{} agents", listed.lines().count())))
    });
    report.step("upgraded, and back: the same", || {
        root.check(&format!("dpkg --install {}", new.join(" ")))?;
        ours(&root)?;
        root.check(&format!("dpkg --force-downgrade --install {}", old.join(" ")))?;
        ours(&root)?;
        same(&root, &before, THEIRS)?;
        Ok(Finding::good("as it should be"))
    });
    report.step("removed: every file is as it was", || {
        root.check("dpkg --remove picket-fence-compat picket-fence")?;
        let left = changes(&before, &root.snapshot()?);
        ensure!(diversions(&root)?.is_empty(), "diversions are left: {}", diversions(&root)?);
        Ok(Finding { figure: format!("{} changed {}", left.len(), left.join(" ")), holds: left.is_empty() })
    });
    report.step("fence-agents upgraded beside it: its names stay ours", || {
        root.check(&format!("dpkg --install {} && dpkg --install /mnt/later.deb", old.join(" ")))?;
        ours(&root)?;
        root.check(&format!("test \"$({THEIRS} && {ASIDE})\" = 'later\nlater'"))?;
        Ok(Finding::good("fence-agents 99"))
    });
    report.step("purged: the names are those of the fence-agents that is there now", || {
        root.check("dpkg --purge picket-fence-compat picket-fence")?;
        root.check(&format!("test \"$({SHARED})\" = later && test ! -e {ASIDE}"))?;
        Ok(Finding { figure: SHARED.to_owned(), holds: diversions(&root)?.is_empty() })
    });
    Ok(())
}

/// Every name of the package is a link to the program.
fn ours(root: &Root) -> Result<()> {
    let links = root.check("readlink $(dpkg --listfiles picket-fence-compat | grep /usr/sbin/fence_)")?;
    ensure!(links.lines().count() >= 12 && links.lines().all(|to| to == "picket-fence"), "links: {links}");
    root.check(&format!("{SHARED} --version")).map(drop)
}

fn same(root: &Root, before: &BTreeMap<String, String>, path: &str) -> Result<()> {
    ensure!(root.snapshot()?.get(path) == before.get(path), "{path} was changed");
    ensure!(before.contains_key(path), "{path} was not there");
    Ok(())
}

fn diversions(root: &Root) -> Result<String> {
    root.check("dpkg-divert --list | grep picket || true")
}

/// The `.rpm` in a root with packages of single agents, as Fedora and RHEL have them.
pub fn rpms(packages: &Packages) -> Report {
    let mut report = Report::default();
    if let Err(error) = play_rpms(packages, &mut report) {
        report.step("the .rpm beside fence-agents", || Err(error));
    }
    report
}

fn play_rpms(packages: &Packages, report: &mut Report) -> Result<()> {
    let root = Root::new(Kind::Plain)?;
    let rpm =
        |arguments: &str| root.outside(&format!("rpm --root \"$root\" --dbpath /var/lib/rpm {arguments}"));
    let compat = packages.rpm("picket-fence-compat")?.display().to_string();
    rpm(&format!("--install --nodeps {}", packages.rpm("picket-fence")?.display()))?;
    for name in
        ["fence-agents-common", "fence-agents-ipmilan", "fence-agents-redfish", "fence-agents-vmware-rest"]
    {
        stub(&root, name)?;
    }
    let stubs = root.exchange()?.display().to_string();
    report.step("beside agents that it does not have: installed", || {
        rpm(&format!("--install {stubs}/fence-agents-common.rpm {stubs}/fence-agents-ipmilan.rpm"))?;
        rpm(&format!("--install {compat}"))?;
        rpm("--erase picket-fence-compat")?;
        Ok(Finding::good("fence-agents-common, fence-agents-ipmilan"))
    });
    report.step("beside agents that it has: refused, by name", || {
        let mut refused = Vec::new();
        for name in ["fence-agents-redfish", "fence-agents-vmware-rest"] {
            rpm(&format!("--install {stubs}/{name}.rpm"))?;
            let said =
                rpm(&format!("--install {compat}")).err().map(|error| error.to_string()).unwrap_or_default();
            refused.push(said.contains("conflicts") && said.contains(name));
            rpm(&format!("--erase {name}"))?;
        }
        Ok(Finding { figure: format!("{refused:?}"), holds: refused.iter().all(|refused| *refused) })
    });
    Ok(())
}

/// An empty package of that name.
fn stub(root: &Root, name: &str) -> Result<()> {
    let folder = root.exchange()?;
    let spec = folder.join(format!("{name}.spec"));
    let text = "Version: 4\nRelease: 1\nLicense: none\nSummary: stub\nBuildArch: noarch\n%description\nstub\n%files\n";
    fs::write(&spec, format!("Name: {name}\n{text}"))?;
    let mut build = Command::new("rpmbuild");
    build.args(["--quiet", "-bb", "--define", &format!("_topdir {}", folder.join("build").display())]);
    build.args([
        "--define",
        &format!("_rpmdir {}", folder.display()),
        "--define",
        "_rpmfilename %%{NAME}.rpm",
    ]);
    run(build.arg(&spec)).map(drop)
}

//! The life of the `.rpm`, in a clean root with an RPM database of its own.
//!
//! The root is Debian's, because no RPM distribution's archive can be had here: so dependencies are read and not resolved.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::root::{Kind, Root, changes};
use super::{Packages, checkout, run};
use crate::report::{Finding, Report};

const CONFFILE: &str = "/etc/logrotate.d/00-picket-agent";

/// What an erased package may leave: accounts, what the agent and the administrator made, and folders that belong to
/// other packages wherever there are RPMs.
pub(super) fn may_stay(path: &str) -> bool {
    const ACCOUNTS: [&str; 5] = ["/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow", "/etc/subuid"];
    const MADE: [&str; 4] =
        ["/etc/pacemaker", "/run/resource-agents", "/var/lib/pacemaker", "/var/log/pacemaker"];
    const SHARED: [&str; 10] = [
        "/usr/lib/firewalld",
        "/usr/lib/firewalld/services",
        "/usr/lib/sysusers.d",
        "/usr/share/fish",
        "/usr/share/fish/vendor_completions.d",
        "/usr/share/licenses",
        "/usr/share/selinux",
        "/usr/share/selinux/packages",
        "/usr/share/zsh",
        "/usr/share/zsh/site-functions",
    ];
    ACCOUNTS.contains(&path.trim_end_matches('-'))
        || MADE.iter().any(|folder| Path::new(path).starts_with(folder))
        || SHARED.contains(&path)
        || [".rpmsave", ".rpmnew"].iter().any(|end| path.strip_suffix(end) == Some(CONFFILE))
}

/// From the first installation to the removal.
pub fn life_cycle(packages: &Packages) -> Report {
    let mut report = Report::default();
    if let Err(error) = play(packages, &mut report) {
        report.step("life of the .rpm", || Err(error));
    }
    report
}

fn play(packages: &Packages, report: &mut Report) -> Result<()> {
    let root = Root::new(Kind::Plain)?;
    let old = packages.rpm("picket-agent")?;
    let new = newer(&root, packages, "picket-agent")?;
    let before = root.snapshot()?;
    let rpm =
        |arguments: &str| root.outside(&format!("rpm --root \"$root\" --dbpath /var/lib/rpm {arguments}"));
    let (old, new) = (old.display().to_string(), new.display().to_string());

    report.step("install: programs run, accounts and folders made", || {
        rpm(&format!("--install --nodeps {old}"))?;
        installed(&root)
    });
    root.check(&format!("echo '# mine' >>{CONFFILE}"))?;
    report.step("upgrade: new version, edited configuration kept", || {
        rpm(&format!("--upgrade --nodeps {new}"))?;
        kept(&root, &rpm("--query picket-agent")?, "9.9.9-1")
    });
    report.step("downgrade: old version, edited configuration kept", || {
        rpm(&format!("--upgrade --oldpackage --nodeps {old}"))?;
        kept(&root, &rpm("--query picket-agent")?, env!("CARGO_PKG_VERSION"))
    });
    report.step("verify: every file as packaged but the edited one", || {
        // rpm ends with the number of the differences.
        let said = rpm("--verify --nodeps picket-agent || true")?;
        let wrong: Vec<_> = said.lines().filter(|line| !line.ends_with(CONFFILE)).collect();
        Ok(Finding {
            figure: format!("{} differences {}", wrong.len(), wrong.join("; ")),
            holds: wrong.is_empty(),
        })
    });
    report.step("erase: nothing left but accounts, logs, the key and the edited configuration", || {
        rpm("--erase picket-agent")?;
        let left = changes(&before, &root.snapshot()?);
        let wrong: Vec<_> = left.iter().filter(|path| !may_stay(path)).cloned().collect();
        ensure!(left.contains(&format!("{CONFFILE}.rpmsave")), "the edited configuration is gone");
        Ok(Finding {
            figure: format!("{} left over {}", wrong.len(), wrong.join(" ")),
            holds: wrong.is_empty(),
        })
    });
    Ok(())
}

fn installed(root: &Root) -> Result<Finding> {
    let version =
        root.check("picket-agent --version && pacemaker-remoted --version && picketctl --version")?;
    ensure!(version.lines().count() == 3, "{version}");
    root.check("test $(stat -c %U:%G:%a /var/log/pacemaker) = hacluster:haclient:770")?;
    Ok(Finding::good(version.lines().next().unwrap_or_default()))
}

fn kept(root: &Root, found: &str, expected: &str) -> Result<Finding> {
    ensure!(found.contains(expected), "{} is not {expected}", found.trim());
    root.check(&format!("tail -n 1 {CONFFILE} | grep -x '# mine'"))?;
    installed(root)?;
    Ok(Finding::good(found.trim()))
}

/// The same package as version 9.9.9, with a changed configuration file.
pub(super) fn newer(root: &Root, packages: &Packages, name: &str) -> Result<PathBuf> {
    let folder = root.exchange()?;
    let tree = folder.join(format!("{name}-tree"));
    run(Command::new("dpkg-deb").arg("--extract").arg(packages.deb(name)?).arg(&tree))?;
    let configuration = tree.join(&CONFFILE[1..]);
    if configuration.exists() {
        run(Command::new("sed").args(["-i", "s/rotate 52/rotate 53/"]).arg(configuration))?;
    }
    let define = |name: &str, value: &Path| format!("{name} {}", value.display());
    let mut build = Command::new("rpmbuild");
    build.args(["--quiet", "-bb", "--define", "picket_version 9.9.9"]);
    for (name, value) in [("_topdir", folder.join("build")), ("_rpmdir", folder.clone())] {
        build.args(["--define", &define(name, &value)]);
    }
    build.args([
        "--define",
        &define("source", &checkout().canonicalize()?),
        "--define",
        &define("tree", &tree),
    ]);
    build
        .args(["--define", &format!("_rpmfilename {name}-newer.rpm")])
        .arg(checkout().join(format!("packaging/rpm/{name}.spec")));
    run(&mut build)?;
    Ok(folder.join(format!("{name}-newer.rpm")))
}

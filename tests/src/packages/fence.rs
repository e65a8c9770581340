//! The life of `picket-fence` and of `picket-fence-compat`, which gives it the names of fence-agents: as `.deb` and as
//! `.rpm`, in clean roots.

use anyhow::{Result, ensure};

use super::root::{Kind, Root, changes};
use super::{Packages, deb, rpm};
use crate::report::{Finding, Report};

pub(super) const NAMES: [&str; 2] = ["picket-fence", "picket-fence-compat"];

/// How one kind of package is handled, with a root's files as the commands see them.
struct Manager<'a> {
    install: &'a dyn Fn(&str) -> Result<String>,
    downgrade: &'a dyn Fn(&str) -> Result<String>,
    remove: &'a dyn Fn(&str) -> Result<String>,
    version: &'a dyn Fn(&str) -> Result<String>,
}

/// Both `.deb`s, from the first installation to the purge.
pub fn debs(packages: &Packages) -> Report {
    let mut report = Report::default();
    if let Err(error) = play_debs(packages, &mut report) {
        report.step("life of the .debs", || Err(error));
    }
    report
}

fn play_debs(packages: &Packages, report: &mut Report) -> Result<()> {
    let root = Root::new(Kind::Plain)?;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for name in NAMES {
        let package = packages.deb(name)?;
        new.push(deb::newer(&root, &package)?);
        old.push(root.give(&package)?);
    }
    let manager = Manager {
        install: &|files| root.check(&format!("dpkg --install {files}")),
        downgrade: &|files| root.check(&format!("dpkg --force-downgrade --install {files}")),
        remove: &|name| root.check(&format!("dpkg --purge {name}")),
        version: &|name| root.check(&format!("dpkg-query -W -f '${{Version}}' {name}")),
    };
    // The package manager's own books are no trace.
    live(
        &root,
        &manager,
        [&old.join(" "), &new.join(" ")],
        &|path| path.starts_with("/var/lib/dpkg/"),
        report,
    )
}

/// Both `.rpm`s, from the first installation to the removal.
pub fn rpms(packages: &Packages) -> Report {
    let mut report = Report::default();
    if let Err(error) = play_rpms(packages, &mut report) {
        report.step("life of the .rpms", || Err(error));
    }
    report
}

fn play_rpms(packages: &Packages, report: &mut Report) -> Result<()> {
    let root = Root::new(Kind::Plain)?;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for name in NAMES {
        new.push(rpm::newer(&root, packages, name)?.display().to_string());
        old.push(packages.rpm(name)?.display().to_string());
    }
    let run =
        |arguments: &str| root.outside(&format!("rpm --root \"$root\" --dbpath /var/lib/rpm {arguments}"));
    let manager = Manager {
        install: &|files| run(&format!("--upgrade --nodeps {files}")),
        downgrade: &|files| run(&format!("--upgrade --oldpackage --nodeps {files}")),
        remove: &|name| run(&format!("--erase {name}")),
        version: &|name| run(&format!("--query {name}")),
    };
    live(&root, &manager, [&old.join(" "), &new.join(" ")], &rpm::may_stay, report)
}

fn live(
    root: &Root,
    manager: &Manager<'_>,
    [old, new]: [&str; 2],
    may_stay: &dyn Fn(&str) -> bool,
    report: &mut Report,
) -> Result<()> {
    let before = root.snapshot()?;
    let has = |expected: &str| -> Result<Finding> {
        for name in NAMES {
            let found = (manager.version)(name)?;
            ensure!(found.contains(expected), "{name} is {} and not {expected}", found.trim());
        }
        work(root)
    };
    report.step("install: every agent answers under both names, and has its manual page", || {
        (manager.install)(old)?;
        has(env!("CARGO_PKG_VERSION"))
    });
    report.step("upgrade", || {
        (manager.install)(new)?;
        has("9.9.9")
    });
    report.step("downgrade", || {
        (manager.downgrade)(old)?;
        has(env!("CARGO_PKG_VERSION"))
    });
    report.step("the old names removed: ours stay", || {
        (manager.remove)("picket-fence-compat")?;
        let names = root.check("cd /usr/sbin && ls -d fence_*")?;
        let foreign: Vec<_> = names.lines().filter(|name| !name.starts_with("fence_picket_")).collect();
        ensure!(foreign.is_empty(), "still there: {foreign:?}");
        Ok(Finding::good(format!("{} agents", names.lines().count())))
    });
    report.step("removed: nothing left", || {
        (manager.remove)("picket-fence")?;
        let left = changes(&before, &root.snapshot()?);
        let wrong: Vec<_> = left.iter().filter(|path| !may_stay(path)).cloned().collect();
        Ok(Finding {
            figure: format!("{} left over {}", wrong.len(), wrong.join(" ")),
            holds: wrong.is_empty(),
        })
    });
    Ok(())
}

/// Each agent under each of its names: metadata that names it, and a manual page.
fn work(root: &Root) -> Result<Finding> {
    let count = root.check(
        r#"cd /usr/sbin && count=0 && for name in fence_*; do
            $name --action metadata | grep -q "<resource-agent name=\"$name\"" || { echo "$name: no metadata"; exit 1; }
            test -s /usr/share/man/man8/$name.8.gz || test -s /usr/share/man/man8/$name.8 || {
                echo "$name: no manual page"; exit 1; }
            count=$((count + 1))
        done; echo $count"#,
    )?;
    let count: usize = count.trim().parse()?;
    Ok(Finding { figure: format!("{count} names"), holds: count >= 2 })
}

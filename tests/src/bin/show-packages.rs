//! Tries the packages and prints a line for each promise: `show-packages`. Needs what `make packages` makes.

use std::process::ExitCode;

use anyhow::Result;
use picket_tests::Finding;
use picket_tests::packages::{
    Packages, beside, containers, deb, devices, document, fence, fencer, migration, rpm, size, unit,
};
use picket_tests::show::{self, Point};

const POINTS: [Point; 16] = [
    Point {
        number: 1,
        words: "DEB: install, upgrade, downgrade, remove, purge in a clean root, without network",
        measure: debs,
    },
    Point {
        number: 2,
        words: "RPM: install, upgrade, downgrade, verify, erase, own database, without network",
        measure: rpms,
    },
    Point {
        number: 1,
        words: "DEB and RPM of picket-fence and of the drop-in names, the same life",
        measure: fences,
    },
    Point { number: 1, words: "the drop-in names beside the distribution's fence-agents", measure: besides },
    Point {
        number: 3,
        words: "a guest migrates under a running cluster by the document's commands",
        measure: migrated,
    },
    Point {
        number: 3,
        words: "a device migrates from fence-agents and back under a running cluster by the document's commands",
        measure: device_migrated,
    },
    Point { number: 4, words: "systemd-analyze verify", measure: unit::verified },
    Point { number: 5, words: "systemd-analyze security", measure: unit::exposure },
    Point { number: 6, words: "lintian finds no error", measure: linted },
    Point { number: 7, words: "cost on an empty root", measure: cost },
    Point { number: 8, words: "every command of the README makes a guest", measure: readme },
    Point {
        number: 8,
        words: "the README's commands make a bundle and a container",
        measure: readme_containers,
    },
    Point { number: 8, words: "docs/containers.md's commands make an LXC guest", measure: lxc },
    Point { number: 8, words: "no command of the README is left out", measure: unclaimed },
    Point {
        number: 9,
        words: "services survive upgrade, restart, watchdog and stop of the agent",
        measure: survival,
    },
    Point {
        number: 10,
        words: "every platform has a device in docs/fencing.md that agent and pcs take; Docker's fences",
        measure: devices,
    },
];

fn debs() -> Result<Finding> {
    Ok(deb::life_cycle(&Packages::find()?).summary())
}

fn rpms() -> Result<Finding> {
    Ok(rpm::life_cycle(&Packages::find()?).summary())
}

fn fences() -> Result<Finding> {
    let packages = Packages::find()?;
    let mut both = fence::debs(&packages);
    both.checks.extend(fence::rpms(&packages).checks);
    Ok(both.summary())
}

fn besides() -> Result<Finding> {
    let packages = Packages::find()?;
    let mut both = beside::debs(&packages);
    both.checks.extend(beside::rpms(&packages).checks);
    Ok(both.summary())
}

fn migrated() -> Result<Finding> {
    Ok(migration::follow(&Packages::find()?, migration::MOVING).summary())
}

fn device_migrated() -> Result<Finding> {
    Ok(fencer::follow(&Packages::find()?).summary())
}

fn readme() -> Result<Finding> {
    Ok(migration::follow_readme(&Packages::find()?).summary())
}

fn readme_containers() -> Result<Finding> {
    Ok(containers::follow_readme(&Packages::find()?).summary())
}

fn lxc() -> Result<Finding> {
    Ok(containers::follow_lxc().summary())
}

fn unclaimed() -> Result<Finding> {
    let left: Vec<_> = document::unclaimed()?.into_iter().map(|step| step.command).collect();
    Ok(Finding { figure: format!("{} left out {}", left.len(), left.join("; ")), holds: left.is_empty() })
}

fn survival() -> Result<Finding> {
    Ok(unit::life(&Packages::find()?).summary())
}

fn devices() -> Result<Finding> {
    let packages = Packages::find()?;
    let mut both = devices::tried(&packages);
    both.checks.extend(devices::used(&packages).checks);
    Ok(both.summary())
}

fn linted() -> Result<Finding> {
    deb::lint(&Packages::find()?)
}

fn cost() -> Result<Finding> {
    size::compare(&Packages::find()?)
}

fn main() -> ExitCode {
    show::chosen(POINTS)
}

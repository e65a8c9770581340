//! What an installation costs on an empty root, ours and the one it replaces, by apt's own account.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Packages, run};
use crate::report::Finding;

/// Packages and installed kilobytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// How many packages come.
    pub packages: usize,
    /// Their sizes, as they declare them.
    pub kib: u64,
}

/// What apt would install for `wanted` where nothing is installed at all.
fn cost(wanted: &str) -> Result<Cost> {
    let mut plan = Command::new("apt-get");
    plan.args(["-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=false"]);
    plan.args(["--simulate", "install", wanted]).env("LC_ALL", "C");
    let plan = run(&mut plan)?;
    let names: Vec<_> =
        plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next()).collect();
    ensure!(!names.is_empty(), "apt would install nothing for {wanted}: {plan}");
    let mut kib = 0;
    for name in &names {
        kib += installed_size(name, wanted)?;
    }
    Ok(Cost { packages: names.len(), kib })
}

fn installed_size(name: &str, wanted: &str) -> Result<u64> {
    let ours = wanted.ends_with(".deb") && name.starts_with("picket");
    let text = if ours {
        run(Command::new("dpkg-deb").args(["--field", wanted, "Installed-Size"]))?
    } else {
        let shown = run(Command::new("apt-cache").args(["show", "--no-all-versions", name]))?;
        let size = shown.lines().find_map(|line| line.strip_prefix("Installed-Size: ").map(str::to_owned));
        size.with_context(|| format!("apt-cache tells no size of {name}"))?
    };
    text.trim().parse().with_context(|| format!("the size of {name} is '{}'", text.trim()))
}

/// Both, in one run.
pub fn compare(packages: &Packages) -> Result<Finding> {
    let ours = packages.deb("picket-agent")?;
    let (ours, original) = (cost(&ours.display().to_string())?, cost("pacemaker-remote")?);
    let mb = |cost: Cost| format!("{} packages, {:.1} MB", cost.packages, cost.kib as f64 * 1024.0 / 1e6);
    Ok(Finding {
        figure: format!("picket-agent {}; pacemaker-remote {}", mb(ours), mb(original)),
        holds: ours.packages < original.packages && ours.kib < original.kib,
    })
}

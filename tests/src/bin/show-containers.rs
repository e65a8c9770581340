//! Measures what is promised of containers, one line a point: `show-containers [POINT...]`.

#![allow(clippy::print_stderr, reason = "steps that take a minute are shown as they end")]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use picket_tests::containers::{self, Kind, Tool};
use picket_tests::show::{self, Point};
use picket_tests::{Check, Finding};

const POINTS: [Point; 12] = [
    Point {
        number: 1,
        words: "a real bundle with the agent as process 1: fails, recovers, moves",
        measure: docker_bundle,
    },
    Point { number: 1, words: "the same bundle with podman", measure: podman_bundle },
    Point { number: 1, words: "the same bundle with its host's network", measure: host_bundle },
    Point {
        number: 2,
        words: "a container under a real cluster: 10,000 orphans, 1,000 children",
        measure: container_guest,
    },
    Point {
        number: 2,
        words: "the same as fast as it can, each child with a status of its own",
        measure: reaping,
    },
    Point { number: 3, words: "a check against ocf:heartbeat:docker on the same engine", measure: cost },
    Point { number: 3, words: "50 containers at 10 s on a busy machine", measure: load },
    Point { number: 4, words: "an LXC guest of Debian's lxc, run by the cluster", measure: lxc },
    Point { number: 4, words: "a libvirt-lxc guest through VirtualDomain", measure: libvirt },
    Point { number: 4, words: "what picketctl guest writes, through pcs and crmsh", measure: shells },
    Point {
        number: 5,
        words: "dockerd stopped, restarted, hung, cut off: the right result",
        measure: docker_faults,
    },
    Point {
        number: 5,
        words: "podman stopped, restarted, hung, cut off: the right result",
        measure: podman_faults,
    },
];

fn main() -> ExitCode {
    show::chosen(POINTS)
}

/// The steps of a point, for who wants to see them: not part of the lines.
fn watch(check: &Check) {
    eprintln!("{check}");
}

fn docker_bundle() -> Result<Finding> {
    bundle(Kind::Docker)
}

fn podman_bundle() -> Result<Finding> {
    bundle(Kind::Podman)
}

fn bundle(kind: Kind) -> Result<Finding> {
    let report = containers::bundle(kind, 2, None, &mut watch);
    let Finding { figure, holds } = report.summary();
    let times = ["container starts", "fails", "killed", "moved"].map(|step| report.figure(step).to_owned());
    Ok(Finding { figure: format!("{figure}; {}", times.join("; ")), holds })
}

fn host_bundle() -> Result<Finding> {
    Ok(containers::bundle(Kind::Docker, 1, Some("host"), &mut watch).summary())
}

fn container_guest() -> Result<Finding> {
    let report = containers::container_guest(1000, &mut watch);
    let Finding { figure, holds } = report.summary();
    let figures = ["every check", "zombie", "other than 0"].map(|step| report.figure(step).to_owned());
    Ok(Finding { figure: format!("{figure}; {}", figures.join("; ")), holds })
}

fn reaping() -> Result<Finding> {
    let report = containers::reaping(1000);
    let Finding { figure, holds } = report.summary();
    Ok(Finding { figure: format!("{figure}; {}; {}", report.figure("lost"), report.figure("zombie")), holds })
}

fn cost() -> Result<Finding> {
    let costs = containers::monitors()?;
    let ratio = costs.heartbeat.cpu.as_secs_f64() / costs.picket.cpu.as_secs_f64().max(1e-6);
    let figure = format!("picket {}; heartbeat {}; CPU ratio {ratio:.0}", costs.picket, costs.heartbeat);
    Ok(Finding { figure, holds: ratio >= 50.0 })
}

fn load() -> Result<Finding> {
    let loads = containers::load(50, Duration::from_secs(10), Duration::from_secs(60))?;
    let words: Vec<_> = loads.iter().map(ToString::to_string).collect();
    let holds = loads.first().is_some_and(|ours| ours.wrong == 0 && ours.late == 0 && ours.ended >= 250);
    Ok(Finding { figure: words.join("; "), holds })
}

fn lxc() -> Result<Finding> {
    guest(Tool::Lxc)
}

fn libvirt() -> Result<Finding> {
    guest(Tool::Libvirt)
}

fn guest(tool: Tool) -> Result<Finding> {
    let report = containers::lxc(tool, 2, &mut watch);
    let Finding { figure, holds } = report.summary();
    let times = ["by the cluster, with", "service inside is", "process 1", "stopped", "moved"];
    let times = times.map(|step| report.figure(step).to_owned());
    Ok(Finding { figure: format!("{figure}; {}", times.join("; ")), holds })
}

fn shells() -> Result<Finding> {
    Ok(containers::shells(&mut watch).summary())
}

fn docker_faults() -> Result<Finding> {
    Ok(containers::faults(Kind::Docker, &mut watch).summary())
}

fn podman_faults() -> Result<Finding> {
    Ok(containers::faults(Kind::Podman, &mut watch).summary())
}

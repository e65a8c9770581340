//! The points of "It must show", each as one line.

use anyhow::Result;

use super::bench::Bench;
use super::{fencer, frozen, suite, vm};
use crate::report::Finding;
use crate::scenario::Scene;
use crate::show::{Point, detail};

/// Everything, in a quarter of an hour.
pub const POINTS: [Point; 13] = [
    Point { number: 1, words: "the fencer of a real cluster runs the agents", measure: cluster },
    Point { number: 1, words: "a frozen VM with a guest node is fenced and comes back", measure: frozen_vm },
    Point {
        number: 1,
        words: "a frozen container with a guest node is fenced and comes back",
        measure: frozen_container,
    },
    Point { number: 2, words: "metadata", measure: metadata },
    Point { number: 3, words: "fault matrix of every agent", measure: matrix },
    Point { number: 3, words: "false off of today's agents, in the same run", measure: false_off },
    Point { number: 3, words: "servers that others wrote", measure: peers },
    Point { number: 3, words: "our own BMC of the matrix before DMTF's validator", measure: validator },
    Point { number: 3, words: "fence_xvm and fence_virt against fence_virtd", measure: virt },
    Point { number: 4, words: "metadata: at most 3 ms and 6 MB", measure: || Bench::start()?.metadata() },
    Point { number: 4, words: "status over HTTPS: a tenth of the CPU", measure: || Bench::start()?.status() },
    Point { number: 4, words: "eight status at once", measure: || Bench::start()?.eight_at_once() },
    Point { number: 4, words: "100 reboots at once, memory flat", measure: || Bench::start()?.reboots() },
];

fn cluster() -> Result<Finding> {
    Ok(fencer::check(&mut |check| detail(check)).summary())
}

fn frozen_container() -> Result<Finding> {
    let mut watch = |scene: Scene| {
        if let Scene::Done(check) = scene {
            detail(check);
        }
    };
    Ok(frozen::container(&mut watch).summary())
}

fn frozen_vm() -> Result<Finding> {
    Ok(vm::check(&mut |check| detail(check)).summary())
}

fn metadata() -> Result<Finding> {
    let run = suite::run(&["--test", "metadata"], &["--ignored"])?;
    let figures: Vec<&str> = run.figures("metadata: ").collect();
    Ok(Finding { figure: told(&figures, &run), holds: run.failed == 0 && figures.len() == 2 })
}

fn matrix() -> Result<Finding> {
    let run = suite::run(&["--lib"], &["no_fault_makes_it_lie"])?;
    let (mut agents, mut cases, mut wrong) = (0, 0, 0);
    for line in run.figures("fault matrix of ") {
        // "NAME: N cases, M wrong"
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<usize>().ok());
        agents += 1;
        cases += numbers.next().unwrap_or_default();
        wrong += numbers.next().unwrap_or(1);
    }
    let figure = format!("{agents} drivers and forms of their APIs, {cases} cases, {wrong} lies or overruns");
    Ok(Finding { figure, holds: run.failed == 0 && wrong == 0 && cases > 20_000 })
}

fn false_off() -> Result<Finding> {
    let run = suite::run(&["--test", "upstream"], &["--ignored"])?;
    let figures: Vec<&str> = run.figures("known false off: ").collect();
    Ok(Finding { figure: told(&figures, &run), holds: run.failed == 0 && figures.len() == 1 })
}

fn peers() -> Result<Finding> {
    const TESTS: [&str; 7] =
        ["containers", "incus", "libvirt", "libvirt_tls", "pve", "redfish", "vmware_soap"];
    let chosen: Vec<&str> = TESTS.iter().flat_map(|test| ["--test", test]).collect();
    let run = suite::run(&chosen, &["--ignored"])?;
    let words = "Docker, Podman, Incus, libvirtd (socket, TLS and sshd), fakepve, sushy-tools, vcsim";
    let figure = format!("{words}: {} stories hold, {} do not", run.passed, run.failed);
    Ok(Finding { figure, holds: run.failed == 0 && run.passed >= TESTS.len() })
}

fn validator() -> Result<Finding> {
    let run = suite::run(&["--lib"], &["--ignored", "validator_of_dmtf"])?;
    let figures: Vec<&str> = run.figures("validator of DMTF: ").collect();
    Ok(Finding { figure: told(&figures, &run), holds: run.failed == 0 && figures.len() == 1 })
}

fn virt() -> Result<Finding> {
    let run = suite::run(&["--test", "virt"], &["--ignored"])?;
    let figures: Vec<&str> = run.figures("virt: ").collect();
    Ok(Finding { figure: told(&figures, &run), holds: run.failed == 0 && figures.len() == 5 })
}

/// The figures, or how many tests had what end where there are none.
fn told(figures: &[&str], run: &suite::Run) -> String {
    match figures {
        [] => format!("{} passed, {} failed", run.passed, run.failed),
        some => some.join("; "),
    }
}

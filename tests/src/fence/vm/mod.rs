//! A real virtual machine as a guest node of a real cluster: a Debian under libvirt and qemu with the agent in it. It
//! freezes, the cluster has it switched off and on again by `fence_libvirt`, it boots, and its service runs again.

mod disk;
mod hypervisor;
mod stage;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::report::{Check, Finding, Report, Step};
use crate::wait::wait_until;
use stage::Stage;

/// The machine in the cluster, and at libvirt.
const GUEST: &str = "vm";
const DOMAIN: &str = "debian";
/// Another machine at libvirt, which has the name that the cluster uses.
const NEIGHBOR: &str = GUEST;
const DEVICE: &str = "vm-power";
const SERVICE: &str = "served";

/// A boot takes 15 s where processors are emulated, and more on a machine that has other things to do.
const BOOT: Duration = Duration::from_secs(300);
const NOTICE: Duration = Duration::from_secs(120);
const FENCING: Duration = Duration::from_secs(200);

const STEPS: [Step<Stage>; 12] = [
    ("it boots, and the cluster connects to its agent", boots),
    ("its service is started by the cluster, and answers", serves),
    ("paused: nothing answers, and the fence agent says on", |stage| frozen(stage, Freeze::Paused)),
    ("paused: the cluster notices and has it fenced", fenced),
    ("paused: it boots again, agent and service are back", back),
    ("kernel panic: nothing answers, and the fence agent says on", |stage| frozen(stage, Freeze::Panic)),
    ("kernel panic: the cluster notices and has it fenced", fenced),
    ("kernel panic: it boots again, agent and service are back", back),
    ("hypervisor process stopped: nothing answers, and the fence agent says on", |stage| {
        frozen(stage, Freeze::Stopped)
    }),
    ("hypervisor process stopped: the cluster notices and has it fenced", fenced),
    ("hypervisor process stopped: it boots again, agent and service are back", back),
    ("fenced once for each, and nobody else", nobody_else),
];

/// What stands still.
#[derive(Clone, Copy)]
enum Freeze {
    /// Its processor, by the word of an administrator.
    Paused,
    /// Its kernel. libvirt sees a machine that runs.
    Panic,
    /// The process that emulates it: it does not answer libvirt either.
    Stopped,
}

/// The whole story.
pub(super) fn check(watch: &mut dyn FnMut(&Check)) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster, and a libvirtd with a virtual machine", || {
        stage = Some(Stage::new()?);
        Ok(Finding::good("a Debian that is off, and a neighbor"))
    });
    report.checks.last().into_iter().for_each(&mut *watch);
    let Some(stage) = stage else { return report };
    report.play(&stage, &STEPS, watch);
    report
}

fn boots(stage: &Stage) -> Result<Finding> {
    stage.since.set(Instant::now());
    stage.hypervisor.virsh(&["start", DOMAIN])?;
    stage.configure()?;
    online(stage)?;
    Ok(Finding::good(format!("{} after its power-on", seconds(stage))))
}

fn serves(stage: &Stage) -> Result<Finding> {
    serving(stage)?;
    let life = wait_until("the service answers", NOTICE, || stage.life().map(Some))?;
    Ok(Finding::good(format!("{} after its power-on, boot {}", seconds(stage), short(&life.boot))))
}

fn frozen(stage: &Stage, freeze: Freeze) -> Result<Finding> {
    let life = stage.life()?;
    let process = life.process;
    stage.before.replace(Some(life));
    stage.freezes.set(stage.freezes.get() + 1);
    stage.since.set(Instant::now());
    match freeze {
        Freeze::Paused => stage.hypervisor.virsh(&["suspend", DOMAIN]).map(drop)?,
        Freeze::Panic => {
            stage.hypervisor.virsh(&["inject-nmi", DOMAIN])?;
            wait_until("its kernel panics", NOTICE, || {
                let said = std::fs::read(&stage.console)?;
                Ok(String::from_utf8_lossy(&said).contains("Kernel panic").then_some(()))
            })
            .with_context(|| stage.words())?;
        }
        Freeze::Stopped => stage.hypervisor.stop(process)?,
    }
    let state = stage.hypervisor.virsh(&["domstate", "--reason", DOMAIN])?;
    let power = stage.power()?;
    let silent = stage.ask().is_err();
    let answers = if silent { "nothing answers" } else { "the service answers" };
    let expected = match freeze {
        Freeze::Paused => "paused",
        Freeze::Panic | Freeze::Stopped => "running",
    };
    let holds = silent && power == "Status: ON" && state.starts_with(expected);
    Ok(Finding { figure: format!("{answers}, libvirt says {state}, the agent says {power}"), holds })
}

fn fenced(stage: &Stage) -> Result<Finding> {
    stage.cluster.wait("the cluster notices", NOTICE, |status| !status.is_online(GUEST))?;
    let noticed = seconds(stage);
    let fences = wait_until("the fencing is over", FENCING, || {
        let fences = stage.cluster.fences()?;
        let over = fences.iter().all(|fence| fence.status != "pending");
        Ok((over && fences.len() >= stage.freezes.get()).then_some(fences))
    })?;
    let took = seconds(stage);
    let was = stage.before.borrow().as_ref().context("it was frozen before")?.process;
    let gone = !stage.hypervisor.lives(was);
    let now = stage.hypervisor.process(DOMAIN)?;
    let figure = format!("noticed after {noticed}, fenced after {took}, qemu {} is {} now", was.pid, now.pid);
    Ok(Finding { figure, holds: gone && now != was && fences.iter().all(|fence| fence.rebooted(GUEST)) })
}

fn back(stage: &Stage) -> Result<Finding> {
    online(stage)?;
    let online = seconds(stage);
    serving(stage)?;
    let life = wait_until("the service answers", NOTICE, || stage.life().map(Some))?;
    let before = stage.before.borrow();
    let was = before.as_ref().context("it was frozen before")?;
    let figure = format!(
        "connected after {online}, its service after {}, boot {} is {} now",
        seconds(stage),
        short(&was.boot),
        short(&life.boot)
    );
    Ok(Finding { figure, holds: life.boot != was.boot && life.process != was.process })
}

fn online(stage: &Stage) -> Result<()> {
    let what = "the guest is online";
    stage.cluster.wait(what, BOOT, |status| status.is_online(GUEST)).map(drop).with_context(|| stage.words())
}

fn serving(stage: &Stage) -> Result<()> {
    let what = "the service runs in the guest";
    let runs = stage.cluster.wait(what, NOTICE, |status| status.runs_on(SERVICE, GUEST));
    runs.map(drop).with_context(|| stage.words())
}

fn nobody_else(stage: &Stage) -> Result<Finding> {
    stage.cluster.settle(NOTICE)?;
    let (fences, freezes) = (stage.cluster.fences()?, stage.freezes.get());
    let neighbor = stage.hypervisor.lives(stage.neighbor);
    let others = stage.cluster.fencing().record();
    ensure!(others.is_empty(), "also fenced: {}", others[0]);
    let told: Vec<String> = fences.iter().map(ToString::to_string).collect();
    let figure = format!(
        "{freezes} freezes, {}; the neighbor's process is {}",
        told.join(", "),
        if neighbor { "the same" } else { "GONE" }
    );
    Ok(Finding {
        figure,
        holds: neighbor && fences.len() == freezes && fences.iter().all(|fence| fence.rebooted(GUEST)),
    })
}

fn seconds(stage: &Stage) -> String {
    format!("{:.1} s", stage.since.get().elapsed().as_secs_f64())
}

/// The beginning of an id: enough to tell it from another.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

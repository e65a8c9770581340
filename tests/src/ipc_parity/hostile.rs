//! Point 4: hostile local clients, with a scripted cluster that sees whatever reaches it and pokes all the while.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::unistd::Pid;
use picket_proto::notification::Notification;
use picket_proto::proxy::ProxyOp;
use picket_proto::request::{CallOptions, Operation};
use picket_proto::xml::Verbatim;

use super::scripted;
use crate::agent::Agent;
use crate::local::{self, attack};
use crate::peer::Peer;
use crate::report::Finding;
use crate::wait::wait_until;

const SOON: Duration = Duration::from_secs(10);

/// Between two pokes.
const POKES: Duration = Duration::from_millis(10);

/// A controller gives up after 10 s. What is allowed here is far below, and far above what a busy machine costs.
const LATE: Duration = Duration::from_secs(2);

/// What local clients may cost in descriptors and memory once they are gone.
const MORE_DESCRIPTORS: usize = 0;
const MORE_MEMORY: u64 = 64 * 1024 * 1024;

/// What the scripted cluster saw.
#[derive(Debug, Default)]
struct Seen {
    opened: usize,
    ended: usize,
    requests: Vec<String>,
    pokes: usize,
    slowest: Duration,
}

/// Every attack.
pub(super) fn measure() -> Result<Finding> {
    let program = local::program()?;
    let peer = Peer::start(Agent::Picket, &[])?;
    let pid = peer.pid()?;
    let (descriptors, memory) = (descriptors(pid)?, memory(pid)?);
    let over = AtomicBool::new(false);
    let (attacks, seen) = std::thread::scope(|scope| {
        let cluster = scope.spawn(|| cluster(&peer, &over));
        let attacks = attack_all(&peer, &program);
        over.store(true, Ordering::Relaxed);
        let seen = cluster.join().map_err(|_| anyhow::anyhow!("the scripted cluster panicked"))?;
        anyhow::Ok((attacks?, seen?))
    })?;
    peer.pid().context("the agent did not survive")?;
    wait_until("descriptors and shared memory are given back", SOON, || {
        let shared = peer.host.check(&["ls", "/dev/shm"])?;
        Ok((self::descriptors(pid)? <= descriptors + MORE_DESCRIPTORS && shared.is_empty()).then_some(()))
    })?;
    let grown = self::memory(pid)?.saturating_sub(memory);
    let holds =
        seen.requests.is_empty() && seen.opened == seen.ended && seen.slowest < LATE && grown < MORE_MEMORY;
    let figure = format!(
        "{attacks} attacks, {} sessions opened and ended, {} documents reached the cluster, {} pokes answered \
         within {:.0} ms, {} MB kept, no descriptor or file left",
        seen.opened,
        seen.requests.len(),
        seen.pokes,
        seen.slowest.as_secs_f64() * 1000.0,
        grown / 1_000_000,
    );
    let figure = match seen.requests.first() {
        Some(request) => format!("{figure}; reached: {request}"),
        None => figure,
    };
    Ok(Finding { figure, holds })
}

fn attack_all(peer: &Peer, program: &Path) -> Result<usize> {
    // Strangers cannot reach into the folder the build is in.
    let copy = PathBuf::from("/run/local-client");
    let program = program.to_str().context("its path is not UTF-8")?;
    let visible = copy.to_str().expect("a literal");
    peer.host.check(&["install", "-m", "0755", program, visible])?;
    let stranger = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
    peer.host.check(&[&stranger[..], &[visible, "attack", "stranger"]].concat())?;
    for (kind, _) in attack::KINDS {
        let output = peer.host.run(&[visible, "attack", kind])?;
        // A crash is one.
        let as_planned = output.status.success() != (kind == "crash");
        ensure!(as_planned, "{kind}: {}: {}{}", output.status, output.stdout, output.stderr);
    }
    Ok(attack::KINDS.len() + 1)
}

/// A provider that answers nothing, pokes, and writes down what comes.
fn cluster(peer: &Peer, over: &AtomicBool) -> Result<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut controller = scripted::cluster(peer, SOON).await?;
        let mut seen = Seen::default();
        let mut quiet = None;
        // A little longer than the attacks, for what is on its way.
        while quiet.is_none_or(|since: Instant| since.elapsed() < Duration::from_secs(1)) {
            if over.load(Ordering::Relaxed) && quiet.is_none() {
                quiet = Some(Instant::now());
            }
            let asked = Instant::now();
            controller.call(Operation::Poke, CallOptions::default()).await?;
            seen.slowest = seen.slowest.max(asked.elapsed());
            seen.pokes += 1;
            while let Some(notification) = controller.notification(POKES).await? {
                seen.note(notification);
            }
        }
        Ok(seen)
    })
}

impl Seen {
    fn note(&mut self, notification: Notification) {
        let Notification::Proxy(proxy) = notification else { return };
        match proxy.op {
            ProxyOp::New => self.opened += 1,
            ProxyOp::Destroy => self.ended += 1,
            _ => self.requests.push(format!(
                "{:?} {}",
                proxy.op,
                proxy.msg.map_or(String::new(), Verbatim::into_text)
            )),
        }
    }
}

/// Open descriptors of a process.
pub(super) fn descriptors(pid: Pid) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).with_context(|| format!("read {path}"))?.count())
}

/// Resident memory of a process in bytes.
pub(super) fn memory(pid: Pid) -> Result<u64> {
    let path = format!("/proc/{pid}/statm");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.with_context(|| format!("{path}: '{text}'"))? * 4096)
}

//! Hundreds of recurring operations, on both agents at the same time: how late they run, how soon a poke is
//! answered, and what that costs the agent itself.
//!
//! Lateness is the time from one report to the next of the same operation, less its interval. The agent's run is in
//! it, which makes it an upper bound, and nothing has to be asked of the resource agent, a shell that does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use picket_proto::request::{Operation, Request};

use crate::agent::Agent;
use crate::differential::op;
use crate::parity::bench::Bench;
use crate::parity::client::{Client, PROVIDER};
use crate::peer::Peer;

/// Recurring operations an agent.
const OPERATIONS: usize = 300;
/// Their interval.
const INTERVAL: Duration = Duration::from_secs(10);
/// A poke at each of these.
const POKE: Duration = Duration::from_millis(100);
/// What the cluster waits for a reply.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

const NOTHING: &str = "#!/bin/sh\nexit 0\n";

/// What one agent did under the load.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Results that were reported.
    pub results: usize,
    /// Lateness of all runs but the first of each.
    pub lateness: Times,
    /// Replies to pokes.
    pub replies: Times,
    /// Processor time of the agent, without its children.
    pub processor: Duration,
    /// How long that was measured.
    pub time: Duration,
}

/// Sorted times.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many percent stay below.
    pub fn percentile(&self, percent: usize) -> Duration {
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or(Duration::MAX)
    }

    /// The longest.
    pub fn worst(&self) -> Duration {
        self.0.last().copied().unwrap_or(Duration::MAX)
    }
}

/// Puts the load on both agents at the same time: ours, and the original's figures where it endures it.
pub fn both(time: Duration) -> Result<(Measured, Result<Measured>)> {
    std::thread::scope(|scope| {
        let original = scope.spawn(|| one(Agent::Original, time));
        let ours = one(Agent::Picket, time);
        let original = original.join().map_err(|_| anyhow!("the original's client panicked"))?;
        Ok((ours?, original))
    })
}

/// Lets this thread run before everybody else, until it is dropped: an instrument that waits for a processor
/// measures itself.
struct Prompt;

impl Prompt {
    fn set(nice: i32) -> Result<()> {
        rustix::process::setpriority_process(None, nice).context("set the priority of this thread")
    }

    fn new() -> Result<Self> {
        Self::set(-15).map(|()| Self)
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        // The thread ends soon after.
        let _ = Self::set(0);
    }
}

/// Puts the load on one agent.
pub fn one(agent: Agent, time: Duration) -> Result<Measured> {
    let bench = Bench::new(agent, true);
    let peer = bench.fresh(&[])?;
    peer.host.write(&format!("/usr/lib/ocf/resource.d/{PROVIDER}/Nothing"), NOTHING)?;
    let mut client = Client::join(&peer, "load")?;
    let _prompt = Prompt::new()?;
    // Spread over the interval, as a cluster's are.
    let started = Instant::now();
    let mut seen = Seen::default();
    for number in 0..OPERATIONS {
        let id = format!("load{number}");
        let turn = started + INTERVAL * u32::try_from(number)? / u32::try_from(OPERATIONS)?;
        seen.until(&mut client, turn)?;
        client.register_quietly(&id, "Nothing")?;
        client.exec(&op(&id, "monitor").every(u64::try_from(INTERVAL.as_millis())?).options(0))?;
    }
    // Until all have run once, registrations are part of the load.
    seen.until(&mut client, started + INTERVAL * 2)?;
    seen.pauses.clear();
    let (begun, before) = (Instant::now(), processor_time(&peer)?);
    let mut replies = Vec::new();
    let mut next = begun;
    while begun.elapsed() < time {
        next += POKE;
        let asked = Instant::now();
        let id = client.tell(Request::new(0, Operation::Poke))?;
        seen.reply(&mut client, id)?;
        replies.push(asked.elapsed());
        seen.until(&mut client, next)?;
    }
    let processor = processor_time(&peer)?.saturating_sub(before);
    let lateness: Vec<_> = seen.pauses.iter().map(|pause| pause.saturating_sub(INTERVAL)).collect();
    ensure!(seen.failed == 0, "{} of {} runs failed", seen.failed, lateness.len());
    Ok(Measured {
        results: lateness.len(),
        lateness: Times::of(lateness),
        replies: Times::of(replies),
        processor,
        time: begun.elapsed(),
    })
}

/// Reports, as they come.
#[derive(Default)]
struct Seen {
    last: BTreeMap<String, Instant>,
    pauses: Vec<Duration>,
    failed: usize,
}

impl Seen {
    /// Takes what comes, until then.
    fn until(&mut self, client: &mut Client, deadline: Instant) -> Result<()> {
        loop {
            let Some((doc, at)) = client.next_at(deadline)? else { return Ok(()) };
            self.note(&doc, at);
        }
    }

    /// Takes what comes, until the reply.
    fn reply(&mut self, client: &mut Client, id: i64) -> Result<()> {
        let deadline = Instant::now() + REPLY_LIMIT;
        loop {
            let (doc, at) = client.next_at(deadline)?.context("no reply to a poke within 10 s")?;
            if doc.text("lrmd_remote_msg_type") == "reply" && doc.number("lrmd_remote_msg_id")? == id {
                return Ok(());
            }
            self.note(&doc, at);
        }
    }

    fn note(&mut self, doc: &crate::parity::doc::Doc, at: Instant) {
        if !doc.is_result() {
            return;
        }
        self.failed += usize::from(doc.ended(0, 0).is_err());
        if let Some(before) = self.last.insert(doc.text("lrmd_rsc_id").to_owned(), at) {
            self.pauses.push(at.duration_since(before));
        }
    }
}

/// User and system time of the agent's own threads.
fn processor_time(peer: &Peer) -> Result<Duration> {
    let path = format!("/proc/{}/stat", peer.pid()?);
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // Fields 14 and 15 in ticks of 10 ms, counted from behind the process's name, which may hold anything.
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    ensure!(fields.len() == 2, "no processor time in '{stat}'");
    Ok(Duration::from_millis(10 * (fields[0] + fields[1])))
}

/// The slowest reply to a poke while 300 results of 64 KB come at once.
pub fn burst(agent: Agent) -> Result<Duration> {
    let bench = Bench::new(agent, true);
    let peer = bench.fresh(&[])?;
    let mut client = Client::join(&peer, "burst")?;
    let mut poker = Client::join(&peer, "poker")?;
    // Nobody starts before all are asked, and then all do.
    let all = "while [ ! -e /run/picket-test/go ]; do sleep 0.2; done; head -c 65536 /dev/zero | tr '\\0' x";
    for number in 0..OPERATIONS {
        let id = format!("burst{number}");
        client.register_quietly(&id, "Script")?;
        client.exec(&op(&id, "validate-all").within(0).doing(all))?;
    }
    peer.host.write("/run/picket-test/go", "")?;
    let (started, mut worst, mut results) = (Instant::now(), Duration::ZERO, 0);
    let mut seen = Seen::default();
    while results < OPERATIONS {
        ensure!(started.elapsed() < Duration::from_secs(120), "{results} of {OPERATIONS} results came");
        let asked = Instant::now();
        let id = poker.tell(Request::new(0, Operation::Poke))?;
        seen.reply(&mut poker, id)?;
        worst = worst.max(asked.elapsed());
        seen.until(&mut poker, Instant::now() + Duration::from_millis(20))?;
        results = seen.last.len();
    }
    Ok(worst)
}

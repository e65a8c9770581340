//! Runs all sequences against two kinds of agent, several pairs of agents at a time.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::agent::Agent;
use crate::differential::Sequence;
use crate::differential::agents;
use crate::differential::compare::{Difference, compare};
use crate::differential::known::{KNOWN, MISSING};
use crate::differential::sequences;
use crate::differential::session::{LEFT_BEHIND, Session};
use crate::differential::transcript::Transcript;
use crate::network::Network;
use crate::peer::Peer;

/// How many pairs of agents work at a time for each processor. Sequences wait more than they compute.
const PAIRS: usize = 2;

/// The original computes Diffie-Hellman parameters when it starts, which TLS 1.3 does not use: short ones are made in
/// no time.
const ENVIRONMENT: [(&str, &str); 1] = [("PCMK_dh_max_bits", "1024")];

/// How often a sequence with unexplained differences is played again.
const CONFIRMATIONS: usize = 2;

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Sequences with both transcripts and their differences, in the order of the list.
    pub results: Vec<Compared>,
}

/// One sequence, compared.
#[derive(Debug)]
pub struct Compared {
    /// The sequence.
    pub name: &'static str,
    /// Against the left agent.
    pub left: Transcript,
    /// Against the right one.
    pub right: Transcript,
    /// What is not the same.
    pub differences: Vec<Difference>,
    /// Whether it was played again.
    pub confirmed: bool,
    /// How long both took.
    pub took: Duration,
}

impl Report {
    /// Judges the differences by the table in [`known`]; complains of what it does not explain, and in a complete
    /// run of entries that explain nothing.
    pub fn judge(&self, complete: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let mut used = BTreeSet::new();
        for result in &self.results {
            let missing = MISSING.iter().find(|(name, _)| *name == result.name);
            let mut unexplained = Vec::new();
            for difference in &result.differences {
                match KNOWN.iter().position(|known| known.explains(result.name, difference)) {
                    Some(at) => {
                        used.insert(at);
                        verdict.explained += 1;
                    }
                    None => unexplained.push(difference),
                }
            }
            match (missing, unexplained.is_empty()) {
                (None, true) => {}
                (None, false) => {
                    verdict.unexplained += unexplained.len();
                    verdict.complaints.push(result.complaint(&unexplained));
                }
                (Some((name, what)), false) => verdict.missing.push(format!("{name}: {what}")),
                (Some((name, what)), true) => {
                    let complaint = format!("{name}: listed as missing ({what}), and there is no difference");
                    verdict.complaints.push(complaint);
                }
            }
        }
        verdict.sequences = self.results.len();
        verdict.repeated = self.results.iter().filter(|result| result.confirmed).count();
        if complete {
            let idle = KNOWN.iter().enumerate().filter(|(at, _)| !used.contains(at));
            verdict.complaints.extend(idle.map(|(_, known)| format!("explains nothing: {known:?}")));
        }
        verdict
    }
}

/// What is to be thought of a run.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many sequences were compared.
    pub sequences: usize,
    /// Differences found in the table.
    pub explained: usize,
    /// Differences that are not there.
    pub unexplained: usize,
    /// Sequences that were played more than once.
    pub repeated: usize,
    /// Sequences that differ because something is not built yet.
    pub missing: Vec<String>,
    /// What is wrong, readable.
    pub complaints: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequences, explained, unexplained, repeated, missing, complaints } = self;
        complaints.iter().chain(missing).try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "{sequences} sequences, {explained} differences explained, {unexplained} unexplained")?;
        if *repeated > 0 {
            write!(f, ", {repeated} sequences repeated")?;
        }
        match missing.len() {
            0 => Ok(()),
            count => write!(f, ", {count} sequences about something that picket-agent does not do yet"),
        }
    }
}

impl Compared {
    /// The differences that the table does not explain.
    fn unexplained(&self) -> Vec<&Difference> {
        let explained =
            |difference: &&Difference| KNOWN.iter().any(|known| known.explains(self.name, difference));
        self.differences.iter().filter(|difference| !explained(difference)).collect()
    }

    /// Both transcripts as one, where they differ.
    fn complaint(&self, unexplained: &[&Difference]) -> String {
        let list: Vec<_> = unexplained.iter().map(|difference| format!("    {difference}\n")).collect();
        let (name, left, right) = (self.name, &self.left, &self.right);
        format!("{name}, unexplained:\n{}{name}, left:\n{left}{name}, right:\n{right}", list.concat())
    }
}

/// Runs every sequence whose name contains `filter`.
pub fn run(left: Agent, right: Agent, filter: &str) -> Result<Report> {
    let list: Vec<Sequence> = sequences::all().into_iter().filter(|s| s.name.contains(filter)).collect();
    let workers = PAIRS * std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers.min(list.len()))
            .map(|_| scope.spawn(|| work(&list, &next, &results, [left, right])))
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
    })?;
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    let mut report = Report { results: results.into_iter().map(|(_, compared)| compared).collect() };
    for compared in &mut report.results {
        confirm(compared, &list, [left, right])?;
    }
    Ok(report)
}

/// Plays a sequence with unexplained differences again, with the machine to itself. A busy machine blurs times, and
/// with them orders; a true difference comes back every time.
fn confirm(compared: &mut Compared, list: &[Sequence], kinds: [Agent; 2]) -> Result<()> {
    let Some(sequence) = list.iter().find(|sequence| sequence.name == compared.name) else { return Ok(()) };
    for _ in 0..CONFIRMATIONS {
        // Two of a kind have no difference that is meant.
        let odd =
            if kinds[0] == kinds[1] { compared.differences.len() } else { compared.unexplained().len() };
        if odd == 0 {
            break;
        }
        let again = Mutex::new(Vec::new());
        work(std::slice::from_ref(sequence), &AtomicUsize::new(0), &again, kinds)?;
        let again = again.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, again)) = again.into_iter().next() {
            *compared = Compared { confirmed: true, ..again };
        }
    }
    Ok(())
}

/// Takes sequences from the list until it is empty.
fn work(
    list: &[Sequence],
    next: &AtomicUsize,
    results: &Mutex<Vec<(usize, Compared)>>,
    kinds: [Agent; 2],
) -> Result<()> {
    let mut lasting = None;
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(sequence) = list.get(at) else { return Ok(()) };
        let peers = match lasting.take() {
            Some(peers) if !sequence.alone => peers,
            other => {
                if sequence.alone {
                    lasting = other;
                }
                [start(kinds[0])?, start(kinds[1])?]
            }
        };
        let started = Instant::now();
        let (left, right) = std::thread::scope(|scope| {
            let right = scope.spawn(|| play(sequence, &peers[1]));
            let left = play(sequence, &peers[0]);
            (left, right.join().unwrap_or_else(|_| Err(anyhow!("panicked"))))
        });
        let told = |agent: Agent| format!("sequence {} against {}", sequence.name, agent.name());
        let (left, right) = (left.with_context(|| told(kinds[0]))?, right.with_context(|| told(kinds[1]))?);
        let spoiled =
            [&left, &right].iter().any(|side| side.0.last().is_some_and(|entry| entry.head == LEFT_BEHIND));
        let differences = compare(&left, &right);
        let took = started.elapsed();
        let confirmed = false;
        let compared = Compared { name: sequence.name, left, right, differences, confirmed, took };
        results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, compared));
        if !sequence.alone && !spoiled {
            lasting = Some(peers);
        }
    }
}

fn start(agent: Agent) -> Result<Peer> {
    let network = Network::new()?;
    let host = network.host("peer")?;
    agents::install(&host)?;
    Peer::start_on(&network, &host, agent, &ENVIRONMENT)
}

fn play(sequence: &Sequence, peer: &Peer) -> Result<Transcript> {
    let mut session = Session::start(peer)?;
    (sequence.script)(&mut session);
    Ok(session.finish(!sequence.alone))
}

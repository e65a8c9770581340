//! The time of one request and its reply, with the original and with picket-agent.
//!
//! The controller's side writes as the real one does: header and payload are two TLS records and two writes, Nagle
//! is on and ACKs are delayed. Whatever is quicker with picket-agent is quicker for an unmodified cluster.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use picket_agent::controller::{Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::errno::Rc;
use picket_proto::request::{CallOptions, Operation};
use tokio::runtime::Runtime;

use crate::agent::Agent;
use crate::peer::Peer;
use crate::report::{Finding, Report};

/// Exchanges before the measured ones: TCP acknowledges a new connection's first segments at once.
const WARM_UP: usize = 10;
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How much quicker an exchange has to be. Around 80 is usual, and a busy machine blurs the short one.
const FACTOR: f64 = 10.0;

/// The exchanges with one agent, shortest first.
#[derive(Clone, Debug)]
pub struct Times(Vec<Duration>);

impl Times {
    /// The one in the middle.
    pub fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    /// The one that 99 of 100 do not exceed.
    pub fn p99(&self) -> Duration {
        self.0[(self.0.len() * 99).div_ceil(100) - 1]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "median {:6.2} ms, p99 {:6.2} ms", ms(self.median()), ms(self.p99()))
    }
}

/// Both agents, measured in turn.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// `pacemaker-remoted`.
    pub original: Times,
    /// `picket-agent`.
    pub picket: Times,
}

impl Comparison {
    /// How many times quicker picket-agent's median is.
    pub fn ratio(&self) -> f64 {
        self.original.median().as_secs_f64() / self.picket.median().as_secs_f64()
    }
}

/// Measures `count` exchanges of `lrmd_rsc_info` with either agent, one with the one, one with the other.
pub fn measure(count: usize) -> Result<Comparison> {
    ensure!(count > 0, "at least one exchange is needed");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut sides = [Side::open(&runtime, Agent::Original)?, Side::open(&runtime, Agent::Picket)?];
    for round in 0..WARM_UP + count {
        for side in &mut sides {
            let took = runtime.block_on(side.exchange())?;
            if round >= WARM_UP {
                side.times.push(took);
            }
        }
    }
    let [original, picket] = sides.map(|side| {
        let mut times = side.times;
        times.sort();
        Times(times)
    });
    Ok(Comparison { original, picket })
}

/// The measurement as checks, for those who show all promises.
pub fn checks(count: usize) -> Report {
    let mut report = Report::default();
    report.step("an exchange is quicker than with the original", || {
        let found = measure(count)?;
        let (ratio, original, picket) = (found.ratio(), found.original, found.picket);
        let figure = format!("{ratio:.0} times (original {original}; picket-agent {picket}; {count} each)");
        Ok(Finding { figure, holds: ratio >= FACTOR })
    });
    report
}

struct Side {
    controller: Controller,
    times: Vec<Duration>,
    _peer: Peer,
}

impl Side {
    fn open(runtime: &Runtime, agent: Agent) -> Result<Self> {
        let peer = Peer::start(agent, &[])?;
        let key = Key::read(&peer.key)?;
        let stream = peer.connect()?;
        stream.set_nonblocking(true)?;
        let controller = runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let link = Link::open(stream, &key, Role::Controller, Tuning::AsPacemaker, HANDSHAKE).await?;
            let mut controller = Controller::new(link);
            controller.hello("bench", Some("1.1"), false).await?;
            anyhow::Ok(controller)
        });
        let controller = controller.with_context(|| format!("connect to {}", agent.name()))?;
        Ok(Self { controller, times: Vec::new(), _peer: peer })
    }

    async fn exchange(&mut self) -> Result<Duration> {
        let started = Instant::now();
        let request = Operation::RscInfo("none".into());
        let reply = self.controller.call(request, CallOptions::default()).await?;
        let took = started.elapsed();
        ensure!(reply.rc == Rc::NO_RESOURCE, "answered {}", reply.rc);
        Ok(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_the_ninety_ninth_is_p99() {
        let times = Times((1..=100).map(Duration::from_millis).collect());
        assert_eq!((times.median().as_millis(), times.p99().as_millis()), (51, 99));
        assert_eq!(Times(vec![Duration::from_millis(7)]).p99().as_millis(), 7);
    }
}

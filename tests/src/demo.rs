//! The main job in one minute, with no cluster: the embedded controller starts a real web server through a real
//! resource agent, the server is killed, the failure is reported and repaired, everything is cleaned up.

use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use picket_agent::controller::{Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::exec::{ExecReport, ExecRequest};
use picket_proto::notification::Notification;
use picket_proto::outcome::{ExecStatus, OcfRc};
use picket_proto::params::Params;
use picket_proto::request::{CallOptions, CancelRequest, Operation};
use picket_proto::resource::Definition;

use crate::agent::Agent;
use crate::host::Host;
use crate::network::Network;
use crate::peer::Peer;
use crate::workload;

const RSC: &str = "web";
/// How often the web server is checked.
const INTERVAL: Duration = Duration::from_secs(1);
/// Limit for each operation of the agent.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The embedded controller's side of the story.
struct Story<'a> {
    controller: Controller,
    host: &'a Host,
    params: [(&'static str, &'static str); 2],
    started: Instant,
    tell: &'a mut dyn FnMut(String),
}

/// Plays the demo; `tell` gets one line a step.
pub fn run(tell: &mut dyn FnMut(String)) -> Result<()> {
    let started = Instant::now();
    let network = Network::new()?;
    let host = network.host("guest")?;
    let params = workload::prepare_web(&host)?;
    let peer = Peer::start_on(&network, &host, Agent::Picket, &[("PCMK_remote_address", "127.0.0.1")])?;
    let stream = host.in_network(|| TcpStream::connect((Ipv4Addr::LOCALHOST, peer.addr.port())))??;
    stream.set_nonblocking(true)?;
    let key = Key::read(&peer.key)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let link = Link::open(stream, &key, Role::Controller, Tuning::Prompt, TIMEOUT).await?;
        let controller = Controller::new(link);
        let mut story = Story { controller, host: &host, params, started, tell };
        story.say("picket-agent listens on 127.0.0.1:3121 with a fresh 4096-byte key; TLS handshake done");
        story.play().await?;
        story.controller.close().await;
        anyhow::Ok(())
    })?;
    let status = peer.stop()?;
    ensure!(status.success(), "the agent ended with {status}");
    drop(host);
    drop(network);
    tell(format!("{:7.3} s  agent stopped, host and network removed", started.elapsed().as_secs_f64()));
    Ok(())
}

impl Story<'_> {
    async fn play(&mut self) -> Result<()> {
        self.controller.hello("picket-demo", Some("1.2"), false).await?;
        let definition = Definition {
            id: RSC.into(),
            class: "ocf".into(),
            provider: Some("heartbeat".into()),
            agent: "nginx".into(),
        };
        self.controller.call(Operation::RscRegister(definition), CallOptions::DROP_RECURRING).await?;
        self.expect("monitor", Duration::ZERO, OcfRc::NotRunning).await?;
        self.expect("start", Duration::ZERO, OcfRc::Ok).await?;
        self.expect("monitor", INTERVAL, OcfRc::Ok).await?;
        workload::fetch(self.host, self.host)?;
        let before = workload::web_pid(self.host)?;
        self.say(&format!(
            "nginx answers HTTP, pid {before}; checked every {} s from now on",
            INTERVAL.as_secs()
        ));

        let killed = Instant::now();
        workload::kill_web(self.host)?;
        self.say("killed nginx (SIGKILL to master and workers)");
        let failure = self.report().await?;
        ensure!(failure.outcome.rc == OcfRc::NotRunning, "expected the failure, got {}", failure.outcome.rc);
        let detected = killed.elapsed();
        self.say(&format!(
            "the agent reports the failure: {}, {:.3} s after the kill",
            failure.outcome.rc,
            detected.as_secs_f64()
        ));

        let cancel =
            CancelRequest { rsc_id: RSC.into(), action: "monitor".into(), interval: millis(INTERVAL) };
        self.controller.call(Operation::Cancel(cancel), CallOptions::default()).await?;
        let cancelled = self.report().await?;
        ensure!(cancelled.outcome.status == ExecStatus::Cancelled, "expected the monitor's end");
        self.expect("stop", Duration::ZERO, OcfRc::Ok).await?;
        self.expect("start", Duration::ZERO, OcfRc::Ok).await?;
        self.expect("monitor", INTERVAL, OcfRc::Ok).await?;
        workload::fetch(self.host, self.host)?;
        let after = workload::web_pid(self.host)?;
        ensure!(after != before, "the web server still has pid {before}");
        self.say(&format!(
            "recovered: nginx answers HTTP again, pid {after}, {:.3} s after the kill ({:.3} s after its detection)",
            killed.elapsed().as_secs_f64(),
            (killed.elapsed() - detected).as_secs_f64()
        ));

        self.execute("stop", Duration::ZERO).await?;
        let mut end = self.report().await?;
        while end.outcome.status == ExecStatus::Cancelled {
            end = self.report().await?;
        }
        ensure!(end.outcome.rc == OcfRc::Ok, "stop ended with {}", end.outcome.rc);
        self.controller.call(Operation::RscUnregister(RSC.into()), CallOptions::default()).await?;
        self.say("stopped and unregistered");
        Ok(())
    }

    /// Runs an operation and tells its result, which has to be `rc`.
    async fn expect(&mut self, action: &str, interval: Duration, rc: OcfRc) -> Result<()> {
        let asked = Instant::now();
        self.execute(action, interval).await?;
        let report = self.report().await?;
        let outcome = &report.outcome;
        let took = asked.elapsed();
        let line = format!(
            "{action}: {} ({} ms, the agent's run {} ms)",
            outcome.rc,
            took.as_millis(),
            report.times.exec
        );
        self.say(&line);
        let why = outcome.exit_reason.as_deref().or(outcome.output.as_deref()).unwrap_or("no reason given");
        ensure!(
            outcome.rc == rc && outcome.status == ExecStatus::Done,
            "{action} should be {rc}: {} ({why})",
            outcome.status
        );
        Ok(())
    }

    async fn execute(&mut self, action: &str, interval: Duration) -> Result<()> {
        let request = ExecRequest {
            rsc_id: RSC.into(),
            action: action.into(),
            interval: millis(interval),
            timeout: millis(TIMEOUT),
            params: self.params.into_iter().collect::<Params>(),
            ..ExecRequest::default()
        };
        let reply = self.controller.call(Operation::Exec(request), CallOptions::CHANGES_ONLY).await?;
        ensure!(reply.rc.is_ok(), "{action} refused: {}", reply.rc);
        Ok(())
    }

    /// The next result; other notifications are passed over.
    async fn report(&mut self) -> Result<ExecReport> {
        loop {
            let notification = self.controller.notification(TIMEOUT).await?;
            match notification.with_context(|| format!("no result within {} s", TIMEOUT.as_secs()))? {
                Notification::Executed(report) => return Ok(*report),
                Notification::Generic { .. } | Notification::NewClient | Notification::Proxy(_) => {}
            }
        }
    }

    fn say(&mut self, line: &str) {
        (self.tell)(format!("{:7.3} s  {line}", self.started.elapsed().as_secs_f64()));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

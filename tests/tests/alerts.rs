//! Alerts at the end of an agent: they are waited for, though not for ever.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use picket_agent::controller::{Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::errno::Rc;
use picket_proto::request::{Alert, CallOptions, Operation};
use picket_tests::{Agent, Peer, wait_until};

const SOON: Duration = Duration::from_secs(10);

/// Says that it runs, then takes its time, then says that it is done.
const AGENT: &str = "#!/bin/sh\ntouch /tmp/alert/started\nsleep $duration\ntouch /tmp/alert/done\n";

/// Starts an alert that takes so many seconds, ends the agent once it runs; whether the alert came to its end, and
/// how long the agent took to.
fn stop_during_alert(agent: Agent, duration: &str, timeout: u64) -> Result<(bool, Duration)> {
    let peer = Peer::start(agent, &[])?;
    peer.host.check(&["mount", "-t", "tmpfs", "tmpfs", "/tmp"])?;
    peer.host.check(&["mkdir", "-m", "1777", "/tmp/alert"])?;
    peer.host.write("/etc/tell.sh", AGENT)?;
    tell(&peer, duration, timeout)?;
    wait_until("the alert runs", SOON, || {
        let started = peer.host.run(&["test", "-e", "/tmp/alert/started"])?;
        Ok(started.status.success().then_some(()))
    })?;

    let host = peer.host.clone();
    let started = Instant::now();
    ensure!(peer.stop()?.success(), "the agent did not end well");
    let done = host.run(&["test", "-e", "/tmp/alert/done"])?.status.success();
    Ok((done, started.elapsed()))
}

fn tell(peer: &Peer, duration: &str, timeout: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = peer.connect()?;
    stream.set_nonblocking(true)?;
    let key = Key::read(&peer.key)?;
    let reply = runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let link = Link::open(stream, &key, Role::Controller, Tuning::Prompt, SOON).await?;
        let mut controller = Controller::new(link);
        controller.hello("alerts", Some("1.1"), false).await?;
        let params = [("duration", duration)].into_iter().collect();
        let alert = Alert { id: "a".into(), path: "/etc/tell.sh".into(), timeout, params };
        anyhow::Ok(controller.call(Operation::Alert(alert), CallOptions::default()).await?)
    })?;
    ensure!(reply.rc == Rc::OK, "refused: {}", reply.rc.0);
    Ok(())
}

#[test]
fn a_running_alert_is_waited_for() {
    for agent in [Agent::Original, Agent::Picket] {
        let (done, took) = stop_during_alert(agent, "2", 20_000).unwrap();
        assert!(done && took < SOON, "{}: done {done} after {took:?}", agent.name());
    }
}

#[test]
fn an_alert_that_takes_too_long_is_killed_and_not_waited_for() {
    let (done, took) = stop_during_alert(Agent::Picket, "30", 2_000).unwrap();
    assert!(!done && took < Duration::from_secs(5), "done {done} after {took:?}");
}

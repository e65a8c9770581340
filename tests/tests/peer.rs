//! The harness itself: an agent alone on a host.

use anyhow::Result;
use picket_tests::{Agent, Peer};

#[test]
fn original_listens_and_stops() -> Result<()> {
    listens_and_stops(Agent::Original)
}

#[test]
fn picket_listens_and_stops() -> Result<()> {
    listens_and_stops(Agent::Picket)
}

fn listens_and_stops(agent: Agent) -> Result<()> {
    let peer = Peer::start(agent, &[])?;
    assert!(peer.pid()?.as_raw() > 1);
    peer.connect()?;
    assert_eq!(std::fs::metadata(&peer.key)?.len(), 4096);
    let log = std::fs::read_to_string(&peer.log)?;
    assert!(log.contains("successfully started"), "{log}");
    assert!(peer.stop()?.success());
    Ok(())
}

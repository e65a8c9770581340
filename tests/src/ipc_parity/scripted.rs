//! A cluster as far as an agent can tell: a controller of ours that relays for local clients.

use std::time::Duration;

use anyhow::Result;
use picket_agent::controller::{Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;

use crate::peer::Peer;

/// Connects and registers; the handshake may take `limit`.
pub(super) async fn cluster(peer: &Peer, limit: Duration) -> Result<Controller> {
    let stream = peer.connect()?;
    stream.set_nonblocking(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    let key = Key::read(&peer.key)?;
    let link = Link::open(stream, &key, Role::Controller, Tuning::Prompt, limit).await?;
    let mut controller = Controller::new(link);
    controller.hello("scripted", Some("1.1"), true).await?;
    Ok(controller)
}

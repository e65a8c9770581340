//! Whether picketctl may become a client of an agent: it may not where that takes a node away from its cluster.

use std::net::{SocketAddr, UdpSocket};

use picket_agent::controller::Controller;
use picket_agent::wire::peek::Found;
use picket_agent::wire::tls::Role;
use picket_proto::reply::ReplyBody;
use picket_proto::request::{CallOptions, Operation};
use picket_proto::status::{AgentStatus, ClientStatus};

use crate::credential::Credential;
use crate::failure::Failure;
use crate::target::Target;

/// For every command that can be told to go on all the same.
#[derive(clap::Args)]
pub(crate) struct Takeover {
    /// Register even if a cluster is, or may be, connected. Such a cluster drops the node at once: its connection
    /// resource fails there, and the node is usually fenced or its resources are moved
    #[arg(long)]
    pub(crate) takeover: bool,
}

const CONSEQUENCE: &str = "A cluster drops a node as soon as its agent tells it of another client: the connection \
     resource fails, and the node is fenced or loses its resources.";

/// Connects as an observer and asks a picket-agent for its account. The cluster does not notice.
pub(crate) async fn observe(
    target: &Target,
    credential: &Credential,
) -> Result<(Controller, AgentStatus), Failure> {
    let mut controller = target.open(credential, Role::Observer).await?;
    let reply = controller.call(Operation::PicketStatus, CallOptions::default()).await;
    let reply = reply.map_err(|cause| target.lost(cause))?;
    match reply.body {
        ReplyBody::Status(status) => Ok((controller, status)),
        _ => Err(Failure::Refused {
            target: target.address.to_string(),
            what: "picket_status".into(),
            rc: reply.rc,
        }),
    }
}

/// Registers as a client that is no cluster, where nobody is harmed by it or the user wants it so.
pub(crate) async fn register(target: &Target, takeover: bool) -> Result<Controller, Failure> {
    let stream = target.dial().await?;
    let peer = stream.peer_addr()?;
    let credential = target.credential()?;
    let mut controller = match target.peek(stream, &credential).await? {
        Found::Picket => {
            let (controller, status) = observe(target, &credential).await?;
            let clusters: Vec<_> = status.providers().collect();
            if !clusters.is_empty() && !takeover {
                return Err(in_use(target, &clusters));
            }
            controller
        }
        Found::Other => {
            if !takeover && let Some(doubt) = doubt(target, peer)? {
                return Err(Failure::InUse(doubt));
            }
            target.open(&credential, Role::Controller).await?
        }
    };
    let name = format!("picketctl-{}", std::process::id());
    let reply = controller.hello(&name, Some(picket_proto::version::LRMD_VERSION), false).await;
    let reply = reply.map_err(|cause| target.lost(cause))?;
    if !reply.rc.is_ok() {
        let target = target.address.to_string();
        return Err(Failure::Refused { target, what: "the registration".into(), rc: reply.rc });
    }
    Ok(controller)
}

fn in_use(target: &Target, clusters: &[&ClientStatus]) -> Failure {
    let names: Vec<_> = clusters
        .iter()
        .map(|client| format!("{} from {}", client.name.as_deref().unwrap_or("unnamed"), client.address))
        .collect();
    Failure::InUse(format!(
        "refused, because {} serves a cluster ({}).\n{CONSEQUENCE}\nDisable its connection resource first, or say \
         --takeover to do it nevertheless. 'picketctl probe' and 'picketctl watch' are safe.",
        target.address,
        names.join(", ")
    ))
}

/// Why it is not certain that no cluster is connected to an agent that cannot be asked.
fn doubt(target: &Target, peer: SocketAddr) -> Result<Option<String>, Failure> {
    let address = &target.address;
    let reason = if is_here(peer) {
        match established(peer.port())? {
            0 => return Ok(None),
            count => format!("{count} connection(s) to its port are established, see /proc/net/tcp and tcp6"),
        }
    } else {
        "it is on another host, where connections cannot be looked at".to_owned()
    };
    Ok(Some(format!(
        "refused, because a cluster may be connected to {address}: it is no picket-agent, so it cannot be asked, \
         and {reason}.\n{CONSEQUENCE}\nIf no cluster uses this node, say --takeover."
    )))
}

/// Whether an address belongs to this host: then the kernel would send from that address, too.
fn is_here(peer: SocketAddr) -> bool {
    let unspecified: SocketAddr =
        if peer.is_ipv4() { ([0; 4], 0).into() } else { (std::net::Ipv6Addr::UNSPECIFIED, 0).into() };
    // Connecting a UDP socket only looks at the routes.
    let source = UdpSocket::bind(unspecified).and_then(|socket| {
        socket.connect(peer)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == peer.ip())
}

/// Connections to a local port. Our own peeking one is closed by now, so it does not count.
fn established(port: u16) -> Result<usize, Failure> {
    let mut count = 0;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        match std::fs::read_to_string(table) {
            Ok(text) => count += established_in(&text, port),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

/// Rows of a /proc/net/tcp table: slot, local address:port, remote address:port, state (01 is ESTABLISHED), ...
fn established_in(table: &str, port: u16) -> usize {
    let end = format!(":{port:04X}");
    let local = |row: &&str| {
        let mut fields = row.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&end)) && fields.nth(1) == Some("01")
    };
    table.lines().filter(local).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_established_connections_to_the_port_count() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0C31 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:0C31 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 0 0 10 -1
   2: 0100007F:D431 0100007F:0C31 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 0 0 10 -1
   3: 0100007F:0C31 0100007F:D432 08 00000000:00000000 00:00000000 00000000     0        0 4 1 0 20 0 0 10 -1
";
        assert_eq!((established_in(table, 3121), established_in(table, 3122)), (1, 0));
    }

    #[test]
    fn loopback_is_here_and_a_documentation_address_is_not() {
        assert!(is_here(([127, 0, 0, 1], 3121).into()));
        assert!(!is_here(([192, 0, 2, 1], 3121).into()));
    }
}

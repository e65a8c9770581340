//! Asks all daemons that hear a group, each of which connects back.
//!
//! Nobody knows how many there are. The first time all that answer within a second of the first one are heard; later
//! as many are waited for, within the same second. A connection counts when the other side has proven that it knows the
//! key: anybody can connect.
//!
//! Each request has a port of its own to connect back to, so that an answer which comes too late finds nobody. A firewall
//! may let in none but that of the older agent, which has the daemon's own number: while nobody comes, every other request
//! names that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::link::Answers;
use super::packet::Request;
use super::talk::{self, Flaw, Reply, Secrets};
use crate::core::fault::Fault;

/// How long others are waited for after the first answer.
const GATHER: Duration = Duration::from_secs(1);
/// Connections that are heard at once.
const CROWD: usize = 64;
/// How long one may take to prove that it knows the key; a daemon has nothing else to do then.
const PROOF: Duration = Duration::from_secs(5);
/// Routers that a request may pass; the older agent's number.
const HOPS: u32 = 2;

/// The group, and what there is to know of those who answer.
pub(super) struct Multicast {
    pub(super) group: IpAddr,
    pub(super) port: u16,
    /// Where to be connected back to: as told, or as found out.
    pub(super) listen: Option<u16>,
    /// Of all interfaces, this one alone.
    pub(super) interface: Option<String>,
    /// Between two requests.
    pub(super) again: Duration,
    /// How many answered last.
    pub(super) known: usize,
}

/// What became of a connection.
enum Talk {
    Answer(Reply),
    /// The key is proven, and then it went wrong.
    Broken(Flaw),
    Stranger(Flaw),
}

impl Multicast {
    /// For messages.
    pub(super) fn place(&self) -> String {
        SocketAddr::new(self.group, self.port).to_string()
    }

    /// Asks until as many have answered as did before, one answer is `enough`, or time is over.
    pub(super) async fn ask(
        &mut self,
        request: &Request,
        secrets: &Arc<Secrets>,
        limit: Duration,
        call: &str,
        enough: &dyn Fn(&Reply) -> bool,
    ) -> Result<Answers, Fault> {
        let unreachable = |answer: String| Fault::Unreachable { call: call.to_owned(), answer };
        let mut doors = Doors::open(self.group, self.listen).await.map_err(unreachable)?;
        let (start, mut again) = (Instant::now(), Instant::now());
        let mut end = start + limit;
        let mut talks = JoinSet::new();
        let mut replies: Vec<(String, Reply)> = Vec::new();
        let (mut broken, mut strangers, mut sent) = (None, 0, 0);
        loop {
            tokio::select! {
                Some(done) = talks.join_next() => {
                    let Ok((at, door, talk)) = done else { continue };
                    match talk {
                        Talk::Answer(reply) => {
                            replies.retain(|(known, _)| *known != at);
                            replies.push((at, reply));
                        }
                        Talk::Broken(flaw) => broken = Some(flaw),
                        Talk::Stranger(flaw) => {
                            tracing::debug!("{at} connected and proved nothing: {flaw}");
                            strangers += 1;
                            continue;
                        }
                    }
                    if door == self.port {
                        self.listen = Some(door);
                    }
                    let heard = replies.len() + usize::from(broken.is_some());
                    let is_enough = replies.last().is_some_and(|(_, reply)| enough(reply));
                    if is_enough || (self.known > 0 && heard >= self.known) {
                        break;
                    }
                    end = end.min(Instant::now() + GATHER);
                    #[cfg(test)]
                    crate::testing::time::release();
                }
                accepted = doors.accept(), if talks.len() < CROWD => {
                    if let Ok((door, stream, from)) = accepted {
                        talks.spawn(hear(door, stream, from, secrets.clone()));
                    }
                }
                () = sleep_until(again) => {
                    if self.listen.is_none() && sent > 0 && doors.usual.is_none() {
                        // Another run may have it at present.
                        doors.usual = Doors::open(self.group, Some(self.port)).await.ok().map(|doors| doors.own);
                    }
                    let port = match &doors.usual {
                        Some(usual) if sent % 2 == 1 && replies.is_empty() => usual.port,
                        _ => doors.own.port,
                    };
                    self.send(request, port, secrets).await.map_err(unreachable)?;
                    sent += 1;
                    again = Instant::now() + self.again;
                }
                () = sleep_until(end) => break,
            }
        }
        if replies.is_empty() {
            return Err(match broken {
                Some(flaw) => flaw.fault(call),
                None => {
                    let usual = doors.usual.map(|usual| format!(" or {}", usual.port)).unwrap_or_default();
                    let waited =
                        format!("{call}, waiting for a connection to port {}{usual}", doors.own.port);
                    let crowd = match strangers {
                        0 => waited,
                        number => format!("{waited} ({number} came from where the key is not known)"),
                    };
                    Fault::TimedOut { call: crowd, limit }
                }
            });
        }
        let silent = self.known.saturating_sub(replies.len());
        let is_early = replies.last().is_some_and(|(_, reply)| enough(reply));
        self.known = if is_early { self.known.max(replies.len()) } else { replies.len() };
        Ok(Answers { replies, silent })
    }

    /// Sends the request from every address, each of which is told to connect back to.
    async fn send(&self, request: &Request, port: u16, secrets: &Secrets) -> Result<(), String> {
        #[cfg(test)]
        crate::testing::time::renew();
        let (mut sent, mut trouble) = (0, String::from("no interface has an address for it"));
        for (home, index) in self.homes()? {
            let request = Request { home: Some((home, port)), ..request.clone() };
            match self.send_from(home, index, &request.bytes(secrets.hash, &secrets.key)).await {
                Ok(()) => sent += 1,
                Err(error) => trouble = format!("from {home}: {error}"),
            }
        }
        if sent == 0 { Err(trouble) } else { Ok(()) }
    }

    async fn send_from(&self, home: IpAddr, index: u32, message: &[u8]) -> std::io::Result<()> {
        let socket = UdpSocket::bind((home, 0)).await?;
        if self.group.is_multicast() {
            match home {
                IpAddr::V4(home) => {
                    sockopt::set_ip_multicast_if(&socket, &home)?;
                    sockopt::set_ip_multicast_ttl(&socket, HOPS)?;
                }
                IpAddr::V6(_) => {
                    sockopt::set_ipv6_multicast_if(&socket, index)?;
                    sockopt::set_ipv6_multicast_hops(&socket, HOPS)?;
                }
            }
        }
        socket.send_to(message, (self.group, self.port)).await.map(|_| ())
    }

    /// Our addresses, with the index of the interface.
    fn homes(&self) -> Result<Vec<(IpAddr, u32)>, String> {
        let mut homes: Vec<(IpAddr, u32)> = Vec::new();
        for found in getifaddrs().map_err(|error| format!("cannot list the interfaces: {error}"))? {
            let is_wanted = self.interface.as_ref().is_none_or(|name| *name == found.interface_name);
            if !is_wanted || !found.flags.contains(InterfaceFlags::IFF_UP) {
                continue;
            }
            let Some(address) = found.address else { continue };
            let home = match (self.group, address.as_sockaddr_in(), address.as_sockaddr_in6()) {
                (IpAddr::V4(_), Some(home), _) => IpAddr::V4(home.ip()),
                // Nobody could connect back to what is valid on one link, or here alone.
                (IpAddr::V6(_), _, Some(home)) if is_far(home.ip()) => IpAddr::V6(home.ip()),
                _ => continue,
            };
            let index = if_nametoindex(found.interface_name.as_str()).unwrap_or_default();
            if !homes.contains(&(home, index)) {
                homes.push((home, index));
            }
        }
        Ok(homes)
    }
}

fn is_far(ip: Ipv6Addr) -> bool {
    !ip.is_loopback() && !ip.is_unicast_link_local()
}

/// A port that is listened on.
struct Door {
    port: u16,
    listener: TcpListener,
}

/// Where daemons may come in.
struct Doors {
    own: Door,
    /// The one of the older agent.
    usual: Option<Door>,
}

impl Doors {
    /// Listens on this port, or on any.
    async fn open(group: IpAddr, port: Option<u16>) -> Result<Self, String> {
        let any: IpAddr = match group {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let port = port.unwrap_or_default();
        let listen = async {
            let listener = TcpListener::bind((any, port)).await?;
            Ok(Door { port: listener.local_addr()?.port(), listener })
        };
        let own =
            listen.await.map_err(|error: std::io::Error| format!("cannot listen on port {port}: {error}"))?;
        Ok(Self { own, usual: None })
    }

    /// Waits for somebody; says at which port, and from where.
    async fn accept(&self) -> std::io::Result<(u16, TcpStream, SocketAddr)> {
        let usual = async {
            match &self.usual {
                Some(usual) => usual.listener.accept().await,
                None => std::future::pending().await,
            }
        };
        let (port, accepted) = tokio::select! {
            accepted = self.own.listener.accept() => (self.own.port, accepted?),
            accepted = usual => (self.usual.as_ref().map_or(0, |usual| usual.port), accepted?),
        };
        Ok((port, accepted.0, accepted.1))
    }
}

/// Talks with whoever connected.
async fn hear(
    door: u16,
    mut stream: TcpStream,
    from: SocketAddr,
    secrets: Arc<Secrets>,
) -> (String, u16, Talk) {
    let at = from.ip().to_canonical().to_string();
    let proof = tokio::time::timeout(PROOF, talk::prove(&mut stream, &secrets)).await;
    if let Err(flaw) = proof.unwrap_or_else(|_| Err(Flaw::Broken("no proof in time".to_owned()))) {
        return (at, door, Talk::Stranger(flaw));
    }
    match talk::reply(&mut stream).await {
        Ok(reply) => (at, door, Talk::Answer(reply)),
        Err(flaw) => (at, door, Talk::Broken(flaw)),
    }
}

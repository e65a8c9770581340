//! Throw-away hosts, networks and real Pacemaker clusters on one machine, for black-box tests and demos.
//!
//! Everything runs in anonymous namespaces: a [`Network`] is a bridge in a network namespace of its own, a [`Host`]
//! has private network, mount, PID, UTS and IPC namespaces, and the machine's own are not touched. Killing the init
//! of a host's PID namespace is a host crash. Each init ends when the pipe to the harness breaks, so nothing outlives
//! a harness process, however that ends.
//!
//! Needs root, and the packages of `packaging/dev/install cluster` as soon as Pacemaker itself is started.
//!
//! One agent without a cluster, for tests which speak the protocol themselves:
//!
//! ```no_run
//! use picket_tests::{Agent, Peer};
//!
//! # fn main() -> anyhow::Result<()> {
//! let peer = Peer::start(Agent::Original, &[("PCMK_debug", "1")])?;
//! let stream = peer.connect()?; // a TcpStream which lives in the peer's network; use it from any thread
//! println!("pid {}, key {}, log {}", peer.pid()?, peer.key.display(), peer.log.display());
//! # drop(stream);
//! peer.stop()?; // or let it drop
//! # Ok(())
//! # }
//! ```
//!
//! Environment: `PICKET_AGENT` names another agent binary, `PICKET_TEST_DIR` another place than `/tmp` for the hosts'
//! disks, `PICKET_KEEP=1` leaves the disks with all logs behind.

mod agent;
pub mod bad_input;
mod cluster;
pub mod containers;
pub mod demo;
pub mod differential;
pub mod exchange;
pub mod fence;
mod fencing;
mod guest;
mod host;
pub mod ipc_parity;
pub mod local;
mod namespace;
mod network;
mod nspawn;
pub mod packages;
pub mod parity;
mod peer;
pub mod pki;
mod program;
mod report;
pub mod scenario;
mod scratch;
pub mod show;
pub mod systemd;
mod wait;
mod workload;

pub use agent::{Agent, picketctl};
pub use cluster::{Cluster, Failure, Fence, Node, Resource, Status};
pub use fencing::{Fenced, Fencing, Power};
pub use guest::Guest;
pub use host::Host;
pub use network::Network;
pub use peer::Peer;
pub use program::{Output, Program};
pub use report::{Check, Finding, Report};
pub use wait::wait_until;

//! The fault matrix: a driver's happy path served by a mock, and every fault injected into every call of it.
//!
//! A driver's tests describe a [`Bench`]: the agent, its options, and a [`Platform`] that answers requests from a
//! [`World`] of two simulated machines, `vm1` and `vm2`. [`matrix::run`] does the rest:
//!
//! ```ignore
//! #[test]
//! fn no_fault_makes_it_lie() {
//!     matrix::run(&Bench { agent: &AGENT, options: "username=u\npassword=p", platform: || Box::new(Mock), ..BENCH });
//! }
//! ```
//!
//! Everything runs on the loopback with real sockets and paused time: see [`time`].

pub(crate) mod dummy;
pub(crate) mod fault;
pub(crate) mod matrix;
pub(crate) mod server;
pub(crate) mod time;
pub(crate) mod tls;
pub(crate) mod world;

pub(crate) use self::server::{Answer, Seen, Wire};
pub(crate) use self::world::{Platform, Shown, World};

use crate::core::agent::Agent;
use crate::core::deadline::Deadline;
use crate::core::driver::Driver;
use crate::core::env::Env;
use crate::core::failure::Failure;
use crate::core::input::stdin;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard;

/// An agent's driver, made from stdin lines.
pub(crate) fn driver(agent: &'static Agent, lines: &str) -> Result<Box<dyn Driver>, Failure> {
    let values = stdin::parse(&agent.table(), lines).unwrap();
    let deadline = Deadline::new(tokio::time::Instant::now(), std::time::Duration::from_secs(60));
    let password = values.text(&standard::PASSWORD).map(Secret::new);
    (agent.driver)(&Settings::new(agent, agent.name, Env::default(), values, password, deadline))
}

/// Where the mock listens, as an agent's options have it.
pub(crate) type Address = fn(port: u16, tls: bool) -> String;

/// `ip`, `ipport` and `ssl`.
pub(crate) const IP_AND_PORT: Address =
    |port, tls| format!("ip=127.0.0.1\nipport={port}\nssl={}\n", u8::from(tls));

/// A driver to put to the test.
#[derive(Clone, Copy)]
pub(crate) struct Bench {
    /// The agent.
    pub(crate) agent: &'static Agent,
    /// Options as on stdin, without address, certificates and plug.
    pub(crate) options: &'static str,
    /// How the agent is told where its device is.
    pub(crate) address: Address,
    /// The option for the authority's certificate; empty where the agent speaks no TLS of ours.
    pub(crate) ca: &'static str,
    /// The plug that names `vm1`, or nothing for a device with one machine.
    pub(crate) plug: Option<&'static str>,
    /// A plug which must match nothing although it would match `vm1` alone as a pattern.
    pub(crate) wildcard: Option<&'static str>,
    /// Whether two machines may have the same name, as the platform's world sees it.
    pub(crate) names_repeat: bool,
    /// Calls which a run can do without: method and beginning of the path.
    pub(crate) optional: &'static [(&'static str, &'static str)],
    /// Makes the mock.
    pub(crate) platform: fn() -> Box<dyn Platform>,
}

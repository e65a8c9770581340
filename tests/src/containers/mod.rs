//! Containers: real engines on hosts, the agent inside a container, containers as resources.

mod bench;
mod bundle;
mod driver;
mod engine;
mod faults;
mod group;
mod guest;
mod image;
pub(crate) mod lxc;
mod probe;
mod reaping;
mod shells;

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use picket_agent::key::Key;

pub use bench::{Load, load, monitors};
pub use bundle::bundle;
pub use driver::{Driver, Job};
pub use engine::{Engine, Kind};
pub use faults::faults;
pub use guest::container_guest;
pub use image::{Part, root, static_agent};
pub use lxc::{Tool, lxc};
pub use probe::probe;
pub use reaping::reaping;
pub use shells::shells;

use crate::agent;
use crate::cluster::Cluster;
use crate::host::Host;
use crate::report::{Check, Finding, Report};
use crate::wait::wait_until;

/// Who is told of each step as it ends.
pub type Watch<'a> = &'a mut dyn FnMut(&Check);

const PORT: u16 = 3121;

/// A driver of the agent on a host, as soon as that listens.
fn driver(host: &Arc<Host>) -> Result<Driver> {
    wait_until("the agent listens", Duration::from_secs(20), || Ok(host.listens(PORT)?.then_some(())))?;
    let key = Key::read(&host.disk("/etc/pacemaker/authkey"))?;
    let stream = host.in_network(|| TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)))??;
    Driver::open(stream, &key).context("connect to the agent")
}

/// The last step of a scenario on a cluster.
fn nobody_fenced(report: &mut Report, cluster: &Cluster) {
    report.step("nobody was fenced", || {
        let record = cluster.fencing().record();
        let who: Vec<_> = record.iter().map(ToString::to_string).collect();
        Ok(Finding { figure: format!("{} times {}", who.len(), who.join(", ")), holds: who.is_empty() })
    });
}

/// Runs picketctl as an administrator of a host.
fn picketctl(host: &Host, arguments: &[&str]) -> Result<String> {
    host.check(&[&[agent::picketctl()?.as_str()][..], arguments].concat())
}

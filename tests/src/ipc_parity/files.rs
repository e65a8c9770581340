//! Point 1: where libqb is told to use files in place of abstract names, real tools and our own commands work, over either
//! transport.

use std::time::Duration;

use anyhow::{Result, ensure};
use picket_proto::xml::Element;

use crate::agent::{Agent, picketctl};
use crate::network::Network;
use crate::parity::client::Client;
use crate::parity::provider::{NODE, serve};
use crate::peer::Peer;
use crate::report::Finding;

const PATIENCE: Duration = Duration::from_secs(30);

/// Clients and servers of libqb look for it.
const FORCED: &str = "/etc/libqb/force-filesystem-sockets";

/// Debian's libqb has its sockets in /tmp, which is the machine's: what the host writes there is its own from here on.
const OWN_TMP: &str = "mkdir -p /run/tmp/upper /run/tmp/work && \
     mount -t overlay -o lowerdir=/tmp,upperdir=/run/tmp/upper,workdir=/run/tmp/work overlay /tmp";

/// Abstract names belong to the network: in another one only files lead to the agent.
const ELSEWHERE: [&str; 2] = ["unshare", "--net"];

const OURS: &str = "/run/crm_node";

pub(super) fn measure() -> Result<Finding> {
    let files = with("shared-mem", &[&ELSEWHERE[..], &["crm_node", "-n"]].concat())?;
    with("shared-mem", &[&ELSEWHERE[..], &[OURS, "-n"]].concat())?;
    // The datagrams of the other transport keep their abstract names, with every libqb.
    with("socket", &["crm_node", "-n"])?;
    with("socket", &[OURS, "-n"])?;
    Ok(Finding::good(format!(
        "crm_node and ours, over shared memory (from another network) and sockets; {files} files, gone with the agent"
    )))
}

/// Runs a command at an agent with files; how many there are.
fn with(transport: &str, command: &[&str]) -> Result<usize> {
    let network = Network::new()?;
    let host = network.host("peer")?;
    host.check(&["sh", "-c", OWN_TMP])?;
    host.write(FORCED, "")?;
    let peer = Peer::start_on(&network, &host, Agent::Picket, &[("PCMK_ipc_type", transport)])?;
    host.check(&["ln", "-s", &picketctl()?, OURS])?;
    let sockets =
        || Ok::<_, anyhow::Error>(host.check(&["find", "/run/tmp/upper", "-type", "s"])?.lines().count());
    let files = sockets()?;
    let mut cluster = Client::provider(&peer, "cluster")?;
    let output = std::thread::scope(|scope| {
        let tool = scope.spawn(|| host.run_within(PATIENCE, command));
        let served = serve(&mut cluster, |_| Element::new("ack"));
        let output = tool.join().map_err(|_| anyhow::anyhow!("the tool's thread panicked"))?;
        served.and(output)
    })?;
    ensure!(output.stdout.trim() == NODE, "{transport}, {command:?}: '{}' {}", output.stdout, output.stderr);
    drop(cluster);
    host.stop("agent", PATIENCE)?;
    ensure!(sockets()? == 0, "{} files are left over", sockets()?);
    Ok(files)
}

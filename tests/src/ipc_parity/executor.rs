//! Point 1: clients of the executor's own local server get what they get from the original, and no cluster hears of them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use picket_proto::notification::Notification;

use super::scripted;
use crate::agent::Agent;
use crate::local;
use crate::peer::Peer;
use crate::report::Finding;

const SOON: Duration = Duration::from_secs(20);

/// How long a scripted cluster listens for more.
const QUIET: Duration = Duration::from_millis(500);

/// Who may use the cluster's tools and is not root.
const MEMBER: [&str; 4] = ["setpriv", "--reuid=nobody", "--regid=haclient", "--clear-groups"];

/// What one agent did.
struct Side {
    /// With root's program, whose header is of the older generation.
    root: String,
    /// With that of a member of `haclient`.
    member: String,
    /// What a cluster heard of them, operations of root's aside.
    cluster: Vec<String>,
}

pub(super) fn measure() -> Result<Finding> {
    let original = side(&start(Agent::Original)?)?;
    let peer = start(Agent::Picket)?;
    let picket = side(&peer)?;
    let new = peer.host.check(&[CLIENT, "executor", "new"])?;
    ensure!(new == picket.root, "the newer generation gets another answer:\n{new}\nthan:\n{}", picket.root);
    for (whose, original, picket) in
        [("root", &original.root, &picket.root), ("a member", &original.member, &picket.member)]
    {
        ensure!(
            original == picket,
            "{whose} gets from the original:\n{original}\nfrom picket-agent:\n{picket}"
        );
    }
    // A controller that is told of another client gives the node up.
    let news = |side: &Side| side.cluster.iter().filter(|op| *op == "lrmd_rsc_new_client").count();
    let (theirs, ours) = (news(&original), news(&picket));
    Ok(Finding {
        figure: format!(
            "{} messages alike for root and {} for a member of haclient, in both header generations; a cluster is told \
             {theirs} times by the original that it is to give the node up, {ours} times by picket-agent",
            original.root.lines().filter(|line| line.starts_with(' ')).count(),
            original.member.lines().filter(|line| line.starts_with(' ')).count(),
        ),
        holds: ours == 0,
    })
}

/// Where the program is that strangers can run, too.
const CLIENT: &str = "/run/local-client";

fn start(agent: Agent) -> Result<Peer> {
    let peer = Peer::start(agent, &[])?;
    let program: PathBuf = local::program()?;
    let program = program.to_str().context("its path is not UTF-8")?;
    peer.host.check(&["install", "-m", "0755", program, CLIENT])?;
    Ok(peer)
}

fn side(peer: &Peer) -> Result<Side> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut controller = scripted::cluster(peer, SOON).await?;
        // The clients do not wait for the cluster, which reads what it is told afterwards.
        let root = peer.host.check(&[CLIENT, "executor", "old"])?;
        let member = peer.host.check(&[&MEMBER[..], &[CLIENT, "executor", "in-vain"]].concat())?;
        let mut cluster = Vec::new();
        while let Some(notification) = controller.notification(QUIET).await? {
            match notification {
                Notification::NewClient => cluster.push("lrmd_rsc_new_client".to_owned()),
                Notification::Generic { op, .. } => cluster.push(op),
                Notification::Executed(_) | Notification::Proxy(_) => {}
            }
        }
        Ok(Side { root, member, cluster })
    })
}

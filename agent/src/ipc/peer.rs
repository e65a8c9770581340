//! Who a local client is, by the kernel's word.

use std::io;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group, Uid, User};
use tokio::net::UnixStream;

use super::raw;

/// Pacemaker's user and group.
pub(super) const CLUSTER_USER: &str = "hacluster";
pub(super) const CLUSTER_GROUP: &str = "haclient";

/// What the original calls a user without a name.
const NOBODY: &str = "#unprivileged";

/// Name services can hang on a network.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// The process at the other end of a connection, as it was when it connected.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    groups: Vec<u32>,
}

/// What the system's user database says.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Name of the user.
    pub(crate) user: String,
    /// May also use the executor: root and `hacluster`.
    pub(crate) privileged: bool,
    /// May use the cluster's tools: root, `hacluster`, or anybody in `haclient`.
    pub(crate) trusted: bool,
    /// Group of the files shared with the client, where it is not root.
    pub(crate) cluster_group: Option<Gid>,
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = getsockopt(stream, sockopt::PeerCredentials)?;
        // A kernel without the option means that only the primary group counts.
        let groups = raw::peer_groups(stream).unwrap_or_default();
        Ok(Self { pid: credentials.pid(), uid: credentials.uid(), gid: credentials.gid(), groups })
    }

    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Looks the client up. Without an answer in time a client is a stranger, and root is root.
    pub(crate) async fn identify(&self) -> Identity {
        let (peer, fallback) = (self.clone(), self.stranger());
        let lookup = tokio::task::spawn_blocking(move || peer.look_up());
        match tokio::time::timeout(LOOKUP_LIMIT, lookup).await {
            Ok(Ok(identity)) => identity,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(uid = self.uid, "the user database does not answer");
                fallback
            }
        }
    }

    fn stranger(&self) -> Identity {
        let user = if self.is_root() { "root" } else { NOBODY };
        let root = self.is_root();
        Identity { user: user.to_owned(), privileged: root, trusted: root, cluster_group: None }
    }

    fn look_up(&self) -> Identity {
        let stranger = self.stranger();
        let user = User::from_uid(Uid::from_raw(self.uid)).ok().flatten();
        let user = user.map_or(stranger.user, |user| user.name);
        if self.is_root() {
            return Identity { user, ..self.stranger() };
        }
        let cluster_group = Group::from_name(CLUSTER_GROUP).ok().flatten().map(|group| group.gid);
        let member = cluster_group
            .is_some_and(|group| self.gid == group.as_raw() || self.groups.contains(&group.as_raw()));
        let privileged = user == CLUSTER_USER;
        Identity { privileged, trusted: member || privileged, user, cluster_group }
    }
}

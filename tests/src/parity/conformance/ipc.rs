//! Local tools, relayed to the cluster. Their tests belong to the relay; this is the list.

use super::{Behavior, Shown};

/// The relay itself.
const RELAY: Shown = Shown::Missing("the relay of local IPC is being built");

pub(super) const TABLE: &[Behavior] = &[
    Behavior::other(78, "abstract sockets of all servers", RELAY),
    Behavior::other(79, "tools without a cluster fail at once", RELAY),
    Behavior::other(80, "crm_node -n: what the provider is asked", RELAY),
    Behavior::other(81, "events and responses reach the tool", RELAY),
    Behavior::other(82, "each ipc_fwd is answered", RELAY),
    Behavior::other(83, "message for an unknown session: destroy, then the reply", RELAY),
    Behavior::other(84, "a tool that ends, a session that the cluster ends", RELAY),
    Behavior::other(85, "a provider that leaves takes its own sessions along", RELAY),
    Behavior::other(86, "cib_shm is cib_rw", RELAY),
    Behavior::other(87, "who may connect", RELAY),
    Behavior::other(88, "540 KB, both ways", RELAY),
    Behavior::other(89, "tools of 2.1 and of 3.0", RELAY),
    Behavior::other(90, "1000 tools leave nothing behind", RELAY),
    Behavior::other(91, "tools in a guest of a real cluster", RELAY),
];

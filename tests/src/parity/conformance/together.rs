//! With real clusters.

use super::{Behavior, Shown};

pub(super) const TABLE: &[Behavior] = &[
    Behavior::other(
        96,
        "SIGTERM moves resources away without fencing",
        Shown::InCluster("graceful shutdown"),
    ),
    Behavior::other(
        97,
        "SIGSTOP: the cluster declares the connection failed",
        Shown::InCluster("frozen agent"),
    ),
    Behavior::other(
        98,
        "SIGKILL and restart: services survive, the cluster recovers",
        Shown::InCluster("killed agent"),
    ),
    Behavior::other(
        104,
        "connection monitored for 10 minutes without failure",
        Shown::InCluster("quiet time"),
    ),
    Behavior::other(105, "a failed resource is recovered", Shown::InCluster("service failure")),
    Behavior::other(106, "odd parameter values plan no restart", Shown::InCluster("odd parameters")),
    Behavior::other(
        107,
        "live migration of the connection, failures still seen",
        Shown::InCluster("connection migrated"),
    ),
    Behavior::other(
        108,
        "cts-exec -R",
        Shown::NotApplicable(
            "in no Debian package, needs Pacemaker's build tree and kills by name; its cases are points 29 to 77",
        ),
    ),
];

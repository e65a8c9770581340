//! Cluster tools inside a guest: the same through picket-agent as through `pacemaker-remoted`.

mod compare;
mod stage;

use crate::show::Point;

/// Everything, one line a point.
pub const FULL: [Point; 2] = [
    Point { number: 1, words: "Debian's tools answer alike through shared memory", measure: compare::full },
    Point { number: 1, words: "Debian's tools answer alike through sockets", measure: compare::sockets },
];

/// What CI can afford.
pub const SHORT: [Point; 1] =
    [Point { number: 1, words: "Debian's tools answer alike", measure: compare::short }];

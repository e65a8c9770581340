//! Cluster tools inside a guest: the same through picket-agent as through `pacemaker-remoted`.

mod compare;
mod hostile;
mod stage;

use crate::show::Point;

/// Everything, one line a point.
pub const FULL: [Point; 3] = [
    Point { number: 1, words: "Debian's tools answer alike through shared memory", measure: compare::full },
    Point { number: 1, words: "Debian's tools answer alike through sockets", measure: compare::sockets },
    Point { number: 4, words: "hostile local clients reach and disturb nobody", measure: hostile::measure },
];

/// What CI can afford.
pub const SHORT: [Point; 2] = [
    Point { number: 1, words: "Debian's tools answer alike", measure: compare::short },
    Point { number: 4, words: "hostile local clients reach and disturb nobody", measure: hostile::measure },
];

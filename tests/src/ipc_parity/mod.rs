//! Cluster tools inside a guest: the same through picket-agent as through `pacemaker-remoted`.

mod bare;
mod bench;
mod buffer;
mod builtin;
mod bulk;
mod compare;
mod deaf;
mod executor;
mod failover;
mod files;
mod generations;
mod health;
mod hostile;
mod postgres;
mod promotion;
mod scripted;
mod stage;

use crate::show::Point;

const ALIKE: &str = "Debian's tools answer alike";
const HOSTILE: &str = "hostile local clients reach and disturb nobody";

const FILES: &str = "tools work over sockets that are files";
const BUFFER: &str = "a larger buffer takes larger answers";
const DEAF: &str = "a client that never reads costs nobody";
const EXECUTOR: &str = "local clients of the executor are served";

const HEALTH: &str = "node health is told once, with dampening";

/// Everything, one line a point.
pub const FULL: [Point; 15] = [
    Point { number: 1, words: "Debian's tools answer alike through shared memory", measure: compare::full },
    Point { number: 1, words: "Debian's tools answer alike through sockets", measure: compare::sockets },
    Point { number: 1, words: "both header generations at once", measure: generations::measure },
    Point { number: 1, words: "built-in commands answer as Debian's tools", measure: builtin::measure },
    Point { number: 1, words: EXECUTOR, measure: executor::measure },
    Point { number: 1, words: FILES, measure: files::measure },
    Point { number: 1, words: BUFFER, measure: buffer::measure },
    Point { number: 2, words: "attributes and scores travel both ways", measure: promotion::measure },
    Point { number: 2, words: HEALTH, measure: health::measure },
    Point { number: 2, words: "guests without Pacemaker's tools promote", measure: bare::measure },
    Point { number: 2, words: "PostgreSQL promotes without them, too", measure: postgres::measure },
    Point { number: 3, words: "no tool hangs while the connection moves", measure: failover::measure },
    Point { number: 4, words: HOSTILE, measure: hostile::measure },
    Point { number: 4, words: DEAF, measure: deaf::measure },
    Point { number: 5, words: "round trips beside the original's", measure: bench::measure },
];

/// What CI can afford.
pub const SHORT: [Point; 7] = [
    Point { number: 1, words: ALIKE, measure: compare::short },
    Point { number: 1, words: EXECUTOR, measure: executor::measure },
    Point { number: 2, words: HEALTH, measure: health::measure },
    Point { number: 1, words: FILES, measure: files::measure },
    Point { number: 1, words: BUFFER, measure: buffer::measure },
    Point { number: 4, words: HOSTILE, measure: hostile::measure },
    Point { number: 4, words: DEAF, measure: deaf::measure },
];

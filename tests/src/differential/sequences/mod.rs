//! The sequences, by topic.

mod alerts;
mod cancel;
mod clients;
mod limits;
mod output;
mod parameters;
mod process;
mod proxy;
mod queue;
mod recurring;
mod registration;
mod results;
mod wire;

use crate::differential::Sequence;

/// All sequences. Long ones first, so that no worker is left with one at the end.
pub(super) fn all() -> Vec<Sequence> {
    [
        clients::SEQUENCES,
        alerts::SEQUENCES,
        proxy::SEQUENCES,
        limits::SEQUENCES,
        recurring::SEQUENCES,
        cancel::SEQUENCES,
        queue::SEQUENCES,
        process::SEQUENCES,
        output::SEQUENCES,
        registration::SEQUENCES,
        parameters::SEQUENCES,
        results::SEQUENCES,
        wire::SEQUENCES,
    ]
    .concat()
}

//! Every numbered behavior of `conformance.md`, part 2, and what shows it.
//!
//! A check is a function over a [`Bench`]: it gives the figure it measured, or fails. It runs against the original
//! too wherever that is possible, since a check that the original does not pass may be wrong itself. Where releases
//! differ the original (2.1.5) must fall short, for the reason the table gives: a check that cannot fail shows
//! nothing.

mod behavior;
mod clients;
mod environment;
mod frames;
mod handshake;
mod ipc;
mod life;
mod listener;
mod output;
mod process;
mod queue;
mod recurring;
mod registration;
mod requests;
mod results;
mod run;
mod strangers;
mod together;

pub use behavior::{Behavior, Cost, Original, Shown};
pub use run::{Outcome, Summary, Verdict, run};

/// All of them, in order.
pub fn table() -> Vec<Behavior> {
    let sections = [
        listener::TABLE,
        handshake::TABLE,
        strangers::TABLE,
        frames::TABLE,
        requests::TABLE,
        registration::TABLE,
        results::TABLE,
        output::TABLE,
        process::TABLE,
        environment::TABLE,
        queue::TABLE,
        recurring::TABLE,
        clients::TABLE,
        ipc::TABLE,
        life::TABLE,
        together::TABLE,
    ];
    let mut table = sections.concat();
    table.sort_by_key(|behavior| behavior.number);
    table
}

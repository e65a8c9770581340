//! The same conversation with two agents, compared field by field.
//!
//! ```text
//! sequences/*  what a controller says        session  says it to one agent, writes the transcript
//! transcript   what came, made comparable     compare  two transcripts -> differences
//! known        differences that are meant     run      all sequences, several at a time
//! ```
//!
//! A sequence is a plain function over a [`Session`]; it runs against both agents at the same time. What depends on
//! chance (ids, times) is normalized in [`transcript`]; a difference that remains must be in [`known`], with its
//! reason, or the test fails. An entry of that table that explains nothing fails it too.

pub(crate) mod agents;
mod compare;
pub mod known;
mod op;
mod run;
mod sequences;
mod session;
mod transcript;

pub use compare::{Difference, compare};
pub use op::{Op, op};
pub use run::{Report, Verdict, run};
pub use session::Session;
pub use transcript::{Entry, Transcript};

/// One scripted conversation.
#[derive(Clone, Copy)]
pub struct Sequence {
    /// Its name in output and in [`known`].
    pub name: &'static str,
    /// Whether it needs an agent that has done nothing before, or leaves one that cannot go on.
    pub alone: bool,
    /// What is said.
    pub script: fn(&mut Session<'_>),
}

impl Sequence {
    const fn new(name: &'static str, script: fn(&mut Session<'_>)) -> Self {
        Self { name, alone: false, script }
    }

    const fn alone(name: &'static str, script: fn(&mut Session<'_>)) -> Self {
        Self { name, alone: true, script }
    }
}

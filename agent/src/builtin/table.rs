//! What an agent says of itself; metadata and the check of values come out of it.

use super::{Call, Work};

/// An agent.
pub(super) struct Agent {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) text: &'static str,
    pub(super) params: &'static [Param],
    pub(super) actions: &'static [Action],
    pub(super) run: fn(Call) -> Work,
}

/// A parameter.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Option<&'static str>,
    pub(super) required: bool,
    pub(super) summary: &'static str,
    pub(super) text: &'static str,
}

/// What a parameter's value can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Boolean,
    Choice(&'static [&'static str]),
    Text,
    /// A duration such as `10` or `500ms`.
    Time,
}

impl Param {
    /// An optional one.
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        summary: &'static str,
        text: &'static str,
    ) -> Self {
        Self { name, kind, default, required: false, summary, text }
    }

    /// One that has to be set.
    pub(super) const fn required(name: &'static str, summary: &'static str, text: &'static str) -> Self {
        Self { name, kind: Kind::Text, default: None, required: true, summary, text }
    }
}

/// An action, with the times advised for it.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) timeout: &'static str,
    pub(super) interval: Option<&'static str>,
}

impl Action {
    pub(super) const fn once(name: &'static str, timeout: &'static str) -> Self {
        Self { name, timeout, interval: None }
    }

    pub(super) const fn every(name: &'static str, timeout: &'static str, interval: &'static str) -> Self {
        Self { name, timeout, interval: Some(interval) }
    }
}

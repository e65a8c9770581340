//! Every difference from the original (pacemaker-remoted 2.1.5) that is meant, with its reason.
//!
//! Each entry explains differences of one kind; one that explains nothing in a complete run fails the test, so the
//! table cannot outlive its reasons. [`MISSING`] is another matter: what picket-agent does not do yet.

use crate::differential::compare::{Difference, WHOLE_ENTRY};

/// A kind of difference.
#[derive(Debug)]
pub struct Known {
    /// Where it is expected.
    pub scope: Scope,
    /// The attribute, or its beginning where it ends in `*`.
    pub field: &'static str,
    /// What the two sides are.
    pub values: Values,
    /// Why picket-agent is not like the original there.
    pub why: &'static str,
}

/// Where a difference is expected.
#[derive(Debug)]
pub enum Scope {
    /// In every sequence.
    Everywhere,
    /// In these.
    In(&'static [&'static str]),
}

/// The original's value and picket-agent's.
#[derive(Debug)]
pub enum Values {
    /// Whatever they are.
    Any,
    /// A relation of the two.
    Are(fn(&str, &str) -> bool),
    /// Exactly these; `None` is an attribute that is not there.
    Is(Option<&'static str>, Option<&'static str>),
    /// Only picket-agent has it.
    New,
    /// Only the original has it.
    Gone,
}

/// The table.
pub const KNOWN: &[Known] = &[
    Known {
        scope: Scope::Everywhere,
        field: "lrmd_origin",
        values: Values::Any,
        why: "names a function inside the sender, differs between 2.1 and 3.0 too, and no peer reads it",
    },
    Known {
        scope: Scope::Everywhere,
        field: "lrmd_protocol_version",
        values: Values::Is(Some("1.1"), Some("1.2")),
        why: "1.2 is what current clusters speak; clients of 1.1 are served the same",
    },
    Known {
        scope: Scope::Everywhere,
        field: "uptime",
        values: Values::Is(None, Some("some seconds")),
        why: "exists since 2.1.6: lets a 3.x cluster keep a node's transient attributes after a lost connection",
    },
    Known {
        scope: Scope::Everywhere,
        field: "lrmd_queue_time",
        values: Values::Is(Some("negative"), Some("about 0")),
        why: "2.1 reports minus its uptime for an operation that was cancelled before it ran",
    },
    Known {
        scope: Scope::Everywhere,
        field: "*",
        values: Values::Are(is_escaped_by_2_1),
        why: "2.1 sends white space and control characters of a value as backslash sequences, which a cluster \
              takes for a changed configuration; the value is to come back as it was sent",
    },
    Known {
        scope: Scope::Everywhere,
        field: "lrmd_rsc_exit_reason",
        values: Values::Are(|original, picket| {
            let (prefix, ms) = ("Resource agent did not complete within ", "000ms");
            original.starts_with(prefix) && original.strip_suffix(ms) == picket.strip_suffix('s')
        }),
        why: "a whole second is written as 3.0 does: 1s",
    },
    Known {
        scope: Scope::In(&["output-forbidden-characters"]),
        field: "lrmd_rsc_output",
        values: Values::Is(Some("\\033[1mbold\\033[0m bell\\007"), Some("[1mbold[0m bell")),
        why: "XML cannot carry control characters, not even escaped: 3.0 drops such a document, and the result with it",
    },
    Known {
        scope: Scope::In(&["output-forbidden-characters"]),
        field: "lrmd_rsc_output",
        values: Values::Is(Some("before"), Some("beforeafter")),
        why: "2.1 loses the output behind a NUL byte",
    },
    Known {
        scope: Scope::In(&["output-not-utf8"]),
        field: "lrmd_rsc_output",
        values: Values::Is(Some("caf\\37777777751 latin"), Some("caf\u{fffd} latin")),
        why: "2.1 writes a byte that is not UTF-8 as a sign-extended octal number",
    },
    Known {
        scope: Scope::In(&["cancel-running-recurring"]),
        field: "lrmd_rsc_output",
        values: Values::Gone,
        why: "2.1 blocks until the killed agent is gone and attaches what it had written; picket-agent answers at once",
    },
    Known {
        scope: Scope::In(&["lsb-not-executable"]),
        field: "lrmd_rsc_exit_reason",
        values: Values::New,
        why: "2.1 says nothing of why an init script did not run",
    },
    Known {
        scope: Scope::In(UNABLE),
        field: "lrmd_rcchange_time",
        values: Values::Is(Some("0"), Some("recent")),
        why: "2.1 forgets the time of change where no process was started, so that the history lacks it",
    },
    Known {
        scope: Scope::In(&["environment-of-ocf", "environment-of-lsb"]),
        field: "HA_logfacility",
        values: Values::Gone,
        why: "an old spelling that no agent in use reads; HA_LOGFACILITY is there",
    },
    Known {
        scope: Scope::In(&["environment-of-ocf", "environment-of-lsb"]),
        field: "PCMK_LOG*",
        values: Values::New,
        why: "the names that 3.0 gives agents for the same values",
    },
    Known {
        scope: Scope::In(&["parameter-long-name"]),
        field: "OCF_RESKEY_pn*",
        values: Values::Any,
        why: "2.1 cuts the name of a variable at 500 bytes, so the agent does not find its parameter",
    },
    Known {
        scope: Scope::In(&["missing-class"]),
        field: "lrmd_rc",
        values: Values::Is(Some("0"), Some("-22")),
        why: "2.1 registers it, and crashes when it is to be executed",
    },
    Known {
        scope: Scope::In(&["missing-class"]),
        field: WHOLE_ENTRY,
        values: Values::Gone,
        why: "nothing was registered, so nobody is told of a registration",
    },
    Known {
        scope: Scope::In(&["register-another-definition", "register-another-while-busy"]),
        field: "lrmd_rsc_deleted",
        values: Values::Is(Some("1"), Some("0")),
        why: "a cluster forgets the resource for it, and it is there; 2.1 says so of pending operations, not of others",
    },
    Known {
        scope: Scope::In(&["unregister-and-register-while-busy"]),
        field: "lrmd_exec_time",
        values: Values::Is(Some("seconds"), Some("short")),
        why: "the new registration's first operation waits for the old one's; 2.1 counts that as its execution time",
    },
    Known {
        scope: Scope::In(&["unregister-and-register-while-busy"]),
        field: "lrmd_queue_time",
        values: Values::Is(Some("about 0"), Some("seconds")),
        why: "the other half of it: it is queue time",
    },
    Known {
        scope: Scope::In(&["not-quite-xml"]),
        field: "lrmd_rc",
        values: Values::Any,
        why: "2.1 acts on whatever can be guessed of a broken document; -71 says what is wrong and does nothing",
    },
    Known {
        scope: Scope::In(&["not-quite-xml"]),
        field: "lrmd_remote_msg_id",
        values: Values::Is(Some("0"), Some("41")),
        why: "the broken document's id, where it is still legible: else the controller waits 10 s for its reply",
    },
    Known {
        scope: Scope::In(&["not-quite-xml"]),
        field: WHOLE_ENTRY,
        values: Values::Gone,
        why: "a broken poke is not carried out, so nobody is told of it",
    },
    Known {
        scope: Scope::In(&["terminated-without-cluster", "terminated-while-busy", "check-with-watchdog"]),
        field: "value",
        values: Values::Is(Some("without goodbye"), Some("with goodbye")),
        why: "picket-agent says goodbye (close_notify) before it ends; the original just ends",
    },
    Known {
        scope: Scope::In(&["terminated-with-cluster"]),
        field: WHOLE_ENTRY,
        values: Values::Any,
        why: "2.1.5 alone ends right after its shutdown request, and the node gets fenced; repaired in 2.1.6",
    },
];

/// Sequences with agents that cannot be started.
const UNABLE: &[&str] = &[
    "agent-is-a-folder",
    "bad-interpreter",
    "lsb-absent",
    "missing-provider",
    "not-executable",
    "parameter-too-big-for-exec",
    "register-another-definition",
    "register-another-while-busy",
    "systemd-without-bus",
    "unknown-agent",
    "unknown-class",
];

/// What picket-agent does not do yet: sequences that are not counted, each with what is missing.
pub const MISSING: &[(&str, &str)] = &[];

impl Known {
    /// Whether this entry is about that difference.
    pub fn explains(&self, sequence: &str, difference: &Difference) -> bool {
        let Difference { field, left, right, .. } = difference;
        let here = match self.scope {
            Scope::Everywhere => true,
            Scope::In(names) => names.contains(&sequence),
        };
        let this = match self.field.strip_suffix('*') {
            Some(start) => field.starts_with(start),
            None => self.field == field,
        };
        here && this
            && match &self.values {
                Values::Any => true,
                Values::Are(relation) => {
                    matches!((left, right), (Some(left), Some(right)) if relation(left, right))
                }
                Values::Is(original, picket) => (left.as_deref(), right.as_deref()) == (*original, *picket),
                Values::New => left.is_none(),
                Values::Gone => right.is_none(),
            }
    }
}

/// Whether `original` is what 2.1 makes of `picket`.
fn is_escaped_by_2_1(original: &str, picket: &str) -> bool {
    let mut escaped = String::new();
    for c in picket.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("    "),
            c => escaped.push(c),
        }
    }
    escaped == original
}

//! Names and states of units.

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};

/// Types of units that a resource may name in full.
const SUFFIXES: [&str; 5] = [".service", ".socket", ".mount", ".timer", ".path"];

/// What a unit's state means for a resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// On the way from one state to another.
    Between,
    /// This is the result.
    Settled(Outcome),
}

/// The unit that an agent name stands for.
pub(super) fn name(agent: &str) -> String {
    match SUFFIXES.iter().any(|suffix| agent.ends_with(suffix)) {
        true => agent.to_owned(),
        false => format!("{agent}.service"),
    }
}

/// A template alone cannot be looked at: an instance of it stands in.
pub(super) fn instantiated(unit: &str) -> String {
    unit.replacen("@.", "@pacemaker.", 1)
}

/// The meaning of `ActiveState`.
pub(super) fn state(active_state: &str) -> State {
    match active_state {
        // `refreshing` came with systemd 257 and is a way of being active, too.
        "active" | "refreshing" | "reloading" => State::Settled(Outcome::new(OcfRc::Ok, ExecStatus::Done)),
        "activating" | "deactivating" => State::Between,
        other => State::Settled(Outcome::new(OcfRc::NotRunning, ExecStatus::Done).because(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_known_suffix_is_a_service() {
        for (agent, unit) in [
            ("nginx", "nginx.service"),
            ("nginx.service", "nginx.service"),
            ("a.b", "a.b.service"),
            ("a.mount", "a.mount"),
            ("a.socket", "a.socket"),
            ("a.timer", "a.timer"),
            ("a.path", "a.path"),
            ("a.target", "a.target.service"),
            ("x@1", "x@1.service"),
        ] {
            assert_eq!(name(agent), unit);
        }
    }

    #[test]
    fn only_a_bare_template_gets_an_instance() {
        assert_eq!(instantiated("x@.service"), "x@pacemaker.service");
        assert_eq!(instantiated("x@1.service"), "x@1.service");
        assert_eq!(instantiated("x.service"), "x.service");
    }

    #[test]
    fn active_states_map_row_by_row() {
        let rows = [("active", 0), ("reloading", 0), ("inactive", 7), ("failed", 7), ("maintenance", 7)];
        for (active_state, rc) in rows {
            let State::Settled(outcome) = state(active_state) else { panic!("{active_state} is settled") };
            assert_eq!((outcome.rc.number(), outcome.status), (rc, ExecStatus::Done), "{active_state}");
            assert_eq!(outcome.exit_reason.as_deref(), (rc == 7).then_some(active_state));
        }
        for active_state in ["activating", "deactivating"] {
            assert_eq!(state(active_state), State::Between);
        }
    }
}

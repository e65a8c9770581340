//! Class `stonith`: fence devices, which a remote node never has. The cluster sends none of these; Pacemaker 2.1.5
//! hangs on them.

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};

use super::{Launch, Operation, Surroundings};

pub(super) fn launch(operation: &Operation, _: &Surroundings) -> Launch {
    let rc = if operation.is_probe() { OcfRc::NotRunning } else { OcfRc::Error };
    Launch::Immediate(Outcome::new(rc, ExecStatus::Error).because("No connection to fencer"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{immediate, operation};

    #[test]
    fn a_probe_finds_nothing_and_the_rest_fails() {
        let reason = Some("No connection to fencer".to_owned());
        assert_eq!(immediate(&operation("stonith", "fence_x", "monitor", 0)), (7, 4, reason.clone()));
        assert_eq!(immediate(&operation("stonith", "fence_x", "monitor", 1000)), (1, 4, reason.clone()));
        assert_eq!(immediate(&operation("stonith", "fence_x", "start", 0)), (1, 4, reason));
    }
}

//! Class `service`: whichever of `lsb` and `systemd` has the service, looked up at each execution.

use super::{Launch, Operation, Surroundings, lsb};

pub(super) fn launch(operation: &Operation, surroundings: &Surroundings) -> Launch {
    lsb::launch(operation, surroundings)
}

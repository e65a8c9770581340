//! Class `service`: whichever of `lsb` and `systemd` has the service, looked up at each execution.

use std::os::unix::fs::PermissionsExt as _;

use super::{Launch, Operation, Surroundings, lsb, systemd};

pub(super) fn launch(operation: &Operation, surroundings: &Surroundings) -> Launch {
    let (operation, surroundings) = (operation.clone(), surroundings.clone());
    Launch::Task(Box::pin(async move {
        let script = lsb::path(&operation);
        // A script comes first, and without one and without a unit it is the script that is missing.
        let executable = tokio::fs::metadata(script)
            .await
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        if !executable && systemd::exists(&operation.definition.agent, &surroundings.systemd).await {
            systemd::launch(&operation, &surroundings)
        } else {
            lsb::launch(&operation, &surroundings)
        }
    }))
}

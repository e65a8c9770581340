//! Schemas that a newer cluster has.

use picket_proto::ipc::endpoint::Endpoint;
use picket_proto::xml::Element;

use super::{ClusterError, ask, connect};

/// The cluster's answer to [`picket_proto::schemas::question`].
///
/// # Errors
/// [`ClusterError`]
pub fn schemas(known: &str) -> Result<Element, ClusterError> {
    let mut connection = connect(Endpoint::CibReadOnly)?;
    let register = Element::new("cib_command")
        .with("t", "cib")
        .with("cib_op", "register")
        .with("cib_clientname", "picket-agent")
        .with("cib_callid", 2)
        .with("cib_callopt", 0x1000);
    ask(&mut connection, &register)?;
    let answer = ask(&mut connection, &picket_proto::schemas::question(known))?;
    match answer.attr("cib_rc").and_then(|rc| rc.parse::<i32>().ok()) {
        Some(0) => Ok(answer),
        rc => Err(ClusterError::Refused(rc.unwrap_or_default().saturating_abs())),
    }
}

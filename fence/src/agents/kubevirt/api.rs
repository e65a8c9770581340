//! What Kubernetes and KubeVirt send, as far as fencing reads it (`kubevirt.io/v1`, core `v1`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::http::Reply;

/// A list of anything. `items` is always there.
#[derive(Debug, Deserialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// A VirtualMachine: what may be started and stopped.
#[derive(Debug, Deserialize)]
pub(super) struct Vm {
    pub(super) metadata: Metadata,
}

/// A VirtualMachineInstance: one that was started, and what became of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Instance {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) status: InstanceStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct InstanceStatus {
    #[serde(default)]
    pub(super) phase: String,
    #[serde(rename = "nodeName")]
    pub(super) node: Option<String>,
}

/// A pod; that of a machine holds its QEMU.
#[derive(Debug, Deserialize)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
struct PodSpec {
    #[serde(rename = "nodeName")]
    node: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct PodStatus {
    #[serde(default)]
    phase: String,
    #[serde(rename = "containerStatuses", default)]
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
struct Container {
    #[serde(default)]
    state: BTreeMap<String, Value>,
}

/// The labels that name the machine of a pod: of today, and of older versions.
pub(super) const NAME_LABELS: [&str; 2] = ["vm.kubevirt.io/name", "kubevirt.io/domain"];

impl Pod {
    /// Whether it is the pod of this machine.
    pub(super) fn belongs_to(&self, name: &str) -> bool {
        NAME_LABELS.iter().any(|label| self.metadata.labels.get(*label).is_some_and(|value| value == name))
    }

    /// Whether something may run in it, as far as its phase tells.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.status.phase.as_str(), "Failed" | "Succeeded")
    }

    /// Whether every container has been seen to end.
    pub(super) fn has_ended(&self) -> bool {
        let containers = &self.status.containers;
        !containers.is_empty()
            && containers.iter().all(|container| container.state.contains_key("terminated"))
    }

    pub(super) fn node(&self) -> Option<&str> {
        self.spec.node.as_deref()
    }
}

/// A node of the cluster.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    #[serde(default)]
    spec: NodeSpec,
    status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
struct NodeSpec {
    #[serde(default)]
    taints: Vec<Taint>,
}

#[derive(Debug, Deserialize)]
struct Taint {
    key: String,
}

#[derive(Debug, Deserialize)]
struct NodeStatus {
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Node {
    /// Whether what it says of its pods is from now; or an operator gave his word that it is powered off.
    pub(super) fn is_believed(&self) -> bool {
        let ready = self
            .status
            .conditions
            .iter()
            .any(|condition| condition.kind == "Ready" && condition.status == "True");
        ready || self.spec.taints.iter().any(|taint| taint.key == "node.kubernetes.io/out-of-service")
    }
}

/// A `SelfSubjectAccessReview`.
#[derive(Debug, Deserialize)]
pub(super) struct Review {
    pub(super) status: ReviewStatus,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReviewStatus {
    pub(super) allowed: bool,
}

/// The API server's own words.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    Some(body["message"].as_str()?.to_owned())
}

//! What Redfish services send, as far as fencing reads it (DMTF DSP0266 and the ComputerSystem schema). Everything is
//! optional: what must be there is checked where it is used.

use serde::{Deserialize, Serialize};

use crate::http::Reply;

/// A reference to another resource.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Link {
    #[serde(rename = "@odata.id")]
    pub(super) id: String,
}

/// The service root.
#[derive(Debug, Deserialize)]
pub(super) struct Root {
    #[serde(rename = "Systems")]
    pub(super) systems: Option<Link>,
    #[serde(rename = "Links")]
    pub(super) links: Option<RootLinks>,
    #[serde(rename = "Name")]
    name: Option<String>,
    #[serde(rename = "Product")]
    product: Option<String>,
    #[serde(rename = "Vendor")]
    vendor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RootLinks {
    #[serde(rename = "Sessions")]
    pub(super) sessions: Option<Link>,
}

impl Root {
    /// kubevirt-redfish names itself; its cache serves states up to 30 s old (fence-drivers, 4.4).
    pub(super) fn is_kubevirt(&self) -> bool {
        let names = [&self.name, &self.product, &self.vendor];
        names.iter().any(|name| name.as_ref().is_some_and(|name| name.to_lowercase().contains("kubevirt")))
    }
}

/// A collection, or a system where an option named one directly.
#[derive(Debug, Deserialize)]
pub(super) struct Collection {
    #[serde(rename = "Members")]
    pub(super) members: Option<Vec<Link>>,
    #[serde(rename = "Members@odata.nextLink")]
    pub(super) next: Option<String>,
}

/// A computer system.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct System {
    #[serde(rename = "Id")]
    pub(super) id: Option<String>,
    #[serde(rename = "Name")]
    pub(super) name: Option<String>,
    #[serde(rename = "HostName")]
    pub(super) host_name: Option<String>,
    #[serde(rename = "UUID")]
    pub(super) uuid: Option<String>,
    #[serde(rename = "PowerState")]
    pub(super) power_state: Option<String>,
    #[serde(rename = "Actions")]
    pub(super) actions: Option<Actions>,
}

impl System {
    /// Whether a person would call it that.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let names = [&self.id, &self.name, &self.host_name, &self.uuid];
        names.iter().any(|known| known.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    /// The reset action, if the service offers one.
    pub(super) fn reset(&self) -> Option<&Reset> {
        self.actions.as_ref()?.reset.as_ref()
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Actions {
    #[serde(rename = "#ComputerSystem.Reset")]
    reset: Option<Reset>,
}

/// Where a reset is sent to, and which kinds the service takes.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reset {
    pub(super) target: Option<String>,
    #[serde(rename = "ResetType@Redfish.AllowableValues")]
    pub(super) kinds: Option<Vec<String>>,
    #[serde(rename = "@Redfish.ActionInfo")]
    pub(super) info: Option<String>,
}

/// The parameters of an action, where they are not given with it.
#[derive(Debug, Deserialize)]
pub(super) struct ActionInfo {
    #[serde(rename = "Parameters", default)]
    parameters: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "AllowableValues")]
    values: Option<Vec<String>>,
}

impl ActionInfo {
    /// The kinds of reset.
    pub(super) fn kinds(self) -> Option<Vec<String>> {
        self.parameters.into_iter().find(|parameter| parameter.name == "ResetType")?.values
    }
}

/// A task that a reset became.
#[derive(Debug, Deserialize)]
pub(super) struct Task {
    #[serde(rename = "TaskState")]
    pub(super) state: Option<String>,
    #[serde(rename = "Messages", default)]
    pub(super) messages: Vec<Message>,
}

/// A message, in a task or in an error.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(rename = "MessageId")]
    pub(super) id: Option<String>,
    #[serde(rename = "Message")]
    pub(super) text: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: Option<String>,
    #[serde(rename = "@Message.ExtendedInfo", default)]
    info: Vec<Message>,
}

/// The body of a reset.
#[derive(Serialize)]
pub(super) struct ResetBody<'a> {
    #[serde(rename = "ResetType")]
    pub(super) kind: &'a str,
}

/// The body of a login.
#[derive(Serialize)]
pub(super) struct Login<'a> {
    #[serde(rename = "UserName")]
    pub(super) name: &'a str,
    #[serde(rename = "Password")]
    pub(super) password: &'a str,
}

/// The service's own words about an error.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    let error = serde_json::from_slice::<ErrorBody>(&reply.body).ok()?.error;
    let info = error.info.into_iter().next();
    let (id, text) = info.map_or((None, None), |info| (info.id, info.text));
    let text = text.or(error.message)?;
    Some(id.map_or_else(|| text.clone(), |id| format!("{text} ({id})")))
}

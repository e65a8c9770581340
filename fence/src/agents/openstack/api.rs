//! What Keystone and Nova send and want, as far as fencing goes (Identity API v3, Compute API v2.1).

use serde::Deserialize;
use serde_json::{Value, json};

use super::account::{Method, Named};
use crate::core::driver::Reading;
use crate::http::Reply;

impl Named {
    fn json(&self) -> Value {
        match &self.id {
            Some(id) => json!({ "id": id }),
            None => json!({"name": self.name, "domain": {self.domain.0: self.domain.1}}),
        }
    }
}

impl Method {
    /// The body of `POST /auth/tokens`.
    pub(super) fn body(&self) -> Value {
        let (name, proof, project) = match self {
            Self::Password { user, password, project } => {
                let mut user = user.json();
                user["password"] = json!(password.reveal());
                ("password", json!({ "user": user }), Some(project))
            }
            Self::Token { token, project } => ("token", json!({"id": token.reveal()}), Some(project)),
            Self::ApplicationCredential { id, name, user, secret } => {
                let mut proof = match id {
                    Some(id) => json!({ "id": id }),
                    None => json!({ "name": name }),
                };
                if let Some(user) = user {
                    proof["user"] = user.json();
                }
                proof["secret"] = json!(secret.reveal());
                // Its project was chosen when it was made; a scope would be refused.
                ("application_credential", proof, None)
            }
        };
        let identity = json!({"methods": [name], name: proof});
        match project {
            Some(project) => json!({"auth": {"identity": identity, "scope": {"project": project.json()}}}),
            None => json!({"auth": {"identity": identity}}),
        }
    }
}

/// The answer to a login; the token itself is in a header.
#[derive(Deserialize)]
pub(super) struct Granted {
    pub(super) token: Token,
}

#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) catalog: Vec<Service>,
}

#[derive(Deserialize)]
pub(super) struct Service {
    #[serde(rename = "type")]
    kind: String,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

impl Token {
    /// The URLs of the compute service for this interface, and region where one is given; each once.
    pub(super) fn compute(&self, interface: &str, region: Option<&str>) -> Vec<&str> {
        let services = self.catalog.iter().filter(|service| service.kind == "compute");
        let mut urls: Vec<&str> = services
            .flat_map(|service| &service.endpoints)
            .filter(|endpoint| endpoint.interface == interface)
            .filter(|at| {
                region.is_none_or(|name| {
                    at.region.as_deref() == Some(name) || at.region_id.as_deref() == Some(name)
                })
            })
            .map(|endpoint| endpoint.url.as_str())
            .collect();
        urls.dedup();
        urls
    }
}

/// `GET /servers/ID`.
#[derive(Debug, Deserialize)]
pub(super) struct One {
    pub(super) server: Server,
}

/// `GET /servers` and `GET /servers/detail`.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) servers: Vec<T>,
    #[serde(default)]
    pub(super) servers_links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) rel: String,
    pub(super) href: String,
}

/// An element of `GET /servers`.
#[derive(Debug, Deserialize)]
pub(super) struct Brief {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Server {
    pub(super) id: String,
    pub(super) name: String,
    status: String,
    #[serde(rename = "OS-EXT-STS:power_state")]
    power_state: Option<i64>,
    #[serde(rename = "OS-EXT-STS:task_state")]
    task_state: Option<String>,
    host_status: Option<String>,
    #[serde(rename = "OS-EXT-SRV-ATTR:host")]
    pub(super) host: Option<String>,
}

/// `libvirt`'s and every other driver's number for a machine that does not run (nova.objects.fields, PowerState).
const SHUTDOWN: i64 = 4;

impl Server {
    /// What its state proves. The database's status alone proves nothing: Nova brings it in line with the hypervisor
    /// every ten minutes only.
    pub(super) fn reading(&self) -> Reading {
        let power = self.power_state.map_or("?".to_owned(), |number| number.to_string());
        let mut raw = format!("{} (power state {power})", self.status);
        if let Some(task) = &self.task_state {
            raw += &format!(", {task}");
        }
        if let Some("DOWN" | "UNKNOWN") = self.host_status.as_deref() {
            let host = self.host.as_deref().unwrap_or("of the machine");
            return Reading::unknown(raw)
                .hint(format!("compute host {host} is down: fence it, or evacuate it"));
        }
        match (self.status.as_str(), self.task_state.as_deref()) {
            ("SHELVED_OFFLOADED", None) => Reading::off(raw),
            ("SHELVED" | "SHUTOFF", None) if self.power_state == Some(SHUTDOWN) => Reading::off(raw),
            (_, Some("powering-off")) => Reading::unknown(raw).hint(
                "Nova gives the guest 60 s to end by itself: raise power_timeout, set os_shutdown_timeout on its \
                 image, or use method=cycle",
            ),
            ("PAUSED" | "SUSPENDED", None) => {
                Reading::on(raw).hint("Nova stops no machine in this state: resume it, or use method=cycle")
            }
            (
                "ACTIVE" | "HARD_REBOOT" | "PASSWORD" | "REBOOT" | "RESCUE" | "VERIFY_RESIZE",
                None,
            ) => Reading::on(raw),
            _ => Reading::unknown(raw),
        }
    }
}

/// `GET /servers/ID/os-instance-actions/REQUEST`.
#[derive(Debug, Deserialize)]
pub(super) struct Actions {
    #[serde(rename = "instanceAction")]
    pub(super) action: Action,
}

#[derive(Debug, Deserialize)]
pub(super) struct Action {
    #[serde(default)]
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) event: String,
    pub(super) result: Option<String>,
}

/// The services' own words: one object of any name with a message.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let message = body.as_object()?.values().find_map(|value| value["message"].as_str())?;
    Some(message.to_owned())
}

//! `fence_incus`, `fence_lxd`: containers and virtual machines of Incus and of LXD
//! (<https://linuxcontainers.org/incus/docs/main/rest-api/>).

mod api;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::json;

use self::api::{Data, FAILURE, Instance, Operation, Server, Started, State};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, encode};

const UNIX_SOCKET: Opt = Opt::text(
    "unix_socket",
    "unix-socket",
    "[path]",
    "Socket of the server; used where ip is not given (default: the usual ones of Incus and LXD)",
)
.order(215);
const PROJECT: Opt =
    Opt::text("project", "project", "[name]", "Project of the instances").default("default").order(215);

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_incus",
    aliases: &["fence_lxd"],
    title: "Power fencing of Incus and LXD instances",
    about: "Stops and starts containers and virtual machines of Incus or LXD, over the server's socket or over HTTPS with \
            a client certificate, and reports success for an off request only after the server reports the instance as \
            stopped and its process as gone. Frozen instances are not off.\n\n\
            ip may list several members of a cluster, separated by commas. The server's own certificate is pinned with \
            tls_pin, or given as ca_file.",
    url: "https://linuxcontainers.org/incus",
    options: &[
        opt::HTTP,
        opt::PLUGS,
        &[
            opt::IP.optional(),
            opt::IPPORT.default("8443"),
            opt::SSL.default("1"),
            opt::PLUG.about("Name of the instance"),
            UNIX_SOCKET,
            PROJECT,
        ],
    ],
    needs: Needs { address: false, username: false, password: false, plug: true },
    can: Can { list: List::Fields, cycle: false, diag: false, null: false },
    driver: |settings| Ok(Box::new(Incus::new(settings)?)),
};

/// Sockets of Incus, of LXD as a snap, and of LXD as a package.
const SOCKETS: [&str; 3] =
    ["/var/lib/incus/unix.socket", "/var/snap/lxd/common/lxd/unix.socket", "/var/lib/lxd/unix.socket"];

struct Incus {
    http: Client,
    /// `?project=...`
    project: String,
}

impl Incus {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let config = match (settings.text(&UNIX_SOCKET), settings.text(&opt::IP)) {
            (Some(path), _) => Config::unix(settings, path)?,
            (None, Some(_)) => Config::new(settings)?,
            (None, None) => {
                let usual = SOCKETS.map(PathBuf::from);
                let found = usual.iter().find(|path| path.exists()).unwrap_or(&usual[0]);
                Config::unix(settings, found.clone())?
            }
        };
        let project = format!("?project={}", encode(settings.need(&PROJECT)?));
        Ok(Self { http: Client::new(config).explain(api::explain), project })
    }

    fn path(&self, name: &str, what: &str) -> String {
        format!("/1.0/instances/{}{what}{}", encode(name), self.project)
    }

    /// Asks for another state, and hears for a while what becomes of it: an early word about why it failed.
    async fn order(&mut self, name: &str, action: &str, again: bool) -> Result<(), Fault> {
        let body = json!({"action": action, "force": true, "timeout": -1});
        let mut request = self.http.put(self.path(name, "/state")).json_body(&body);
        if again {
            request = request.repeatable();
        }
        let started: Started = request.json().await.map_err(api::conflict)?;
        let path = format!("{}/wait?timeout=5", started.operation.split('?').next().unwrap_or_default());
        // Whatever else comes back, the state will tell.
        match self.http.get(path.clone()).json::<Data<Operation>>().await {
            Ok(Data { metadata: Operation { status_code: FAILURE, err } }) => {
                Err(Fault::Conflict { call: path, answer: err })
            }
            _ => Ok(()),
        }
    }
}

#[async_trait(?Send)]
impl Driver for Incus {
    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        let path = self.path(plug, "");
        let found: Data<Instance> = self.http.get(path.clone()).json().await?;
        let Instance { name, location, .. } = found.metadata;
        if name != plug {
            return Err(Fault::not_found(path, format!("the server offers '{name}'")));
        }
        Ok(Target { id: name.clone(), name, host: location.filter(|at| at != "none") })
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let path = self.path(&target.id, "/state");
        let state: Data<State> = self.http.get(path).json().await?;
        Ok(state.metadata.reading())
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.order(&target.id, "stop", true).await
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        self.order(&target.id, "start", false).await
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let path = format!("/1.0/instances{}&recursion=1", self.project);
        let found: Data<Vec<Instance>> = self.http.get(path).json().await?;
        let listed = found.metadata.into_iter().map(|instance| Listed {
            power: api::by_code(instance.status_code, &instance.status).power,
            alias: instance.name.clone(),
            plug: instance.name,
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        if target.is_some() {
            // Whoever may see an instance is trusted, and may stop it.
            return Ok(());
        }
        let server: Data<Server> = self.http.get("/1.0").json().await?;
        match server.metadata.auth.as_str() {
            "trusted" => Ok(()),
            other => {
                let answer =
                    format!("the server calls us {other}: add the client certificate to its trust store");
                Err(Fault::Forbidden { call: "GET /1.0".to_owned(), answer })
            }
        }
    }
}

//! `fence_docker` and `fence_podman`: containers as cluster nodes, killed through the engine's REST API
//! (<https://docs.docker.com/reference/api/engine/>; Podman serves the same one).
//!
//! One folder, since it is one API: the agents differ in the socket they look for. The API version is the engine's
//! own unless one is pinned: Docker 29 refuses the 1.11 that upstream's agent asks for (fence-drivers, 18.1).

mod api;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use self::api::{Container, Summary};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, Files, encode};

const API_VERSION: Opt = Opt::text(
    "api_version",
    "api-version",
    "",
    "Version of the engine's API; with 1.11, the default of old agents, the engine's own is used",
)
.default("1.11")
.order(2);
const TLS_CA: Opt =
    Opt::text("tlscacert", "tlscacert", "", "PEM file of the authority that signed the engine's certificate")
        .order(2);
const TLS_CERT: Opt = Opt::text("tlscert", "tlscert", "", "PEM file of the client certificate").order(2);
const TLS_KEY: Opt = Opt::text("tlskey", "tlskey", "", "PEM file of the client certificate's key").order(2);
const DISABLE_SSL: Opt = Opt::flag("disable_ssl", "disable-ssl", "Use plain HTTP");
const UNIX_SOCKET: Opt =
    Opt::text("unix_socket", "unix-socket", "[path]", "Socket of the engine on this machine").order(215);

const SHARED: &[Opt] = &[
    opt::IP.about("Address of the engine, or the path of its socket; without it the engine of this machine"),
    opt::IPPORT.default("443"),
    opt::SSL.default("1"),
    opt::SSL_SECURE,
    opt::SSL_INSECURE,
    opt::GNUTLSCLI_PATH,
    opt::TLS_PIN,
    opt::PROXY,
    opt::CONNECT_TIMEOUT,
    opt::REQUEST_TIMEOUT,
    opt::METHOD,
    API_VERSION,
    TLS_CA,
    TLS_CERT,
    TLS_KEY,
    DISABLE_SSL,
    UNIX_SOCKET,
];
const CAN: Can = Can { list: List::Fields, cycle: true, diag: false, null: false };
const NEEDS: Needs = Needs { address: false, username: false, password: false, plug: true };

/// `fence_docker`.
pub const DOCKER: Agent = Agent {
    name: "fence_docker",
    aliases: &[],
    title: "Power fencing of Docker containers",
    about: "Kills and starts containers with the API of a Docker Engine, and reports success for an off request only \
            after the engine reports that the container's process is gone. Paused containers are not off.",
    url: "https://www.docker.com",
    options: &[SHARED, opt::PLUGS],
    needs: NEEDS,
    can: CAN,
    driver: |settings| Ok(Box::new(Engine::new(settings, &["/run/docker.sock", "/var/run/docker.sock"])?)),
};

/// `fence_podman`.
pub const PODMAN: Agent = Agent {
    name: "fence_podman",
    aliases: &[],
    title: "Power fencing of Podman containers",
    about: "Kills and starts containers with the API of Podman, and reports success for an off request only after \
            Podman reports that the container's process is gone. Paused containers are not off.",
    url: "https://podman.io",
    options: &[SHARED, opt::PLUGS, &[opt::IP.optional()]],
    needs: NEEDS,
    can: CAN,
    driver: |settings| Ok(Box::new(Engine::new(settings, &["/run/podman/podman.sock"])?)),
};

struct Engine {
    http: Client,
    /// `/v1.41`, or nothing for the engine's own version.
    base: String,
}

impl Engine {
    fn new(settings: &Settings, sockets: &[&str]) -> Result<Self, Failure> {
        let config = match socket(settings, sockets) {
            Some(path) => Config::unix(settings, path)?,
            None if settings.flag(&DISABLE_SSL) => Config::plain(settings)?,
            None => Config::with_files(settings, &Files { ca: TLS_CA, cert: TLS_CERT, key: TLS_KEY })?,
        };
        let version = settings.text(&API_VERSION).filter(|version| *version != "1.11");
        let base = version.map(|version| format!("/v{}", encode(version.trim_start_matches('v'))));
        Ok(Self { http: Client::new(config).explain(api::explain), base: base.unwrap_or_default() })
    }

    fn path(&self, id: &str, what: &str) -> String {
        format!("{}/containers/{}/{what}", self.base, encode(id))
    }

    async fn inspect(&mut self, id: &str) -> Result<Container, Fault> {
        self.http.get(self.path(id, "json")).json().await
    }
}

/// The socket to use, or none where an address is given.
fn socket(settings: &Settings, usual: &[&str]) -> Option<PathBuf> {
    let given = settings.text(&UNIX_SOCKET).or_else(|| {
        let ip = settings.text(&opt::IP)?;
        ip.strip_prefix("unix://").or(Some(ip)).filter(|path| path.starts_with('/'))
    });
    match (given, settings.text(&opt::IP)) {
        (Some(path), _) => Some(PathBuf::from(path)),
        (None, Some(_)) => None,
        (None, None) => {
            let own = settings.env.runtime_dir.as_ref().map(|dir| Path::new(dir).join("podman/podman.sock"));
            let own = own.filter(|_| settings.agent.name == PODMAN.name);
            let candidates = usual.iter().map(PathBuf::from).chain(own);
            candidates.clone().find(|path| path.exists()).or_else(|| candidates.into_iter().next())
        }
    }
}

#[async_trait(?Send)]
impl Driver for Engine {
    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        let container = self.inspect(plug).await?;
        // The engine takes the beginning of an id too, and that may be another container tomorrow.
        if container.id != plug && container.plain_name() != plug {
            return Err(Fault::not_found(
                format!("container '{plug}'"),
                format!("the engine offers {}, whose name and id are not that", container.plain_name()),
            ));
        }
        Ok(Target { name: container.plain_name().to_owned(), id: container.id, host: None })
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let container = self.inspect(&target.id).await?;
        if container.id != target.id {
            let answer = format!("it is about container {}", container.id);
            return Err(Fault::malformed(self.path(&target.id, "json"), answer));
        }
        Ok(container.reading())
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        let path = self.path(&target.id, "kill?signal=SIGKILL");
        let result = self.http.post(path.clone()).repeatable().send().await;
        // Podman kills no container that is paused; Docker does.
        if result.is_err() && self.inspect(&target.id).await?.state.status == "paused" {
            let unpause = self.path(&target.id, "unpause");
            self.http.post(unpause).send().await?;
            return self.http.post(path).repeatable().send().await.map(|_| ());
        }
        result.map(|_| ())
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        let path = self.path(&target.id, "start");
        let reply = self.http.post(path).any().await?;
        // 304 is "already started".
        if reply.is_success() || reply.status == 304 { Ok(()) } else { Err(reply.fault(api::explain)) }
    }

    /// A restart with no grace; proven by a new process or a new start time.
    async fn cycle(&mut self, target: &Target) -> Result<(), Fault> {
        let before = self.inspect(&target.id).await?.state;
        let path = self.path(&target.id, "restart?t=0");
        self.http.post(path.clone()).send().await?;
        let after = self.inspect(&target.id).await?.state;
        if after.pid != before.pid && after.started_at != before.started_at {
            return Ok(());
        }
        Err(Fault::malformed(path, format!("the container still has process {}", before.pid)))
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let path = format!("{}/containers/json?all=1", self.base);
        let found: Vec<Summary> = self.http.get(path).json().await?;
        let listed = found.into_iter().map(|summary| {
            let name = summary.names.first().map(|name| name.trim_start_matches('/').to_owned());
            Listed {
                plug: name.unwrap_or_else(|| summary.id.clone()),
                alias: summary.id,
                power: api::by_status(&summary.state).power,
            }
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        // The engine knows no permissions: whoever may read may kill.
        match target {
            Some(_) => Ok(()),
            None => {
                let path = format!("{}/containers/json?limit=1", self.base);
                self.http.get(path).json::<Vec<Summary>>().await.map(|_| ())
            }
        }
    }
}

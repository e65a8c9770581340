//! `fence_redfish`: BMCs, sushy-tools, and KubeVirt behind a Redfish service (DMTF DSP0266).
//!
//! Only `ForceOff` is ever sent to turn a machine off: `PushPowerButton` toggles, and a graceful shutdown depends on
//! the guest. Two systems with one name, a redirected reset and a state that came from a cache are what upstream's
//! agent gets wrong (fence-drivers, section 4); each has a test here.

mod api;
mod reset;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use self::api::{Collection, Login, Root, System};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, encode};

const REDFISH_URI: Opt = Opt::text("redfish_uri", "redfish-uri", "[uri]", "Path of the service root")
    .old("redfish-uri")
    .default("/redfish/v1");
const SYSTEMS_URI: Opt = Opt::text(
    "systems_uri",
    "systems-uri",
    "[uri]",
    "Path of the system, or of the collection of systems, e.g. /redfish/v1/Systems/1",
)
.old("systems-uri");
const SYSTEM: Opt = Opt::text(
    "system",
    "system",
    "[name]",
    "Id, name, host name or UUID of the system, where the service has several",
)
.order(215);
const AUTH: Opt = Opt::select(
    "auth",
    "auth",
    "[kind]",
    &["basic", "session"],
    "How to log in; few sessions fit into a BMC, and a killed agent leaves one behind",
)
.default("basic")
.order(215);

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_redfish",
    aliases: &[],
    title: "Power fencing through a Redfish service",
    about: "Powers a machine off and on with the Redfish API of its BMC, of sushy-tools or of KubeVirt, and reports \
            success for an off request only after the service reports the machine as off.\n\n\
            Where the service has several systems, name one with system, systems_uri or plug.",
    url: "https://www.dmtf.org/standards/redfish",
    options: &[
        opt::HTTP,
        opt::LOGIN,
        &[
            opt::IP.optional(),
            opt::IPPORT.default("443"),
            opt::SSL.default("1"),
            opt::PLUG
                .optional()
                .value("[ip]")
                .about("Name of the system, or with --port-as-ip the service's address"),
            opt::PORT_AS_IP,
            REDFISH_URI,
            SYSTEMS_URI,
            SYSTEM,
            AUTH,
        ],
    ],
    needs: Needs { address: true, username: true, password: true, plug: false },
    can: Can { list: List::No, cycle: false, diag: true, null: false },
    driver: |settings| Ok(Box::new(Redfish::new(settings)?)),
};

/// kubevirt-redfish serves answers up to 30 s old.
const KUBEVIRT_CACHE: Duration = Duration::from_secs(31);
/// Some BMCs show the state before the reset for a moment after it.
const AFTER_RESET: Duration = Duration::from_secs(1);
/// Pages of a collection; more is a service that links in a circle.
const PAGES: usize = 100;

struct Redfish {
    http: Client,
    root: String,
    systems: Option<String>,
    /// The `system` option.
    wanted: Option<String>,
    /// Plugs that name no system: the node's name from the cluster, and addresses.
    nodename: Option<String>,
    username: String,
    password: Secret,
    /// The path of our session, to be deleted.
    session: Option<String>,
    use_session: bool,
    is_kubevirt: bool,
    /// What is known of each system, by its path.
    known: HashMap<String, Known>,
}

#[derive(Default)]
struct Known {
    system: System,
    etag: Option<String>,
    was_reset: bool,
    task: Option<String>,
}

impl Redfish {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let username = settings.need(&opt::USERNAME)?.to_owned();
        let password = settings.password().ok_or(Failure::NoPassword)?.clone();
        let use_session = settings.text(&AUTH) == Some("session");
        let mut http = Client::new(Config::new(settings)?).explain(api::explain);
        http.set_header("odata-version", &Secret::new("4.0"));
        http.set_header("accept", &Secret::new("application/json"));
        if !use_session {
            // Also to the root, which needs none by the standard: some services demand it all the same.
            http.set_basic(&username, &password);
        }
        Ok(Self {
            http,
            root: absolute(settings.need(&REDFISH_URI)?),
            systems: settings.text(&SYSTEMS_URI).map(absolute),
            wanted: settings.text(&SYSTEM).map(str::to_owned),
            nodename: settings.nodename().map(str::to_owned),
            username,
            password,
            session: None,
            use_session,
            is_kubevirt: false,
            known: HashMap::new(),
        })
    }

    /// The service root, with and without a slash at the end: services differ, and some redirect or know only one.
    async fn read_root(&mut self) -> Result<Root, Fault> {
        let first = self.http.get(&self.root).json::<Root>().await;
        let root: Root = match first {
            Err(Fault::NotFound { .. }) => self.http.get(format!("{}/", self.root)).json().await?,
            other => other?,
        };
        self.is_kubevirt = root.is_kubevirt();
        Ok(root)
    }

    /// The paths of all systems.
    async fn members(&mut self) -> Result<Vec<String>, Fault> {
        let start = match &self.systems {
            Some(path) => path.clone(),
            None => {
                let root = self.read_root().await?;
                let systems =
                    root.systems.ok_or_else(|| Fault::malformed(&self.root, "it has no Systems"))?;
                absolute(&systems.id)
            }
        };
        let mut members = Vec::new();
        let mut next = Some(start.clone());
        for _ in 0..PAGES {
            let Some(path) = next.take() else { return Ok(members) };
            let reply = self.http.get(&path).send().await?;
            // A path which an option gives may lead straight to a system.
            if path == start && reply.json::<System>()?.power_state.is_some() {
                return Ok(vec![path]);
            }
            let page: Collection = reply.json()?;
            let page_members =
                page.members.ok_or_else(|| Fault::malformed(&reply.call, "it has no Members"))?;
            members.extend(page_members.into_iter().map(|link| absolute(&link.id)));
            next = page.next.map(|path| absolute(&path));
        }
        Err(Fault::malformed(&start, "the collection does not end"))
    }

    /// The one system that is called `name`.
    async fn find(&mut self, members: &[String], name: &str) -> Result<String, Fault> {
        let mut found: Vec<&String> =
            members.iter().filter(|path| last_segment(path).eq_ignore_ascii_case(&encode(name))).collect();
        if found.is_empty() {
            for path in members {
                let system: System = self.http.get(path).json().await?;
                if system.is_called(name) {
                    found.push(path);
                }
            }
        }
        let call = format!("look for system '{name}'");
        match found.as_slice() {
            [path] => Ok((*path).clone()),
            [] => Err(Fault::not_found(call, format!("the service has {}", members.join(", ")))),
            several => {
                let candidates = several.iter().map(|path| (*path).clone()).collect();
                Err(Fault::Ambiguous { call, plug: name.to_owned(), candidates })
            }
        }
    }

    /// The system's name for a plug; `None` where the plug says nothing about systems.
    fn system_name(&self, plug: &str) -> Option<String> {
        let host = self.http.host();
        let says_nothing = plug.is_empty()
            || self.nodename.as_deref() == Some(plug)
            || plug.parse::<IpAddr>().is_ok()
            || host.rsplit_once(':').is_some_and(|(host, _)| host.trim_matches(['[', ']']) == plug);
        self.wanted.clone().or_else(|| (!says_nothing).then(|| plug.to_owned()))
    }

    async fn read_system(&mut self, path: &str) -> Result<Known, Fault> {
        let reply = self.http.get(path).header("cache-control", "no-cache").send().await?;
        let system: System = reply.json()?;
        let etag = reply.header("etag").map(str::to_owned);
        let known = self.known.entry(path.to_owned()).or_default();
        // The same path must go on meaning the same machine.
        if let (Some(before), Some(now)) = (&known.system.uuid, &system.uuid)
            && !before.eq_ignore_ascii_case(now)
        {
            let answer = format!("the path led to system {before} and now leads to {now}");
            return Err(Fault::Malformed { call: reply.call, answer });
        }
        (known.system, known.etag) = (system.clone(), etag.clone());
        Ok(Known { system, etag, was_reset: known.was_reset, task: known.task.clone() })
    }
}

#[async_trait(?Send)]
impl Driver for Redfish {
    async fn login(&mut self) -> Result<(), Fault> {
        if !self.use_session {
            return Ok(());
        }
        self.http.unset_header("x-auth-token");
        let root = self.read_root().await?;
        let path = root.links.and_then(|links| links.sessions).map(|link| absolute(&link.id));
        let path = path.unwrap_or_else(|| format!("{}/SessionService/Sessions", self.root));
        let login = Login { name: &self.username, password: self.password.reveal() };
        let reply = self.http.post(path).anonymous().json_body(&login).send().await?;
        let token = reply.header("x-auth-token").map(Secret::new);
        let token = token.ok_or_else(|| Fault::malformed(&reply.call, "the session has no X-Auth-Token"))?;
        let place = reply.header("location").and_then(|to| self.http.local(to));
        self.session = place;
        self.http.set_header("x-auth-token", &token);
        Ok(())
    }

    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        let members = self.members().await?;
        let is_direct = self.systems.as_ref().is_some_and(|path| members == [path.as_str()]);
        let path = match (self.system_name(plug), members.as_slice()) {
            // The configuration names the path of the system itself.
            (_, [path]) if is_direct => path.clone(),
            (Some(name), members) => self.find(members, &name).await?,
            (None, [path]) => path.clone(),
            (None, []) => return Err(Fault::not_found("look for a system", "the service has none")),
            (None, several) => {
                return Err(Fault::Ambiguous {
                    call: "look for the system".to_owned(),
                    plug: plug.to_owned(),
                    candidates: several.to_vec(),
                });
            }
        };
        Ok(Target { name: last_segment(&path).to_owned(), id: path, host: None })
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let known = self.read_system(&target.id).await?;
        let Some(word) = known.system.power_state else {
            return Ok(Reading::unknown("without a PowerState"));
        };
        let reading = match word.as_str() {
            word if word.eq_ignore_ascii_case("off") => Reading::off("Off"),
            "On" | "Paused" => Reading::on(word),
            _ => Reading::unknown(word),
        };
        let settle = match (self.is_kubevirt || target.id.contains("/Chassis/"), known.was_reset) {
            (true, _) => KUBEVIRT_CACHE,
            (false, true) => AFTER_RESET,
            (false, false) => Duration::ZERO,
        };
        let hint = match known.task {
            Some(task) => self.task_trouble(&task).await,
            None => None,
        };
        Ok(Reading { hint, ..reading.settle(settle) })
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.reset(target, &["ForceOff"]).await
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        self.reset(target, &["On", "ForceOn"]).await
    }

    async fn diag(&mut self, target: &Target) -> Result<(), Fault> {
        self.reset(target, &["Nmi"]).await
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        match target {
            Some(target) => self.choose(target, &["ForceOff"]).await.map(|_| ()),
            None => self.members().await.map(|_| ()),
        }
    }

    async fn logout(&mut self) {
        if let Some(path) = self.session.take() {
            // Nothing can be done about a session that stays; it ends by itself after a while.
            let _ = self.http.delete(path).any().await;
        }
    }
}

/// A path beginning with a slash and ending without one.
fn absolute(path: &str) -> String {
    format!("/{}", path.trim().trim_matches('/'))
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

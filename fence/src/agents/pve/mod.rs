//! `fence_pve`: guests of Proxmox VE, QEMU and LXC, on any node of a cluster
//! (<https://pve.proxmox.com/pve-docs/api-viewer/>).
//!
//! The cluster's own list finds node and type of a guest and nothing more: it is stale for a dead node. The state
//! comes from the guest's node. A `nodename` option exists upstream with the meaning of a Proxmox node, and the fencer
//! sends the cluster's node name under the same key, so it is not used at all (fence-drivers, section 9).

mod api;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;

use self::api::{Current, Data, Resource, Task, Ticket};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Power, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, encode};

const PVE_NODE: Opt = Opt::text(
    "pve_node",
    "pve-node",
    "[node_name]",
    "Accepted and not needed: the guest is found on whatever node it is",
)
.short('N')
.order(2);
const PVE_NODE_AUTO: Opt =
    Opt::flag("pve_node_auto", "pve-node-auto", "Accepted: the node is always found").short('A').order(2);
const VMTYPE: Opt = Opt::text("vmtype", "vmtype", "", "qemu or lxc, where a name is that of one of each")
    .default("qemu")
    .required()
    .order(2);
const NODENAME: Opt =
    Opt::text("nodename", "nodename", "", "Accepted and not used").old("node_name").order(3);
const TOKEN_ID: Opt = Opt::text(
    "token_id",
    "token-id",
    "[id]",
    "API token in place of a password: user@realm!name, or the name of a token of username",
)
.order(215);
const TOKEN: Opt = Opt::text("token", "token", "[secret]", "Secret of the API token").secret().order(215);

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_pve",
    aliases: &[],
    title: "Power fencing through Proxmox VE",
    about: "Stops and starts virtual machines and containers with the API of a Proxmox VE cluster, and reports success \
            for an off request only after the guest's node reports it as stopped.\n\n\
            An API token needs the privileges VM.PowerMgmt and VM.Audit on the guest. ip may list several nodes of \
            the cluster, separated by commas: the first one may be the one that failed.",
    url: "https://www.proxmox.com",
    options: &[
        opt::HTTP,
        opt::LOGIN,
        opt::PLUGS,
        &[
            opt::IPPORT.default("8006"),
            opt::USERNAME.default("root@pam"),
            opt::SSL.default("1"),
            opt::PLUG.about("Id or name of the guest"),
            opt::METHOD,
            PVE_NODE,
            PVE_NODE_AUTO,
            VMTYPE,
            NODENAME,
            TOKEN_ID,
            TOKEN,
        ],
    ],
    needs: Needs { address: true, username: true, password: false, plug: true },
    can: Can { list: List::Fields, cycle: true, diag: false, null: false },
    driver: |settings| Ok(Box::new(Pve::new(settings)?)),
};

const API: &str = "/api2/json";
/// Between two looks at a task.
const TASK_POLL: Duration = Duration::from_millis(500);

enum Login {
    /// Already in the headers; good for ever.
    Token,
    Password {
        username: String,
        password: Secret,
    },
}

/// Where a guest is, and what was last sent to it.
#[derive(Clone, Default)]
struct Place {
    node: String,
    kind: String,
    lock: Option<String>,
    task: Option<String>,
}

struct Pve {
    http: Client,
    login: Login,
    /// Given by the caller, as opposed to the default.
    vmtype: Option<String>,
    places: HashMap<String, Place>,
}

impl Pve {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let username = settings.need(&opt::USERNAME)?.to_owned();
        let mut http = Client::new(Config::new(settings)?).explain(api::explain);
        let token = match (settings.text(&TOKEN_ID), username.contains('!')) {
            (Some(id), _) if id.contains('!') => Some(id.to_owned()),
            (Some(name), _) => Some(format!("{username}!{name}")),
            (None, true) => Some(username.clone()),
            (None, false) => None,
        };
        let password = settings.password().cloned();
        let login = match token {
            Some(id) => {
                let secret = settings.secret(&TOKEN).or(password).ok_or(Failure::NoPassword)?;
                let word = format!("PVEAPIToken={id}={}", secret.reveal());
                http.set_header("authorization", &Secret::new(word));
                Login::Token
            }
            None => Login::Password { username, password: password.ok_or(Failure::NoPassword)? },
        };
        let vmtype = settings.text(&VMTYPE).filter(|_| settings.is_given(&VMTYPE)).map(str::to_owned);
        Ok(Self { http, login, vmtype, places: HashMap::new() })
    }

    /// Only root itself, logged in with its password, may pass over a lock.
    fn is_root(&self) -> bool {
        matches!(&self.login, Login::Password { username, .. } if username == "root@pam")
    }

    async fn resources(&mut self) -> Result<Vec<Resource>, Fault> {
        let found: Data<Vec<Resource>> = self.http.get(format!("{API}/cluster/resources")).json().await?;
        Ok(found.data)
    }

    async fn find(&mut self, plug: &str) -> Result<Target, Fault> {
        let guests = self.resources().await?.into_iter().filter(Resource::is_guest);
        let id: Option<u64> = plug.parse().ok();
        let mut found: Vec<Resource> = guests
            .filter(|guest| (id.is_some() && guest.vmid == id) || guest.name.as_deref() == Some(plug))
            .collect();
        // Ids are unique, also between QEMU and LXC; a guest may be named like the id of another.
        if found.len() > 1 && found.iter().any(|guest| guest.vmid == id) {
            found.retain(|guest| guest.vmid == id);
        }
        if let Some(vmtype) = self.vmtype.as_ref().filter(|_| found.len() > 1) {
            found.retain(|guest| guest.kind == *vmtype);
        }
        let call = format!("look for guest '{plug}'");
        match found.as_slice() {
            [guest] => {
                let id = guest.vmid.map(|id| id.to_string()).unwrap_or_default();
                let node = guest.node.clone().unwrap_or_default();
                let place = self.places.entry(id.clone()).or_default();
                (place.node, place.kind) = (node.clone(), guest.kind.clone());
                Ok(Target { name: guest.name.clone().unwrap_or_else(|| id.clone()), id, host: Some(node) })
            }
            [] => Err(Fault::not_found(call, "no guest of that id or name which this login may see")),
            several => Err(Fault::Ambiguous {
                call,
                plug: plug.to_owned(),
                candidates: several.iter().filter_map(|guest| guest.vmid).map(|id| id.to_string()).collect(),
            }),
        }
    }

    fn place(&self, id: &str) -> Place {
        self.places.get(id).cloned().unwrap_or_default()
    }

    fn path(&self, id: &str, what: &str) -> String {
        let Place { node, kind, .. } = self.place(id);
        format!("{API}/nodes/{}/{kind}/{}/status/{what}", encode(&node), encode(id))
    }

    async fn current(&mut self, id: &str) -> Result<Current, Fault> {
        let current: Data<Current> = self.http.get(self.path(id, "current")).json().await?;
        Ok(current.data)
    }

    /// Sends a request to a guest and keeps the task that it becomes.
    async fn order(
        &mut self,
        id: &str,
        what: &str,
        fields: &[(&str, &str)],
        again: bool,
    ) -> Result<String, Fault> {
        let mut request = self.http.post(self.path(id, what)).form(fields);
        if again {
            request = request.repeatable();
        }
        let task: Data<String> = match request.json().await {
            Err(fault) if moved(&fault) => {
                self.find(id).await?;
                self.http.post(self.path(id, what)).form(fields).json().await?
            }
            other => other?,
        };
        self.places.entry(id.to_owned()).or_default().task = Some(task.data.clone());
        Ok(task.data)
    }

    async fn task(&mut self, id: &str, upid: &str) -> Result<Task, Fault> {
        // The node that runs the task stands in its id, and may not be the one that the guest is on by now.
        let node = upid.split(':').nth(1).map_or_else(|| self.place(id).node, str::to_owned);
        let path = format!("{API}/nodes/{}/tasks/{}/status", encode(&node), encode(upid));
        let task: Data<Task> = self.http.get(path).json().await?;
        Ok(task.data)
    }

    /// What the last request died of; only the state tells whether it worked.
    async fn trouble(&mut self, id: &str) -> Option<String> {
        let upid = self.place(id).task?;
        let task = self.task(id, &upid).await.ok()?;
        let text = task.exitstatus.filter(|text| task.status == "stopped" && text != "OK")?;
        Some(format!("the task ended with: {text}"))
    }
}

/// The guest is not on the node where it was: it migrated.
fn moved(fault: &Fault) -> bool {
    matches!(fault, Fault::Server { status: 500, answer, .. } if answer.contains("does not exist"))
}

/// The node does not answer its own cluster (pveproxy's statuses).
fn host_is_gone(fault: &Fault) -> bool {
    matches!(fault.status(), Some(595 | 596 | 599))
}

/// A request that does not fit the state of the guest.
fn conflict(fault: Fault, words: &str) -> Fault {
    if fault.to_string().contains(words) { fault.into_conflict() } else { fault }
}

#[async_trait(?Send)]
impl Driver for Pve {
    async fn login(&mut self) -> Result<(), Fault> {
        let Login::Password { username, password } = &self.login else { return Ok(()) };
        let fields = [("username", username.as_str()), ("password", password.reveal())];
        let path = format!("{API}/access/ticket");
        let ticket: Data<Ticket> = self.http.post(path.clone()).anonymous().form(&fields).json().await?;
        if ticket.data.need_tfa.unwrap_or(0) != 0 {
            return Err(Fault::unsupported(
                path,
                "the account wants a second factor (NeedTFA)",
                "use an API token (token_id and token)",
            ));
        }
        self.http.set_header("cookie", &Secret::new(format!("PVEAuthCookie={}", ticket.data.ticket)));
        if let Some(csrf) = ticket.data.csrf {
            self.http.set_header("csrfpreventiontoken", &Secret::new(csrf));
        }
        Ok(())
    }

    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        self.find(plug).await
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let current = match self.current(&target.id).await {
            Err(fault) if moved(&fault) => {
                self.find(&target.id).await?;
                self.current(&target.id).await
            }
            other => other,
        };
        let node = self.place(&target.id).node;
        let current = match current {
            Err(fault) if host_is_gone(&fault) => {
                let hint = format!("node {node} of guest {} is unreachable: fence the node", target.id);
                return Ok(Reading::unknown(format!("on an unreachable node ({fault})")).hint(hint));
            }
            other => other?,
        };
        if current.vmid.as_ref().is_some_and(|id| id.to_string().trim_matches('"') != target.id) {
            return Err(Fault::malformed(self.path(&target.id, "current"), "it is about another guest"));
        }
        self.places.entry(target.id.clone()).or_default().lock = current.lock.clone();
        let process = current.pid.is_some_and(|pid| pid != 0);
        let qmp = current.qmpstatus.as_deref().unwrap_or("stopped");
        let reading = match current.status.as_str() {
            "stopped" if qmp == "stopped" && !process => return Ok(Reading::off("stopped")),
            "running" => Reading::on(format!("running ({qmp})")),
            other => Reading::unknown(format!("{other} ({qmp})")),
        };
        let trouble = self.trouble(&target.id).await;
        let lock = current.lock.map(|lock| format!("guest {} is locked by '{lock}'", target.id));
        Ok(Reading { hint: trouble.or(lock), ..reading })
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        // Without it a shutdown that is under way holds the lock (PVE 8.2 and later).
        let mut fields = vec![("overrule-shutdown", "1")];
        if self.place(&target.id).lock.is_some() && self.is_root() {
            fields.push(("skiplock", "1"));
        }
        let result = match self.order(&target.id, "stop", &fields, true).await {
            Err(Fault::Rejected { status: 400, .. }) => {
                self.order(&target.id, "stop", &fields[1..], true).await
            }
            other => other,
        };
        result.map(|_| ()).map_err(|fault| conflict(fault, "not running"))
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        let result = self.order(&target.id, "start", &[], false).await;
        result.map(|_| ()).map_err(|fault| conflict(fault, "already running"))
    }

    /// A reset of the virtual machine; proven by its task. Containers have none.
    async fn cycle(&mut self, target: &Target) -> Result<(), Fault> {
        if self.place(&target.id).kind != "qemu" {
            let call = format!("reset {}", target.id);
            return Err(Fault::unsupported(call, "containers know no reset", "use method=onoff"));
        }
        let upid = self.order(&target.id, "reset", &[], false).await?;
        loop {
            let task = self.task(&target.id, &upid).await?;
            match (task.status.as_str(), task.exitstatus.as_deref()) {
                ("stopped", Some("OK")) => return Ok(()),
                ("stopped", other) => {
                    let call = format!("reset {}", target.id);
                    let answer = format!("the task ended with: {}", other.unwrap_or("nothing"));
                    return Err(Fault::Conflict { call, answer });
                }
                _ => tokio::time::sleep(TASK_POLL).await,
            }
        }
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let all = self.resources().await?;
        let live: Vec<&str> =
            all.iter().filter(|node| node.is_live_node()).filter_map(|node| node.node.as_deref()).collect();
        let listed = all.iter().filter(|guest| guest.is_guest()).map(|guest| {
            // What the cluster says about a guest of a node that it does not see is from before.
            let is_fresh = guest.node.as_deref().is_some_and(|node| live.contains(&node));
            let power = match guest.status.as_deref() {
                Some("running") => Power::On,
                Some("stopped") if is_fresh => Power::Off,
                _ => Power::Unknown,
            };
            let id = guest.vmid.map(|id| id.to_string()).unwrap_or_default();
            Listed { alias: guest.name.clone().unwrap_or_else(|| id.clone()), plug: id, power }
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        let Some(target) = target else { return self.resources().await.map(|_| ()) };
        let subject = format!("/vms/{}", target.id);
        let path = format!("{API}/access/permissions?path={}", encode(&subject));
        let reply = self.http.get(path).any().await?;
        if matches!(reply.status, 400 | 404 | 501) {
            // Before PVE 6 nobody can be asked; the state was readable, and that is all there is to know.
            return Ok(());
        }
        if !reply.is_success() {
            return Err(reply.fault(api::explain));
        }
        let granted: Data<serde_json::Value> = reply.json()?;
        // The nearest path decides: what is granted above it is passed on unless it says otherwise.
        let nearest = [subject.as_str(), "/vms", "/"].into_iter().find_map(|path| granted.data.get(path));
        match nearest.and_then(|granted| granted.get("VM.PowerMgmt")) {
            Some(_) => Ok(()),
            None => {
                let answer = format!("the privilege VM.PowerMgmt on {subject} is missing");
                Err(Fault::Forbidden { call: reply.call, answer })
            }
        }
    }
}

//! `fence_vmware_rest`: virtual machines of vCenter
//! (<https://developer.broadcom.com/xapis/vsphere-automation-api/latest/>).
//!
//! vCenter allows an account some five hundred sessions and refuses everybody beyond: each run ends its own. Its view
//! of a machine on a disconnected host is old, and told by 503 for the machine itself, so the state is read from there
//! and not from the list (fence-drivers, 6.2).

mod api;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use self::api::{Form, Info, Summary};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, Reply, encode};

const NOTLS: Opt = Opt::flag("notls", "notls", "Accepted and not used").short('t');
const API_PATH: Opt = Opt::text(
    "api_path",
    "api-path",
    "[path]",
    "Path of the API; where it is not given, /api is tried before /rest",
)
.default("/rest")
.order(2);
const FILTER: Opt = Opt::text(
    "filter",
    "filter",
    "[filter]",
    "Query that narrows lists, such as filter.folders=group-v1: vCenter refuses long ones",
)
.order(2);
const FOLDER: Opt =
    Opt::text("folder", "folder", "[id]", "Id of the folder to look in, where names repeat").order(215);
const DATACENTER: Opt =
    Opt::text("datacenter", "datacenter", "[id]", "Id of the data center to look in, where names repeat")
        .order(215);

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_vmware_rest",
    aliases: &[],
    title: "Power fencing through vCenter's REST API",
    about: "Stops and starts virtual machines with the REST API of VMware vCenter 6.5 and later, and reports success for \
            an off request only after vCenter reports the machine as powered off. Suspended machines are not off.\n\n\
            The account needs the privileges VirtualMachine.Interact.PowerOn and VirtualMachine.Interact.PowerOff on \
            the machine. A standalone ESXi host has no such API: use fence_vmware_soap.",
    url: "https://www.vmware.com",
    options: &[
        opt::HTTP,
        opt::LOGIN,
        opt::PLUGS,
        &[
            opt::PLUG.about("Name or id (vm-123) of the virtual machine"),
            opt::POWER_WAIT.default("1"),
            opt::SHELL_TIMEOUT.default("5"),
            NOTLS,
            API_PATH,
            FILTER,
            FOLDER,
            DATACENTER,
        ],
    ],
    needs: Needs { address: true, username: true, password: true, plug: true },
    can: Can { list: List::Fields, cycle: false, diag: false, null: false },
    driver: |settings| Ok(Box::new(VCenter::new(settings)?)),
};

const SESSION: &str = "vmware-api-session-id";

struct VCenter {
    http: Client,
    form: Form,
    base: String,
    /// `api_path` was given, so that no other is tried.
    pinned: bool,
    username: String,
    password: Secret,
    open: bool,
    filter: Option<String>,
    /// Name and value of what narrows a search by name.
    narrow: Vec<(&'static str, String)>,
}

impl VCenter {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let pinned = settings.is_given(&API_PATH);
        let base = if pinned { settings.need(&API_PATH)?.trim_end_matches('/') } else { "/api" }.to_owned();
        let narrow = [("folders", FOLDER), ("datacenters", DATACENTER)];
        let narrow =
            narrow.iter().filter_map(|(name, option)| Some((*name, settings.text(option)?.to_owned())));
        Ok(Self {
            http: Client::new(Config::new(settings)?).explain(api::explain),
            form: if base.ends_with("/api") { Form::Api } else { Form::Rest },
            base,
            pinned,
            username: settings.need(&opt::USERNAME)?.to_owned(),
            password: settings.password().cloned().ok_or(Failure::NoPassword)?,
            open: false,
            filter: settings.text(&FILTER).map(str::to_owned),
            narrow: narrow.collect(),
        })
    }

    async fn read<T: DeserializeOwned>(&mut self, path: String) -> Result<T, Fault> {
        let reply = self.http.get(path).any().await?;
        if !reply.is_success() {
            return Err(fault(&reply, "read the machine"));
        }
        self.form.value(&reply)
    }

    async fn list_of(&mut self, query: &[String]) -> Result<Vec<Summary>, Fault> {
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        self.read(format!("{}/vcenter/vm{query}", self.base)).await
    }

    fn vm(&self, id: &str) -> String {
        format!("{}/vcenter/vm/{}", self.base, encode(id))
    }

    async fn order(&mut self, id: &str, operation: &str, privilege: &str) -> Result<(), Fault> {
        let path = format!("{}/{}", self.vm(id), self.form.power(operation));
        let mut request = self.http.post(path);
        if operation == "stop" {
            request = request.repeatable();
        }
        let reply = request.any().await?;
        if reply.is_success() { Ok(()) } else { Err(fault(&reply, privilege)) }
    }
}

/// What an unsuccessful answer means; the kind in the body says more than the status.
fn fault(reply: &Reply, privilege: &str) -> Fault {
    let fault = reply.fault(api::explain);
    match (api::error_type(&reply.body).as_str(), fault) {
        (
            "ALREADY_IN_DESIRED_STATE"
            | "NOT_ALLOWED_IN_CURRENT_STATE"
            | "RESOURCE_BUSY"
            | "UNABLE_TO_ALLOCATE_RESOURCE",
            fault,
        ) => fault.into_conflict(),
        (_, Fault::Forbidden { call, answer }) => {
            Fault::Forbidden { call, answer: format!("{answer} (needed: {privilege})") }
        }
        (_, fault) => fault,
    }
}

/// Whether it has the form of vCenter's ids.
fn is_id(plug: &str) -> bool {
    plug.strip_prefix("vm-").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[async_trait(?Send)]
impl Driver for VCenter {
    async fn login(&mut self) -> Result<(), Fault> {
        self.open = false;
        self.http.unset_header(SESSION);
        self.http.set_basic(&self.username, &self.password);
        let mut reply = self.http.post(format!("{}{}", self.base, self.form.session())).any().await?;
        if reply.status == 404 && !self.pinned && self.form == Form::Api {
            (self.form, self.base) = (Form::Rest, "/rest".to_owned());
            reply = self.http.post(format!("{}{}", self.base, self.form.session())).any().await?;
        }
        // The password goes with no other request, whatever came of this one.
        self.http.unset_header("authorization");
        if !reply.is_success() {
            return Err(fault(&reply, "a login"));
        }
        let token = Secret::new(self.form.value::<String>(&reply)?);
        self.http.set_header(SESSION, &token);
        self.open = true;
        Ok(())
    }

    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        if is_id(plug) {
            match self.read::<Info>(self.vm(plug)).await {
                // A machine may be named like an id.
                Err(Fault::NotFound { .. }) => {}
                other => return other.map(|vm| Target { id: plug.to_owned(), name: vm.name, host: None }),
            }
        }
        let mut query = vec![self.form.filter("names", plug)];
        query.extend(self.narrow.iter().map(|(name, value)| self.form.filter(name, value)));
        let found = self.list_of(&query).await?;
        let found: Vec<Summary> = found.into_iter().filter(|vm| vm.name == plug).collect();
        let call = format!("look for machine '{plug}'");
        match found.as_slice() {
            [vm] => Ok(Target { id: vm.vm.clone(), name: vm.name.clone(), host: None }),
            [] => Err(Fault::not_found(call, "no machine of that id or name which this login may see")),
            several => Err(Fault::Ambiguous {
                call,
                plug: plug.to_owned(),
                candidates: several.iter().map(|vm| vm.vm.clone()).collect(),
            }),
        }
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let reply = self.http.get(self.vm(&target.id)).any().await?;
        if api::error_type(&reply.body) == "SERVICE_UNAVAILABLE" {
            let raw = "SERVICE_UNAVAILABLE";
            return Ok(Reading::unknown(raw).hint("vCenter cannot reach the machine's host: fence the host"));
        }
        if !reply.is_success() {
            return Err(fault(&reply, "System.Read"));
        }
        let vm: Info = self.form.value(&reply)?;
        Ok(api::by_state(&vm.power_state))
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.order(&target.id, "stop", "VirtualMachine.Interact.PowerOff").await
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        self.order(&target.id, "start", "VirtualMachine.Interact.PowerOn").await
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let query: Vec<String> = self.filter.iter().map(|filter| self.form.raw_filter(filter)).collect();
        let found = self.list_of(&query).await.map_err(|fault| match fault {
            Fault::Rejected { call, status: 400, answer } => Fault::unsupported(
                call,
                answer,
                "set filter: vCenter lists no more than 4000 machines at once",
            ),
            other => other,
        })?;
        let listed = found.into_iter().map(|vm| Listed {
            power: api::by_state(&vm.power_state).power,
            plug: vm.name,
            alias: vm.vm,
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        if target.is_some() {
            // There is no way to ask for privileges without having some that fencing does not need.
            return Ok(());
        }
        // Never the whole list: a search for nothing proves as much.
        let query = match &self.filter {
            Some(filter) => self.form.raw_filter(filter),
            None => self.form.filter("names", "picket-fence-monitor"),
        };
        self.list_of(&[query]).await.map(|_| ())
    }

    async fn logout(&mut self) {
        if std::mem::take(&mut self.open) {
            // One that stays behind ends after five idle minutes.
            let _ = self.http.delete(format!("{}{}", self.base, self.form.session())).send().await;
        }
    }
}

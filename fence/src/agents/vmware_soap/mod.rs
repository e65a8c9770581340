//! `fence_vmware_soap`: virtual machines of vCenter, and of an ESXi host that stands alone
//! (<https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/>).
//!
//! One machine is read at each look, and not all of them; its state counts only while its host is connected
//! (fence-drivers, 7.2).

mod api;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::HashMap;

use async_trait::async_trait;

use self::api::{Content, Page, Vm, envelope};
use self::xml::{Node, object, tag};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::plug::is_uuid;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config};

const NOTLS: Opt = Opt::flag("notls", "notls", "Accepted and not used").short('t');

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_vmware_soap",
    aliases: &[],
    title: "Power fencing through the SOAP API of vCenter or ESXi",
    about: "Stops and starts virtual machines of VMware vCenter, or of an ESXi host that stands alone, and reports success \
            for an off request only after a connected host reports the machine as powered off. Suspended machines are \
            not off.\n\n\
            plug is a name, an inventory path that begins with a slash, an instance or BIOS UUID, or an id like vm-123. \
            The account needs the privileges VirtualMachine.Interact.PowerOn and VirtualMachine.Interact.PowerOff.",
    url: "https://www.vmware.com",
    options: &[
        opt::HTTP,
        opt::LOGIN,
        opt::PLUGS,
        &[opt::PLUG.about("Name, inventory path, UUID or id of the virtual machine"), NOTLS],
    ],
    needs: Needs { address: true, username: true, password: true, plug: true },
    can: Can { list: List::Fields, cycle: false, diag: false, null: false },
    driver: |settings| Ok(Box::new(VSphere::new(settings)?)),
};

const COOKIE: &str = "vmware_soap_session";

struct VSphere {
    http: Client,
    username: String,
    password: Secret,
    /// Known after the first login.
    content: Option<Content>,
    open: bool,
    /// The task that was last given to a machine.
    tasks: HashMap<String, String>,
}

impl VSphere {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            http: Client::new(Config::new(settings)?),
            username: settings.need(&opt::USERNAME)?.to_owned(),
            password: settings.password().cloned().ok_or(Failure::NoPassword)?,
            content: None,
            open: false,
            tasks: HashMap::new(),
        })
    }

    /// Calls a method; the answer is all that it returned.
    async fn call(&mut self, method: &str, this: (&str, &str), rest: &str) -> Result<Node, Fault> {
        let request = self.http.post("/sdk").header("soapaction", "\"urn:vim25/6.7\"");
        let reply = request.body("text/xml; charset=utf-8", envelope(method, this, rest)).any().await?;
        let cookies = reply.headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let session =
            cookies.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with(COOKIE));
        if let Some(session) = session {
            self.http.set_header("cookie", &Secret::new(session));
        }
        api::body(&reply, method)
    }

    fn content(&self) -> Result<Content, Fault> {
        self.content.clone().ok_or_else(|| Fault::malformed("login", "the service has no content"))
    }

    /// Properties of whatever the specification selects, all pages of them.
    async fn properties(&mut self, specification: &str) -> Result<Page, Fault> {
        let collector = self.content()?.collector;
        let this = ("PropertyCollector", collector.as_str());
        let answer = self.call("RetrievePropertiesEx", this, specification).await?;
        let mut all = api::page("RetrievePropertiesEx", answer.child("returnval"))?;
        while let Some(token) = all.token.take() {
            let answer = self.call("ContinueRetrievePropertiesEx", this, &tag("token", &token)).await?;
            let next = api::page("ContinueRetrievePropertiesEx", answer.child("returnval"))?;
            all.vms.extend(next.vms);
            all.token = next.token;
        }
        Ok(all)
    }

    async fn vm(&mut self, id: &str) -> Result<(Vm, Option<String>), Fault> {
        let task = self.tasks.get(id).cloned();
        let found = match self.properties(&api::of_machine(id, task.as_deref())).await {
            // The machine may be there, and the task forgotten by now.
            Err(Fault::NotFound { .. }) if task.is_some() => {
                self.tasks.remove(id);
                self.properties(&api::of_machine(id, None)).await?
            }
            other => other?,
        };
        match <[Vm; 1]>::try_from(found.vms) {
            Ok([vm]) if vm.id == id => Ok((vm, found.trouble)),
            _ => Err(Fault::malformed(format!("state of {id}"), "it is not about that machine alone")),
        }
    }

    /// All machines which the login may see.
    async fn all(&mut self) -> Result<Vec<Vm>, Fault> {
        let Content { root, views, .. } = self.content()?;
        let rest =
            object("container", "Folder", &root) + &tag("type", "VirtualMachine") + &tag("recursive", "true");
        let answer = self.call("CreateContainerView", ("ViewManager", &views), &rest).await?;
        let view = answer.text_of("returnval").map(str::to_owned);
        let view = view.ok_or_else(|| Fault::malformed("CreateContainerView", "it returned no view"))?;
        let found = self.properties(&api::of_view(&view)).await;
        // It would end with the session, too.
        let _ = self.call("DestroyView", ("ContainerView", &view), "").await;
        Ok(found?.vms)
    }

    /// The ids that the server's index has for a UUID.
    async fn by_uuid(&mut self, uuid: &str) -> Result<Vec<String>, Fault> {
        let search = self.content()?.search;
        // Instance UUIDs are unique within a vCenter; those of the BIOS are copied with a clone.
        for instance in ["true", "false"] {
            let rest = tag("uuid", uuid) + &tag("vmSearch", "true") + &tag("instanceUuid", instance);
            let answer = match self.call("FindAllByUuid", ("SearchIndex", &search), &rest).await {
                // Not every server has an index; all machines are looked at then.
                Err(Fault::Server { answer, .. }) if answer.starts_with("MethodNotFound") => {
                    return Ok(Vec::new());
                }
                other => other?,
            };
            let found: Vec<String> = answer.all("returnval").map(|found| found.text.clone()).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn by_path(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        let search = self.content()?.search;
        let rest = tag("inventoryPath", path);
        let answer = self.call("FindByInventoryPath", ("SearchIndex", &search), &rest).await?;
        let found = answer.child("returnval").filter(|found| found.kind == "VirtualMachine");
        Ok(found.map(|found| found.text.clone()).into_iter().collect())
    }

    async fn order(&mut self, target: &Target, method: &str) -> Result<(), Fault> {
        let answer = self.call(method, ("VirtualMachine", &target.id), "").await?;
        let task = answer.text_of("returnval").map(str::to_owned);
        let task = task.ok_or_else(|| Fault::malformed(method, "it returned no task"))?;
        self.tasks.insert(target.id.clone(), task);
        Ok(())
    }
}

/// Whether it has the form of an id: `vm-123` of vCenter, a number of ESXi.
fn is_id(plug: &str) -> bool {
    let number = plug.strip_prefix("vm-").unwrap_or(plug);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[async_trait(?Send)]
impl Driver for VSphere {
    async fn login(&mut self) -> Result<(), Fault> {
        self.open = false;
        self.http.unset_header("cookie");
        let instance = ("ServiceInstance", "ServiceInstance");
        let answer = self.call("RetrieveServiceContent", instance, "").await?;
        let content = answer.child("returnval").and_then(Content::new);
        let content = content
            .ok_or_else(|| Fault::malformed("RetrieveServiceContent", "it lacks what every server has"))?;
        let rest = tag("userName", &self.username) + &tag("password", self.password.reveal());
        self.call("Login", ("SessionManager", &content.sessions), &rest).await?;
        self.content = Some(content);
        self.open = true;
        Ok(())
    }

    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        let target = |vm: Vm| Target { id: vm.id, name: vm.name, host: vm.host };
        if is_id(plug) {
            match self.vm(plug).await {
                // A machine may be named like an id.
                Err(Fault::NotFound { .. }) => {}
                other => return other.map(|(vm, _)| target(vm)),
            }
        }
        let mut found = match plug {
            _ if plug.starts_with('/') => self.by_path(plug).await?,
            _ if is_uuid(plug) => self.by_uuid(plug).await?,
            _ => Vec::new(),
        };
        if found.is_empty() {
            let is_it = |vm: &Vm| {
                vm.name == plug || vm.uuid.as_ref().is_some_and(|uuid| uuid.eq_ignore_ascii_case(plug))
            };
            found = self.all().await?.into_iter().filter(is_it).map(|vm| vm.id).collect();
        }
        let call = format!("look for machine '{plug}'");
        match found.as_slice() {
            [id] => self.vm(&id.clone()).await.map(|(vm, _)| target(vm)),
            [] => Err(Fault::not_found(call, "no machine of that name, path or id which this login may see")),
            _ => Err(Fault::Ambiguous { call, plug: plug.to_owned(), candidates: found }),
        }
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let (vm, trouble) = self.vm(&target.id).await?;
        let reading = vm.reading();
        let trouble = trouble.map(|text| format!("the task failed: {text}"));
        Ok(Reading { hint: reading.hint.clone().or(trouble), ..reading })
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.order(target, "PowerOffVM_Task").await
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        self.order(target, "PowerOnVM_Task").await
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let listed = self.all().await?.into_iter().map(|vm| Listed {
            power: vm.reading().power,
            alias: vm.uuid.unwrap_or(vm.id),
            plug: vm.name,
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, _: Option<&Target>) -> Result<(), Fault> {
        // The login itself has contacted the server, and privileges can only be asked for with others that fencing
        // does not need.
        Ok(())
    }

    async fn logout(&mut self) {
        if let (true, Some(content)) = (std::mem::take(&mut self.open), self.content.clone()) {
            let _ = self.call("Logout", ("SessionManager", &content.sessions), "").await;
        }
    }
}

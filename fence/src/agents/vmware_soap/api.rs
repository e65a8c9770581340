//! What is asked of vCenter and ESXi, and what they answer, as far as fencing goes (vSphere Web Services API). There is
//! no use of a WSDL: the few envelopes are written here.

use super::xml::{self, Node, object, tag};
use crate::core::driver::Reading;
use crate::core::fault::Fault;
use crate::http::Reply;

/// The objects through which everything goes, from `RetrieveServiceContent`.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) root: String,
    pub(super) collector: String,
    pub(super) sessions: String,
    pub(super) search: String,
    pub(super) views: String,
}

impl Content {
    pub(super) fn new(answer: &Node) -> Option<Self> {
        let id = |name| answer.text_of(name).map(str::to_owned);
        Some(Self {
            root: id("rootFolder")?,
            collector: id("propertyCollector")?,
            sessions: id("sessionManager")?,
            search: id("searchIndex")?,
            views: id("viewManager")?,
        })
    }
}

/// A whole request: a method of an object, and what it gets.
pub(super) fn envelope(method: &str, this: (&str, &str), rest: &str) -> String {
    let this = object("_this", this.0, this.1);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><e:Body>\
         <{method} xmlns=\"urn:vim25\">{this}{rest}</{method}></e:Body></e:Envelope>"
    )
}

/// What is read of a machine; beyond its name and power state, how fresh that is.
const STATE: [&str; 5] =
    ["name", "runtime.connectionState", "runtime.host", "runtime.powerState", "config.instanceUuid"];

/// `RetrievePropertiesEx` of one machine, and of the task that was last given to it.
pub(super) fn of_machine(id: &str, task: Option<&str>) -> String {
    let mut sets = properties("VirtualMachine", &STATE);
    let mut objects = format!("<objectSet>{}</objectSet>", object("obj", "VirtualMachine", id));
    if let Some(task) = task {
        sets += &properties("Task", &["info.error", "info.state"]);
        objects += &format!("<objectSet>{}</objectSet>", object("obj", "Task", task));
    }
    format!("<specSet>{sets}{objects}</specSet><options></options>")
}

/// `RetrievePropertiesEx` of all machines in a view.
pub(super) fn of_view(view: &str) -> String {
    let sets = properties("VirtualMachine", &STATE);
    format!(
        "<specSet>{sets}<objectSet>{}<skip>true</skip><selectSet xsi:type=\"TraversalSpec\"><name>view</name>\
         <type>ContainerView</type><path>view</path><skip>false</skip></selectSet></objectSet></specSet><options></options>",
        object("obj", "ContainerView", view)
    )
}

fn properties(kind: &str, paths: &[&str]) -> String {
    let paths: String = paths.iter().map(|path| tag("pathSet", path)).collect();
    format!("<propSet>{}<all>false</all>{paths}</propSet>", tag("type", kind))
}

/// A machine as the property collector shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vm {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) uuid: Option<String>,
    pub(super) host: Option<String>,
    power: String,
    connection: Option<String>,
}

/// A part of a list, and the token for the next one.
pub(super) struct Page {
    pub(super) vms: Vec<Vm>,
    /// Why the task failed, where one was asked about and did.
    pub(super) trouble: Option<String>,
    pub(super) token: Option<String>,
}

/// The answer to `RetrievePropertiesEx` and `ContinueRetrievePropertiesEx`; an empty one has no `returnval`.
pub(super) fn page(call: &str, answer: Option<&Node>) -> Result<Page, Fault> {
    let mut page = Page { vms: Vec::new(), trouble: None, token: None };
    let Some(answer) = answer else { return Ok(page) };
    page.token = answer.text_of("token").map(str::to_owned);
    for found in answer.all("objects") {
        let values = |name: &str| {
            let is = |set: &&Node| set.text_of("name") == Some(name);
            found.all("propSet").find(is).and_then(|set| set.child("val"))
        };
        let text = |name: &str| values(name).map(|value| value.text.clone()).filter(|text| !text.is_empty());
        let Some(object) = found.child("obj") else {
            return Err(Fault::malformed(call, "an object without a name"));
        };
        if object.kind == "Task" {
            let words = values("info.error")
                .map(|error| error.text_of("localizedMessage").unwrap_or("no reason given").to_owned());
            page.trouble = words.filter(|_| text("info.state").as_deref() == Some("error"));
            continue;
        }
        let missing = |what: &str| Fault::malformed(call, format!("machine {} without {what}", object.text));
        page.vms.push(Vm {
            id: object.text.clone(),
            // A machine which is being made has no name yet.
            name: text("name").unwrap_or_default(),
            uuid: text("config.instanceUuid"),
            host: text("runtime.host"),
            power: text("runtime.powerState").ok_or_else(|| missing("runtime.powerState"))?,
            connection: text("runtime.connectionState"),
        });
    }
    Ok(page)
}

impl Vm {
    /// What its state proves: nothing, where its host does not answer.
    pub(super) fn reading(&self) -> Reading {
        let connection = self.connection.as_deref().unwrap_or("unknown");
        if connection != "connected" {
            let host = self.host.as_deref().unwrap_or("of the machine");
            return Reading::unknown(format!("{}, {connection}", self.power))
                .hint(format!("host {host} is not connected: fence the host"));
        }
        match self.power.as_str() {
            "poweredOff" => Reading::off(&self.power),
            "poweredOn" | "suspended" => Reading::on(&self.power),
            other => Reading::unknown(other),
        }
    }
}

/// The body of an answer: what a method returned, or its fault.
pub(super) fn body(reply: &Reply, method: &str) -> Result<Node, Fault> {
    let call = format!("{method} of {}", reply.call);
    let parsed = xml::parse(reply.text()?);
    let (root, status) = match parsed {
        Ok(root) => (root, reply.status),
        // What a proxy or a broken server says comes without an envelope.
        Err(_) if !reply.is_success() => return Err(reply.fault(|_| None)),
        Err(answer) => return Err(Fault::malformed(call, answer)),
    };
    if let Some(fault) = root.at(&["Body", "Fault"]) {
        return Err(meaning(call, status, fault));
    }
    if !reply.is_success() {
        return Err(reply.fault(|_| None));
    }
    let answer = root.at(&["Body", &format!("{method}Response")]).cloned();
    answer.ok_or_else(|| Fault::malformed(call, format!("it has no {method}Response")))
}

/// What a fault of the API means.
fn meaning(call: String, status: u16, fault: &Node) -> Fault {
    let detail = fault.child("detail").and_then(|detail| detail.children.first());
    let kind = detail.map(|detail| match detail.kind.as_str() {
        "" => detail.name.trim_end_matches("Fault").to_owned(),
        kind => kind.to_owned(),
    });
    let kind = kind.unwrap_or_default();
    let text = fault.text_of("faultstring").unwrap_or("no reason given");
    let answer = if kind.is_empty() { text.to_owned() } else { format!("{kind}: {text}") };
    match kind.as_str() {
        "InvalidLogin" | "InvalidLocale" | "NotAuthenticated" => Fault::Denied { call, answer },
        "NoPermission" => {
            let privilege = detail.and_then(|detail| detail.text_of("privilegeId")).unwrap_or("unknown");
            Fault::Forbidden { call, answer: format!("{answer} (needed: {privilege})") }
        }
        "ManagedObjectNotFound" => Fault::NotFound { call, answer },
        "FileLocked" | "InvalidPowerState" | "InvalidState" | "TaskInProgress" => {
            Fault::Conflict { call, answer }
        }
        "NotSupported" | "RestrictedVersion" => {
            let hint = "the free license of ESXi lets nobody switch machines through the API";
            Fault::unsupported(call, answer, hint)
        }
        _ => Fault::Server { call, status, answer },
    }
}

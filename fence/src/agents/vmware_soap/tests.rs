use super::AGENT;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World};

/// A vCenter with two machines.
#[derive(Default)]
struct VSphere {
    kind: Kind,
    sessions: usize,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// `vm1` is in this power state until it is stopped, and its host connected like this.
    State(&'static str, &'static str),
    /// The first power-off meets this fault, or its task ends with one.
    Fault(&'static str),
    FailingTask,
    /// Lists one machine a page.
    Paged,
    /// Both machines have the UUID of `vm1`.
    Clones,
    /// The first session is good for six calls.
    ShortSession,
    /// Says no to whoever logs in.
    Closed,
}

const UUID: &str = "00000000-0000-0000-0000-0000000001";

fn answered(method: &str, inner: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"x\"><soapenv:Body><{method}Response xmlns=\"urn:vim25\">{inner}</{method}Response>\
         </soapenv:Body></soapenv:Envelope>"
    );
    Answer::new(200, body).header("content-type", "text/xml")
}

fn fault(kind: &str) -> Answer {
    let body = format!(
        "<soapenv:Envelope xmlns:soapenv=\"s\" xmlns:xsi=\"x\"><soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode\
         </faultcode><faultstring>It is {kind}.</faultstring><detail><{kind}Fault xsi:type=\"{kind}\"><privilegeId>\
         VirtualMachine.Interact.PowerOff</privilegeId></{kind}Fault></detail></soapenv:Fault></soapenv:Body>\
         </soapenv:Envelope>"
    );
    Answer::new(500, body)
}

/// The method of a request, and the text of an element in it.
fn method(seen: &Seen) -> &str {
    let body = seen.body.split_once("<e:Body><").map_or("", |(_, rest)| rest);
    body.split(' ').next().unwrap_or_default()
}

fn text<'s>(seen: &'s Seen, opening: &str) -> Option<&'s str> {
    seen.body.split_once(opening)?.1.split('<').next()
}

fn property(name: &str, value: &str) -> String {
    format!("<propSet><name>{name}</name><val xsi:type=\"xsd:string\">{value}</val></propSet>")
}

impl VSphere {
    fn vm(&self, at: usize, shown: Shown, world: &World) -> String {
        let machine = &world.machines[at];
        let (power, connection) = match (self.kind, shown) {
            (Kind::State(power, connection), _) if at == 0 && machine.switched == 0 => (power, connection),
            (_, Shown::On) => ("poweredOn", "connected"),
            (_, Shown::Off) => ("poweredOff", "connected"),
            (_, Shown::Odd) => ("poweredOff", "disconnected"),
        };
        let set = [
            property("config.instanceUuid", &format!("{UUID}{}", &machine.id[1..])),
            property("name", machine.name),
            property("runtime.connectionState", connection),
            property("runtime.host", "host-9"),
            if power.is_empty() { String::new() } else { property("runtime.powerState", power) },
        ];
        format!("<objects><obj type=\"VirtualMachine\">vm-{}</obj>{}</objects>", machine.id, set.concat())
    }

    fn properties(&self, seen: &Seen, world: &mut World) -> Answer {
        let listed = |at: usize, world: &World| {
            let shown = if world.machines[at].on { Shown::On } else { Shown::Off };
            self.vm(at, shown, world)
        };
        let inner = match text(seen, "<obj type=\"VirtualMachine\">") {
            None if self.kind == Kind::Paged => listed(0, world) + "<token>more</token>",
            None => listed(0, world) + &listed(1, world),
            Some(id) => {
                let Some(at) = world.find(id.strip_prefix("vm-").unwrap_or("none")) else {
                    return fault("ManagedObjectNotFound");
                };
                let shown = world.show(at);
                let error = "<propSet><name>info.error</name><val><localizedMessage>Disk is gone</localizedMessage></val></propSet>";
                let task = match text(seen, "<obj type=\"Task\">") {
                    None => String::new(),
                    Some(id) if self.kind == Kind::FailingTask => {
                        let state = property("info.state", "error");
                        format!("<objects><obj type=\"Task\">{id}</obj>{error}{state}</objects>")
                    }
                    Some(id) => {
                        format!(
                            "<objects><obj type=\"Task\">{id}</obj>{}</objects>",
                            property("info.state", "success")
                        )
                    }
                };
                self.vm(at, shown, world) + &task
            }
        };
        answered("RetrievePropertiesEx", &format!("<returnval>{inner}</returnval>"))
    }

    fn switch(&self, name: &str, seen: &Seen, world: &mut World) -> Answer {
        let id = text(seen, "<_this type=\"VirtualMachine\">").and_then(|id| id.strip_prefix("vm-"));
        let Some(at) = id.and_then(|id| world.find(id)) else { return fault("ManagedObjectNotFound") };
        match self.kind {
            Kind::Fault(kind) if world.note.is_empty() => {
                world.note = "said no".to_owned();
                return fault(kind);
            }
            Kind::FailingTask => {}
            _ if world.machines[at].switched > 0 && world.machines[at].on == (name == "PowerOnVM_Task") => {
                return fault("InvalidPowerState");
            }
            _ => world.switch(at, name == "PowerOnVM_Task"),
        }
        answered(name, "<returnval type=\"Task\">task-7</returnval>")
    }
}

impl Platform for VSphere {
    fn label(&self, seen: &Seen) -> (String, String) {
        let name = method(seen);
        let reads =
            !matches!(name, "Login" | "Logout" | "PowerOnVM_Task" | "PowerOffVM_Task" | "DestroyView");
        (if reads { "GET" } else { "POST" }.to_owned(), format!("/sdk/{name}"))
    }

    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let name = method(seen);
        if name == "RetrieveServiceContent" {
            let ids = [
                ("rootFolder", "group-d1"),
                ("propertyCollector", "pc"),
                ("viewManager", "views"),
                ("sessionManager", "sessions"),
                ("searchIndex", "search"),
            ];
            let inner: String =
                ids.iter().map(|(name, id)| format!("<{name} type=\"X\">{id}</{name}>")).collect();
            return answered(name, &format!("<returnval>{inner}</returnval>"));
        }
        if name == "Login" {
            let right = seen.body.contains("<userName>u</userName><password>a&lt;b</password>");
            if self.kind == Kind::Closed || !right {
                return fault("InvalidLogin");
            }
            self.sessions += 1;
            let cookie = format!("vmware_soap_session=\"s{}\"; Path=/; HttpOnly; Secure;", self.sessions);
            return answered(name, "<returnval><key>x</key></returnval>").header("Set-Cookie", &cookie);
        }
        let expired = self.kind == Kind::ShortSession && self.sessions == 1 && world.calls > 6;
        let cookie = format!("vmware_soap_session=\"s{}\"", self.sessions);
        if expired || seen.header("cookie") != Some(cookie.as_str()) {
            return fault("NotAuthenticated");
        }
        match name {
            "CreateContainerView" => answered(name, "<returnval type=\"ContainerView\">view-1</returnval>"),
            "DestroyView" => answered(name, ""),
            "Logout" => {
                world.note = "logged out".to_owned();
                answered(name, "")
            }
            "RetrievePropertiesEx" => self.properties(seen, world),
            "ContinueRetrievePropertiesEx" => {
                let shown = if world.machines[1].on { Shown::On } else { Shown::Off };
                answered(name, &format!("<returnval>{}</returnval>", self.vm(1, shown, world)))
            }
            "FindAllByUuid" => {
                let found = |id: &str| format!("<returnval type=\"VirtualMachine\">vm-{id}</returnval>");
                let is_first = text(seen, "<uuid>") == Some("00000000-0000-0000-0000-000000000101");
                match (is_first, self.kind) {
                    (true, Kind::Clones) => answered(name, &(found("101") + &found("102"))),
                    (true, _) => answered(name, &found("101")),
                    _ => answered(name, ""),
                }
            }
            "FindByInventoryPath" if text(seen, "<inventoryPath>") == Some("/dc/vm/vm1") => {
                answered(name, "<returnval type=\"VirtualMachine\">vm-101</returnval>")
            }
            "FindByInventoryPath" => answered(name, ""),
            "PowerOnVM_Task" | "PowerOffVM_Task" => self.switch(name, seen, world),
            _ => fault("MethodNotFound"),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "username=u\npassword=a<b",
    address: IP_AND_PORT,
    ca: "ca_file",
    plug: Some("vm1"),
    wildcard: Some("vm1*"),
    names_repeat: true,
    optional: &[("POST", "/sdk/Logout"), ("POST", "/sdk/DestroyView")],
    platform: || Box::new(VSphere::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

macro_rules! run {
    ($kind:expr, $action:expr, $plug:expr) => {{
        let platform = || Box::new(VSphere { kind: $kind, ..VSphere::default() }) as Box<dyn Platform>;
        Case::new(&Bench { platform, plug: $plug, ..BENCH }, $action, true).run()
    }};
    ($kind:expr, $action:expr) => {
        run!($kind, $action, BENCH.plug)
    };
}

#[test]
fn a_machine_is_found_by_its_id_path_or_uuid() {
    for outcome in [
        run!(Kind::Plain, Action::Off, Some("vm-101")),
        run!(Kind::Plain, Action::Off, Some("/dc/vm/vm1")),
        run!(Kind::Plain, Action::Off, Some("00000000-0000-0000-0000-000000000101")),
    ] {
        assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
        assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
        assert!(outcome.log.iter().all(|(_, path)| path != "/sdk/CreateContainerView"), "not all are read");
    }
}

#[test]
fn clones_with_the_same_uuid_are_left_alone() {
    let outcome = run!(Kind::Clones, Action::Off, Some("00000000-0000-0000-0000-000000000101"));
    assert_eq!(outcome.failure.unwrap().row().number, 12);
    assert!(outcome.world.machines.iter().all(|machine| machine.switched == 0));
}

#[test]
fn two_plugs_are_two_machines() {
    let outcome = run!(Kind::Plain, Action::Off, Some("vm1,vm2"));
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(outcome.world.machines.iter().all(|machine| !machine.on && machine.switched == 1));
}

#[test]
fn only_powered_off_on_a_connected_host_is_off() {
    let status = |outcome: matrix::Outcome| outcome.exit;
    assert_eq!(status(run!(Kind::State("suspended", "connected"), Action::Status)), Exit::Success);
    assert_eq!(status(run!(Kind::State("poweredOff", "connected"), Action::Status)), Exit::Off);
    assert_eq!(status(run!(Kind::State("", "connected"), Action::Status)), Exit::Failure);
    assert_eq!(status(run!(Kind::State("poweredOff", "inaccessible"), Action::Status)), Exit::Failure);
    assert_eq!(status(run!(Kind::State("poweredOff", "orphaned"), Action::Status)), Exit::Failure);
    let lost = run!(Kind::State("poweredOff", "disconnected"), Action::Status);
    assert!(lost.failure.unwrap().hint().contains("host-9"));
    let suspended = run!(Kind::State("suspended", "connected"), Action::Off);
    assert_eq!(suspended.report.message.as_deref(), Some("Success: Powered OFF"));
}

#[test]
fn each_fault_has_its_meaning() {
    for outcome in [
        run!(Kind::Fault("InvalidPowerState"), Action::Off),
        run!(Kind::Fault("TaskInProgress"), Action::Off),
    ] {
        assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    }
    let forbidden = run!(Kind::Fault("NoPermission"), Action::Off).failure.unwrap();
    assert!(
        forbidden.row().number == 11 && forbidden.to_string().contains("Interact.PowerOff"),
        "{forbidden}"
    );
    let restricted = run!(Kind::Fault("RestrictedVersion"), Action::Off).failure.unwrap();
    assert!(restricted.hint().contains("license"), "{restricted}");
    let closed = run!(Kind::Closed, Action::Monitor).failure.unwrap();
    assert!(closed.row().number == 3 && closed.to_string().contains("InvalidLogin"), "{closed}");
}

#[test]
fn a_task_that_fails_tells_why() {
    let failure = run!(Kind::FailingTask, Action::Off).failure.unwrap();
    assert!(failure.hint().contains("Disk is gone"), "{}", failure.hint());
}

#[test]
fn lists_are_complete_and_sessions_renewed_and_ended() {
    let list = run!(Kind::Paged, Action::List, None).report.list;
    assert_eq!(list.map(|list| list.len()), Some(2));
    let outcome = run!(Kind::ShortSession, Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert_eq!(outcome.world.note, "logged out");
}

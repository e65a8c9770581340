//! `fence_ovirt`, `fence_rhevm`: virtual machines of oVirt, RHV and Oracle Linux Virtualization Manager
//! (<https://ovirt.github.io/ovirt-engine-api-model/master/>).
//!
//! The engine's search matches patterns, so what it finds is compared here; and each later request names the machine
//! by its id. A status which is missing is an answer that cannot be read, and never "down" (fence-drivers, 5.1).

mod api;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use serde_json::json;

use self::api::{Token, Vm, Vms};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::plug::is_uuid;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, encode};

const NOTLS: Opt = Opt::flag("notls", "notls", "Accepted and not used").short('t');
const USE_COOKIES: Opt =
    Opt::flag("use_cookies", "use-cookies", "Accepted and not used: no session outlives a run");
const API_VERSION: Opt =
    Opt::text("api_version", "api-version", "", "Version of the engine's API: auto or 4")
        .default("auto")
        .order(2);
const COOKIE_FILE: Opt = Opt::text("cookie_file", "cookie-file", "", "Accepted and not used").order(2);
const API_PATH: Opt = Opt::text("api_path", "api-path", "[path]", "Path of the engine's API")
    .default("/ovirt-engine/api")
    .order(4);
const DISABLE_HTTP_FILTER: Opt = Opt::flag(
    "disable_http_filter",
    "disable-http-filter",
    "Ask as an administrator, who needs no permission for the single machine",
)
.order(4);
const AUTH: Opt = Opt::select(
    "auth",
    "auth",
    "[method]",
    &["oauth", "basic"],
    "How to log in: a token of the engine's single sign-on, or the password with each request",
)
.default("oauth")
.order(215);

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_ovirt",
    aliases: &["fence_rhevm"],
    title: "Power fencing through an oVirt engine",
    about: "Stops and starts virtual machines with the API of an oVirt engine (oVirt, RHV, Oracle Linux \
            Virtualization Manager), and reports success for an off request only after the engine reports the machine \
            as down.\n\n\
            username needs its profile, for example admin@internal. The account needs the role UserVmRunTimeManager on \
            the machine, or an administrator's role together with disable_http_filter. The certificate of the \
            engine's own authority, for ca_file, is served by the engine under \
            /ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA.",
    url: "https://www.ovirt.org",
    options: &[
        opt::HTTP,
        opt::LOGIN,
        opt::PLUGS,
        &[
            opt::PLUG.value("[name]").about("Name or id of the virtual machine"),
            opt::POWER_WAIT.default("1"),
            opt::SHELL_TIMEOUT.default("5"),
            NOTLS,
            USE_COOKIES,
            API_VERSION,
            COOKIE_FILE,
            API_PATH,
            DISABLE_HTTP_FILTER,
            AUTH,
        ],
    ],
    needs: Needs { address: true, username: true, password: true, plug: true },
    can: Can { list: List::Fields, cycle: false, diag: false, null: false },
    driver: |settings| Ok(Box::new(Engine::new(settings)?)),
};

struct Engine {
    http: Client,
    /// Path of the API, without a slash at its end.
    api: String,
    /// Path of the engine itself, where the single sign-on is.
    root: String,
    username: String,
    password: Secret,
    basic: bool,
    token: Option<Secret>,
    filtered: bool,
}

impl Engine {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        if !matches!(settings.text(&API_VERSION), None | Some("auto" | "4")) {
            return Err(Settings::wrong(&API_VERSION, "must be auto or 4: engines of today have no other"));
        }
        let api = settings.need(&API_PATH)?.trim_end_matches('/').to_owned();
        let root = api.strip_suffix("/api").unwrap_or("/ovirt-engine").to_owned();
        let filtered = !settings.flag(&DISABLE_HTTP_FILTER);
        let mut http = Client::new(Config::new(settings)?).explain(api::explain);
        for (name, value) in [
            ("accept", "application/json"),
            ("version", "4"),
            ("filter", if filtered { "true" } else { "false" }),
        ] {
            http.set_header(name, &Secret::new(value));
        }
        Ok(Self {
            http,
            api,
            root,
            username: settings.need(&opt::USERNAME)?.to_owned(),
            password: settings.password().cloned().ok_or(Failure::NoPassword)?,
            basic: settings.text(&AUTH) == Some("basic"),
            token: None,
            filtered,
        })
    }

    async fn vm(&mut self, id: &str) -> Result<Vm, Fault> {
        let path = format!("{}/vms/{}", self.api, encode(id));
        let vm: Vm = self.http.get(path.clone()).json().await?;
        if !vm.id.eq_ignore_ascii_case(id) {
            return Err(Fault::malformed(path, format!("it is about machine {}", vm.id)));
        }
        Ok(vm)
    }

    /// What the search finds and has exactly this name.
    async fn named(&mut self, name: &str) -> Result<Vec<Vm>, Fault> {
        if name.contains(['*', '"', '\\']) {
            let answer = "the engine's search cannot tell such a name from a pattern";
            return Err(Fault::not_found(format!("look for machine '{name}'"), answer));
        }
        let search = encode(&format!("name=\"{name}\""));
        let found: Vms = self.http.get(format!("{}/vms?search={search}", self.api)).json().await?;
        Ok(found.vm.into_iter().filter(|vm| vm.name == name).collect())
    }

    /// An account without permissions sees an empty world, which an engine in use never is.
    fn nothing_seen(&self, call: String) -> Fault {
        let advice = match self.filtered {
            true => "give the account the role UserVmRunTimeManager on the machines",
            false => "remove disable_http_filter, or give the account an administrator's role",
        };
        Fault::Forbidden { call, answer: format!("the login sees no machine at all: {advice}") }
    }
}

fn target(vm: &Vm) -> Target {
    Target { id: vm.id.clone(), name: vm.name.clone(), host: vm.host() }
}

#[async_trait(?Send)]
impl Driver for Engine {
    async fn login(&mut self) -> Result<(), Fault> {
        self.token = None;
        if self.basic {
            self.http.set_basic(&self.username, &self.password);
            return Ok(());
        }
        let fields = [
            ("grant_type", "password"),
            ("scope", "ovirt-app-api"),
            ("username", self.username.as_str()),
            ("password", self.password.reveal()),
        ];
        let path = format!("{}/sso/oauth/token", self.root);
        let request = self.http.post(path).anonymous().header("accept", "application/json").form(&fields);
        let reply = request.any().await?;
        if reply.status == 404 {
            // Before 4.0 there is no single sign-on, but the API takes the password.
            self.basic = true;
            self.http.set_basic(&self.username, &self.password);
            return Ok(());
        }
        let token = match reply.json::<Token>() {
            Ok(token) => token,
            Err(_) if !reply.is_success() => return Err(reply.fault(api::explain)),
            Err(fault) => return Err(fault),
        };
        if let Some(answer) = token.refusal().filter(|_| reply.status < 500) {
            return Err(Fault::Denied { call: reply.call, answer });
        }
        if !reply.is_success() {
            return Err(reply.fault(api::explain));
        }
        let Some(word) = token.access_token.map(Secret::new) else {
            return Err(Fault::malformed(reply.call, "it has neither access_token nor error"));
        };
        self.http.set_bearer(&word);
        self.token = Some(word);
        Ok(())
    }

    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        if is_uuid(plug) {
            match self.vm(plug).await {
                // A machine may be named like an id.
                Err(Fault::NotFound { .. }) => {}
                other => return other.map(|vm| target(&vm)),
            }
        }
        let call = format!("look for machine '{plug}'");
        match self.named(plug).await?.as_slice() {
            [vm] => Ok(target(vm)),
            [] => Err(Fault::not_found(call, "no machine of that id or name which this login may see")),
            several => Err(Fault::Ambiguous {
                call,
                plug: plug.to_owned(),
                candidates: several.iter().map(|vm| vm.id.clone()).collect(),
            }),
        }
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        Ok(self.vm(&target.id).await?.reading())
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        let path = format!("{}/vms/{}/stop", self.api, encode(&target.id));
        self.http.post(path).repeatable().json_body(&json!({"force": true})).send().await.map(|_| ())
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        let path = format!("{}/vms/{}/start", self.api, encode(&target.id));
        self.http.post(path).json_body(&json!({})).send().await.map(|_| ())
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let path = format!("{}/vms", self.api);
        let found: Vms = self.http.get(path.clone()).json().await?;
        if found.vm.is_empty() {
            return Err(self.nothing_seen(path));
        }
        let listed =
            found.vm.into_iter().map(|vm| Listed { power: vm.reading().power, plug: vm.name, alias: vm.id });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        if target.is_some() {
            // With the filter on, the engine shows only machines that the login may run.
            return Ok(());
        }
        let path = format!("{}/vms?max=1", self.api);
        let found: Vms = self.http.get(path.clone()).json().await?;
        if found.vm.is_empty() { Err(self.nothing_seen(path)) } else { Ok(()) }
    }

    async fn logout(&mut self) {
        let Some(token) = self.token.take() else { return };
        let fields = [("scope", "ovirt-app-api"), ("token", token.reveal())];
        let path = format!("{}/services/sso-logout", self.root);
        // A session that stays behind ends by itself after the engine's idle limit.
        let _ = self.http.post(path).form(&fields).send().await;
    }
}

//! `fence_openstack`: servers of Nova (<https://docs.openstack.org/api-ref/compute/>).
//!
//! Nova's stop lets the guest end by itself for a minute, and there is no other; its hard reboot does end the old
//! instance at once, and says so in the actions of the server: that is `method=cycle` (fence-drivers, 10.2).

mod account;
mod api;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::account::Account;
use self::api::{Actions, Brief, Granted, One, Page, Server};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::plug::is_uuid;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, Files, encode};

const AUTH_URL: Opt =
    Opt::text("auth_url", "auth-url", "[authurl]", "URL of Keystone").old("auth-url").order(2);
const PROJECT_NAME: Opt = Opt::text("project_name", "project-name", "[project]", "Name of the project")
    .old("project-name")
    .default("admin")
    .order(3);
const USER_DOMAIN: Opt =
    Opt::text("user_domain_name", "user-domain-name", "[domain]", "Name of the user's domain")
        .old("user-domain-name")
        .default("Default")
        .order(4);
const PROJECT_DOMAIN: Opt =
    Opt::text("project_domain_name", "project-domain-name", "[domain]", "Name of the project's domain")
        .old("project-domain-name")
        .default("Default")
        .order(5);
const CLOUD: Opt = Opt::text("cloud", "cloud", "[cloud]", "Name of a cloud in clouds.yaml").order(6);
const OPENRC: Opt =
    Opt::text("openrc", "openrc", "[openrc]", "File with OS_... assignments; it is read and not run")
        .order(7);
const UUID: Opt = Opt::text("uuid", "uuid", "[uuid]", "The same as plug").order(8);
const CACERT: Opt = Opt::text(
    "cacert",
    "cacert",
    "[cacert]",
    "PEM file of certificate authorities to trust as well as the system's",
)
.default("")
.order(9);
const APITIMEOUT: Opt =
    Opt::seconds("apitimeout", "apitimeout", "Limit for one request; 10 where it is not given")
        .default("60")
        .order(10);
const CLOUDS_FILE: Opt = Opt::text(
    "clouds_file",
    "clouds-file",
    "[path]",
    "clouds.yaml, where it is neither in ~/.config/openstack nor in /etc/openstack",
)
.order(215);
const REGION: Opt = Opt::text("region_name", "region-name", "[region]", "Region of the servers").order(215);
const INTERFACE: Opt = Opt::select(
    "interface",
    "interface",
    "[interface]",
    &["public", "internal", "admin"],
    "Which endpoint of Nova to use",
)
.default("public")
.order(215);
const ENDPOINT: Opt =
    Opt::text("endpoint_override", "endpoint-override", "[url]", "URL of Nova in place of the catalog's")
        .order(215);
const ALL_TENANTS: Opt =
    Opt::flag("all_tenants", "all-tenants", "Look for names in all projects; for administrators").order(215);
const APP_ID: Opt = Opt::text(
    "application_credential_id",
    "application-credential-id",
    "[id]",
    "Application credential in place of a password",
)
.order(216);
const APP_NAME: Opt = Opt::text(
    "application_credential_name",
    "application-credential-name",
    "[name]",
    "The same by its name, together with username",
)
.order(216);
const APP_SECRET: Opt = Opt::text(
    "application_credential_secret",
    "application-credential-secret",
    "[secret]",
    "Secret of the application credential",
)
.secret()
.order(216);
const TOKEN: Opt =
    Opt::text("token", "token", "[token]", "A token in place of a password").secret().order(216);

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_openstack",
    aliases: &[],
    title: "Power fencing through OpenStack's Nova",
    about: "Stops and starts servers of an OpenStack cloud, and reports success for an off request only after Nova \
            reports the server as shut off, its power state agrees, no task is under way and its compute host is up.\n\n\
            Credentials come from options, from a cloud of clouds.yaml (with secure.yaml and clouds-public.yaml beside \
            it) or from an openrc file; an application credential of the project is best. A stop lets the guest end \
            by itself for up to a minute; method=cycle is a hard reboot, which is immediate.",
    url: "https://www.openstack.org",
    options: &[
        opt::LOGIN,
        opt::PLUGS,
        &[
            opt::USERNAME.optional(),
            opt::PLUG.optional().value("[UUID]").about("Id or name of the server"),
            opt::SSL_INSECURE,
            opt::POWER_TIMEOUT.default("60"),
            opt::METHOD,
            AUTH_URL,
            PROJECT_NAME,
            USER_DOMAIN,
            PROJECT_DOMAIN,
            CLOUD,
            OPENRC,
            UUID,
            CACERT,
            APITIMEOUT,
            opt::CA_FILE,
            opt::CLIENT_CERT,
            opt::CLIENT_KEY,
            opt::TLS_PIN,
            opt::PROXY,
            opt::CONNECT_TIMEOUT,
            opt::REQUEST_TIMEOUT,
        ],
        &[CLOUDS_FILE, REGION, INTERFACE, ENDPOINT, ALL_TENANTS, APP_ID, APP_NAME, APP_SECRET, TOKEN],
    ],
    needs: Needs { address: false, username: false, password: false, plug: true },
    can: Can { list: List::Fields, cycle: true, diag: false, null: false },
    driver: |settings| Ok(Box::new(OpenStack::new(settings)?)),
};

/// The oldest version of Nova's API that tells whether a compute host is up.
const VERSION: &str = "compute 2.16";
/// Between two looks at what became of a hard reboot.
const ACTION_POLL: Duration = Duration::from_secs(1);

struct OpenStack {
    settings: Settings,
    account: Account,
    keystone: Client,
    /// Path of the identity API.
    identity: String,
    token: Option<Secret>,
    /// Client of Nova, its URL and the path in it; known after the first login.
    nova: Option<Nova>,
    all_tenants: bool,
}

struct Nova {
    url: String,
    http: Client,
    base: String,
    /// Send [`VERSION`].
    versioned: bool,
}

impl OpenStack {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let found = account::read(settings)?;
        let settings = settings.filled(&from_file(settings, &found))?;
        let account = Account::new(&settings, &found)?;
        let Some((config, identity)) = Config::url(&settings, &account.url, &Files::default())? else {
            return Err(Settings::wrong(&AUTH_URL, "must be an http:// or https:// URL"));
        };
        let keystone = Client::new(config).explain(api::explain);
        let all_tenants = settings.flag(&ALL_TENANTS);
        Ok(Self { settings, account, keystone, identity, token: None, nova: None, all_tenants })
    }

    /// Makes the client of Nova, or keeps the one there is.
    fn use_nova(&mut self, url: &str, call: &str) -> Result<(), Fault> {
        if self.nova.as_ref().is_some_and(|nova| nova.url == url) {
            return Ok(());
        }
        let wrong = |answer: String| Fault::malformed(call, format!("Nova's URL {url}: {answer}"));
        let made = Config::url(&self.settings, url, &Files::default())
            .map_err(|failure| wrong(failure.to_string()))?;
        let (config, base) = made.ok_or_else(|| wrong("is no http:// or https:// URL".to_owned()))?;
        let http = Client::new(config).explain(api::explain);
        self.nova = Some(Nova { url: url.to_owned(), http, base, versioned: true });
        Ok(())
    }

    fn nova(&mut self) -> Result<&mut Nova, Fault> {
        self.nova.as_mut().ok_or_else(|| Fault::malformed("login", "no endpoint of Nova is known"))
    }

    async fn server(&mut self, id: &str) -> Result<Server, Fault> {
        let path = format!("/servers/{}", encode(id));
        let one: One = self.nova()?.get(&path).await?;
        if one.server.id != id {
            return Err(Fault::malformed(path, format!("it is about server {}", one.server.id)));
        }
        Ok(one.server)
    }

    async fn act(&mut self, id: &str, body: &Value, again: bool) -> Result<Option<String>, Fault> {
        let nova = self.nova()?;
        let path = format!("{}/servers/{}/action", nova.base, encode(id));
        let mut request = nova.http.post(path).json_body(body);
        if again {
            request = request.repeatable();
        }
        let reply = request.send().await?;
        Ok(reply.header("x-openstack-request-id").map(str::to_owned))
    }
}

impl Nova {
    /// GET below Nova's URL, without the version where this Nova has none so new.
    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Fault> {
        let path = format!("{}{path}", self.base);
        if self.versioned {
            let reply = self.http.get(path.clone()).header("openstack-api-version", VERSION).any().await?;
            if reply.is_success() {
                return reply.json();
            }
            if reply.status != 406 {
                return Err(reply.fault(api::explain));
            }
            self.versioned = false;
        }
        self.http.get(path).json().await
    }

    /// All pages of a list.
    async fn pages<T: DeserializeOwned>(&mut self, path: &str) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        let mut path = path.to_owned();
        loop {
            let page: Page<T> = self.get(&path).await?;
            let is_last = page.servers.is_empty();
            all.extend(page.servers);
            let next = page.servers_links.iter().find(|link| link.rel == "next").filter(|_| !is_last);
            let Some(next) = next else { return Ok(all) };
            // The rest of the list, wherever Nova believes itself to be.
            let there = next.href.split_once("/servers").map(|(_, rest)| format!("/servers{rest}"));
            path = there.ok_or_else(|| Fault::malformed(&path, format!("the next page is {}", next.href)))?;
        }
    }
}

/// What a configuration file says about TLS, as options. `verify` means what it says: upstream turns verification off
/// for `verify: true`.
fn from_file<'f>(settings: &'f Settings, found: &'f account::Found) -> Vec<(Opt, &'f str)> {
    let mut options: Vec<(Opt, &str)> = Vec::new();
    let files = [("cacert", opt::CA_FILE), ("cert", opt::CLIENT_CERT), ("key", opt::CLIENT_KEY)];
    let own = settings.text(&CACERT).filter(|path| !path.is_empty()).map(|path| (opt::CA_FILE, path));
    options.extend(own);
    for (key, option) in files {
        if !options.iter().any(|(known, _)| known.key == option.key) {
            options.extend(found.get(key).map(|path| (option, path.reveal())));
        }
    }
    if found.get("verify").is_some_and(|word| word.reveal() == "false") {
        options.push((opt::SSL_INSECURE, "1"));
    }
    if settings.is_given(&APITIMEOUT) {
        options.extend(settings.text(&APITIMEOUT).map(|limit| (opt::REQUEST_TIMEOUT, limit)));
    }
    options
}

/// A name as a pattern which matches nothing but it.
fn exactly(name: &str) -> String {
    let escaped: String =
        name.chars().flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c])).collect();
    format!("^{escaped}$")
}

#[async_trait(?Send)]
impl Driver for OpenStack {
    async fn login(&mut self) -> Result<(), Fault> {
        self.token = None;
        let path = format!("{}/auth/tokens", self.identity);
        let request = self.keystone.post(path).anonymous().json_body(&self.account.method.body());
        let reply = request.send().await?;
        let Some(token) = reply.header("x-subject-token").map(Secret::new) else {
            return Err(Fault::malformed(reply.call, "it has no header X-Subject-Token"));
        };
        let granted: Granted = reply.json()?;
        let Account { region, interface, .. } = &self.account;
        let url = match self.settings.text(&ENDPOINT) {
            Some(url) => url.to_owned(),
            None => match granted.token.compute(interface, region.as_deref()).as_slice() {
                [url] => (*url).to_owned(),
                [] => {
                    let region = region.as_deref().unwrap_or("any region");
                    let answer = format!("the catalog has no {interface} endpoint of Nova in {region}");
                    let hint = "set region_name and interface, and check that the project is the right one";
                    return Err(Fault::unsupported(reply.call, answer, hint));
                }
                _ => {
                    let answer = format!("the catalog has several {interface} endpoints of Nova");
                    return Err(Fault::unsupported(reply.call, answer, "set region_name"));
                }
            },
        };
        self.use_nova(&url, &reply.call)?;
        self.nova()?.http.set_header("x-auth-token", &token);
        self.keystone.set_header("x-auth-token", &token);
        self.token = Some(token);
        Ok(())
    }

    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        if is_uuid(plug) {
            match self.server(&plug.to_lowercase()).await {
                // A server may be named like an id.
                Err(Fault::NotFound { .. }) => {}
                other => {
                    return other.map(|server| Target {
                        id: server.id,
                        name: server.name,
                        host: server.host,
                    });
                }
            }
        }
        let everywhere = if self.all_tenants { "&all_tenants=1" } else { "" };
        let path = format!("/servers?name={}{everywhere}", encode(&exactly(plug)));
        let found = self.nova()?.pages::<Brief>(&path).await?;
        let found: Vec<Brief> = found.into_iter().filter(|server| server.name == plug).collect();
        let call = format!("look for server '{plug}'");
        match found.as_slice() {
            [one] => Ok(Target { id: one.id.clone(), name: one.name.clone(), host: None }),
            [] => Err(Fault::not_found(call, "no server of that id or name in the project")),
            several => Err(Fault::Ambiguous {
                call,
                plug: plug.to_owned(),
                candidates: several.iter().map(|server| server.id.clone()).collect(),
            }),
        }
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        Ok(self.server(&target.id).await?.reading())
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.act(&target.id, &json!({"os-stop": null}), true).await.map(|_| ())
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        self.act(&target.id, &json!({"os-start": null}), false).await.map(|_| ())
    }

    /// A hard reboot, proven by Nova's record of it: the domain is destroyed before a new one is made.
    async fn cycle(&mut self, target: &Target) -> Result<(), Fault> {
        let call = format!("hard reboot of {}", target.name);
        let request = self.act(&target.id, &json!({"reboot": {"type": "HARD"}}), false).await?;
        let request = request.ok_or_else(|| Fault::malformed(&call, "it has no request id to ask about"))?;
        let path = format!("/servers/{}/os-instance-actions/{}", encode(&target.id), encode(&request));
        loop {
            let actions = match self.nova()?.get::<Actions>(&path).await {
                // Recorded a moment after it was accepted.
                Err(Fault::NotFound { .. }) => None,
                other => Some(other?),
            };
            let events = actions.map(|actions| actions.action.events).unwrap_or_default();
            let result = events.iter().find(|event| event.event == "compute_reboot_instance");
            match result.and_then(|event| event.result.as_deref()) {
                Some("Success") => return Ok(()),
                Some(other) => {
                    return Err(Fault::Conflict { call, answer: format!("it ended with {other}") });
                }
                None => tokio::time::sleep(ACTION_POLL).await,
            }
        }
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let everywhere = if self.all_tenants { "?all_tenants=1" } else { "" };
        let found = self.nova()?.pages::<Server>(&format!("/servers/detail{everywhere}")).await?;
        let listed = found.into_iter().map(|server| Listed {
            power: server.reading().power,
            plug: server.id,
            alias: server.name,
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        match target {
            // Who may read a server of a project may stop it, where the cloud's policy is as delivered.
            Some(_) => Ok(()),
            None => self.nova()?.get::<Page<Brief>>("/servers?limit=1").await.map(|_| ()),
        }
    }

    async fn logout(&mut self) {
        let Some(token) = self.token.take() else { return };
        let path = format!("{}/auth/tokens", self.identity);
        let _ = self.keystone.delete(path).header("x-subject-token", token.reveal()).send().await;
    }
}

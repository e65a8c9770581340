//! Who logs in where: options, `clouds.yaml` with its companions, or an openrc file; no I/O of its own beyond reading them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    APP_ID, APP_NAME, APP_SECRET, AUTH_URL, CLOUD, CLOUDS_FILE, INTERFACE, OPENRC, PROJECT_DOMAIN,
    PROJECT_NAME, REGION, TOKEN, USER_DOMAIN,
};
use crate::core::env::Env;
use crate::core::failure::Failure;
use crate::core::option::Opt;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;

/// What a configuration file says, by the names that `clouds.yaml` has for it.
pub(super) type Found = BTreeMap<String, Secret>;

/// How to prove who we are (Identity API v3, "Authentication and token management").
pub(super) enum Method {
    Password { user: Named, password: Secret, project: Named },
    ApplicationCredential { id: Option<String>, name: Option<String>, user: Option<Named>, secret: Secret },
    Token { token: Secret, project: Named },
}

/// A user or project: by its id, or by name and domain.
pub(super) struct Named {
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// `name` or `id`, and the value.
    pub(super) domain: (&'static str, String),
}

/// All that a login needs.
pub(super) struct Account {
    pub(super) url: String,
    pub(super) method: Method,
    pub(super) region: Option<String>,
    pub(super) interface: String,
}

impl Account {
    /// From the options, and from what was found for those that are not given.
    pub(super) fn new(settings: &Settings, found: &Found) -> Result<Self, Failure> {
        let known = |key: &str| found.get(key).map(|value| value.reveal().to_owned());
        let pick = |option: &Opt, keys: &[&str]| {
            let given = settings.text(option).filter(|_| settings.is_given(option)).map(str::to_owned);
            given.or_else(|| keys.iter().find_map(|key| known(key)))
        };
        let default = |option: &Opt| settings.text(option).unwrap_or_default().to_owned();
        let named = |name: Option<String>, id: Option<String>, domain: &Opt, key: &str, fallback: &Opt| {
            let (by_name, by_id) = (format!("{key}_domain_name"), format!("{key}_domain_id"));
            let domain = match (pick(domain, &[&by_name, "domain_name"]), known(&by_id)) {
                (None, Some(id)) => ("id", id),
                (name, _) => ("name", name.unwrap_or_else(|| default(domain))),
            };
            Named { id, name: name.unwrap_or_else(|| default(fallback)), domain }
        };
        let project = || {
            let id = known("project_id").or_else(|| known("tenant_id"));
            let id = id.filter(|_| !settings.is_given(&PROJECT_NAME));
            let name = pick(&PROJECT_NAME, &["project_name", "tenant_name"]);
            named(name, id, &PROJECT_DOMAIN, "project", &PROJECT_NAME)
        };
        let user = |name: Option<String>| named(name, known("user_id"), &USER_DOMAIN, "user", &opt::USERNAME);
        let url = pick(&AUTH_URL, &["auth_url"])
            .ok_or_else(|| Settings::wrong(&AUTH_URL, "is not set anywhere"))?;
        let username = pick(&opt::USERNAME, &["username", "user_name"]);
        let (id, name) = (
            pick(&APP_ID, &["application_credential_id"]),
            pick(&APP_NAME, &["application_credential_name"]),
        );
        let method = if id.is_some() || name.is_some() {
            let secret = pick(&APP_SECRET, &["application_credential_secret"]);
            let secret = secret.ok_or_else(|| Settings::wrong(&APP_SECRET, "is not set anywhere"))?;
            // The id says whose it is; the name does not.
            let user = Some(username).filter(|_| id.is_none()).map(user);
            Method::ApplicationCredential { id, name, user, secret: Secret::new(secret) }
        } else if let Some(token) = pick(&TOKEN, &["token"]) {
            Method::Token { token: Secret::new(token), project: project() }
        } else {
            let password = settings.password().cloned().or_else(|| found.get("password").cloned());
            if username.is_none() && known("user_id").is_none() {
                return Err(Settings::wrong(&opt::USERNAME, "is not set anywhere"));
            }
            let password = password.ok_or(Failure::NoPassword)?;
            Method::Password { user: user(username), password, project: project() }
        };
        let interface =
            pick(&INTERFACE, &["interface", "endpoint_type"]).unwrap_or_else(|| default(&INTERFACE));
        Ok(Self {
            url: versioned(&url),
            method,
            region: pick(&REGION, &["region_name"]),
            interface: interface.trim_end_matches("URL").to_owned(),
        })
    }
}

/// The URL of version 3 of the identity service, however it was given.
fn versioned(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    let base = url.strip_suffix("/v2.0").or_else(|| url.strip_suffix("/v3")).unwrap_or(url);
    format!("{base}/v3")
}

/// What the configuration file says that the options name, if they name one.
pub(super) fn read(settings: &Settings) -> Result<Found, Failure> {
    if let Some(cloud) = settings.text(&CLOUD) {
        let path = clouds_path(settings).ok_or_else(|| {
            Settings::wrong(
                &CLOUD,
                "needs clouds.yaml in ~/.config/openstack or /etc/openstack, or clouds_file",
            )
        })?;
        let wrong = |reason: String| Settings::unusable(&CLOUD, &path, reason);
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        // Beside it, and only where it exists.
        let beside = |name: &str| std::fs::read_to_string(path.with_file_name(name)).ok();
        return clouds(
            cloud,
            &text,
            beside("secure.yaml").as_deref(),
            beside("clouds-public.yaml").as_deref(),
        )
        .map_err(wrong);
    }
    match settings.text(&OPENRC) {
        None => Ok(Found::new()),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Settings::unusable(&OPENRC, Path::new(file), error.to_string()))?;
            Ok(openrc(&text))
        }
    }
}

/// Never in the current directory: the fencer's is not the administrator's.
fn clouds_path(settings: &Settings) -> Option<PathBuf> {
    if let Some(given) = settings.text(&CLOUDS_FILE) {
        return Some(PathBuf::from(given));
    }
    let Env { home, openstack_config, .. } = &settings.env;
    let own = home.as_ref().map(|home| Path::new(home).join(".config/openstack/clouds.yaml"));
    let places =
        [openstack_config.as_ref().map(PathBuf::from), own, Some("/etc/openstack/clouds.yaml".into())];
    places.into_iter().flatten().find(|path| path.exists())
}

/// One cloud of `clouds.yaml`, over its public profile and under `secure.yaml`.
fn clouds(name: &str, text: &str, secure: Option<&str>, public: Option<&str>) -> Result<Found, String> {
    let parsed =
        |text: &str| serde_saphyr::from_str::<Value>(text).map_err(|error| brief(&error.to_string()));
    let main = parsed(text)?;
    let cloud = &main["clouds"][name];
    if !cloud.is_object() {
        let known = main["clouds"].as_object().map(|clouds| clouds.keys().cloned().collect::<Vec<_>>());
        return Err(format!("it has no cloud '{name}', but {}", known.unwrap_or_default().join(", ")));
    }
    let mut all = Found::new();
    if let Some(profile) = cloud["profile"].as_str()
        && let Some(public) = public
    {
        flatten(&parsed(public)?["public-clouds"][profile], &mut all);
    }
    flatten(cloud, &mut all);
    if let Some(secure) = secure {
        flatten(&parsed(secure)?["clouds"][name], &mut all);
    }
    Ok(all)
}

/// The first line: an error may quote the file, which holds secrets.
fn brief(error: &str) -> String {
    error.lines().next().unwrap_or_default().to_owned()
}

/// Keys of `auth` and those beside it; later ones replace earlier ones.
fn flatten(cloud: &Value, all: &mut Found) {
    for part in [cloud, &cloud["auth"]] {
        for (key, value) in part.as_object().into_iter().flatten() {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => continue,
            };
            all.insert(key.clone(), Secret::new(text));
        }
    }
}

/// Assignments of `OS_...` in a shell file. They are read and never run.
fn openrc(text: &str) -> Found {
    let assignments = text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, value) = line.strip_prefix("OS_")?.split_once('=')?;
        Some((name.to_lowercase(), Secret::new(unquoted(value)?)))
    });
    assignments.collect()
}

/// A shell word: quotes taken away, and nothing where the shell would put something in.
fn unquoted(word: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = word.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (Some('\''), c) => out.push(c),
            (_, '$' | '`') => return None,
            (_, '\\') => out.push(chars.next()?),
            (None, c) if c.is_whitespace() || c == ';' => break,
            (_, c) => out.push(c),
        }
    }
    quote.is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'f>(found: &'f Found, key: &str) -> Option<&'f str> {
        found.get(key).map(Secret::reveal)
    }

    #[test]
    fn a_cloud_is_read_over_its_profile_and_under_the_secrets() {
        let main = "clouds:\n  lab:\n    profile: vendor\n    region_name: r1\n    verify: false\n    auth:\n      \
                    username: fence\n      project_name: p1\n  other: {}\n";
        let secure = "clouds:\n  lab:\n    auth: {password: 'a: b'}\n";
        let public = "public-clouds:\n  vendor:\n    auth: {auth_url: 'https://k/v3'}\n    region_name: r0\n";
        let found = clouds("lab", main, Some(secure), Some(public)).unwrap();
        for (key, value) in
            [("auth_url", "https://k/v3"), ("region_name", "r1"), ("password", "a: b"), ("verify", "false")]
        {
            assert_eq!(text(&found, key), Some(value));
        }
        let unknown = clouds("home", main, None, None).unwrap_err();
        assert!(unknown.contains("lab"), "{unknown}");
        assert!(clouds("lab", "clouds: [", None, None).is_err());
    }

    #[test]
    fn a_mistake_in_a_file_does_not_show_its_secrets() {
        let wrong = "clouds:\n  lab:\n    auth:\n      password: hunter2\n     broken\n";
        let error = clouds("lab", wrong, None, None).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn openrc_is_read_and_not_run() {
        let found = openrc(
            "#!/bin/bash\nexport OS_AUTH_URL=https://k/v3\nOS_USERNAME='a b'\nexport OS_PASSWORD=\"x\\\"y\"  # p\n\
             export OS_PROJECT_NAME=$(id)\nread -sr OS_PASSWORD_INPUT\nexport OS_REGION_NAME=\"$R\"\nunset OS_X\n",
        );
        assert_eq!(text(&found, "auth_url"), Some("https://k/v3"));
        assert_eq!(text(&found, "username"), Some("a b"));
        assert_eq!(text(&found, "password"), Some("x\"y"));
        assert_eq!(text(&found, "project_name"), None);
        assert_eq!(text(&found, "region_name"), None);
    }

    #[test]
    fn the_version_is_added_where_it_is_missing() {
        for url in ["http://k:5000", "http://k:5000/", "http://k:5000/v3", "http://k:5000/v2.0/"] {
            assert_eq!(versioned(url), "http://k:5000/v3");
        }
        assert_eq!(versioned("https://k/identity"), "https://k/identity/v3");
    }
}

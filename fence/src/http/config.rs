//! Where a client connects to, made from an agent's options.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;

use super::Calls;
use super::tls::{self, Files, Inline};
use crate::core::deadline::Deadline;
use crate::core::failure::Failure;
use crate::core::settings::Settings;
use crate::core::standard as opt;

/// A place to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Name or address, and port.
    Tcp(String, u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Host {
    /// As in a URL.
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp(host, port) => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

/// Everything a client needs to know.
#[derive(Clone)]
pub struct Config {
    pub(super) hosts: Vec<Host>,
    pub(super) at: usize,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    /// The name to verify, where it is not the host's.
    pub(super) server_name: Option<String>,
    pub(super) proxy: Option<Uri>,
    pub(super) connect: Duration,
    pub(super) request: Duration,
    pub(super) user_agent: String,
    pub(super) deadline: Deadline,
    pub(super) calls: Calls,
}

impl Config {
    /// From the options of [`opt::HTTP`]. `ip` may be a list with commas: one that cannot be reached is followed by
    /// the next.
    ///
    /// # Errors
    /// No address, a port that is none, certificate files that cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        Self::with_files(settings, &Files::default())
    }

    /// The same with certificate options of other names.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn with_files(settings: &Settings, files: &Files) -> Result<Self, Failure> {
        Self::tcp(settings, wants_tls(settings).then_some(files))
    }

    /// Plain HTTP, whatever the TLS options say: for agents with an option of their own for it.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn plain(settings: &Settings) -> Result<Self, Failure> {
        Self::tcp(settings, None)
    }

    fn tcp(settings: &Settings, files: Option<&Files>) -> Result<Self, Failure> {
        let tls = files.is_some();
        let plug = settings.text(&opt::PLUG).filter(|_| settings.flag(&opt::PORT_AS_IP));
        let ip = settings.text(&opt::IP).or(plug).map_or_else(|| settings.need(&opt::IP), Ok)?;
        let given = settings.integer(&opt::IPPORT).filter(|_| settings.is_given(&opt::IPPORT));
        let default = settings.integer(&opt::IPPORT).unwrap_or(443);
        // The default in the metadata is that of the agent's usual scheme; 80 and 443 stand for either.
        let default = match default {
            80 | 443 => {
                if tls {
                    443
                } else {
                    80
                }
            }
            other => other,
        };
        let port = u16::try_from(given.unwrap_or(default)).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Settings::wrong(&opt::IPPORT, "must be from 1 to 65535"))?;
        let hosts = ip.split(',').map(str::trim).filter(|host| !host.is_empty());
        let hosts: Vec<Host> =
            hosts.map(|host| Host::Tcp(host.trim_matches(['[', ']']).to_owned(), port)).collect();
        if hosts.is_empty() {
            return Err(Settings::wrong(&opt::IP, "names no host"));
        }
        Self::with(settings, hosts, files)
    }

    /// For a Unix socket; none of the network options matter.
    ///
    /// # Errors
    /// None at present; the same type as [`Config::new`] for callers that choose.
    pub fn unix(settings: &Settings, path: impl Into<PathBuf>) -> Result<Self, Failure> {
        Self::with(settings, vec![Host::Unix(path.into())], None)
    }

    /// For hosts which a driver found by itself, with the limits of the options; TLS where there are `files`.
    ///
    /// # Errors
    /// Certificate files that cannot be used, a proxy that is no URL.
    pub fn with(settings: &Settings, hosts: Vec<Host>, files: Option<&Files>) -> Result<Self, Failure> {
        let at_least = |limit: u64, shared: &_, own: &_| {
            let own = settings.seconds(own).filter(|given| !given.is_zero());
            let shared = settings.seconds(shared).unwrap_or_default();
            own.unwrap_or_else(|| Duration::from_secs(limit).max(shared))
        };
        let proxy = proxy(settings, &hosts[0], files.is_some())?;
        Ok(Self {
            at: 0,
            tls: files.map(|files| tls::config(settings, files)).transpose()?,
            server_name: None,
            proxy,
            hosts,
            connect: at_least(5, &opt::LOGIN_TIMEOUT, &opt::CONNECT_TIMEOUT),
            request: at_least(10, &opt::SHELL_TIMEOUT, &opt::REQUEST_TIMEOUT),
            user_agent: format!("{}/{}", settings.name, env!("CARGO_PKG_VERSION")),
            deadline: settings.deadline,
            calls: settings.calls.clone(),
        })
    }

    /// For a whole URL, as platforms have them in their configuration files and catalogs; with the path of that URL,
    /// without a slash at its end.
    ///
    /// # Errors
    /// As [`Config::with`]; `None` for what is no `http` or `https` URL.
    pub fn url(settings: &Settings, url: &str, files: &Files) -> Result<Option<(Self, String)>, Failure> {
        let Some((host, tls, path)) = locate(url) else { return Ok(None) };
        let config = Self::with(settings, vec![host], tls.then_some(files))?;
        Ok(Some((config, path)))
    }

    /// The same with certificates from elsewhere than files.
    ///
    /// # Errors
    /// As [`Config::url`].
    pub fn url_inline(
        settings: &Settings,
        url: &str,
        pem: &Inline,
    ) -> Result<Option<(Self, String)>, Failure> {
        let Some((host, tls, path)) = locate(url) else { return Ok(None) };
        let plain = Self::with(settings, vec![host], None)?;
        let tls = tls.then(|| tls::inline(settings, pem)).transpose()?;
        let proxy = proxy(settings, plain.host(), tls.is_some())?;
        let server_name = pem.server_name.clone();
        Ok(Some((Self { tls, proxy, server_name, ..plain }, path)))
    }

    pub(super) fn host(&self) -> &Host {
        &self.hosts[self.at]
    }

    pub(super) fn whole(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.host().authority())
    }

    /// The URL for messages: where a query has a secret, the query is left out.
    pub(super) fn shown(&self, path: &str) -> String {
        const SECRET: [&str; 6] = ["password", "secret", "token", "key", "signature", "ticket"];
        let shown = match path.split_once('?') {
            Some((path, query)) if SECRET.iter().any(|word| query.to_lowercase().contains(word)) => {
                format!("{path}?...")
            }
            _ => path.to_owned(),
        };
        match self.host() {
            Host::Unix(socket) => format!("unix:{}:{shown}", socket.display()),
            Host::Tcp(..) => self.whole(&shown),
        }
    }

    /// The path that `location`, met at `base`, means on this host; `None` where it leads elsewhere.
    pub(super) fn local_path(&self, base: &str, location: &str) -> Option<String> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Some(location.to_owned());
        }
        if !location.contains("//") {
            let base = base.split('?').next().unwrap_or(base);
            let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
            return Some(format!("{folder}/{location}"));
        }
        let uri: Uri = location.parse().ok()?;
        let authority = uri.authority()?;
        let scheme = uri.scheme_str()?;
        let port = authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let there = Host::Tcp(authority.host().trim_matches(['[', ']']).to_ascii_lowercase(), port);
        let here = match self.host() {
            Host::Tcp(host, port) => Host::Tcp(host.to_ascii_lowercase(), *port),
            unix @ Host::Unix(_) => unix.clone(),
        };
        let same = there == here && (scheme == "https") == self.tls.is_some();
        same.then(|| uri.path_and_query().map_or("/", |path| path.as_str()).to_owned())
    }
}

/// Host, whether it is spoken to by TLS, and path of a URL.
fn locate(url: &str) -> Option<(Host, bool, String)> {
    let uri: Uri = url.trim().parse().ok()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let host = Host::Tcp(authority.host().trim_matches(['[', ']']).to_owned(), port);
    Some((host, tls, uri.path().trim_end_matches('/').to_owned()))
}

/// HTTPS unless plain HTTP is asked for in so many words (fence-contract, section 6).
fn wants_tls(settings: &Settings) -> bool {
    if settings.flag(&opt::SSL_SECURE) || settings.flag(&opt::SSL_INSECURE) {
        return true;
    }
    match settings.is_given(&opt::SSL) {
        true => settings.flag(&opt::SSL),
        false => !(settings.is_given(&opt::IPPORT) && settings.integer(&opt::IPPORT) == Some(80)),
    }
}

/// The option, else the environment; never for this machine itself or for a cloud's metadata service.
fn proxy(settings: &Settings, host: &Host, tls: bool) -> Result<Option<Uri>, Failure> {
    const NEVER: [&str; 4] = ["localhost", "127.0.0.1", "169.254.169.254", "metadata.google.internal"];
    let Host::Tcp(name, _) = host else { return Ok(None) };
    let env = &settings.env;
    let excepted = |entry: &str| {
        let entry = entry.trim().trim_start_matches('.');
        entry == "*" || (!entry.is_empty() && (name == entry || name.ends_with(&format!(".{entry}"))))
    };
    let given = settings.text(&opt::PROXY);
    let from_env = if tls { &env.https_proxy } else { &env.http_proxy };
    let from_env = from_env.as_deref().filter(|_| !env.no_proxy.split(',').any(excepted));
    let Some(text) = given.or(from_env).filter(|_| !NEVER.contains(&name.as_str())) else { return Ok(None) };
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Option<Uri> = whole.parse().ok().filter(|uri: &Uri| uri.host().is_some());
    match uri {
        Some(uri) if uri.scheme_str() == Some("http") => Ok(Some(uri)),
        _ => Err(Settings::wrong(&opt::PROXY, "must be an http:// URL")),
    }
}

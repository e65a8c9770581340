//! Which cluster, and as whom: a kubeconfig, or the service account of the pod that this runs in.

use std::path::{Path, PathBuf};

use base64::Engine;
use serde::Deserialize;

use super::{CONTEXT, KUBECONFIG, NAMESPACE};
use crate::core::failure::Failure;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::http::Inline;

/// All that a client needs to know.
pub(super) struct Cluster {
    pub(super) server: String,
    pub(super) namespace: String,
    pub(super) token: Option<Secret>,
    pub(super) basic: Option<(String, Secret)>,
    pub(super) tls: Inline,
    pub(super) insecure: bool,
    pub(super) proxy: Option<String>,
    pub(super) exec: Option<Exec>,
}

/// A program that gives a token or a certificate (`client.authentication.k8s.io`), as clouds have it.
#[derive(Deserialize)]
pub(super) struct Exec {
    #[serde(rename = "apiVersion")]
    version: String,
    command: PathBuf,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Printed {
    status: Credential,
}

/// What such a program gives: a token, or a client certificate and its key in PEM, or both.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    pub(super) token: Option<Secret>,
    client_certificate_data: Option<String>,
    client_key_data: Option<Secret>,
}

impl Credential {
    /// The certificate and its key.
    pub(super) fn certificate(self) -> Option<(Vec<u8>, Secret)> {
        self.client_certificate_data.map(String::into_bytes).zip(self.client_key_data)
    }
}

impl Exec {
    /// The command as it is to be run.
    pub(super) fn command(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.command);
        let spec = serde_json::json!({"interactive": false});
        let info = serde_json::json!({"apiVersion": self.version, "kind": "ExecCredential", "spec": spec});
        command.args(&self.args).env("KUBERNETES_EXEC_INFO", info.to_string());
        command.envs(self.env.iter().map(|variable| (&variable.name, &variable.value)));
        command
    }

    /// What it gave. Nothing of that is shown: it is a secret.
    pub(super) fn credential(printed: &str) -> Result<Credential, &'static str> {
        let printed: Printed = serde_json::from_str(printed).map_err(|_| "it printed no ExecCredential")?;
        let given = printed.status;
        match (&given.token, &given.client_certificate_data, &given.client_key_data) {
            (_, Some(_), Some(_)) | (Some(_), None, None) => Ok(given),
            (None, None, None) => Err("it gave neither a token nor a certificate"),
            _ => Err("it gave a certificate without its key, or a key without its certificate"),
        }
    }
}

/// Where every pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[derive(Deserialize)]
struct File {
    #[serde(rename = "current-context", default)]
    current: String,
    #[serde(default)]
    contexts: Vec<Named>,
    #[serde(default)]
    clusters: Vec<Named>,
    #[serde(default)]
    users: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    context: Option<ContextPart>,
    cluster: Option<ClusterPart>,
    user: Option<UserPart>,
}

#[derive(Deserialize)]
struct ContextPart {
    cluster: String,
    user: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterPart {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct UserPart {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    password: Option<String>,
    exec: Option<Exec>,
    auth_provider: Option<serde::de::IgnoredAny>,
}

/// Option, then `KUBECONFIG`, then the pod's own account, then the file of the home directory.
pub(super) fn find(settings: &Settings) -> Result<Cluster, Failure> {
    let from_env = settings.env.kubeconfig.as_deref().and_then(|paths| paths.split(':').next());
    let given = settings.text(&KUBECONFIG).or(from_env).map(PathBuf::from);
    let mut cluster = match (given, &settings.env.kubernetes) {
        (Some(path), _) => from_file(settings, &path)?,
        (None, Some((host, port))) => from_pod(host, port)?,
        (None, None) => {
            let home = settings.env.home.as_deref().map(|home| Path::new(home).join(".kube/config"));
            let path = home.filter(|path| path.exists()).ok_or_else(|| {
                Settings::wrong(&KUBECONFIG, "must be set: this is no pod, and there is no ~/.kube/config")
            })?;
            from_file(settings, &path)?
        }
    };
    if let Some(namespace) = settings.text(&NAMESPACE) {
        cluster.namespace = namespace.to_owned();
    }
    Ok(cluster)
}

fn from_pod(host: &str, port: &str) -> Result<Cluster, Failure> {
    let read = |name: &str| {
        let path = Path::new(ACCOUNT).join(name);
        std::fs::read(&path).map_err(|error| Settings::unusable(&KUBECONFIG, &path, error.to_string()))
    };
    let text = |name| read(name).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Ok(Cluster {
        server: format!("https://{host}:{port}"),
        namespace: text("namespace").unwrap_or_else(|_| "default".to_owned()),
        token: Some(Secret::new(text("token")?)),
        basic: None,
        tls: Inline { ca: Some(read("ca.crt")?), ..Inline::default() },
        insecure: false,
        proxy: None,
        exec: None,
    })
}

fn from_file(settings: &Settings, path: &Path) -> Result<Cluster, Failure> {
    let wrong = |reason: String| Settings::unusable(&KUBECONFIG, path, reason);
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    choose(&text, settings.text(&CONTEXT), folder).map_err(wrong)
}

/// The parts of the file that the context names. Paths in it are relative to its folder.
fn choose(text: &str, context: Option<&str>, folder: &Path) -> Result<Cluster, String> {
    // Only the first line: the others may quote the file, which holds secrets.
    let brief = |error: serde_saphyr::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
    let File { current, contexts, clusters, users } = serde_saphyr::from_str(text).map_err(brief)?;
    let wanted = context.unwrap_or(&current);
    let missing = |what: &str, name: &str| format!("it has no {what} '{name}'");
    let context = contexts.into_iter().find(|named| named.name == wanted).and_then(|named| named.context);
    let context = context.ok_or_else(|| missing("context", wanted))?;
    let cluster =
        clusters.into_iter().find(|named| named.name == context.cluster).and_then(|named| named.cluster);
    let cluster = cluster.ok_or_else(|| missing("cluster", &context.cluster))?;
    let user = match &context.user {
        None => UserPart::default(),
        Some(name) => {
            let user = users.into_iter().find(|named| named.name == *name).and_then(|named| named.user);
            user.ok_or_else(|| missing("user", name))?
        }
    };
    if user.auth_provider.is_some() {
        return Err(
            "its user has an auth-provider, which Kubernetes gave up: use a service account".to_owned()
        );
    }
    // A program is named by its path, or relative to the file; one without a slash is looked for in PATH.
    let exec = user.exec.map(|exec| match exec.command.components().count() {
        1 => exec,
        _ => Exec { command: folder.join(&exec.command), ..exec },
    });
    let read = |path: &Path| {
        std::fs::read(folder.join(path)).map_err(|error| format!("{}: {error}", path.display()))
    };
    let part = |data: Option<String>, path: Option<PathBuf>, what: &str| match (data, path) {
        (Some(data), _) => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(data.trim());
            decoded.map(Some).map_err(|error| format!("{what}-data: {error}"))
        }
        (None, Some(path)) => read(&path).map(Some),
        (None, None) => Ok(None),
    };
    let token = match (user.token, user.token_file) {
        (Some(token), _) => Some(Secret::new(token)),
        (None, Some(path)) => Some(Secret::new(String::from_utf8_lossy(&read(&path)?).trim())),
        (None, None) => None,
    };
    Ok(Cluster {
        server: cluster.server,
        namespace: context.namespace.unwrap_or_else(|| "default".to_owned()),
        token,
        basic: user.username.zip(user.password.map(Secret::new)),
        tls: Inline {
            ca: part(
                cluster.certificate_authority_data,
                cluster.certificate_authority,
                "certificate-authority",
            )?,
            cert: part(user.client_certificate_data, user.client_certificate, "client-certificate")?,
            key: part(user.client_key_data, user.client_key, "client-key")?
                .map(|pem| {
                    String::from_utf8(pem).map(Secret::new).map_err(|_| "client-key: it is no PEM".to_owned())
                })
                .transpose()?,
            server_name: cluster.tls_server_name,
        },
        insecure: cluster.insecure_skip_tls_verify,
        proxy: cluster.proxy_url,
        exec,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {cluster: c, \
        user: u, namespace: n}\n- name: b\n  context: {cluster: c, user: x}\nclusters:\n- name: c\n  cluster:\n    \
        server: https://h:6443\n    certificate-authority-data: Y2E=\nusers:\n- name: u\n  user: {token: s3cret}\n- \
        name: x\n  user:\n    exec: {command: aws, apiVersion: v1}\n";

    #[test]
    fn a_context_chooses_cluster_user_and_namespace() {
        let cluster = choose(FILE, None, Path::new("/")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((cluster.server.as_str(), cluster.namespace.as_str()), ("https://h:6443", "n"));
        assert_eq!(cluster.token.unwrap().reveal(), "s3cret");
        assert_eq!(cluster.tls.ca.as_deref(), Some(b"ca".as_slice()));
        assert!(!cluster.insecure);
    }

    #[test]
    fn a_program_gives_a_credential_or_is_no_use() {
        let cluster = choose(FILE, Some("b"), Path::new("/")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(cluster.exec.unwrap().command, Path::new("aws"));
        let token = |printed| Exec::credential(printed).map(|given| given.token.unwrap().reveal().to_owned());
        assert_eq!(token(r#"{"kind": "ExecCredential", "status": {"token": "t"}}"#), Ok("t".to_owned()));
        for printed in ["", "{}", r#"{"status": {}}"#, r#"{"status": {"clientKeyData": "s3cret"}}"#, "s3cret"]
        {
            assert!(!token(printed).unwrap_err().contains("s3cret"), "{printed}");
        }
    }

    #[test]
    fn a_server_behind_another_name_or_a_proxy_is_found() {
        let file = FILE
            .replace("h:6443\n", "h:6443\n    tls-server-name: api.example\n    proxy-url: http://p:3128\n");
        let cluster = choose(&file, None, Path::new("/")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(cluster.tls.server_name.as_deref(), Some("api.example"));
        assert_eq!(cluster.proxy.as_deref(), Some("http://p:3128"));
    }

    #[test]
    fn what_cannot_be_done_is_said_and_secrets_are_not() {
        let error = |text: &str, context| choose(text, context, Path::new("/")).err().unwrap();
        let old = FILE.replace("exec: {command: aws, apiVersion: v1}", "auth-provider: {name: gcp}");
        assert!(error(&old, Some("b")).contains("auth-provider"));
        assert!(error(FILE, Some("z")).contains("no context 'z'"));
        let broken = FILE.replace("- name: x", " - name: x");
        assert!(!error(&broken, None).contains("s3cret"));
    }
}

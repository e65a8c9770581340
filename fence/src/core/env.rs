//! What the environment of the process says, read once.

/// The part of the environment which matters here.
#[derive(Debug, Clone, Default)]
pub struct Env {
    /// Run by Pacemaker's fencer (`PCMK_service`, set since Pacemaker 2; fence-contract, section 1).
    pub fencer: bool,
    /// `https_proxy`.
    pub https_proxy: Option<String>,
    /// `http_proxy`.
    pub http_proxy: Option<String>,
    /// `no_proxy`.
    pub no_proxy: String,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<String>,
    /// `HOME`.
    pub home: Option<String>,
    /// `OS_CLIENT_CONFIG_FILE`.
    pub openstack_config: Option<String>,
    /// `KUBECONFIG`.
    pub kubeconfig: Option<String>,
    /// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, which every pod has.
    pub kubernetes: Option<(String, String)>,
}

impl Env {
    /// Reads it through `var`, usually [`std::env::var`].
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Self {
        let either = |lower: &str| {
            var(lower).or_else(|| var(&lower.to_uppercase())).filter(|value| !value.trim().is_empty())
        };
        Self {
            fencer: var("PCMK_service").as_deref() == Some("pacemaker-fenced"),
            https_proxy: either("https_proxy"),
            // HTTP_PROXY in capitals can be set by a stranger's request header in CGI programs; nobody needs it.
            http_proxy: var("http_proxy").filter(|value| !value.trim().is_empty()),
            no_proxy: either("no_proxy").unwrap_or_default(),
            runtime_dir: either("XDG_RUNTIME_DIR"),
            home: var("HOME").filter(|value| value.starts_with('/')),
            openstack_config: var("OS_CLIENT_CONFIG_FILE").filter(|value| !value.is_empty()),
            kubeconfig: var("KUBECONFIG").filter(|value| !value.is_empty()),
            kubernetes: var("KUBERNETES_SERVICE_HOST").zip(var("KUBERNETES_SERVICE_PORT")),
        }
    }
}

//! A primitive in the three forms.

use std::path::{Path, PathBuf};

use super::{Format, escape, quote};

/// A resource as it is written.
pub(super) struct Primitive {
    id: String,
    provider: &'static str,
    agent: &'static str,
    params: Vec<(&'static str, String)>,
    meta: Vec<(&'static str, String)>,
    /// Action, interval, timeout.
    ops: Vec<(&'static str, &'static str, &'static str)>,
}

impl Primitive {
    /// The connection to a host.
    pub(super) fn remote(name: String, address: Option<String>, port: u16) -> Self {
        let port = (port != picket_proto::PORT).then(|| ("port", port.to_string()));
        let server = address.map(|address| ("server", address));
        Self {
            id: name,
            provider: "pacemaker",
            agent: "remote",
            params: server.into_iter().chain(port).collect(),
            meta: Vec::new(),
            ops: vec![("start", "0", "60s"), ("monitor", "20s", "30s")],
        }
    }

    /// A guest of libvirt. A container has no way to be asked to shut down, so it is stopped by force.
    pub(super) fn domain(name: &str, config: &Path, address: Option<String>, port: u16, lxc: bool) -> Self {
        let hypervisor = if lxc { "lxc:///" } else { "qemu:///system" };
        let mut params =
            vec![("config", config.display().to_string()), ("hypervisor", hypervisor.to_owned())];
        params.extend(lxc.then(|| ("force_stop", "true".to_owned())));
        Self {
            id: format!("{name}-domain"),
            provider: "heartbeat",
            agent: "VirtualDomain",
            params,
            meta: guest_node(name, address, port),
            ops: vec![("start", "0", "90s"), ("stop", "0", "90s"), ("monitor", "10s", "30s")],
        }
    }

    /// A container of LXC's own tools.
    pub(super) fn lxc(name: &str, config: Option<PathBuf>, address: Option<String>, port: u16) -> Self {
        let config = config.unwrap_or_else(|| Path::new("/var/lib/lxc").join(name).join("config"));
        Self {
            id: format!("{name}-lxc"),
            provider: "heartbeat",
            agent: "lxc",
            params: vec![("container", name.to_owned()), ("config", config.display().to_string())],
            meta: guest_node(name, address, port),
            // The agent waits for its stop's time less five seconds before it uses force.
            ops: vec![("start", "0", "60s"), ("stop", "0", "60s"), ("monitor", "10s", "30s")],
        }
    }

    pub(super) fn written(&self, format: Format) -> String {
        match format {
            Format::Xml => self.xml(),
            Format::Pcs => {
                let words = self.words("op", "meta", |(name, interval, timeout)| {
                    format!("op {name} interval={interval} timeout={timeout}")
                });
                // Without the first, pcs adds what else the agent advises; without the second, it insists on its own
                // ways to make a node, which hand out the key by a daemon that our guests do not have.
                format!(
                    "pcs resource create {} ocf:{}:{}{words} --no-default-ops --force",
                    self.id, self.provider, self.agent
                )
            }
            Format::Crmsh => {
                let words = self.words("params", "meta", |(name, interval, timeout)| {
                    format!("op {name} interval={interval} timeout={timeout}")
                });
                format!("crm configure primitive {} ocf:{}:{}{words}", self.id, self.provider, self.agent)
            }
        }
    }

    /// Parameters, operations and meta-attributes; crmsh wants a word before the first.
    fn words(&self, first: &str, meta: &str, op: impl Fn(&(&str, &str, &str)) -> String) -> String {
        let pairs = |pairs: &[(&str, String)]| -> Vec<String> {
            pairs.iter().map(|(name, value)| quote(&format!("{name}={value}"))).collect()
        };
        let mut words = Vec::new();
        if first == "params" && !self.params.is_empty() {
            words.push(first.to_owned());
        }
        words.extend(pairs(&self.params));
        words.extend(self.ops.iter().map(op));
        if !self.meta.is_empty() {
            words.push(meta.to_owned());
            words.extend(pairs(&self.meta));
        }
        words.iter().map(|word| format!(" {word}")).collect()
    }

    fn xml(&self) -> String {
        let Self { id, provider, agent, .. } = self;
        let ops: String = self
            .ops
            .iter()
            .map(|(name, interval, timeout)| {
                format!(
                    "    <op id=\"{id}-{name}\" name=\"{name}\" interval=\"{interval}\" timeout=\"{timeout}\"/>\n"
                )
            })
            .collect();
        format!(
            "<primitive id=\"{id}\" class=\"ocf\" provider=\"{provider}\" type=\"{agent}\">\n{}{}  \
             <operations>\n{ops}  </operations>\n</primitive>",
            set("instance_attributes", &format!("{id}-params"), &self.params),
            set("meta_attributes", &format!("{id}-meta"), &self.meta),
        )
    }
}

/// The meta-attributes that make a resource's guest a node.
fn guest_node(name: &str, address: Option<String>, port: u16) -> Vec<(&'static str, String)> {
    let mut meta = vec![("remote-node", name.to_owned())];
    meta.extend(address.map(|address| ("remote-addr", address)));
    meta.extend((port != picket_proto::PORT).then(|| ("remote-port", port.to_string())));
    meta
}

fn set(element: &str, id: &str, pairs: &[(&str, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let pairs: String = pairs
        .iter()
        .map(|(name, value)| {
            format!("    <nvpair id=\"{id}-{name}\" name=\"{name}\" value=\"{}\"/>\n", escape(value))
        })
        .collect();
    format!("  <{element} id=\"{id}\">\n{pairs}  </{element}>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lxc() -> Primitive {
        Primitive::domain("web1", Path::new("/etc/libvirt/lxc/web1.xml"), Some("10.0.0.7".into()), 3121, true)
    }

    #[test]
    fn an_lxc_guest_is_stopped_by_force_and_names_its_node() {
        let xml = lxc().written(Format::Xml);
        for part in [
            "type=\"VirtualDomain\"",
            "name=\"hypervisor\" value=\"lxc:///\"",
            "name=\"force_stop\" value=\"true\"",
            "name=\"remote-node\" value=\"web1\"",
            "name=\"remote-addr\" value=\"10.0.0.7\"",
        ] {
            assert!(xml.contains(part), "{part}: {xml}");
        }
        assert!(!xml.contains("remote-port"), "{xml}");
    }

    #[test]
    fn command_lines_say_the_same() {
        let pcs = "pcs resource create web1-domain ocf:heartbeat:VirtualDomain config=/etc/libvirt/lxc/web1.xml \
            hypervisor=lxc:/// force_stop=true op start interval=0 timeout=90s op stop interval=0 timeout=90s \
            op monitor interval=10s timeout=30s meta remote-node=web1 remote-addr=10.0.0.7 --no-default-ops --force";
        assert_eq!(lxc().written(Format::Pcs), pcs);
        let remote = Primitive::remote("n1".into(), Some("h".into()), 4000).written(Format::Crmsh);
        let expected = "crm configure primitive n1 ocf:pacemaker:remote params server=h port=4000 \
            op start interval=0 timeout=60s op monitor interval=20s timeout=30s";
        assert_eq!(remote, expected);
    }
}

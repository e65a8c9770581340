//! A bundle in the three forms.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Format, escape, name, quote};

/// A bundle's parts.
#[derive(clap::Args)]
pub(super) struct Bundle {
    /// Name of the bundle
    #[arg(value_parser = name)]
    name: String,
    /// The image
    #[arg(long)]
    image: String,
    /// Which engine
    #[arg(long, value_enum, default_value = "podman")]
    engine: Engine,
    /// How many containers
    #[arg(long, default_value_t = 1)]
    replicas: u16,
    /// How the containers are connected, as for --net; needed with "host"
    #[arg(long)]
    network: Option<String>,
    /// First of the addresses that containers get, one each
    #[arg(long)]
    first_address: Option<String>,
    /// Port of the agent
    #[arg(long, default_value_t = picket_proto::PORT)]
    control_port: u16,
    /// A folder of the host in the containers; may be repeated
    #[arg(long = "mount", value_name = "SOURCE:TARGET", value_parser = mount)]
    mounts: Vec<(PathBuf, PathBuf)>,
    /// A port of the containers that is reached from outside; may be repeated
    #[arg(long = "publish", value_name = "PORT")]
    ports: Vec<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    Docker,
    Podman,
}

impl Engine {
    fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

fn mount(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (source, target) = text.split_once(':').ok_or("a mount is SOURCE:TARGET")?;
    let absolute = source.starts_with('/') && target.starts_with('/');
    absolute.then(|| (source.into(), target.into())).ok_or_else(|| "both paths begin with /".to_owned())
}

impl Bundle {
    pub(super) fn written(&self, format: Format) -> String {
        match format {
            Format::Xml => self.xml(),
            Format::Pcs => {
                self.command("pcs resource bundle create", "container", "network", "port-map", "storage-map")
            }
            Format::Crmsh => {
                // crmsh takes a bundle's parts as XML only.
                format!("crm configure xml {}", quote(&self.xml().replace('\n', " ")))
            }
        }
    }

    fn container(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("image", self.image.clone()), ("replicas", self.replicas.to_string())];
        pairs.extend(self.network.clone().map(|network| ("network", network)));
        pairs
    }

    fn network(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("control-port", self.control_port.to_string())];
        pairs.extend(self.first_address.clone().map(|address| ("ip-range-start", address)));
        pairs
    }

    fn command(&self, verb: &str, container: &str, network: &str, port: &str, storage: &str) -> String {
        let pairs = |pairs: Vec<(&str, String)>| -> String {
            pairs.iter().map(|(name, value)| format!(" {}", quote(&format!("{name}={value}")))).collect()
        };
        let ports: String = self.ports.iter().map(|number| format!(" {port} port={number}")).collect();
        let mounts: String = self
            .mounts
            .iter()
            .map(|(source, target)| {
                let word = |name: &str, path: &PathBuf| quote(&format!("{name}={}", path.display()));
                format!(" {storage} {} {}", word("source-dir", source), word("target-dir", target))
            })
            .collect();
        format!(
            "{verb} {} {container} {}{} {network}{}{ports}{mounts}",
            self.name,
            self.engine.word(),
            pairs(self.container()),
            pairs(self.network()),
        )
    }

    fn xml(&self) -> String {
        let Self { name, .. } = self;
        let attributes = |pairs: Vec<(&str, String)>| -> String {
            pairs.iter().map(|(name, value)| format!(" {name}=\"{}\"", escape(value))).collect()
        };
        let ports: String = self
            .ports
            .iter()
            .map(|port| format!("    <port-mapping id=\"{name}-port-{port}\" port=\"{port}\"/>\n"))
            .collect();
        let mounts: String = self
            .mounts
            .iter()
            .enumerate()
            .map(|(at, (source, target))| {
                let path = |path: &PathBuf| escape(&path.display().to_string());
                format!(
                    "    <storage-mapping id=\"{name}-storage-{at}\" source-dir=\"{}\" target-dir=\"{}\"/>\n",
                    path(source),
                    path(target)
                )
            })
            .collect();
        let storage =
            if mounts.is_empty() { String::new() } else { format!("  <storage>\n{mounts}  </storage>\n") };
        format!(
            "<bundle id=\"{name}\">\n  <{}{}/>\n  <network{}>\n{ports}  </network>\n{storage}</bundle>",
            self.engine.word(),
            attributes(self.container()),
            attributes(self.network()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        Bundle {
            name: "web".into(),
            image: "registry:5000/web:1".into(),
            engine: Engine::Docker,
            replicas: 2,
            network: None,
            first_address: Some("10.0.0.10".into()),
            control_port: 3121,
            mounts: vec![mount("/srv/web:/srv").unwrap()],
            ports: vec![80],
        }
    }

    #[test]
    fn xml_and_pcs_say_the_same() {
        let xml = "<bundle id=\"web\">\n  <docker image=\"registry:5000/web:1\" replicas=\"2\"/>\n  \
            <network control-port=\"3121\" ip-range-start=\"10.0.0.10\">\n    \
            <port-mapping id=\"web-port-80\" port=\"80\"/>\n  </network>\n  <storage>\n    \
            <storage-mapping id=\"web-storage-0\" source-dir=\"/srv/web\" target-dir=\"/srv\"/>\n  </storage>\n</bundle>";
        assert_eq!(bundle().written(Format::Xml), xml);
        let pcs = "pcs resource bundle create web container docker image=registry:5000/web:1 replicas=2 \
            network control-port=3121 ip-range-start=10.0.0.10 port-map port=80 \
            storage-map source-dir=/srv/web target-dir=/srv";
        assert_eq!(bundle().written(Format::Pcs), pcs);
    }
}

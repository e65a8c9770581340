//! `picketctl guest`: what an administrator otherwise writes by hand to make something a guest of a cluster.

mod bundle;
mod lxc;
mod resource;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::failure::Failure;
use crate::output;
use bundle::Bundle;
use lxc::Lxc;
use resource::Primitive;

/// Write the configuration that makes a host, VM or container a guest of a cluster
///
/// Prints CIB XML for 'cibadmin --create --scope resources', or the same as a pcs or crmsh command line. Changes nothing.
#[derive(clap::Args)]
pub(crate) struct Guest {
    #[command(subcommand)]
    kind: Kind,
    /// What to write
    #[arg(long, value_enum, default_value = "xml", global = true)]
    format: Format,
}

/// The form of what is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// CIB XML
    Xml,
    /// A pcs command line
    Pcs,
    /// A crmsh command line
    Crmsh,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// A host that runs the agent: an ocf:pacemaker:remote resource
    Remote {
        /// Name of the node
        #[arg(value_parser = name)]
        name: String,
        /// Host name or address
        #[arg(long)]
        address: Option<String>,
        /// Port of the agent
        #[arg(long, default_value_t = picket_proto::PORT)]
        port: u16,
    },
    /// A VM or LXC container of libvirt: an ocf:heartbeat:VirtualDomain resource with a guest node
    Domain {
        /// Name of the node
        #[arg(value_parser = name)]
        name: String,
        /// The domain's XML file, on every cluster node
        #[arg(long)]
        config: PathBuf,
        /// Host name or address of the guest; by default its name
        #[arg(long)]
        address: Option<String>,
        /// Port of the agent
        #[arg(long, default_value_t = picket_proto::PORT)]
        port: u16,
        /// It is an LXC container
        #[arg(long)]
        lxc: bool,
    },
    /// A container of LXC's own tools: an ocf:heartbeat:lxc resource with a guest node
    Lxc {
        /// Name of the container and node
        #[arg(value_parser = name)]
        name: String,
        /// The container's configuration, on every cluster node; by default where LXC has it
        #[arg(long)]
        config: Option<PathBuf>,
        /// Host name or address of the guest; by default its name
        #[arg(long)]
        address: Option<String>,
        /// Port of the agent
        #[arg(long, default_value_t = picket_proto::PORT)]
        port: u16,
    },
    /// The configuration of an LXC guest, for the file that 'lxc --config' names
    LxcConfig(Lxc),
    /// The libvirt XML of an LXC guest, for the file that 'domain --lxc --config' names
    LxcXml(Lxc),
    /// A bundle: containers of an image with the agent as process 1, and a resource inside
    Bundle(Bundle),
}

impl Guest {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let text = match self.kind {
            Kind::Remote { name, address, port } => {
                Primitive::remote(name, address, port).written(self.format)
            }
            Kind::Domain { name, config, address, port, lxc } => {
                Primitive::domain(&name, &config, address, port, lxc).written(self.format)
            }
            Kind::Lxc { name, config, address, port } => {
                Primitive::lxc(&name, config, address, port).written(self.format)
            }
            Kind::LxcConfig(lxc) => lxc.config(),
            Kind::LxcXml(lxc) => lxc.xml(),
            Kind::Bundle(bundle) => bundle.written(self.format),
        };
        output::line(text.trim_end())
    }
}

/// What Pacemaker, libvirt and container engines all accept as a name.
fn name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err("a name has letters, digits, '-', '_' and '.', and begins with a letter".to_owned())
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A word of a shell's command line.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

//! `picketctl attr`, `crm_attribute`, `crm_master`: attributes of this node and others, and cluster properties.

use std::process::ExitCode;

use picket_agent::ipc::cluster::{self, Change, Cib, ClusterError, Nodes, Peer, Section};

use crate::builtin::{self, DISCONNECTED, NO_SUCH, OK, USAGE};
use crate::output;

/// Read and set attributes of nodes, promotion scores and cluster properties, from inside a guest
///
/// The options are those of crm_attribute that resource agents use.
#[derive(clap::Args)]
pub(crate) struct Attr {
    /// crm_config, nodes or status
    #[arg(short = 't', long = "type")]
    kind: Option<String>,
    /// Name of the attribute
    #[arg(short, long)]
    name: Option<String>,
    /// Node; this one where nothing is given
    #[arg(short = 'N', long, alias = "uname", short_alias = 'U')]
    node: Option<String>,
    /// reboot or forever
    #[arg(short, long)]
    lifetime: Option<String>,
    /// New value
    #[arg(short = 'v', long, allow_hyphen_values = true, visible_alias = "attr-value")]
    update: Option<String>,
    /// Show the value; what is done where nothing else is asked
    #[arg(short = 'G', long, alias = "get-value")]
    query: bool,
    /// Remove the attribute
    #[arg(short = 'D', long, alias = "delete-attr")]
    delete: bool,
    /// Print the value alone
    #[arg(short, long, short_alias = 'Q')]
    quiet: bool,
    /// What to print where there is no value
    #[arg(short, long, allow_hyphen_values = true)]
    default: Option<String>,
    /// The promotion score of a resource: this one, or OCF_RESOURCE_INSTANCE
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "")]
    promotion: Option<String>,
    /// Set of properties
    #[arg(short, long)]
    set_name: Option<String>,
    /// Id in the CIB; not needed, ignored
    #[arg(short, long)]
    id: Option<String>,
    /// A utilization attribute
    #[arg(short = 'z', long)]
    utilization: bool,
    /// Resource of the score (crm_master)
    #[arg(short, long, hide = true)]
    resource: Option<String>,
    /// Ignored
    #[arg(short = 'V', long, action = clap::ArgAction::Count, hide = true)]
    verbose: u8,
}

/// What is done to the attribute.
enum Deed {
    Delete,
    Query,
    Update(String),
}

impl Attr {
    /// As `crm_master`: the score of a resource, permanent unless a lifetime is given.
    pub(crate) fn of_crm_master(mut self) -> Self {
        self.promotion = Some(self.resource.take().unwrap_or_default());
        self.lifetime.get_or_insert_with(|| "forever".to_owned());
        self
    }

    pub(crate) fn run(self, program: &str) -> ExitCode {
        let Some(name) = self.attribute() else {
            return builtin::complain(
                program,
                "an attribute's name is needed: --name, or --promotion",
                USAGE,
            );
        };
        match self.act(program, &name) {
            Ok(code) => ExitCode::from(code),
            Err(error) => builtin::complain(program, &error.to_string(), builtin::code(&error)),
        }
    }

    fn attribute(&self) -> Option<String> {
        let Some(resource) = &self.promotion else { return self.name.clone() };
        let resource = match resource.as_str() {
            "" => std::env::var("OCF_RESOURCE_INSTANCE").ok()?,
            given => given.to_owned(),
        };
        Some(format!("master-{resource}"))
    }

    fn act(self, program: &str, name: &str) -> Result<u8, ClusterError> {
        let deed = match &self.update {
            _ if self.delete => Deed::Delete,
            Some(value) => Deed::Update(value.clone()),
            None => Deed::Query,
        };
        let mut cib = Cib::connect(program)?;
        let Some(section) = self.section(program, &mut cib)? else {
            builtin::say_error(program, "no such kind of attribute: --type is crm_config, nodes or status");
            return Ok(USAGE);
        };
        match (deed, &section) {
            (Deed::Query, _) => {
                let value = cib.get(&section, name)?.map(|pair| pair.value).or(self.default);
                let Some(value) = value else {
                    builtin::say_error(program, "Error performing operation: No such device or address");
                    return Ok(NO_SUCH);
                };
                let full = format!("scope={}  name={name} value={value}", section.name());
                print(if self.quiet { &value } else { &full })
            }
            (deed, Section::Status(node)) => {
                let value = match deed {
                    Deed::Update(value) => Some(value),
                    Deed::Delete | Deed::Query => None,
                };
                let node = Some((node.name.clone(), node.remote));
                cluster::change(
                    program,
                    &Change { name: name.to_owned(), value, node, ..Change::default() },
                )?;
                Ok(OK)
            }
            (Deed::Update(value), _) => cib.set(&section, name, &value).map(|()| OK),
            (Deed::Delete, _) => match cib.delete(&section, name)? {
                Some(pair) => {
                    let noun = if matches!(section, Section::Properties(_)) { "option" } else { "attribute" };
                    let set = self.set_name.map_or(String::new(), |set| format!(" set={set}"));
                    print(&format!("Deleted {} {noun}: id={}{set} name={name}", section.name(), pair.id))
                }
                None => Ok(OK),
            },
        }
    }

    /// Where the attribute is. A node's name, a lifetime or a score mean a node's; nothing means a property.
    fn section(&self, program: &str, cib: &mut Cib) -> Result<Option<Section>, ClusterError> {
        let lifetime = self.lifetime.as_deref();
        let kind = match (self.kind.as_deref(), lifetime, &self.promotion) {
            (Some(kind), ..) => kind,
            (None, Some("reboot"), _) | (None, None, Some(_)) => "status",
            (None, Some(_), _) => "nodes",
            (None, None, None) if self.node.is_some() || self.utilization => "nodes",
            (None, None, None) => "crm_config",
        };
        if matches!(kind, "crm_config" | "properties") {
            return Ok(Some(Section::Properties(self.set_name.clone())));
        }
        if !matches!(kind, "nodes" | "status") {
            return Ok(None);
        }
        let node = self.node(program, cib)?;
        let utilization = self.utilization;
        Ok(Some(if kind == "nodes" { Section::Nodes { node, utilization } } else { Section::Status(node) }))
    }

    fn node(&self, program: &str, cib: &mut Cib) -> Result<Peer, ClusterError> {
        let given = self.node.clone().filter(|node| !matches!(node.as_str(), "localhost" | "auto"));
        match given.or_else(builtin::target) {
            Some(name) => cib.node(&name)?.ok_or(ClusterError::Refused(NO_DEVICE)),
            None => Nodes::connect(program)?.local(),
        }
    }
}

/// errno: no such device or address.
const NO_DEVICE: i32 = 6;

fn print(line: &str) -> Result<u8, ClusterError> {
    Ok(output::line(line).map_or(DISCONNECTED, |()| OK))
}

//! `picketctl node`, `crm_node`: who this node is, and who else there is.

use std::process::ExitCode;

use picket_agent::ipc::cluster::{ClusterError, Nodes};

use crate::builtin::{self, DISCONNECTED, NO_SUCH, OK};
use crate::output;

/// Show what the cluster calls this node, its partition and its quorum, from inside a guest
///
/// The options are those of crm_node that resource agents use.
#[derive(clap::Args)]
#[group(multiple = false)]
pub(crate) struct Node {
    /// This node's name; what is shown where nothing else is asked
    #[arg(short, long)]
    name: bool,
    /// This node's id
    #[arg(short = 'i', long)]
    cluster_id: bool,
    /// All cluster nodes, with id and state
    #[arg(short, long)]
    list: bool,
    /// Names of the nodes in this partition
    #[arg(short, long)]
    partition: bool,
    /// 1 with quorum, 0 without
    #[arg(short, long)]
    quorum: bool,
    /// Name of the node with an id
    #[arg(short = 'N', long, value_name = "ID")]
    name_for_id: Option<u32>,
}

impl Node {
    pub(crate) fn run(&self, program: &str) -> ExitCode {
        match self.look(program) {
            Ok(Some(text)) => ExitCode::from(output::line(&text).map_or(DISCONNECTED, |()| OK)),
            Ok(None) => builtin::complain(program, "no such node", NO_SUCH),
            Err(error) => builtin::complain(program, &error.to_string(), builtin::code(&error)),
        }
    }

    fn look(&self, program: &str) -> Result<Option<String>, ClusterError> {
        // The cluster tells an operation where it runs.
        if !(self.cluster_id || self.list || self.partition || self.quorum || self.name_for_id.is_some())
            && let Some(name) = builtin::target()
        {
            return Ok(Some(name));
        }
        let mut nodes = Nodes::connect(program)?;
        let text = if self.list {
            let list = nodes.list()?;
            let lines: Vec<_> =
                list.iter().map(|node| format!("{} {} {}", node.id, node.name, node.state)).collect();
            lines.join("\n")
        } else if self.partition {
            let list = nodes.list()?;
            let members = list.iter().filter(|node| node.state == "member");
            members.map(|node| format!("{} ", node.name)).collect()
        } else if let Some(id) = self.name_for_id {
            let name = nodes.by_id(id)?.name;
            if name.is_empty() {
                return Ok(None);
            }
            name
        } else {
            let local = nodes.local()?;
            if self.quorum {
                u8::from(local.quorum).to_string()
            } else if self.cluster_id {
                // A remote node has none.
                local.id.parse::<u32>().map_or("-1".to_owned(), |id| id.to_string())
            } else {
                local.name
            }
        };
        Ok(Some(text))
    }
}

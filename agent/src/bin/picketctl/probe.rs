//! `picketctl probe`: is there an agent, does it share our key, and what is it doing?

use picket_agent::wire::peek::Found;
use picket_agent::wire::tls::Role;
use picket_proto::reply::{Reply, ReplyBody};
use picket_proto::request::{CallOptions, Operation};

use crate::access::{Takeover, observe};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::output;
use crate::target::Target;

/// Say whether an agent can be reached, whether the key is right, and what the agent is doing
///
/// Safe for a connected cluster: picket-agent is asked as an observer, of which it tells nobody. With another agent
/// the handshake is broken off as soon as it has proved that it knows the key.
#[derive(clap::Args)]
pub(crate) struct Probe {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    takeover: Takeover,
}

impl Probe {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let target = &self.target;
        let stream = target.dial().await?;
        output::line(&format!("reachable  {} ({})", target.address, stream.peer_addr()?))?;
        let credential = target.credential()?;
        let found = target.peek(stream, &credential).await?;
        output::line(&credential.confirmed())?;
        match found {
            Found::Picket => {
                let (controller, status) = observe(target, &credential).await?;
                output::line(&format!("agent      picket-agent {}", status.version))?;
                controller.close().await;
                output::line(&output::status(&status))
            }
            Found::Other if self.takeover.takeover => self.register(&credential).await,
            Found::Other => output::line(
                "agent      no picket-agent (pacemaker-remoted, most likely)\n\
                 \n\
                 Nothing more can be asked of it without becoming its client, and a cluster that is connected to it\n\
                 drops the node at once when it is told of another client. If no cluster uses this node:\n\
                 picketctl probe --takeover",
            ),
        }
    }

    /// What an original tells a client: its protocol and the resources with recurring operations.
    async fn register(&self, credential: &Credential) -> Result<(), Failure> {
        let target = &self.target;
        let mut controller = target.open(credential, Role::Controller).await?;
        let hello = controller.hello("picketctl", Some(picket_proto::version::LRMD_VERSION), false).await;
        let hello = hello.map_err(|cause| target.lost(cause))?;
        let resources = controller.call(Operation::GetRecurring(None), CallOptions::default()).await;
        let resources = resources.map_err(|cause| target.lost(cause))?;
        controller.close().await;
        output::line(&describe(&hello, &resources))
    }
}

fn describe(hello: &Reply, resources: &Reply) -> String {
    let mut text = "agent      no picket-agent (pacemaker-remoted, most likely)".to_owned();
    if let ReplyBody::Hello(hello) = &hello.body {
        text += &format!(", LRMD protocol {}", hello.version.as_deref().unwrap_or("1.0"));
        if let Some(uptime) = hello.uptime {
            text += &format!("\nuptime     {uptime} s");
        }
    }
    match &resources.body {
        ReplyBody::Recurring(resources) => {
            for resource in resources {
                text += &format!("\nresource   {}", resource.rsc_id);
                for op in &resource.ops {
                    text += &format!("\n             {} every {} ms", op.action, op.interval);
                }
            }
        }
        _ => text += "\nresources  none registered",
    }
    text
}

//! A local client of the executor itself: a test program of root's, which needs no cluster.
//!
//! It says what a cluster says, in local messages: a message's own id takes the place of the one in the document, and
//! what is not asked for goes to the event channel. Unlike the original's, no cluster is told of such a client: a
//! controller takes a new client for another cluster and gives the node up.

use std::sync::atomic::Ordering;

use picket_proto::incoming::Incoming;
use picket_proto::ipc::header::Flags;
use picket_proto::ipc::message::Document;
use tokio::sync::mpsc;

use super::mailbox::Mailbox;
use super::serve::{Arrival, Server};
use super::session;
use crate::executor::ClientId;
use crate::hub::{Event, Way};
use crate::wire::tls::Role;

/// Ids from here on are local clients'; those of remote ones count from zero.
const LOCAL: u64 = 1 << 63;

/// Serves a client to its end.
pub(super) async fn serve(server: &Server, client: Arrival) {
    let id = ClientId(LOCAL | server.executors.fetch_add(1, Ordering::Relaxed));
    let (pid, privileged) = (client.peer.pid, client.identity.privileged);
    let link = match client.open(server.transport).await {
        Ok(link) => link,
        Err(error) => return tracing::warn!(pid, "cannot serve a local client of the executor: {error}"),
    };
    let (mailbox, incoming) = Mailbox::new();
    let way = Way::Local { pid, privileged, mailbox };
    if server.hub.send(Event::Connected { client: id, role: Role::Observer, way }).await.is_err() {
        return;
    }
    let take = async |document| forward(&server.hub, id, document).await;
    if let Err(error) = session::serve(&link, incoming, take).await {
        tracing::warn!(pid, "closing the connection of a local client of the executor: {error}");
    }
    // Fails when the agent ends.
    let _ = server.hub.send(Event::Disconnected { client: id }).await;
}

async fn forward(hub: &mpsc::Sender<Event>, client: ClientId, document: Document) -> bool {
    match read(document) {
        Some(message) => hub.send(Event::Received { client, message: Box::new(Ok(message)) }).await.is_ok(),
        None => true,
    }
}

/// The request in a document; `None` for what the original drops, too.
fn read(Document { id, flags, text }: Document) -> Option<Incoming> {
    if !flags.has(Flags::RESPONSE_WANTED) {
        tracing::warn!("dropping a request of a local client that wants no answer");
        return None;
    }
    match Incoming::parse(&text) {
        Ok(Incoming::Request(mut request)) => {
            request.msg_id = id.into();
            Some(Incoming::Request(request))
        }
        Ok(Incoming::Notification(_) | Incoming::Reply(_)) => None,
        Err(error) => {
            tracing::warn!("dropping a request of a local client: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(flags: Flags, text: &str) -> Document {
        Document { id: 7, flags, text: text.to_owned() }
    }

    #[test]
    fn the_messages_id_is_the_requests() {
        let poke = "<lrmd_command lrmd_op='lrmd_rsc_poke' lrmd_remote_msg_id='9'/>";
        let Some(Incoming::Request(request)) = read(document(Flags::RESPONSE_WANTED, poke)) else {
            panic!("not a request")
        };
        assert_eq!((request.msg_id, request.op.name()), (7, "lrmd_rsc_poke"));
    }

    #[test]
    fn what_is_no_request_is_dropped() {
        let wanted = Flags::RESPONSE_WANTED;
        for text in ["", "x", "<lrmd_notify lrmd_op='lrmd_rsc_new_client' lrmd_remote_msg_type='notify'/>"] {
            assert_eq!(read(document(wanted, text)), None, "{text}");
        }
        assert_eq!(read(document(Flags(0), "<lrmd_command lrmd_op='lrmd_rsc_poke'/>")), None);
    }
}

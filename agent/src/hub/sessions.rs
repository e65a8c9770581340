//! Local clients and the provider each of them is bound to, from its connection to its end.
//!
//! A session never moves to another provider: the tool at its end sees a disconnect, as with the original.

use std::collections::BTreeMap;

use picket_proto::frame::Frame;
use picket_proto::notification::Notification;
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::xml::Verbatim;
use uuid::Uuid;

use super::Hub;
use crate::executor::ClientId;
use crate::ipc::{LocalEvent, Mailbox, Refused};

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<Uuid, Session>);

#[derive(Debug)]
struct Session {
    provider: ClientId,
    mailbox: Mailbox,
}

impl Sessions {
    /// Disconnects the tools that were served by a provider.
    pub(super) fn provider_gone(&mut self, provider: ClientId) {
        self.0.retain(|_, session| session.provider != provider);
    }
}

impl Hub {
    pub(super) fn local(&mut self, event: LocalEvent) {
        match event {
            LocalEvent::Opened { session, server, mailbox, answer } => {
                let provider = self.clients.newest_provider();
                // A tool that has gone meanwhile is reported as closed.
                let _ = answer.send(provider.is_some());
                let Some(provider) = provider else { return };
                self.sessions.0.insert(session, Session { provider, mailbox });
                let opened = ProxyMessage {
                    server: Some(server.to_owned()),
                    ..ProxyMessage::new(ProxyOp::New, Some(&session.to_string()))
                };
                self.send(provider, &Notification::Proxy(opened).to_element());
            }
            LocalEvent::Request { session, document, ticket } => {
                // Documents of a session that the cluster has ended go nowhere.
                let Some(Session { provider, .. }) = self.sessions.0.get(&session) else { return };
                self.last_frame += 1;
                match Frame::new(self.last_frame, document) {
                    Ok(frame) => self.clients.send_with(*provider, frame, Some(ticket)),
                    Err(error) => tracing::error!("cannot relay a local client's document: {error}"),
                }
            }
            LocalEvent::Closed { session } => {
                if let Some(Session { provider, .. }) = self.sessions.0.remove(&session) {
                    self.end_session(provider, Some(&session.to_string()));
                }
            }
        }
    }

    /// What a provider says about a session. One that is not there is answered with its end.
    pub(super) fn relayed(&mut self, client: ClientId, proxy: ProxyMessage) {
        let id = proxy.session.as_deref().and_then(|id| Uuid::try_parse(id).ok());
        let known = id.and_then(|id| Some((id, self.sessions.0.get(&id)?)));
        let Some((id, session)) = known else {
            return self.end_session(client, proxy.session.as_deref());
        };
        let text = |msg: Option<Verbatim>| msg.map(Verbatim::into_text);
        let result = match proxy.op {
            ProxyOp::Destroy => {
                // Nothing is told back: the provider knows.
                self.sessions.0.remove(&id);
                return;
            }
            ProxyOp::Event => text(proxy.msg).map(|text| session.mailbox.notify(text)),
            ProxyOp::Response => text(proxy.msg).map(|text| {
                let id = proxy.msg_id.and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
                session.mailbox.respond(id, text)
            }),
            op => {
                tracing::warn!("the cluster sent {op:?} for a local client, which has no meaning");
                return;
            }
        };
        match result {
            // Gone: its end is on the way here.
            Some(Ok(()) | Err(Refused::Gone)) => {}
            Some(Err(error @ Refused::Full(_))) => {
                tracing::warn!("disconnecting a local client: {error}");
                self.sessions.0.remove(&id);
                self.end_session(client, Some(&id.to_string()));
            }
            None => tracing::warn!("the cluster sent a local client a message without content"),
        }
    }

    fn end_session(&mut self, provider: ClientId, session: Option<&str>) {
        let end = ProxyMessage::new(ProxyOp::Destroy, session);
        self.send(provider, &Notification::Proxy(end).to_element());
    }
}

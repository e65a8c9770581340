//! What each request does. Replies go out before anything is executed: a controller waits for one at most 10 s.

use picket_proto::errno::Rc;
use picket_proto::exec::ExecRequest;
use picket_proto::incoming::{Incoming, MessageError};
use picket_proto::notification::Notification;
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::reply::{HelloReply, Reply, ReplyBody};
use picket_proto::request::{Hello, Operation, Request};
use picket_proto::resource::Definition;
use picket_proto::status::AgentStatus;
use picket_proto::version::{self, LRMD_VERSION};

use super::{Event, Exit, Hub};
use crate::executor::ClientId;
use crate::watchdog;
use crate::wire::tls::Role;

/// What is sent back.
struct Answer {
    rc: Rc,
    body: ReplyBody,
    /// Notification to everybody, after the reply.
    tell: Option<Option<String>>,
}

impl From<Rc> for Answer {
    fn from(rc: Rc) -> Self {
        Self { rc, body: ReplyBody::Plain, tell: None }
    }
}

impl Hub {
    pub(super) fn received(&mut self, client: ClientId, message: Result<Incoming, MessageError>) {
        match message {
            Ok(Incoming::Request(request)) => self.request(client, request),
            Ok(Incoming::Notification(_) | Incoming::Reply(_)) => {
                tracing::warn!("ignoring a message from client {} that only agents send", self.label(client));
            }
            Err(error) => {
                tracing::warn!("bad message from client {}: {error}", self.label(client));
                if let MessageError::Xml { msg_id: Some(msg_id), .. } = error {
                    let call_id = self.next_call();
                    self.reply(client, msg_id, call_id, Rc::PROTOCOL.into());
                }
            }
        }
    }

    fn request(&mut self, client: ClientId, request: Request) {
        let call_id = self.next_call();
        let op_name = request.op.name().to_owned();
        if let Some(connected) = self.clients.client(client)
            && connected.name.is_none()
            && let Some(name) = &request.client_name
        {
            connected.name = Some(name.clone());
        }
        let (msg_id, options) = (request.msg_id, request.options);
        tracing::trace!("client {}: {op_name} (message {msg_id}, call {call_id})", self.label(client));
        if !self.may(client, &request.op) {
            tracing::warn!("client {} may not ask for {op_name}", self.label(client));
            return self.reply(client, msg_id, call_id, Rc::ACCESS.into());
        }
        let now = self.now();
        let answer = match request.op {
            Operation::Register(hello) => self.hello(client, &hello),
            Operation::Poke => Answer { tell: Some(None), ..Rc::OK.into() },
            Operation::RscInfo(id) => self.rsc_info(&id),
            Operation::RscRegister(definition) => {
                let id = definition.id.clone();
                self.log_registration(&definition);
                self.executor.register(definition, options, now);
                Answer { tell: Some(Some(id)), ..Rc::OK.into() }
            }
            Operation::RscUnregister(id) => {
                let rc = self.executor.unregister(&id, now);
                Answer { tell: Some(Some(id)), ..rc.into() }
            }
            Operation::Exec(exec) => self.exec(exec, options, client, call_id),
            Operation::Cancel(cancel) => self.executor.cancel(&cancel, now).into(),
            Operation::GetRecurring(id) => match self.executor.recurring(id.as_deref()) {
                Ok(resources) => Answer { body: ReplyBody::Recurring(resources), ..Rc::OK.into() },
                Err(rc) => rc.into(),
            },
            Operation::Check { watchdog } => return self.check(watchdog),
            Operation::IpcForward(proxy) => self.forwarded(client, proxy),
            Operation::PicketStatus => self.status(client),
            Operation::PicketWatch => {
                if let Some(connected) = self.clients.client(client) {
                    connected.watching = true;
                }
                Rc::OK.into()
            }
            Operation::Incomplete { op, rc } => {
                tracing::warn!("client {} sent {op} without what it needs", self.label(client));
                rc.into()
            }
            Operation::Alert(alert) => {
                self.alerts.start(alert, self.surroundings.env.clone());
                Rc::OK.into()
            }
            Operation::Unknown(op) => {
                tracing::warn!("client {} sent the unknown request {op:?}", self.label(client));
                Rc::NOT_SUPPORTED.into()
            }
        };
        // Reports of what a request cancelled go out before its reply.
        self.perform();
        let (tell, rc) = (answer.tell.clone(), answer.rc);
        self.reply(client, msg_id, call_id, answer);
        if let Some(rsc_id) = tell {
            self.broadcast(&Notification::Generic { op: op_name, rsc_id, rc, call_id }.to_element());
        }
    }

    fn reply(&mut self, client: ClientId, msg_id: i64, call_id: i64, answer: Answer) {
        let Answer { rc, body, .. } = answer;
        let reply = Reply { msg_id, rc, call_id, body, origin: "picket-agent".to_owned() }.to_element();
        if !self.clients.send_local(client, Some(msg_id), &reply) {
            self.send(client, &reply);
        }
    }

    /// Everybody may say hello and poke.
    fn may(&mut self, client: ClientId, op: &Operation) -> bool {
        let Some(client) = self.clients.client(client) else { return false };
        match op {
            Operation::Poke | Operation::Register(_) | Operation::Unknown(_) => true,
            _ => client.is_privileged(),
        }
    }

    fn hello(&mut self, client: ClientId, hello: &Hello) -> Answer {
        let accepted = version::is_supported(hello.version.as_deref());
        let uptime = self.uptime().as_secs();
        let Some(connected) = self.clients.client(client) else { return Rc::PROTOCOL.into() };
        let reply = HelloReply {
            client_id: connected.uuid.to_string(),
            version: Some(LRMD_VERSION.to_owned()),
            uptime: Some(uptime),
            node_start_state: self.config.node_start_state.clone(),
        };
        let body = ReplyBody::Hello(reply);
        if !accepted {
            let (label, version) = (connected.label(), hello.version.as_deref().unwrap_or("none"));
            tracing::warn!("client {label} speaks LRMD version {version}, at least 1.0 is needed");
            return Answer { body, ..Rc::PROTOCOL.into() };
        }
        if connected.is_local() && hello.is_ipc_provider == Some(true) {
            // Nothing relays for local clients but a cluster.
            return Answer { body, ..Rc::ACCESS.into() };
        }
        // A controller that hears of another client gives the node up; a local one is no other cluster.
        let observed = connected.role == Role::Observer && !connected.is_local();
        connected.role = Role::Controller;
        if hello.is_ipc_provider == Some(true) {
            tracing::info!(notice = true, peer = %connected.way, "cluster connected as {}", connected.label());
            self.clients.promote(client);
            if version::has_schemas(hello.version.as_deref()) {
                self.schemas.fetch();
            }
        }
        if observed {
            // Until now nobody was told of it.
            self.announce(client);
        }
        Answer { body, ..Rc::OK.into() }
    }

    fn rsc_info(&self, id: &str) -> Answer {
        match self.executor.definition(id) {
            Some(definition) => Answer { body: ReplyBody::Resource(definition.clone()), ..Rc::OK.into() },
            None => Rc::NO_RESOURCE.into(),
        }
    }

    fn log_registration(&self, definition: &Definition) {
        if self.executor.definition(&definition.id) != Some(definition) {
            tracing::info!("resource {} registered ({definition})", definition.id);
        }
    }

    fn exec(
        &mut self,
        exec: ExecRequest,
        options: picket_proto::request::CallOptions,
        client: ClientId,
        call_id: i64,
    ) -> Answer {
        let (rsc_id, action) = (exec.rsc_id.clone(), exec.action.clone());
        let now = self.now();
        let rc = self.executor.exec(exec, options, client, call_id, now);
        if rc.is_ok() && action != "monitor" {
            tracing::info!("executing - rsc:{rsc_id} action:{action} call_id:{call_id}");
        }
        rc.into()
    }

    fn status(&self, client: ClientId) -> Answer {
        let status = AgentStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.uptime().as_secs(),
            clients: self.clients.status(client),
            resources: self.executor.status(),
        };
        Answer { body: ReplyBody::Status(status), ..Rc::OK.into() }
    }

    /// The cluster's side of the IPC relay and of the shutdown handshake.
    fn forwarded(&mut self, client: ClientId, proxy: ProxyMessage) -> Answer {
        match proxy.op {
            ProxyOp::ShutdownAck => {
                tracing::info!(notice = true, "the cluster moves resources away from this node");
            }
            ProxyOp::ShutdownNack if self.leaving => {
                tracing::info!(
                    notice = true,
                    "the cluster leaves resources where they are (maintenance): stopping"
                );
                self.exit = Some(Exit::Done);
            }
            ProxyOp::ShutdownNack => tracing::warn!("the cluster refuses a shutdown that was not asked for"),
            ProxyOp::Destroy
            | ProxyOp::Event
            | ProxyOp::New
            | ProxyOp::Other(_)
            | ProxyOp::Request
            | ProxyOp::Response
            | ProxyOp::ShutdownReq => self.relayed(client, proxy),
        }
        Rc::OK.into()
    }

    /// Never answered. The look for `sbd` goes through /proc, so it happens off the event loop.
    fn check(&self, watchdog: Option<String>) {
        let (events, sbd_timeout) = (self.events.clone(), self.config.sbd_timeout);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = watchdog::check(watchdog.as_deref(), sbd_timeout, watchdog::sbd_running) {
                // Only fails when the agent is ending anyway.
                let _ = events.blocking_send(Event::Watchdog(error));
            }
        });
    }

    fn label(&mut self, client: ClientId) -> String {
        self.clients.client(client).map(|client| client.label()).unwrap_or_default()
    }
}

//! The cluster's side of the protocol: what `picketctl` and the black-box tests talk to an agent with.
//!
//! ```text
//! dial (TCP) -> Link (TLS, whole documents, raw bytes) -> Controller (requests, replies, notifications)
//! ```
//!
//! A [`Controller`] behaves as `pacemaker-controld` does: one request is outstanding at a time, notifications
//! that come before the reply are kept in order and delivered afterwards, and a reply that takes longer than
//! [`REPLY_LIMIT`] is an error. Every wait has a deadline.

mod dial;
mod error;
mod link;

use std::collections::VecDeque;
use std::time::Duration;

use picket_proto::incoming::Incoming;
use picket_proto::notification::Notification;
use picket_proto::reply::Reply;
use picket_proto::request::{CallOptions, Hello, Operation, Request};
use tokio::time::Instant;

pub use dial::{DialError, dial};
pub use error::ControllerError;
pub use link::{Arrival, Link, Proof};

/// How long the real controller waits for a reply before it closes the connection.
pub const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// A client of an agent.
#[derive(Debug)]
pub struct Controller {
    link: Link,
    last_id: i64,
    early: VecDeque<Notification>,
}

impl Controller {
    /// Speaks over a connection that exists.
    #[must_use]
    pub fn new(link: Link) -> Self {
        Self { link, last_id: 0, early: VecDeque::new() }
    }

    /// Registers under `name`; only a client with a name gets notifications. A `provider` relays local IPC, as
    /// a cluster does.
    ///
    /// # Errors
    /// As [`Controller::call`]. A refusal is a reply.
    pub async fn hello(
        &mut self,
        name: &str,
        version: Option<&str>,
        provider: bool,
    ) -> Result<Reply, ControllerError> {
        let hello = Hello { version: version.map(str::to_owned), is_ipc_provider: provider.then_some(true) };
        let mut request = Request::new(self.next_id(), Operation::Register(hello));
        request.client_name = Some(name.to_owned());
        self.ask(&request).await
    }

    /// Sends a request and waits for its reply; notifications that come first are kept for
    /// [`Controller::notification`].
    ///
    /// # Errors
    /// [`ControllerError`] where the connection is lost or no reply comes. A negative return code is a reply.
    pub async fn call(&mut self, op: Operation, options: CallOptions) -> Result<Reply, ControllerError> {
        let request = self.request(op, options);
        self.ask(&request).await
    }

    /// Sends a request without waiting for its reply, which the next call then passes over. Says its id.
    ///
    /// # Errors
    /// Where the connection is lost.
    pub async fn send(&mut self, op: Operation, options: CallOptions) -> Result<i64, ControllerError> {
        let request = self.request(op, options);
        self.link.send_text(request.to_element().to_string()).await?;
        Ok(request.msg_id)
    }

    /// The next notification; `None` when none came within `limit`.
    ///
    /// # Errors
    /// Where the connection is lost, or a document cannot be understood.
    pub async fn notification(&mut self, limit: Duration) -> Result<Option<Notification>, ControllerError> {
        if let Some(early) = self.early.pop_front() {
            return Ok(Some(early));
        }
        let deadline = Instant::now() + limit;
        loop {
            match self.incoming(deadline).await? {
                Some(Incoming::Notification(notification)) => return Ok(Some(notification)),
                // The reply to a request nobody waited for.
                Some(Incoming::Reply(_) | Incoming::Request(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Ends the connection in order.
    pub async fn close(self) {
        self.link.close().await;
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn request(&mut self, op: Operation, options: CallOptions) -> Request {
        let timeout = match &op {
            Operation::Exec(exec) => exec.timeout,
            _ => 0,
        };
        Request { options, timeout, ..Request::new(self.next_id(), op) }
    }

    async fn ask(&mut self, request: &Request) -> Result<Reply, ControllerError> {
        self.link.send_text(request.to_element().to_string()).await?;
        let deadline = Instant::now() + REPLY_LIMIT;
        loop {
            match self.incoming(deadline).await? {
                Some(Incoming::Reply(reply)) if reply.msg_id == request.msg_id => return Ok(reply),
                Some(Incoming::Notification(notification)) => self.early.push_back(notification),
                Some(Incoming::Reply(_) | Incoming::Request(_)) => {}
                None => return Err(ControllerError::NoReply { op: request.op.name().to_owned() }),
            }
        }
    }

    /// The next document; `None` at the deadline.
    async fn incoming(&mut self, deadline: Instant) -> Result<Option<Incoming>, ControllerError> {
        match self.link.receive(deadline.duration_since(Instant::now())).await? {
            Arrival::Text(text) => Ok(Some(Incoming::parse(&text)?)),
            Arrival::Closed => Err(ControllerError::Closed),
            Arrival::Nothing => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use picket_proto::errno::Rc;
    use picket_proto::reply::ReplyBody;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::key::Key;
    use crate::wire::message::{Receiver, send};
    use crate::wire::socket::{Liveness, Socket, Tuning};
    use crate::wire::tls::{self, Role};
    use picket_proto::frame::Frame;

    fn key() -> Key {
        let name = format!("picket-controller-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, [7; 4096]).unwrap();
        let key = Key::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        key
    }

    fn poke_notification(call_id: i64) -> String {
        let op = "lrmd_rsc_poke".to_owned();
        Notification::Generic { op, rsc_id: None, rc: Rc::OK, call_id }.to_element().to_string()
    }

    fn reply(msg_id: i64) -> String {
        let body = ReplyBody::Plain;
        let reply = Reply { msg_id, rc: Rc::OK, call_id: msg_id, body, origin: "test".into() };
        reply.to_element().to_string()
    }

    /// An agent that answers each request with the next list of documents.
    async fn agent(listener: TcpListener, answers: Vec<Vec<String>>) {
        let (stream, _) = listener.accept().await.unwrap();
        let socket = Socket::new(stream, Tuning::Prompt, Liveness::default()).unwrap();
        let (tls, ..) = tls::accept(socket, &[key().into()]).await.unwrap();
        let (reader, mut writer) = tokio::io::split(tls);
        let mut reader = Receiver::new(reader);
        for answer in answers {
            reader.next().await.unwrap().unwrap();
            for text in answer {
                send(&mut writer, &Frame::new(1, text).unwrap()).await.unwrap();
            }
        }
        assert_eq!(reader.next().await.unwrap(), None, "closed in order");
    }

    #[tokio::test]
    async fn notifications_before_a_reply_are_kept_in_order_and_foreign_replies_passed_over() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers =
            vec![vec![poke_notification(1), reply(99), poke_notification(2), reply(1)], vec![reply(2)]];
        let controller = async {
            let stream = TcpStream::connect(address).await.unwrap();
            let limit = Duration::from_secs(5);
            let link = Link::open(stream, &key(), Role::Controller, Tuning::Prompt, limit).await.unwrap();
            let mut controller = Controller::new(link);
            assert_eq!(controller.hello("me", Some("1.1"), false).await.unwrap().msg_id, 1);
            assert_eq!(controller.call(Operation::Poke, CallOptions::default()).await.unwrap().msg_id, 2);
            for expected in [1, 2] {
                match controller.notification(Duration::ZERO).await.unwrap() {
                    Some(Notification::Generic { call_id, .. }) => assert_eq!(call_id, expected),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(controller.notification(Duration::from_millis(10)).await.unwrap(), None);
            controller.close().await;
        };
        tokio::join!(agent(listener, answers), controller);
    }

    #[tokio::test]
    async fn nothing_listening_is_told_from_an_unknown_name() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let refused = dial("127.0.0.1", port, Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(refused, DialError::Refused { .. }), "{refused}");
        let unknown = dial("no.such.host.invalid", port, Duration::from_secs(20)).await.unwrap_err();
        assert!(matches!(unknown, DialError::UnknownHost { .. } | DialError::Late { .. }), "{unknown}");
    }
}

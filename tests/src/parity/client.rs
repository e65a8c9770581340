//! A client of an agent that looks at every document, in the order of arrival.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::socket::{setsockopt, sockopt};
use picket_agent::controller::{Arrival, Link, Proof};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::frame::Frame;
use picket_proto::request::{CallOptions, CancelRequest, Hello, Operation, Request};
use picket_proto::resource::Definition;
use picket_proto::xml::Element;
use tokio::runtime::Runtime;

use crate::differential::Op;
use crate::parity::bench::PATIENCE;
use crate::parity::doc::Doc;
use crate::peer::Peer;

/// The provider of the test agents.
pub(super) const PROVIDER: &str = "picket-test";

/// One connection.
pub(crate) struct Client {
    // Before the runtime that it belongs to.
    link: Option<Link>,
    /// A second descriptor of the socket.
    tap: TcpStream,
    runtime: Runtime,
    last_id: i64,
    early: VecDeque<Doc>,
}

impl Client {
    /// Performs the TLS handshake.
    pub(super) fn connect(peer: &Peer) -> Result<Self> {
        Self::over(peer.connect()?, &Key::read(&peer.key)?)
    }

    pub(super) fn over<'a>(stream: TcpStream, proof: impl Into<Proof<'a>>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tap = stream.try_clone()?;
        stream.set_nonblocking(true)?;
        let link = runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            Ok::<_, anyhow::Error>(
                Link::open(stream, proof, Role::Controller, Tuning::Prompt, PATIENCE).await?,
            )
        })?;
        Ok(Self { link: Some(link), tap, runtime, last_id: 0, early: VecDeque::new() })
    }

    /// Connects and registers.
    pub(super) fn join(peer: &Peer, name: &str) -> Result<Self> {
        let mut client = Self::connect(peer)?;
        client.hello(name, Some("1.1"), None)?.is("lrmd_rc", 0)?;
        Ok(client)
    }

    /// Connects and registers as a cluster does.
    pub(crate) fn provider(peer: &Peer, name: &str) -> Result<Self> {
        let mut client = Self::connect(peer)?;
        client.hello(name, Some("1.1"), Some(true))?.is("lrmd_rc", 0)?;
        Ok(client)
    }

    pub(super) fn hello(&mut self, name: &str, version: Option<&str>, provider: Option<bool>) -> Result<Doc> {
        let hello = Hello { version: version.map(str::to_owned), is_ipc_provider: provider };
        let mut request = Request::new(0, Operation::Register(hello));
        request.client_name = Some(name.to_owned());
        self.ask(request)
    }

    // Requests.

    /// Sends a request and waits for its reply. What came before that is in [`early`](Self::early).
    pub(super) fn call(&mut self, op: Operation) -> Result<Doc> {
        self.ask(Request::new(0, op))
    }

    pub(super) fn ask(&mut self, request: Request) -> Result<Doc> {
        let id = self.tell(request)?;
        self.reply(id)
    }

    /// Sends a request and says its id.
    pub(super) fn tell(&mut self, mut request: Request) -> Result<i64> {
        self.last_id += 1;
        request.msg_id = self.last_id;
        self.say(&request.to_element().to_string())?;
        Ok(self.last_id)
    }

    /// Sends any text as a message.
    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        let link = self.link.as_mut().context("this client has left")?;
        Ok(self.runtime.block_on(link.send_text(text.to_owned()))?)
    }

    /// Sends header and payload as they are.
    pub(super) fn say_frame(&mut self, frame: &Frame) -> Result<()> {
        let link = self.link.as_mut().context("this client has left")?;
        Ok(self.runtime.block_on(link.send_frame(frame))?)
    }

    /// Sends bytes as one TLS record.
    pub(super) fn say_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let link = self.link.as_mut().context("this client has left")?;
        Ok(self.runtime.block_on(link.send_bytes(bytes))?)
    }

    /// Waits for the reply to a request.
    pub(super) fn reply(&mut self, id: i64) -> Result<Doc> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let doc = self.read(deadline)?.with_context(|| format!("no reply to request {id}"))?;
            let is_reply = doc.text("lrmd_remote_msg_type") == "reply";
            if is_reply && doc.number("lrmd_remote_msg_id")? == id {
                return Ok(doc);
            }
            self.early.push_back(doc);
        }
    }

    pub(super) fn poke(&mut self) -> Result<Doc> {
        self.call(Operation::Poke)
    }

    /// Registers one of the test agents as a resource.
    pub(super) fn register(&mut self, id: &str, agent: &str) -> Result<()> {
        self.register_as(id, "ocf", Some(PROVIDER), agent, 0)
    }

    /// Registers a resource, and waits for the notification of it too.
    pub(super) fn register_as(
        &mut self,
        id: &str,
        class: &str,
        provider: Option<&str>,
        agent: &str,
        options: i64,
    ) -> Result<()> {
        let definition = Definition {
            id: id.into(),
            class: class.into(),
            provider: provider.map(str::to_owned),
            agent: agent.into(),
        };
        let request =
            Request { options: CallOptions(options), ..Request::new(0, Operation::RscRegister(definition)) };
        self.ask(request)?.is("lrmd_rc", 0)?;
        self.hear()?.is("lrmd_op", "lrmd_rsc_register")?.is("lrmd_rsc_id", id)?;
        Ok(())
    }

    /// Registers one of the test agents; its notification comes later.
    pub(super) fn register_quietly(&mut self, id: &str, agent: &str) -> Result<()> {
        let provider = Some(PROVIDER.to_owned());
        let definition = Definition { id: id.into(), class: "ocf".into(), provider, agent: agent.into() };
        self.call(Operation::RscRegister(definition))?.is("lrmd_rc", 0)?;
        Ok(())
    }

    /// Unregisters a resource and says the return code.
    pub(super) fn unregister(&mut self, id: &str) -> Result<i64> {
        self.call(Operation::RscUnregister(id.into()))?.rc()
    }

    /// Asks for an operation and says its call id; the result comes later.
    pub(super) fn exec(&mut self, op: &Op) -> Result<i64> {
        let exec = op.request();
        let (timeout, options) = (exec.timeout, op.call_options());
        let reply = self.ask(Request { timeout, options, ..Request::new(0, Operation::Exec(exec)) })?;
        ensure!(reply.rc()? > 0, "refused: {}", reply.0);
        reply.rc()
    }

    /// Asks for an operation and waits for a result.
    pub(super) fn run(&mut self, op: &Op) -> Result<Doc> {
        self.exec(op)?;
        self.result()
    }

    pub(super) fn cancel(&mut self, id: &str, action: &str, interval: u64) -> Result<i64> {
        let cancel = CancelRequest { rsc_id: id.into(), action: action.into(), interval };
        self.call(Operation::Cancel(cancel))?.rc()
    }

    pub(super) fn info(&mut self, id: &str) -> Result<Doc> {
        self.call(Operation::RscInfo(id.into()))
    }

    pub(super) fn recurring(&mut self, id: Option<&str>) -> Result<Element> {
        Ok(self.call(Operation::GetRecurring(id.map(str::to_owned)))?.0)
    }

    // What is heard.

    /// The documents that came before the last reply.
    pub(super) fn early(&mut self) -> Vec<Doc> {
        self.early.drain(..).collect()
    }

    /// The next document; `None` where none came in time.
    pub(super) fn next(&mut self, limit: Duration) -> Result<Option<Doc>> {
        match self.early.pop_front() {
            Some(doc) => Ok(Some(doc)),
            None => self.read(Instant::now() + limit),
        }
    }

    /// The next document until then, with the time at which it was read.
    pub(super) fn next_at(&mut self, deadline: Instant) -> Result<Option<(Doc, Instant)>> {
        let doc = self.next(deadline.saturating_duration_since(Instant::now()))?;
        Ok(doc.map(|doc| (doc, Instant::now())))
    }

    /// The next document, which has to come.
    pub(super) fn hear(&mut self) -> Result<Doc> {
        self.next(PATIENCE)?.context("nothing more came")
    }

    /// The next result; other notifications are passed over.
    pub(super) fn result(&mut self) -> Result<Doc> {
        let deadline = Instant::now() + PATIENCE;
        self.result_until(deadline)?.with_context(|| format!("no result within {} s", PATIENCE.as_secs()))
    }

    pub(super) fn result_until(&mut self, deadline: Instant) -> Result<Option<Doc>> {
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now()))? {
                Some(doc) if doc.is_result() => return Ok(Some(doc)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Fails where a document comes.
    pub(super) fn silent(&mut self, time: Duration) -> Result<()> {
        match self.next(time)? {
            Some(doc) => bail!("this should not have come: {}", doc.0),
            None => Ok(()),
        }
    }

    /// Whether the agent ends the connection in time; documents are passed over.
    pub(super) fn is_closed(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            match self.read(deadline) {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    fn read(&mut self, deadline: Instant) -> Result<Option<Doc>> {
        let link = self.link.as_mut().context("this client has left")?;
        let limit = deadline.saturating_duration_since(Instant::now());
        match self.runtime.block_on(link.receive(limit))? {
            Arrival::Text(text) => {
                Ok(Some(Doc(Element::parse(&text).with_context(|| format!("not XML: {text}"))?)))
            }
            Arrival::Nothing => Ok(None),
            Arrival::Closed => bail!("the agent closed the connection"),
        }
    }

    // Leaving.

    /// Leaves in order, with close_notify.
    pub(super) fn leave(mut self) {
        if let Some(link) = self.link.take() {
            self.runtime.block_on(link.close());
        }
    }

    /// Is gone without a word; with `reset` the kernel says so rudely.
    pub(super) fn vanish(mut self, reset: bool) -> Result<()> {
        if reset {
            let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&self.tap, sockopt::Linger, &linger).context("set SO_LINGER")?;
        }
        drop(self.link.take());
        Ok(())
    }

    /// The socket, for a look at what lies there unread.
    pub(super) fn tap(&self) -> &TcpStream {
        &self.tap
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "client on descriptor {}", self.tap.as_raw_fd())
    }
}

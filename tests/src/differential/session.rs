//! A controller's conversation with one agent, and the transcript of it.
//!
//! Methods never fail: a lost connection, a missing reply or an unreadable document becomes an entry of the
//! transcript, and so a difference. They read only from the client they speak for, so what several clients hear is
//! recorded in the order of the script, not of the network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use picket_agent::controller::{Arrival, Link};
use picket_agent::key::Key;
use picket_agent::wire::message::WireError;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::exec::ExecRequest;
use picket_proto::frame::Frame;
use picket_proto::number::leading_int;
use picket_proto::request::{Alert, CallOptions, CancelRequest, Hello, Operation, Request};
use picket_proto::resource::Definition;
use picket_proto::xml::Element;
use tokio::runtime::Runtime;

use crate::differential::agents::{self, FOLDER};
use crate::differential::op::Op;
use crate::differential::transcript::{Entry, Transcript};
use crate::peer::Peer;
use crate::wait::wait_until;

/// For whatever must come.
const PATIENCE: Duration = Duration::from_secs(12);

/// After the last line of a script: what comes now was not expected.
const AFTERMATH: Duration = Duration::from_millis(300);

/// The client that every session starts with.
const FIRST: &str = "A";

/// Heads the entry of a session whose agent cannot be used for another one.
pub(super) const LEFT_BEHIND: &str = "! the agent is not as it was before";

/// One side of a sequence.
pub struct Session<'a> {
    peer: &'a Peer,
    key: Key,
    runtime: Runtime,
    clients: BTreeMap<&'static str, Client>,
    current: &'static str,
    resources: BTreeSet<String>,
    /// Call id that the transcript calls #0.
    base: i64,
    transcript: Transcript,
}

struct Client {
    /// `None` once it has left.
    link: Option<Link>,
    last_id: i64,
}

impl<'a> Session<'a> {
    /// Connects and registers client `A`.
    pub(super) fn start(peer: &'a Peer) -> Result<Self> {
        agents::clean(&peer.host)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
        let mut session = Self {
            peer,
            key: Key::read(&peer.key)?,
            runtime,
            clients: BTreeMap::new(),
            current: FIRST,
            resources: BTreeSet::new(),
            base: 0,
            transcript: Transcript::default(),
        };
        session.connect(FIRST);
        session.hello();
        Ok(session)
    }

    /// Records what nobody expected and gives the transcript. An agent that is to go on gets rid of everything that
    /// was registered; where it cannot, that is recorded too.
    pub(super) fn finish(mut self, goes_on: bool) -> Transcript {
        let names: Vec<_> =
            self.clients.iter().filter(|(_, client)| client.link.is_some()).map(|(name, _)| *name).collect();
        let mut pause = AFTERMATH;
        for name in names {
            self.on(name);
            self.hear_until(Instant::now() + pause);
            pause = Duration::from_millis(20);
        }
        let mut transcript = std::mem::take(&mut self.transcript);
        if goes_on && let Err(left) = self.unregister_all() {
            transcript.0.push(Entry::value(LEFT_BEHIND.into(), &left));
        }
        transcript
    }

    fn unregister_all(&mut self) -> Result<(), String> {
        self.connect("cleanup");
        for id in std::mem::take(&mut self.resources) {
            self.call(Operation::RscUnregister(id.clone()));
            match self.transcript.0.last() {
                Some(last) if last.fields.get("lrmd_rc").is_some_and(|rc| rc == "0") => {}
                Some(last) => return Err(format!("unregistering {id}: {last}")),
                None => return Err("no transcript".into()),
            }
        }
        Ok(())
    }

    // Clients.

    /// From now on speaks for this client.
    pub fn on(&mut self, client: &'static str) -> &mut Self {
        self.current = client;
        self
    }

    /// Performs the TLS handshake as a new client, and speaks for it.
    pub fn connect(&mut self, client: &'static str) -> &mut Self {
        self.current = client;
        let (peer, key) = (self.peer, &self.key);
        let opened = self.runtime.block_on(async {
            let stream = peer.connect()?;
            stream.set_nonblocking(true)?;
            let stream = tokio::net::TcpStream::from_std(stream)?;
            Ok::<_, anyhow::Error>(Link::open(stream, key, Role::Controller, Tuning::Prompt, PATIENCE).await?)
        });
        let last_id = 0;
        match opened {
            Ok(link) => self.clients.insert(client, Client { link: Some(link), last_id }),
            Err(error) => {
                self.record(Entry::value(format!("{client} ! cannot connect"), &format!("{error:#}")));
                self.clients.insert(client, Client { link: None, last_id })
            }
        };
        self
    }

    /// Connects, registers, and speaks for the new client.
    pub fn join(&mut self, client: &'static str) -> &mut Self {
        self.connect(client).hello()
    }

    /// Registers as a controller does, though not as an IPC provider.
    pub fn hello(&mut self) -> &mut Self {
        let name = format!("client-{}", self.current);
        self.hello_as(Some(&name), Some("1.1"), None)
    }

    /// Registers with these attributes.
    pub fn hello_as(
        &mut self,
        name: Option<&str>,
        version: Option<&str>,
        provider: Option<bool>,
    ) -> &mut Self {
        let hello = Hello { version: version.map(str::to_owned), is_ipc_provider: provider };
        let client_name = name.map(str::to_owned);
        self.request(Operation::Register(hello), |request| Request { client_name, ..request })
    }

    /// Leaves in order, with close_notify.
    pub fn leave(&mut self) -> &mut Self {
        if let Some(link) = self.take_link() {
            self.runtime.block_on(link.close());
        }
        self
    }

    /// Is gone all at once.
    pub fn vanish(&mut self) -> &mut Self {
        drop(self.take_link());
        self
    }

    // Requests; each waits for its reply.

    /// Registers an agent of the provider `picket-test`.
    pub fn register(&mut self, id: &str, agent: &str) -> &mut Self {
        self.register_as(id, "ocf", Some("picket-test"), agent)
    }

    /// Registers a resource, and waits for the notification of it too.
    pub fn register_as(&mut self, id: &str, class: &str, provider: Option<&str>, agent: &str) -> &mut Self {
        self.register_with(id, class, provider, agent, 0).hear(1)
    }

    /// Registers a resource with call options, without waiting for the notification.
    pub fn register_with(
        &mut self,
        id: &str,
        class: &str,
        provider: Option<&str>,
        agent: &str,
        options: i64,
    ) -> &mut Self {
        self.resources.insert(id.to_owned());
        let definition = Definition {
            id: id.into(),
            class: class.into(),
            provider: provider.map(str::to_owned),
            agent: agent.into(),
        };
        self.request(Operation::RscRegister(definition), |request| Request {
            options: CallOptions(options),
            ..request
        })
    }

    /// Unregisters a resource, and waits for the notification of it too.
    pub fn unregister(&mut self, id: &str) -> &mut Self {
        self.call(Operation::RscUnregister(id.into())).hear(1)
    }

    /// Asks for an operation; its result comes later.
    pub fn exec(&mut self, op: &Op) -> &mut Self {
        let request: ExecRequest = op.request();
        let (timeout, options) = (request.timeout, op.call_options());
        self.request(Operation::Exec(request), |request| Request { timeout, options, ..request })
    }

    /// Asks for an operation and waits for one notification, its result.
    pub fn run(&mut self, op: &Op) -> &mut Self {
        self.exec(op).hear(1)
    }

    /// Cancels an operation.
    pub fn cancel(&mut self, id: &str, action: &str, interval: u64) -> &mut Self {
        let cancel = CancelRequest { rsc_id: id.into(), action: action.into(), interval };
        self.call(Operation::Cancel(cancel))
    }

    /// Runs an alert agent.
    pub fn alert(&mut self, path: &str, params: &[(&str, &str)]) -> &mut Self {
        let params = params.iter().copied().collect();
        self.call(Operation::Alert(Alert { id: "alert-1".into(), path: path.into(), timeout: 5_000, params }))
    }

    /// Any request without options.
    pub fn call(&mut self, op: Operation) -> &mut Self {
        self.request(op, |request| request)
    }

    /// Sends a request and does not wait for a reply.
    pub fn tell(&mut self, op: Operation) -> &mut Self {
        let request = Request::new(self.next_id(), op);
        self.transmit(&request);
        self
    }

    /// Sends any text as a message.
    pub fn say(&mut self, text: &str) -> &mut Self {
        self.note(&format!("{} bytes of text", text.len()));
        self.with_link(|link, runtime| Ok(runtime.block_on(link.send_text(text.to_owned()))?));
        self
    }

    /// Sends a frame as it is.
    pub fn say_frame(&mut self, frame: &Frame) -> &mut Self {
        self.note("a frame");
        self.with_link(|link, runtime| Ok(runtime.block_on(link.send_frame(frame))?));
        self
    }

    /// Sends pieces of a message, each as a TLS record of its own.
    pub fn say_in_pieces(&mut self, pieces: &[&[u8]]) -> &mut Self {
        self.note("a frame in pieces");
        for piece in pieces {
            self.with_link(|link, runtime| Ok(runtime.block_on(link.send_bytes(piece))?));
        }
        self
    }

    // What is heard.

    /// Waits for this many documents.
    pub fn hear(&mut self, count: usize) -> &mut Self {
        for _ in 0..count {
            match self.next_document(PATIENCE) {
                Some(entry) => self.record(entry),
                None => {
                    let silence = Entry::note(format!("{} ! nothing more came", self.current));
                    self.record(silence);
                    break;
                }
            }
        }
        self
    }

    /// Waits for this many documents whose order depends on chance.
    pub fn hear_in_any_order(&mut self, count: usize) -> &mut Self {
        let from = self.transcript.0.len();
        self.hear(count);
        self.transcript.0[from..].sort_by_key(ToString::to_string);
        self
    }

    /// Listens for so many ms; what comes is recorded.
    pub fn listen(&mut self, ms: u64) -> &mut Self {
        self.hear_until(Instant::now() + Duration::from_millis(ms));
        self
    }

    // The host.

    /// Creates a file for agents to look at, in their folder.
    pub fn put(&mut self, name: &str, content: &str) -> &mut Self {
        if let Err(error) = self.peer.host.write(&format!("{FOLDER}/{name}"), content) {
            self.record(Entry::value(format!("! cannot write {name}"), &format!("{error:#}")));
        }
        self
    }

    /// Waits until agents have made a file, or removed one.
    pub fn wait_for_file(&mut self, name: &str, there: bool) -> &mut Self {
        let path = format!("{FOLDER}/{name}");
        let seen =
            wait_until(&path, PATIENCE, || Ok((self.peer.host.read(&path).is_ok() == there).then_some(())));
        if seen.is_err() {
            self.record(Entry::note(format!("! {name} is {}there", if there { "not " } else { "" })));
        }
        self
    }

    /// Records a file of the agents' folder, or that there is none; a line with `=` becomes a field.
    pub fn show(&mut self, name: &str) -> &mut Self {
        let content = self.peer.host.read(&format!("{FOLDER}/{name}")).unwrap_or("(no such file)".into());
        self.show_lines(&format!("file {name}"), &content);
        self
    }

    /// Records what a shell command prints on the host.
    pub fn look(&mut self, what: &str, script: &str) -> &mut Self {
        let said = match self.peer.host.run(&["sh", "-c", script]) {
            Ok(output) => output.stdout + &output.stderr,
            Err(error) => format!("{error:#}"),
        };
        self.show_lines(what, &said);
        self
    }

    /// Repeats a shell command on the host until it succeeds.
    pub fn wait_for(&mut self, what: &str, script: &str) -> &mut Self {
        let host = &self.peer.host;
        let seen = wait_until(what, PATIENCE, || {
            Ok(host.run(&["sh", "-c", script])?.status.success().then_some(()))
        });
        if seen.is_err() {
            self.record(Entry::note(format!("! not so: {what}")));
        }
        self
    }

    /// Sends SIGTERM to the agent.
    pub fn terminate(&mut self) -> &mut Self {
        let sent = self.peer.pid().and_then(|pid| Ok(kill(pid, Signal::SIGTERM)?));
        if let Err(error) = sent {
            self.record(Entry::value("! cannot terminate the agent".into(), &format!("{error:#}")));
        }
        self
    }

    /// Waits for the agent's own end and records how it ended.
    pub fn wait_for_end(&mut self) -> &mut Self {
        let ended = wait_until("the agent ends", PATIENCE, || Ok(self.peer.pid().err()));
        let how = match ended {
            Ok(error) => {
                let text = error.to_string();
                let status = text.split("exit status: ").nth(1).and_then(leading_int);
                status.map_or(text, |status| format!("exit status {status}"))
            }
            Err(_) => "it runs on".into(),
        };
        self.record(Entry::value("the agent ended".into(), &how));
        self
    }

    // Inside.

    fn show_lines(&mut self, what: &str, content: &str) {
        let mut entry = Entry::note(what.to_owned());
        for (at, line) in content.lines().enumerate() {
            let (name, value) = match line.split_once('=') {
                Some((name, value)) => (name.to_owned(), value),
                None => (format!("line {}", at + 1), line),
            };
            entry.fields.insert(name, value.to_owned());
        }
        self.record(entry);
    }

    fn record(&mut self, entry: Entry) {
        self.transcript.0.push(entry);
    }

    fn note(&mut self, text: &str) {
        let note = format!("{} > {text}", self.current);
        self.record(Entry::note(note));
    }

    fn client(&mut self) -> &mut Client {
        self.clients.get_mut(self.current).expect("a script speaks for clients that it connected")
    }

    fn take_link(&mut self) -> Option<Link> {
        self.note("leaves");
        self.client().link.take()
    }

    fn next_id(&mut self) -> i64 {
        let client = self.client();
        client.last_id += 1;
        client.last_id
    }

    fn with_link(&mut self, act: impl FnOnce(&mut Link, &Runtime) -> Result<()>) {
        let client = self.clients.get_mut(self.current).expect("a script speaks for connected clients");
        let result = match &mut client.link {
            Some(link) => act(link, &self.runtime),
            None => Ok(()),
        };
        if let Err(error) = result {
            let entry = Entry::value(format!("{} ! cannot send", self.current), &format!("{error:#}"));
            self.record(entry);
        }
    }

    fn transmit(&mut self, request: &Request) {
        let document = request.to_element();
        let rsc = document.find("lrmd_rsc");
        let words = ["lrmd_rsc_id", "lrmd_rsc_action"].map(|name| rsc.and_then(|rsc| rsc.attr(name)));
        let words: Vec<_> = words.into_iter().flatten().collect();
        self.note(format!("{} {}", request.op.name(), words.join(" ")).trim_end());
        self.with_link(|link, runtime| Ok(runtime.block_on(link.send_text(document.to_string()))?));
    }

    /// Sends a request and records everything up to its reply.
    fn request(&mut self, op: Operation, complete: impl FnOnce(Request) -> Request) -> &mut Self {
        let request = complete(Request::new(self.next_id(), op));
        self.transmit(&request);
        let id = request.msg_id.to_string();
        let deadline = Instant::now() + PATIENCE;
        while let Some(entry) = self.next_document(deadline.saturating_duration_since(Instant::now())) {
            let field = |name: &str| entry.fields.get(name).map(String::as_str);
            let done = field("lrmd_remote_msg_type") == Some("reply")
                && field("lrmd_remote_msg_id") == Some(id.as_str())
                || entry.head.contains(" ! ");
            self.record(entry);
            if done {
                return self;
            }
        }
        let silence = Entry::note(format!("{} ! no reply to {}", self.current, request.op.name()));
        self.record(silence);
        self
    }

    fn hear_until(&mut self, end: Instant) {
        while let Some(entry) = self.next_document(end.saturating_duration_since(Instant::now())) {
            let closed = entry.head.contains(" ! ");
            self.record(entry);
            if closed {
                break;
            }
        }
    }

    /// The next document of the current client as an entry; `None` when there was none in time.
    fn next_document(&mut self, limit: Duration) -> Option<Entry> {
        let name = self.current;
        let client = self.clients.get_mut(name).expect("a script speaks for connected clients");
        let link = client.link.as_mut()?;
        let lost = match self.runtime.block_on(link.receive(limit)) {
            Ok(Arrival::Nothing) => return None,
            Ok(Arrival::Text(text)) => {
                return Some(match Element::parse(&text) {
                    Ok(element) => {
                        // The hello of the first client is #0 of the sequence.
                        if self.base == 0 {
                            self.base = element.attr("lrmd_callid").and_then(leading_int).unwrap_or(0);
                        }
                        Entry::document(name, &element, self.base)
                    }
                    Err(error) => Entry::value(format!("{name} < unreadable"), &format!("{error}: {text}")),
                });
            }
            Ok(Arrival::Closed) => "with goodbye".to_owned(),
            // Reset or just closed, as the network's buffers happened to be.
            Err(WireError::Lost(_)) => "without goodbye".to_owned(),
            Err(error) => error.to_string(),
        };
        client.link = None;
        Some(Entry::value(format!("{name} ! connection ended"), &lost))
    }
}

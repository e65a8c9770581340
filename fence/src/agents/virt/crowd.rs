//! Several daemons that hear the same request, and strangers who hear it too.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::XVM;
use super::daemon::{Hypervisor, KEY_FILE, Kind, MULTICAST, PREFIX, key, talk};
use super::packet::{DIGEST, REQUEST, Request, read};
use crate::core::driver::{Driver, Power};
use crate::core::fault::Fault;
use crate::testing::server::{Shared, State};
use crate::testing::{World, driver};

/// A daemon with `vm1`, in this state, and `vm2`.
fn host(on: bool) -> State {
    let platform = Box::new(Hypervisor { wire: MULTICAST, kind: Kind::Plain });
    let world = World::new(on, None);
    Arc::new(Mutex::new(Shared { world, platform, injection: None, log: Vec::new(), closed: false }))
}

/// One on which the machine with this place has another UUID and name.
fn renamed(on: bool, at: usize, id: &'static str, name: &'static str) -> State {
    let host = host(on);
    let mut shared = host.lock().unwrap();
    (shared.world.machines[at].id, shared.world.machines[at].name) = (id, name);
    drop(shared);
    host
}

/// What connects without knowing the key.
#[derive(Clone, Copy)]
enum Stranger {
    Silent,
    /// Says "off" at once.
    Loud,
    /// Sends the challenge back.
    Mirror,
}

const STRANGERS: [Stranger; 3] = [Stranger::Silent, Stranger::Loud, Stranger::Mirror];

async fn connect(request: &Request, from: u8) -> TcpStream {
    let (ip, port) = request.home.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
    socket.connect((ip, port).into()).await.unwrap()
}

async fn strange(stranger: Stranger, request: Request) {
    let mut stream = connect(&request, 9).await;
    let mut challenge = [0; DIGEST];
    match stranger {
        Stranger::Silent => {}
        Stranger::Loud => drop(stream.write_all(&[2; 300]).await),
        Stranger::Mirror => {
            stream.read_exact(&mut challenge).await.unwrap();
            let _ = stream.write_all(&[challenge, challenge].concat()).await;
        }
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// Hears a request once, however often it is sent.
struct Ear {
    socket: UdpSocket,
    known: Vec<u32>,
}

impl Ear {
    /// The next one that `counts`.
    async fn next(&mut self, counts: impl Fn(&Request) -> bool) -> Request {
        loop {
            let mut message = [0; REQUEST];
            self.socket.recv(&mut message).await.unwrap();
            let (request, _) = read::request(&message, &key()).unwrap();
            if counts(&request) && !self.known.contains(&request.number) {
                self.known.push(request.number);
                return request;
            }
        }
    }
}

/// Has them all hear the requests to a port; gives the options for it. Strangers come first.
async fn crowd(hosts: &[State], strangers: &'static [Stranger]) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let hosts = hosts.to_vec();
    tokio::spawn(async move {
        let mut ear = Ear { socket, known: Vec::new() };
        loop {
            let request = ear.next(|_| true).await;
            for stranger in strangers {
                tokio::spawn(strange(*stranger, request.clone()));
            }
            for (at, host) in (1_u8..).zip(&hosts) {
                let (request, host) = (request.clone(), host.clone());
                if !host.lock().unwrap().closed {
                    tokio::spawn(async move { talk(connect(&request, at).await, &request, &host).await });
                }
            }
        }
    });
    format!("key_file={KEY_FILE}\nmulticast_address=127.0.0.1\ninterface=lo\nipport={port}\n")
}

/// The same behind a firewall that lets in the port of the older agent and no other.
async fn walled(host: &State) -> String {
    // Nobody's port, for both kinds of sockets: others on this machine have thousands of one kind.
    let port = TcpListener::bind("0.0.0.0:0").await.unwrap().local_addr().unwrap().port();
    let socket = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    let host = host.clone();
    tokio::spawn(async move {
        let mut ear = Ear { socket, known: Vec::new() };
        loop {
            let request = ear.next(|request| request.home.unwrap().1 == port).await;
            talk(connect(&request, 1).await, &request, &host).await;
        }
    });
    format!("key_file={KEY_FILE}\nmulticast_address=127.0.0.1\ninterface=lo\nipport={port}\nretrans=1\n")
}

async fn open(hosts: &[State], strangers: &'static [Stranger]) -> Box<dyn Driver> {
    driver(&XVM, &crowd(hosts, strangers).await).unwrap()
}

#[tokio::test]
async fn strangers_are_neither_believed_nor_waited_for() {
    let host = host(true);
    let mut driver = open(std::slice::from_ref(&host), &STRANGERS).await;
    let target = driver.resolve("vm1").await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::On);
    driver.off(&target).await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::Off);
    assert!(!host.lock().unwrap().world.machines[0].on);
}

#[tokio::test]
async fn where_a_firewall_lets_in_the_older_agents_port_only_that_one_is_used() {
    let host = host(true);
    let mut driver = driver(&XVM, &walled(&host).await).unwrap();
    let target = driver.resolve("vm1").await.unwrap();
    driver.off(&target).await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::Off);
}

#[tokio::test]
async fn when_only_strangers_come_it_says_so() {
    let options = crowd(&[], &[Stranger::Loud, Stranger::Mirror]).await + "request_timeout=1\n";
    let fault = driver(&XVM, &options).unwrap().resolve("vm1").await.unwrap_err();
    assert!(matches!(fault, Fault::TimedOut { .. }), "{fault}");
    assert!(fault.to_string().contains("2 came from where the key is not known"), "{fault}");
}

#[tokio::test]
async fn a_name_that_two_hosts_have_is_ambiguous_and_a_uuid_is_not() {
    let hosts = [host(true), renamed(true, 0, "201", "vm1")];
    let mut driver = open(&hosts, &[]).await;
    let Err(Fault::Ambiguous { candidates, .. }) = driver.resolve("vm1").await else { panic!("resolved") };
    let candidates: Vec<&str> = candidates.iter().map(|one| one.split(' ').next().unwrap()).collect();
    assert!(candidates.contains(&format!("{PREFIX}201").as_str()), "{candidates:?}");
    let target = driver.resolve(&format!("{PREFIX}201")).await.unwrap();
    driver.off(&target).await.unwrap();
    assert!(hosts[0].lock().unwrap().world.machines[0].on && !hosts[1].lock().unwrap().world.machines[0].on);
}

#[tokio::test]
async fn of_a_domain_at_two_hosts_both_must_show_it_as_off() {
    // Left behind by a migration, and never to be started twice.
    let hosts = [host(false), host(true)];
    let mut driver = open(&hosts, &[]).await;
    let target = driver.resolve("vm1").await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::On);
    driver.off(&target).await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::Off);
    assert!(matches!(driver.on(&target).await, Err(Fault::Ambiguous { .. })));
    hosts[1].lock().unwrap().closed = true;
    let reading = driver.state(&target).await.unwrap();
    assert_eq!((reading.power, reading.hint.is_some()), (Power::Unknown, true));
}

#[tokio::test]
async fn a_host_that_does_not_have_it_decides_nothing() {
    // It is asked first, and says "off" of what it does not know, and "failed" to switching it.
    let other = renamed(true, 0, "201", "other");
    let hosts = [other, host(true)];
    let mut driver = open(&hosts, &[]).await;
    let target = driver.resolve("vm1").await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::On);
    driver.off(&target).await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::Off);
    driver.on(&target).await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::On);
    assert_eq!(hosts[0].lock().unwrap().world.machines[0].switched, 0);
    let list = driver.list().await.unwrap();
    assert_eq!(list.iter().map(|one| one.plug.as_str()).collect::<Vec<_>>(), ["other", "vm1", "vm2"]);
}

use std::time::Duration;

use tokio::time::Instant;

use super::{Client, Config, encode};
use crate::core::fault::Fault;
use crate::core::secret::Secret;
use crate::testing::server::Server;
use crate::testing::tls::{Flaw, identity};
use crate::testing::{Answer, Platform, Seen, World, dummy};

/// Answers by path, and notes what it was sent.
struct Paths;

impl Platform for Paths {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        world.note +=
            &format!("{} {} {}\n", seen.method, seen.path, seen.header("authorization").unwrap_or("-"));
        match seen.path.as_str() {
            "/ok" => Answer::json(&serde_json::json!({"fine": true})),
            "/there" => Answer::new(301, "").header("location", "/ok"),
            "/here" => Answer::new(307, "").header("location", "ok"),
            "/round" => Answer::new(302, "").header("location", "/round"),
            "/away" => Answer::new(302, "").header("location", "http://127.0.0.2:1/ok"),
            "/later" if world.calls == 0 => Answer::new(429, "").header("retry-after", "3"),
            "/much-later" => Answer::new(503, "").header("retry-after", "3600"),
            "/later" => Answer::new(200, "{}"),
            "/broken" => Answer::new(500, "").reason("VM 101 is locked (backup)"),
            _ => Answer::new(404, "nothing here"),
        }
    }
}

async fn client(more: &str) -> (Client, Server) {
    let server = Server::start(World::new(true, None), Box::new(Paths), None, None).await;
    let lines = format!("ip=127.0.0.1\nipport={}\nssl=0\n{more}", server.port);
    (Client::new(Config::new(&dummy::settings(&lines)).unwrap()), server)
}

fn sent(server: &Server) -> Vec<String> {
    server.state.lock().unwrap().world.note.lines().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn get_follows_redirects_on_the_same_host_only() {
    let (mut client, server) = client("").await;
    assert_eq!(client.get("/there").send().await.unwrap().status, 200);
    client.set_basic("u", &Secret::new("p"));
    let Err(Fault::Rejected { answer, .. }) = client.get("/away").send().await else { panic!("it followed") };
    assert!(answer.contains("127.0.0.2"), "{answer}");
    assert!(matches!(client.get("/round").send().await, Err(Fault::Rejected { status: 302, .. })));
    assert_eq!(sent(&server).iter().filter(|line| line.contains("/round")).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn post_is_never_turned_into_get() {
    let (mut client, server) = client("").await;
    assert!(matches!(client.post("/there").send().await, Err(Fault::Rejected { status: 301, .. })));
    assert_eq!(client.post("/here").send().await.unwrap().status, 200);
    assert_eq!(sent(&server), ["POST /there -", "POST /here -", "POST /ok -"]);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_within_reason() {
    let (mut client, server) = client("").await;
    let start = Instant::now();
    assert_eq!(client.post("/later").send().await.unwrap().status, 200);
    assert_eq!(start.elapsed().as_secs(), 3);
    let start = Instant::now();
    assert!(matches!(client.get("/much-later").send().await, Err(Fault::Server { status: 503, .. })));
    assert_eq!(start.elapsed().as_secs(), 10, "two pauses of 5 s at most");
    assert_eq!(sent(&server).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn trouble_repeats_what_is_repeatable_and_nothing_else() {
    let (mut client, server) = client("").await;
    let Err(Fault::Server { answer, .. }) = client.post("/broken").send().await else { panic!("no fault") };
    assert_eq!(answer, "VM 101 is locked (backup)", "some platforms say it in the status line");
    assert_eq!(sent(&server).len(), 1);
    assert!(client.post("/broken").repeatable().send().await.is_err());
    assert_eq!(sent(&server).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn calls_are_noted_without_secrets() {
    let settings = dummy::settings("ip=127.0.0.1\nipport=1\nssl=0");
    let calls = settings.calls.clone();
    let mut client = Client::new(Config::new(&settings).unwrap());
    client.set_bearer(&Secret::new("hunter2"));
    let fault = client.get("/x?token=hunter2").send().await.unwrap_err();
    let calls = calls.take();
    assert!(matches!(fault, Fault::Unreachable { .. }), "{fault:?}");
    assert_eq!(calls.len(), 3, "a GET is tried three times");
    assert!(!format!("{calls:?} {fault:?}").contains("hunter2"));
}

#[tokio::test]
async fn tls_is_verified_unless_the_certificate_is_pinned_or_told_otherwise() {
    let identity = identity(Flaw::Stranger);
    let server = Server::start(World::new(true, None), Box::new(Paths), None, Some(identity.acceptor)).await;
    let wrong = format!("sha256:{}", "0".repeat(64));
    for (more, good) in [
        ("", false),
        (&format!("tls_pin={}", identity.pin), true),
        (&format!("tls_pin={wrong}\nssl_insecure=1"), false),
        ("ssl_insecure=1", true),
        ("ssl_insecure=0", false),
        ("ssl_insecure=1\nssl_secure=1", false),
    ] {
        let lines = format!("ip=127.0.0.1\nipport={}\n{more}", server.port);
        let mut client = Client::new(Config::new(&dummy::settings(&lines)).unwrap());
        let result = client.get("/ok").send().await;
        assert_eq!(result.is_ok(), good, "{more}: {result:?}");
        assert!(good || matches!(result, Err(Fault::Tls { .. })), "{more}: {result:?}");
    }
}

#[tokio::test]
async fn plain_http_must_be_asked_for() {
    for (lines, tls, port) in [
        ("ip=h", true, 443),
        ("ip=h\nssl=0", false, 80),
        ("ip=h\nipport=80", false, 80),
        ("ip=h\nipport=8000", true, 8000),
        ("ip=h\nipport=80\nssl_insecure=1", true, 80),
        ("ip=h\nssl=1", true, 443),
    ] {
        let config = Config::new(&dummy::settings(lines)).unwrap();
        assert_eq!(config.tls.is_some(), tls, "{lines}");
        assert_eq!(config.host().authority(), format!("h:{port}"), "{lines}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_host_of_a_list_is_tried() {
    let server = Server::start(World::new(true, None), Box::new(Paths), None, None).await;
    // On the loopback 127.0.0.2 has the same port, and nobody listens there.
    let lines = format!("ip=127.0.0.2,127.0.0.1\nipport={}\nssl=0", server.port);
    let mut client = Client::new(Config::new(&dummy::settings(&lines)).unwrap());
    assert_eq!(client.get("/ok").send().await.unwrap().status, 200);
    assert_eq!(client.host(), format!("127.0.0.1:{}", server.port));
}

#[tokio::test(start_paused = true)]
async fn a_request_never_outlives_the_deadline_of_the_run() {
    let injection = crate::testing::server::Injection {
        fault: crate::testing::fault::Fault::Hang,
        at: 0,
        often: crate::testing::fault::Often::Always,
    };
    let server = Server::start(World::new(true, None), Box::new(Paths), Some(injection), None).await;
    let lines = format!("ip=127.0.0.1\nipport={}\nssl=0\nrequest_timeout=600", server.port);
    let mut client = Client::new(Config::new(&dummy::settings(&lines)).unwrap());
    let start = Instant::now();
    assert!(matches!(client.get("/ok").send().await, Err(Fault::TimedOut { .. })));
    assert!(start.elapsed() <= Duration::from_secs(61), "{:?}", start.elapsed());
}

#[test]
fn values_are_encoded_for_paths() {
    assert_eq!(encode("a b/ü*%"), "a%20b%2F%C3%BC%2A%25");
}

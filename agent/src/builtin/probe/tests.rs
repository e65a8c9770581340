use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::values::Values;
use super::*;

fn call(action: &str, state: &Path, params: &[(&str, &str)]) -> Call {
    let state = state.to_str().unwrap().to_owned();
    let pairs = params.iter().copied().chain([("state", state.as_str())]);
    Call {
        action: action.to_owned(),
        instance: "p".to_owned(),
        values: Values::new(pairs),
        limit: Some(Duration::from_secs(2)),
        is_probe: false,
    }
}

fn state(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("picket-probe-{name}-{}", std::process::id()))
}

async fn checked(params: &[(&str, &str)]) -> (u8, String) {
    let params: Vec<_> = params.iter().copied().chain([("deadline", "500ms")]).collect();
    let call = call("monitor", Path::new("/dev/null"), &params);
    let outcome = run(call).await;
    (outcome.rc.number(), outcome.exit_reason.unwrap_or_default())
}

/// Answers one request with `answer`; without one it stays silent.
async fn server(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    address
}

#[tokio::test]
async fn http_checks_status_and_body() {
    let url = format!("http://{}/x", server(Some("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")).await);
    assert_eq!(checked(&[("check", "http"), ("target", &url), ("expect_body", "ell")]).await.0, 0);
    let url = format!("http://{}/", server(Some("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")).await);
    let (rc, reason) = checked(&[("check", "http"), ("target", &url), ("expect_body", "bye")]).await;
    assert!(rc == 1 && reason.contains("does not contain"), "{reason}");
    let url = format!("http://{}/", server(Some("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")).await);
    let (rc, reason) = checked(&[("check", "http"), ("target", &url)]).await;
    assert!(rc == 1 && reason.contains("status 503"), "{reason}");
}

#[tokio::test]
async fn a_silent_server_fails_at_the_deadline() {
    let url = format!("http://{}/", server(None).await);
    let (rc, reason) = checked(&[("check", "http"), ("target", &url)]).await;
    assert!(rc == 1 && reason.contains("not within 0.5 s"), "{reason}");
    let (rc, reason) = checked(&[("check", "command"), ("target", "sleep 100")]).await;
    assert!(rc == 1 && reason.contains("not within 0.5 s"), "{reason}");
}

#[tokio::test]
async fn ports_sockets_files_and_commands_are_checked() {
    let address = server(None).await;
    assert_eq!(checked(&[("check", "tcp"), ("target", &address)]).await.0, 0);
    assert_eq!(checked(&[("check", "tcp"), ("target", "127.0.0.1:1")]).await.0, 1);
    assert_eq!(checked(&[("check", "unix"), ("target", "/nonexistent")]).await.0, 1);
    assert_eq!(checked(&[("check", "command"), ("target", "sh -c 'exit 0'")]).await.0, 0);
    let (rc, reason) = checked(&[("check", "command"), ("target", "sh -c 'exit 3'")]).await;
    assert!(rc == 1 && reason.contains("exit status: 3"), "{reason}");
    let file = state("file");
    std::fs::write(&file, "").unwrap();
    let target = file.to_str().unwrap();
    assert_eq!(checked(&[("check", "file"), ("target", target)]).await.0, 0);
    assert_eq!(checked(&[("check", "file"), ("target", target), ("max_age", "0")]).await.0, 1);
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn what_cannot_be_used_is_a_configuration_error() {
    let rows: [&[(&str, &str)]; 5] = [
        &[("check", "tcp"), ("target", "nowhere")],
        &[("check", "http"), ("target", "ftp://x/")],
        &[("check", "http"), ("target", "https://x/")],
        &[("check", "ping"), ("target", "x")],
        &[("target", "x:1")],
    ];
    for params in rows {
        assert_eq!(checked(params).await.0, 6, "{params:?}");
    }
}

#[tokio::test]
async fn a_probe_is_running_from_its_start_to_its_stop() {
    let (file, good) = (state("life"), [("check", "command"), ("target", "true")]);
    let rc =
        async |action: &str, is_probe| run(Call { is_probe, ..call(action, &file, &good) }).await.rc.number();
    assert_eq!((rc("monitor", true).await, rc("monitor", false).await), (7, 7));
    assert_eq!((rc("start", false).await, rc("monitor", true).await), (0, 0));
    assert_eq!((rc("stop", false).await, rc("stop", false).await), (0, 0));
    assert_eq!(rc("monitor", true).await, 7);
    let bad = [("check", "command"), ("target", "false")];
    assert_eq!(run(call("start", &file, &bad)).await.rc.number(), 1);
    assert!(!file.exists());
}

#[test]
fn urls_are_taken_apart() {
    use super::http::Url;
    let shown = |text: &str| Url::parse(text).map(|url| url.to_string());
    assert_eq!(shown("http://a/b?c").as_deref(), Some("http://a:80/b?c"));
    assert_eq!(shown("https://[::1]:8443").as_deref(), Some("https://[::1]:8443/"));
    for wrong in ["a", "ftp://a", "http://", "http://a:b/", "http://u@a/", "http://a/ b"] {
        assert_eq!(shown(wrong), None, "{wrong}");
    }
}

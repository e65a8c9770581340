//! The ways without a proof: a serial line, which is a pseudo-terminal here, and QEMU's channel.

use nix::pty::openpty;
use nix::unistd::ttyname;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::net::unix::pipe;

use super::VIRT;
use super::packet::read::record;
use super::packet::{Ask, LIST, MAGIC, RECORD, SERIAL};
use super::talk::Stream;
use crate::core::driver::{Driver, Power};
use crate::core::fault::Fault;
use crate::testing::driver;

const UUID: &str = "6695eb01-f6a4-8304-79aa-97f2502e193f";

/// A host with `vm1`, which is on in the beginning.
async fn host(mut stream: impl Stream) {
    let mut on = true;
    let mut request = [0; SERIAL];
    while stream.read_exact(&mut request).await.is_ok() {
        assert_eq!(request[..4], MAGIC);
        let is_ours = &request[6..6 + UUID.len()] == UUID.as_bytes();
        let mut answer = b"\r\nlogin: ".to_vec();
        answer.extend(MAGIC);
        match request[4] {
            ask if ask == Ask::Hosts as u8 => {
                answer.push(LIST);
                answer.extend(record("vm1", UUID, if on { 1 } else { 5 }));
                answer.extend([0; RECORD]);
                answer.extend(MAGIC);
                answer.push(0);
            }
            ask if ask == Ask::Status as u8 => answer.push(if on && is_ours { 0 } else { 2 }),
            ask if is_ours => {
                on = ask == Ask::On as u8;
                answer.push(0);
            }
            _ => answer.push(1),
        }
        stream.write_all(&answer).await.unwrap();
    }
}

async fn is_switched(mut driver: Box<dyn Driver>) {
    let target = driver.resolve("vm1").await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::On);
    driver.off(&target).await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::Off);
    driver.on(&target).await.unwrap();
    assert_eq!(driver.state(&target).await.unwrap().power, Power::On);
}

#[tokio::test]
async fn a_domain_is_switched_by_a_serial_line_with_rubbish_on_it() {
    let pty = openpty(None, None).unwrap();
    let device = ttyname(&pty.slave).unwrap();
    nix::fcntl::fcntl(&pty.master, nix::fcntl::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    let writer = pipe::Sender::from_owned_fd_unchecked(pty.master.try_clone().unwrap()).unwrap();
    let reader = pipe::Receiver::from_owned_fd_unchecked(pty.master).unwrap();
    tokio::spawn(host(tokio::io::join(reader, writer)));
    is_switched(driver(&VIRT, &format!("serial_device={}\n", device.display())).unwrap()).await;
}

#[tokio::test]
async fn a_domain_is_switched_by_the_channel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::task::spawn(async move {
        // One host all the time, whose state outlives a connection.
        let (ours, theirs) = tokio::io::duplex(4096);
        tokio::spawn(host(theirs));
        let (mut from_host, mut to_host) = tokio::io::split(ours);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut reader, mut writer) = stream.into_split();
            tokio::select! {
                _ = tokio::io::copy(&mut from_host, &mut writer) => {}
                _ = tokio::io::copy(&mut reader, &mut to_host) => {}
            }
        }
    });
    is_switched(driver(&VIRT, &format!("channel_address=127.0.0.1\nipport={port}\n")).unwrap()).await;
    task.abort();
}

#[tokio::test]
async fn where_nobody_is_it_says_so() {
    let key = format!("key_file={}\n", super::daemon::KEY_FILE);
    // Nobody has the machine of this number, if there are any such sockets here.
    for way in ["serial_device=/nonexistent/tty", "vsock=4000000000", "ipaddr=127.0.0.1\nipport=1"] {
        let fault = driver(&VIRT, &format!("{key}{way}\n")).unwrap().resolve("vm1").await.unwrap_err();
        assert!(matches!(fault, Fault::Unreachable { .. }), "{way}: {fault}");
    }
}

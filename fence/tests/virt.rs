//! `fence_xvm` and `fence_virt` against a real fence_virtd, which has a real libvirtd and QEMU behind it, and beside the
//! older agents. The truth is what libvirt's own client says, and QEMU's process.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::unistd::ttyname;
use peer::{Folder, Run, Server, agent, fed, output, script};

/// A host with vm1, vm2 and vm3 running.
struct Host {
    _server: Server,
    /// The beginning of the UUIDs, which no other test's machines have.
    prefix: String,
    folder: Folder,
}

/// How the daemon is reached.
#[derive(Clone, Copy, Debug)]
enum Way {
    Multicast,
    Tcp,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Multicast, Self::Tcp];

    fn agent(self) -> &'static str {
        match self {
            Self::Multicast => "fence_xvm",
            Self::Tcp => "fence_virt",
        }
    }

    fn options(self) -> &'static str {
        match self {
            Self::Multicast => "",
            Self::Tcp => "ipaddr=127.0.0.1\nipport=1230\n",
        }
    }
}

impl Host {
    fn start(name: &str, number: u8) -> Self {
        Self::with(name, number, "")
    }

    fn with(name: &str, number: u8, more: &str) -> Self {
        Self::inside_of(Folder::new(name), number, more)
    }

    fn inside_of(folder: Folder, number: u8, more: &str) -> Self {
        let prefix = format!("00000000-0000-4000-8000-{:010}{number}", std::process::id());
        let mut command = script("fence-virtd");
        command.arg(&folder.0).arg(&prefix).arg(more);
        let ready = folder.0.join("ready");
        let server = Server::start_slow(&mut command, &folder.0.join("log"), || ready.exists());
        Self { _server: server, prefix, folder }
    }

    /// A program in the host's network.
    fn inside(&self, program: &str) -> Command {
        let pid = std::fs::read_to_string(self.folder.0.join("pid")).unwrap();
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", pid.trim(), "--", program]);
        command
    }

    /// Our agent, with options on stdin.
    fn ours(&self, way: Way, more: &str) -> Run {
        self.with_key(way, "key", more)
    }

    fn with_key(&self, way: Way, key: &str, more: &str) -> Run {
        let mut command = self.inside(env!("CARGO_BIN_EXE_picket-fence"));
        command.arg(way.agent());
        let key = self.folder.file(key);
        fed(command, &format!("key_file={key}\n{}{more}\n", way.options()))
    }

    /// Debian's own agent.
    fn theirs(&self, way: Way, more: &str) -> Run {
        let key = self.folder.file("key");
        let program = self.inside(&format!("/usr/sbin/{}", way.agent()));
        fed(program, &format!("key_file={key}\n{}timeout=10\n{more}\n", way.options()))
    }

    fn virsh(&self, arguments: &[&str]) -> String {
        let uri = format!("qemu+unix:///system?socket={}", self.folder.file("libvirt-sock"));
        output(Command::new("virsh").env("LC_ALL", "C").args(["-q", "-c", &uri]).args(arguments))
    }

    /// A state at the second host.
    fn state_there(&self, name: &str) -> String {
        let uri = format!("test+unix:///default?socket={}", self.folder.file("other/libvirt-sock"));
        output(Command::new("virsh").env("LC_ALL", "C").args(["-q", "-c", &uri, "domstate", name]))
    }

    fn uuid(&self, number: u8) -> String {
        format!("{}{number}", self.prefix)
    }

    /// QEMU's process of a machine.
    fn process(&self, number: u8) -> Option<String> {
        let uuid = self.uuid(number);
        let is_its = |pid: &String| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            words[0].ends_with(b"qemu-system-x86_64") && words.contains(&uuid.as_bytes())
        };
        let all = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        all.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).find(is_its)
    }

    /// libvirt's word for the state, which QEMU's process must bear out.
    fn state(&self, number: u8) -> String {
        let state = self.virsh(&["domstate", &format!("vm{number}")]);
        assert_eq!(self.process(number).is_some(), state != "shut off", "vm{number} is {state}");
        state
    }
}

/// A figure for `make show-fence`, past the capture of output.
fn say(figure: &str) {
    std::io::stdout().write_all(format!("virt: {figure}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "needs root, fence_virtd, libvirtd and QEMU: make show-fence"]
fn domains_are_switched_by_multicast_and_by_tcp_and_the_others_left_alone() {
    let host = Host::start("virt", 1);
    let mut checked = 0;
    for way in Way::BOTH {
        for (more, exit, stdout, truth) in [
            ("plug=vm1\naction=status", 0, "Status: ON\n", "running"),
            ("plug=vm1\naction=monitor", 0, "", "running"),
            ("action=monitor", 0, "", "running"),
            ("plug=vm1\naction=off", 0, "Success: Powered OFF\n", "shut off"),
            ("plug=vm1\naction=status", 2, "Status: OFF\n", "shut off"),
            ("plug=vm1\naction=off", 0, "Success: Already OFF\n", "shut off"),
            ("plug=vm1\nnodename=node1\naction=on", 0, "Success: Powered ON\n", "running"),
            ("port=vm1\naction=reboot", 0, "Success: Rebooted\n", "running"),
            (&format!("domain={}\naction=off", host.uuid(1)), 0, "Success: Powered OFF\n", "shut off"),
            // A reboot of what is off starts it, which the daemon's own does not.
            (&format!("plug={}\naction=reboot", host.uuid(1)), 0, "Success: Rebooted\n", "running"),
            ("plug=vm1\naction=validate-all", 0, "", "running"),
            ("plug=vm1\naction=null", 1, "", "running"),
        ] {
            let before = host.process(1);
            let run = host.ours(way, more);
            run.is(exit, stdout, &format!("{way:?} {more}"));
            assert_eq!(host.state(1), truth, "{way:?} {more}");
            assert_eq!(
                (host.state(2).as_str(), host.state(3).as_str()),
                ("running", "running"),
                "{way:?} {more}"
            );
            assert_eq!(
                before != host.process(1),
                stdout.contains("Powered") || stdout.contains("Rebooted"),
                "{more}"
            );
            checked += 1;
        }
        let list = host.ours(way, "action=list").stdout;
        let lines: String =
            (1..=3).map(|n| format!("{:32} {} on\n", format!("vm{n}"), host.uuid(n))).collect();
        assert_eq!(list, lines);
        assert_eq!(list, host.theirs(way, "action=list").stdout, "the list is Debian's own");
    }
    say(&format!("{checked} actions by multicast and TCP confirmed by libvirt and QEMU's processes"));
}

#[test]
#[ignore = "needs root, fence_virtd, libvirtd, QEMU and iptables: make show-fence"]
fn behind_a_firewall_that_knows_the_older_agent_it_is_as_good() {
    let host = Host::start("virt-wall", 6);
    let wall = ["-A", "INPUT", "-p", "tcp", "--syn", "!", "--dport", "1229", "-j", "DROP"];
    output(host.inside("iptables").args(wall));
    assert_eq!(host.ours(Way::Multicast, "plug=vm1\naction=off").stdout, "Success: Powered OFF\n");
    assert_eq!(host.state(1), "shut off");
}

#[test]
#[ignore = "needs root, fence_virtd, libvirtd and QEMU: make show-fence"]
fn without_the_daemons_key_nothing_is_switched_and_the_run_ends() {
    let host = Host::start("virt-key", 2);
    let mut refused = 0;
    std::fs::write(host.folder.0.join("wrong"), "another key\n").unwrap();
    for way in Way::BOTH {
        for (key, more) in [
            ("wrong", ""),
            ("wrong", "hash=sha512\nauth=sha512\n"),
            ("key", "hash=none\n"),
            ("key", "hash=sha1\n"),
            ("key", "auth=sha1\n"),
            ("none", ""),
        ] {
            let started = Instant::now();
            let run = host.with_key(way, key, &format!("{more}plug=vm1\naction=off\nrequest_timeout=3"));
            assert_eq!((run.exit, run.stdout.as_str()), (1, ""), "{way:?} {key} {more}");
            assert!(started.elapsed() < Duration::from_secs(50), "{way:?} {key} {more}");
            assert_eq!(host.state(1), "running", "{way:?} {key} {more}");
            refused += 1;
        }
        let strong = host.ours(way, "hash=sha512\nplug=vm1\naction=status");
        assert_eq!(strong.stdout, "Status: ON\n", "{}", strong.stderr);
    }
    say(&format!("{refused} runs with a wrong key, signature or proof switched nothing and ended"));
}

#[test]
#[ignore = "needs root, fence_virtd, libvirtd and QEMU: make show-fence"]
fn what_the_older_agents_get_wrong_is_right_here() {
    let host = Host::start("virt-lies", 3);
    let mut count = 0;
    let mut both = |what: &str, theirs: bool, ours: bool| {
        assert!(theirs, "{what}: not reproduced with Debian's agent");
        assert!(ours, "{what}: wrong here");
        count += 1;
    };
    for way in Way::BOTH {
        // A domain that nobody knows is off.
        let unknown = "plug=nosuch\naction=status";
        let (theirs, ours) = (host.theirs(way, unknown), host.ours(way, unknown));
        let is_known = ours.stderr.contains("not found");
        both(
            "unknown domain",
            (theirs.exit, theirs.stdout.as_str()) == (2, "Status: OFF\n"),
            ours.exit == 1 && is_known,
        );
        // A domain that is paused is listed as off, although it goes on when it is told to.
        host.virsh(&["suspend", "vm1"]);
        let line = |state: &str| format!("{:32} {} {state}\n", "vm1", host.uuid(1));
        let (theirs, ours) = (host.theirs(way, "action=list"), host.ours(way, "action=list"));
        both("paused domain", theirs.stdout.contains(&line("off")), ours.stdout.contains(&line("on")));
        host.virsh(&["resume", "vm1"]);
        // A reboot of what is off says it went well, and starts nothing.
        host.virsh(&["destroy", "vm2"]);
        let theirs = host.theirs(way, "plug=vm2\naction=reboot");
        let is_left = host.state(2) == "shut off";
        let ours = host.ours(way, "plug=vm2\naction=reboot");
        both(
            "reboot of what is off",
            theirs.exit == 0 && is_left,
            ours.exit == 0 && host.state(2) == "running",
        );
        // A reboot that ends in nothing says nothing of it.
        let disk = host.folder.file("disk");
        std::fs::remove_file(&disk).unwrap();
        let theirs = host.theirs(way, "plug=vm3\naction=reboot");
        let is_silent = theirs.exit == 0 && theirs.stderr.is_empty() && host.state(3) == "shut off";
        let ours = host.ours(way, "plug=vm3\naction=reboot\ntimeout=3");
        let tells = ours.exit == 0 && ours.stderr.contains("off is confirmed, on is not");
        both("reboot that does not start", is_silent, tells && host.state(3) == "shut off");
        std::fs::File::create(&disk).unwrap().set_len(1 << 20).unwrap();
        assert_eq!(host.ours(way, "plug=vm3\naction=on").stdout, "Success: Powered ON\n");
    }
    // Nobody there: a monitor by multicast must fail.
    let nobody = "action=monitor\nmulticast_address=225.0.0.13\nrequest_timeout=1";
    assert_eq!(host.ours(Way::Multicast, nobody).exit, 1);
    // A key that cannot be read is no reason to go on without one.
    let gone = host.with_key(Way::Tcp, "nosuch", "plug=vm1\naction=status");
    assert!(gone.exit == 1 && gone.stderr.contains("key_file"), "{}", gone.stderr);
    say(&format!("{count} mistakes of Debian's agents reproduced, and right here"));
}

#[test]
#[ignore = "needs root, fence_virtd, libvirtd and QEMU: make show-fence"]
fn of_two_hosts_that_hear_the_same_the_one_that_has_the_domain_decides() {
    let host = Host::with("virt-two", 4, "two");
    // The older agent believes whoever is the first to answer; the first host does not know the domain of the second.
    let status = "plug=test\naction=status";
    let claims = (0..50).any(|_| host.theirs(Way::Multicast, status).stdout == "Status: OFF\n");
    assert!(claims, "not reproduced with Debian's agent");
    for _ in 0..10 {
        assert_eq!(host.ours(Way::Multicast, status).stdout, "Status: ON\n");
    }
    for (action, stdout, truth) in [
        ("off", "Success: Powered OFF\n", "shut off"),
        ("on", "Success: Powered ON\n", "running"),
        ("reboot", "Success: Rebooted\n", "running"),
    ] {
        let run = host.ours(Way::Multicast, &format!("plug=test\naction={action}"));
        run.is(0, stdout, action);
        assert_eq!(host.state_there("test"), truth);
    }
    // Both have a vm1, and they are two machines.
    let refused = host.ours(Way::Multicast, "plug=vm1\naction=off");
    assert!(
        refused.exit == 1 && refused.stderr.contains("is not one machine but several"),
        "{}",
        refused.stderr
    );
    assert_eq!((host.state(1).as_str(), host.state_there("vm1").as_str()), ("running", "running"));
    for number in [9, 1] {
        let run = host.ours(Way::Multicast, &format!("plug={}\naction=off", host.uuid(number)));
        assert_eq!(run.stdout, "Success: Powered OFF\n", "{}", run.stderr);
        let expected = if number == 9 { "running" } else { "shut off" };
        assert_eq!((host.state(1).as_str(), host.state_there("vm1").as_str()), (expected, "shut off"));
    }
    say("a running domain of a second host, which Debian's agent calls off, is on here");
}

/// The other end of a machine's serial line, as QEMU has it: what a guest writes goes to the daemon, and back.
struct Line {
    daemon: UnixStream,
    /// Where the daemon's answers go at present.
    guest: Arc<Mutex<File>>,
}

impl Line {
    /// A line of the daemon that connects, from the guest that has this end of it.
    fn new(listener: &UnixListener, guest: File) -> Self {
        let (daemon, _) = listener.accept().unwrap();
        let line = Self { daemon, guest: Arc::new(Mutex::new(guest.try_clone().unwrap())) };
        let (mut daemon, sink) = (line.daemon.try_clone().unwrap(), line.guest.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = daemon.read(&mut bytes) {
                let _ = sink.lock().unwrap().write_all(&bytes[..length]);
            }
        });
        line.carry(guest);
        line
    }

    fn carry(&self, mut guest: File) {
        let mut daemon = self.daemon.try_clone().unwrap();
        std::thread::spawn(move || std::io::copy(&mut guest, &mut daemon));
    }

    /// Has the guest speak by TCP from now on, as by QEMU's channel; gives the port.
    fn channel(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let guest = File::from(OwnedFd::from(stream.unwrap()));
                *self.guest.lock().unwrap() = guest.try_clone().unwrap();
                self.carry(guest);
            }
        });
        port
    }
}

#[test]
#[ignore = "needs root, fence_virtd, libvirtd and QEMU: make show-fence"]
fn domains_are_switched_by_a_serial_line_and_by_the_channel() {
    let folder = Folder::new("virt-line");
    let listener = UnixListener::bind(folder.0.join("line")).unwrap();
    let host = Host::inside_of(folder, 5, "line");
    let pty = openpty(None, None).unwrap();
    let device = ttyname(&pty.slave).unwrap();
    let line = Line::new(&listener, File::from(pty.master));
    let is_switched = |way: &str| {
        for (more, exit, stdout, truth) in [
            ("plug=vm1\naction=monitor", 0, "", "running"),
            ("plug=vm1\naction=off", 0, "Success: Powered OFF\n", "shut off"),
            ("plug=vm1\naction=status", 2, "Status: OFF\n", "shut off"),
            ("plug=nosuch\naction=status", 1, "", "shut off"),
            ("plug=vm1\naction=reboot", 0, "Success: Rebooted\n", "running"),
        ] {
            let run = agent("fence_virt", &format!("{way}\n{more}\n"));
            run.is(exit, stdout, &format!("{way} {more}"));
            assert_eq!((host.state(1).as_str(), host.state(2).as_str()), (truth, "running"), "{way} {more}");
        }
    };
    is_switched(&format!("serial_device={}", device.display()));
    is_switched(&format!("channel_address=127.0.0.1\nipport={}", line.channel()));
    say("10 actions by serial line and channel confirmed in the same way");
}

use super::daemon::{Hypervisor, KEY_FILE, Kind, MULTICAST, PREFIX, TCP};
use super::{VIRT, XVM};
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case, Outcome};
use crate::testing::{Bench, Platform, driver};

const OPTIONS: &str = concat!("key_file=", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

const BY_TCP: Bench = Bench {
    agent: &VIRT,
    options: OPTIONS,
    address: |port, _| format!("ipaddr=127.0.0.1\nipport={port}\n"),
    ca: "",
    plug: Some("vm1"),
    wildcard: Some("vm*"),
    names_repeat: true,
    optional: &[],
    platform: || Box::new(Hypervisor { wire: TCP, kind: Kind::Plain }),
};

// The way of datagrams is the same without a group.
const BY_MULTICAST: Bench = Bench {
    agent: &XVM,
    address: |port, _| format!("multicast_address=127.0.0.1\ninterface=lo\nipport={port}\n"),
    platform: || Box::new(Hypervisor { wire: MULTICAST, kind: Kind::Plain }),
    ..BY_TCP
};

#[test]
fn no_fault_makes_it_lie_by_tcp() {
    matrix::run(&BY_TCP);
}

#[test]
fn no_fault_makes_it_lie_by_multicast() {
    matrix::run(&BY_MULTICAST);
}

fn run(bench: &Bench, action: Action) -> Outcome {
    Case::new(bench, action, true).run()
}

macro_rules! odd {
    ($kind:expr) => {
        Bench { platform: || Box::new(Hypervisor { wire: TCP, kind: $kind }) as Box<dyn Platform>, ..BY_TCP }
    };
}

#[test]
fn a_domain_that_the_daemon_does_not_know_is_not_off() {
    for bench in [BY_TCP, BY_MULTICAST] {
        for action in [Action::Status, Action::Off, Action::Reboot, Action::On, Action::Monitor] {
            let outcome = run(&Bench { plug: Some("vm3"), ..bench }, action);
            assert_eq!(outcome.failure.map(|failure| failure.kind()), Some("not-found"), "{action:?}");
            assert!(outcome.world.machines.iter().all(|machine| machine.switched == 0));
        }
    }
}

#[test]
fn only_what_the_list_shows_as_shut_off_is_off() {
    macro_rules! status {
        ($($state:literal),*) => { [$(run(&odd!(Kind::State($state)), Action::Status).exit),*] };
    }
    assert_eq!(status!(5), [Exit::Off]);
    assert_eq!(status!(1, 2, 3, 7), [Exit::Success; 4]);
    assert_eq!(status!(0, 4, 6, 8, 255), [Exit::Failure; 5]);
    // The older agent lists a paused domain as "off".
    let list = run(&odd!(Kind::State(3)), Action::List);
    let text = list.report.text(VIRT.can.list, ",", false);
    let (one, two) = (format!("{:32} {PREFIX}101 on\n", "vm1"), format!("{:32} {PREFIX}102 on\n", "vm2"));
    assert_eq!(text, one + &two);
    let crashed = run(&odd!(Kind::State(6)), Action::Off);
    assert_eq!(crashed.report.message.as_deref(), Some("Success: Powered OFF"));
}

#[test]
fn a_uuid_is_as_good_as_a_name_and_use_uuid_takes_no_name() {
    let uuid = format!("{PREFIX}101");
    let more = "use_uuid=1\n";
    let by_uuid = Case { plug: Some(&uuid), more, ..Case::new(&BY_MULTICAST, Action::Off, true) }.run();
    assert_eq!(by_uuid.exit, Exit::Success, "{:?}", by_uuid.failure);
    assert!(!by_uuid.world.machines[0].on);
    let by_name = Case { more, ..Case::new(&BY_MULTICAST, Action::Off, true) }.run();
    assert!(by_name.failure.unwrap().to_string().contains("use_uuid"));
}

#[test]
fn rules_with_names_are_obeyed_by_the_name() {
    let outcome = run(&odd!(Kind::RulesByName), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert_eq!(run(&odd!(Kind::RulesByName), Action::Monitor).exit, Exit::Success);
}

#[test]
fn a_domain_that_is_not_defined_is_off_when_it_is_gone_after_our_request() {
    let outcome = run(&odd!(Kind::Transient), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    // Without one, nobody knows.
    assert_eq!(Case::new(&odd!(Kind::Transient), Action::Status, false).run().exit, Exit::Failure);
    let reboot = run(&odd!(Kind::Transient), Action::Reboot);
    assert!(reboot.exit == Exit::Success && reboot.report.warning.is_some());
}

#[test]
fn a_daemon_without_a_list_cannot_be_used_and_says_so() {
    let failure = run(&odd!(Kind::Old), Action::Status).failure.unwrap();
    assert!(failure.hint().contains("update fence_virtd"), "{failure}");
    let lost = run(&odd!(Kind::Lost), Action::Status).failure.unwrap();
    assert!(lost.to_string().contains("lost its hypervisor"), "{lost}");
}

#[test]
fn monitor_asks_the_daemon() {
    let monitor = |bench: &Bench| run(&Bench { plug: None, ..*bench }, Action::Monitor);
    for bench in [BY_TCP, BY_MULTICAST] {
        let outcome = monitor(&bench);
        assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
        assert_eq!(outcome.log.len(), 2);
    }
    assert_eq!(monitor(&odd!(Kind::Lost)).exit, Exit::Failure);
    let nobody = "listen_port=0\nmulticast_address=127.0.0.1\ninterface=nosuch\n";
    let outcome = Case { more: nobody, ..Case::new(&BY_MULTICAST, Action::Monitor, true) }.run();
    assert!(outcome.failure.unwrap().to_string().contains("no interface"));
}

#[test]
fn a_request_that_failed_is_sent_again_and_null_is_what_the_daemon_says() {
    assert_eq!(run(&odd!(Kind::Fails), Action::Off).exit, Exit::Success);
    let null = run(&BY_TCP, Action::Null);
    assert_eq!((null.exit, null.log.last().unwrap().1.as_str()), (Exit::Failure, "/null"));
}

#[test]
fn without_its_key_it_does_not_run_unless_told_so() {
    let refusal = |lines: &str| driver(&XVM, lines).map(|_| ()).unwrap_err().to_string();
    for lines in
        ["key_file=/nonexistent\n", "key_file=/nonexistent\nauth=none\n", "key_file=/dev/null\nhash=none\n"]
    {
        let text = refusal(lines);
        assert!(
            text.contains("key_file: cannot use /") && text.contains("auth=none and hash=none"),
            "{text}"
        );
    }
    assert!(driver(&XVM, "key_file=/nonexistent\nauth=NONE\nhash=none\n").is_ok());
    assert!(driver(&VIRT, "").is_ok(), "the channel has no key");
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let key = format!("key_file={KEY_FILE}\n");
    for (agent, lines, word) in [
        (&XVM, "ipport=0\n", "ipport"),
        (&XVM, "ipport=65536\n", "ipport"),
        (&XVM, "retrans=0\n", "retrans"),
        (&XVM, "listen_port=-1\n", "listen_port"),
        (&XVM, "multicast_address=everybody\n", "multicast_address"),
        (&XVM, "multicast_address=ff05::3:1\nip_family=ipv4\n", "multicast_address"),
        (&VIRT, "vsock=1\n", "vsock"),
        (&VIRT, "serial_device=/dev/ttyS1\nserial_params=fast\n", "serial_params"),
    ] {
        let refused = driver(agent, &format!("{key}{lines}")).map(|_| ()).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{word}: ")), "{lines}{refused}");
    }
}

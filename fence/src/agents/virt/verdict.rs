//! What the lists of one or several daemons prove. Pure.
//!
//! `fence_virtd` answers the question for a state with "off" when it does not know the domain, so that this answer alone
//! proves nothing. Its list has libvirt's own state of each domain, and nothing in it is "off" but what is shut off.

use std::collections::BTreeSet;

use super::packet::Host;
use crate::core::driver::{Listed, Power, Reading};
use crate::core::fault::Fault;
use crate::core::plug::is_uuid;

/// The list of the daemon at this address.
pub(super) type List = (String, Vec<Host>);

/// A domain that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) uuid: String,
    pub(super) name: String,
    /// Nothing else is called so, and the name is whole: the daemon would understand it too.
    pub(super) is_named: bool,
    /// The daemons that list it.
    pub(super) hosts: Vec<String>,
}

/// Finds the one domain with this UUID or exact name.
///
/// # Errors
/// There is none, or several with the name.
pub(super) fn find(lists: &[List], plug: &str, by_uuid: bool) -> Result<Found, Fault> {
    let call = || format!("look for domain '{plug}'");
    let all = || lists.iter().flat_map(|(at, hosts)| hosts.iter().map(move |host| (at, host)));
    let is_named = |host: &Host| host.name == plug && !host.is_cut;
    let uuid = match all().find(|(_, host)| host.uuid.eq_ignore_ascii_case(plug)) {
        Some((_, host)) => host.uuid.clone(),
        None => {
            let mut uuids: Vec<&str> = Vec::new();
            for (_, host) in all().filter(|(_, host)| is_named(host) && !by_uuid) {
                if !uuids.contains(&host.uuid.as_str()) {
                    uuids.push(&host.uuid);
                }
            }
            match uuids.as_slice() {
                [uuid] => (*uuid).to_owned(),
                [] => return Err(Fault::not_found(call(), missing(lists, by_uuid && !is_uuid(plug)))),
                several => {
                    let at = |uuid: &str| all().find(|(_, host)| host.uuid == uuid).map(|(at, _)| at.clone());
                    let candidates =
                        several.iter().map(|uuid| format!("{uuid} at {}", at(uuid).unwrap_or_default()));
                    let candidates = candidates.collect();
                    return Err(Fault::Ambiguous { call: call(), plug: plug.to_owned(), candidates });
                }
            }
        }
    };
    let listed: Vec<(&String, &Host)> = all().filter(|(_, host)| host.uuid == uuid).collect();
    let name = listed.first().map(|(_, host)| host.name.clone()).unwrap_or_default();
    let is_named = !name.is_empty()
        && listed.iter().all(|(_, host)| host.name == name && !host.is_cut)
        && all().all(|(_, host)| host.uuid == uuid || host.name != name);
    let mut hosts: Vec<String> = listed.into_iter().map(|(at, _)| at.clone()).collect();
    hosts.dedup();
    Ok(Found { uuid, name, is_named, hosts })
}

fn missing(lists: &[List], not_a_uuid: bool) -> String {
    if not_a_uuid {
        return "use_uuid is set, and it is no UUID".to_owned();
    }
    match lists.iter().map(|(_, hosts)| hosts.len()).sum() {
        0 => "the daemon lists no domains: it may have lost its hypervisor".to_owned(),
        number => format!("it is none of the {number} domains that the daemon lists for this machine"),
    }
}

/// What libvirt's number of a state proves.
fn by_state(state: u8) -> Reading {
    match state {
        1 => Reading::on("running"),
        2 => Reading::on("idle"),
        // It goes on with what it has in memory.
        3 => Reading::on("paused"),
        4 => Reading::unknown("in shutdown"),
        5 => Reading::off("shut off"),
        6 => Reading::unknown("crashed"),
        7 => Reading::on("pmsuspended"),
        0 => Reading::unknown("no state"),
        other => Reading::unknown(format!("state {other}")),
    }
}

/// What the lists say of a domain: any that is not shut off decides. `None` where none has it.
pub(super) fn look(lists: &[List], uuid: &str) -> Option<Reading> {
    let all = lists.iter().flat_map(|(_, hosts)| hosts).filter(|host| host.uuid == uuid);
    let rank = |reading: &Reading| match reading.power {
        Power::On => 0,
        Power::Unknown => 1,
        Power::Off => 2,
    };
    all.map(|host| by_state(host.state)).min_by_key(rank)
}

/// Every domain once.
pub(super) fn list(lists: &[List]) -> Vec<Listed> {
    let all = lists.iter().flat_map(|(_, hosts)| hosts);
    let names: BTreeSet<(&str, &str)> = all.map(|host| (host.name.as_str(), host.uuid.as_str())).collect();
    let mut listed: Vec<Listed> = Vec::new();
    for (name, uuid) in names {
        if !listed.iter().any(|known| known.alias == uuid) {
            let power = look(lists, uuid).map_or(Power::Unknown, |reading| reading.power);
            listed.push(Listed { plug: name.to_owned(), alias: uuid.to_owned(), power });
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "6695eb01-f6a4-8304-79aa-97f2502e193f";
    const B: &str = "6695eb01-f6a4-8304-79aa-97f2502e1940";

    fn host(name: &str, uuid: &str, state: u8) -> Host {
        Host { name: name.to_owned(), is_cut: false, uuid: uuid.to_owned(), state }
    }

    fn at(number: u8, hosts: &[Host]) -> List {
        (format!("10.0.0.{number}"), hosts.to_vec())
    }

    #[test]
    fn a_domain_is_found_by_its_whole_name_or_uuid() {
        let lists = [at(1, &[host("vm1", A, 1), host("vm10", B, 1)])];
        let found = find(&lists, "vm1", false).unwrap();
        assert_eq!((found.uuid.as_str(), found.is_named, found.hosts.len()), (A, true, 1));
        assert_eq!(find(&lists, &B.to_uppercase(), true).unwrap().name, "vm10");
        for plug in ["vm", "VM1", "vm*", "6695eb01", ""] {
            assert!(matches!(find(&lists, plug, false), Err(Fault::NotFound { .. })), "{plug}");
        }
        assert!(find(&lists, "vm1", true).unwrap_err().to_string().contains("use_uuid"));
        assert!(find(&[], "vm1", false).unwrap_err().to_string().contains("lists no domains"));
    }

    #[test]
    fn a_name_that_may_be_cut_off_is_no_name() {
        let name = "x".repeat(63);
        let lists = [at(1, &[Host { is_cut: true, ..host(&name, A, 1) }])];
        assert!(find(&lists, &name, false).is_err());
        assert!(!find(&lists, A, false).unwrap().is_named);
    }

    #[test]
    fn an_id_is_an_id_although_another_domain_is_called_so() {
        let lists = [at(1, &[host(A, B, 1), host("vm1", A, 1)])];
        assert_eq!(find(&lists, A, false).unwrap().name, "vm1");
    }

    #[test]
    fn one_name_at_two_hosts_is_ambiguous_and_one_domain_at_two_hosts_is_not() {
        let two = [at(1, &[host("vm1", A, 5)]), at(2, &[host("vm1", B, 1)])];
        let Err(Fault::Ambiguous { candidates, .. }) = find(&two, "vm1", false) else { panic!("found") };
        assert_eq!(candidates, [format!("{A} at 10.0.0.1"), format!("{B} at 10.0.0.2")]);
        assert!(!find(&two, B, false).unwrap().is_named, "the name would reach the other one as well");
        let moved = [at(1, &[host("vm1", A, 5)]), at(2, &[host("vm1", A, 1)])];
        assert_eq!(find(&moved, "vm1", false).unwrap().hosts, ["10.0.0.1", "10.0.0.2"]);
    }

    #[test]
    fn off_is_what_is_shut_off_everywhere() {
        let power = |states: &[u8]| {
            let lists: Vec<List> = states.iter().map(|state| at(*state, &[host("vm1", A, *state)])).collect();
            look(&lists, A).map(|reading| reading.power)
        };
        assert_eq!(power(&[]), None);
        assert_eq!(power(&[5]), Some(Power::Off));
        assert_eq!(power(&[5, 5]), Some(Power::Off));
        for on in [1, 2, 3, 7] {
            assert_eq!((power(&[on]), power(&[5, on])), (Some(Power::On), Some(Power::On)), "{on}");
        }
        for odd in [0, 4, 6, 8, 255] {
            assert_eq!(
                (power(&[odd]), power(&[5, odd])),
                (Some(Power::Unknown), Some(Power::Unknown)),
                "{odd}"
            );
        }
    }

    #[test]
    fn a_list_has_each_domain_once() {
        let lists = [at(1, &[host("vm2", B, 5), host("vm1", A, 5)]), at(2, &[host("vm1", A, 3)])];
        let list = list(&lists);
        let shown: Vec<(&str, &str)> = list.iter().map(|one| (one.plug.as_str(), one.power.word())).collect();
        assert_eq!(shown, [("vm1", "ON"), ("vm2", "OFF")]);
    }
}

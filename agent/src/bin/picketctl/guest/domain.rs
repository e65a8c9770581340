//! The libvirt XML of an LXC guest.

use std::path::Path;

use super::escape;

/// The domain. Without a bridge the guest has the host's network, so its agent needs a port of its own there.
pub(super) fn lxc(
    name: &str,
    root: &Path,
    init: &Path,
    memory: u32,
    bridge: Option<&str>,
    share_key: bool,
) -> String {
    let path = |path: &Path| escape(&path.display().to_string());
    let network = bridge.map_or_else(String::new, |bridge| {
        format!(
            "    <interface type=\"bridge\">\n      <source bridge=\"{}\"/>\n    </interface>\n",
            escape(bridge)
        )
    });
    let key = if share_key { mount("/etc/pacemaker", "/etc/pacemaker") } else { String::new() };
    format!(
        "<domain type=\"lxc\">\n  <name>{name}</name>\n  <memory unit=\"MiB\">{memory}</memory>\n  <vcpu>1</vcpu>\n  \
         <os>\n    <type>exe</type>\n    <init>{}</init>\n  </os>\n  <on_poweroff>destroy</on_poweroff>\n  \
         <on_reboot>restart</on_reboot>\n  <on_crash>destroy</on_crash>\n  <devices>\n{}{key}{network}    \
         <console type=\"pty\"/>\n  </devices>\n</domain>",
        path(init),
        mount(&root.display().to_string(), "/"),
    )
}

fn mount(source: &str, target: &str) -> String {
    format!(
        "    <filesystem type=\"mount\">\n      <source dir=\"{}\"/>\n      <target dir=\"{}\"/>\n    </filesystem>\n",
        escape(source),
        escape(target)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_its_root_and_what_is_asked_for_beside_it() {
        let xml = lxc("web1", Path::new("/srv/<web1>"), Path::new("/sbin/init"), 256, Some("br0"), true);
        for part in
            ["<source dir=\"/srv/&lt;web1&gt;\"/>", "bridge=\"br0\"", "<target dir=\"/etc/pacemaker\"/>"]
        {
            assert!(xml.contains(part), "{part}: {xml}");
        }
        let plain = lxc("web1", Path::new("/srv/web1"), Path::new("/sbin/init"), 256, None, false);
        assert!(!plain.contains("interface") && !plain.contains("/etc/pacemaker"), "{plain}");
    }
}

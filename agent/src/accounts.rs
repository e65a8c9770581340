//! Users and groups by name. The local files come first, for two reasons: the cluster's account is always there, and a
//! static build must not load a foreign system's name service modules into itself.

use nix::unistd::{Gid, Uid};

/// A user, as far as it matters to a process that becomes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct User {
    /// Its number.
    pub uid: Uid,
    /// Its primary group.
    pub gid: Gid,
}

/// The user of that name.
#[must_use]
pub fn user(name: &str) -> Option<User> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_in(&text, name).or_else(|| from_services::user(name))
}

/// The group of that name.
#[must_use]
pub fn group(name: &str) -> Option<Gid> {
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    group_in(&text, name).or_else(|| from_services::group(name))
}

/// `name:password:uid:gid:...`, passwd(5)
fn user_in(text: &str, name: &str) -> Option<User> {
    let mut numbers = line_of(text, name)?;
    Some(User { uid: Uid::from_raw(numbers.next()??), gid: Gid::from_raw(numbers.next()??) })
}

/// `name:password:gid:members`, group(5)
fn group_in(text: &str, name: &str) -> Option<Gid> {
    line_of(text, name)?.next()?.map(Gid::from_raw)
}

/// The fields behind the password, as numbers where they are any.
fn line_of<'a>(text: &'a str, name: &str) -> Option<impl Iterator<Item = Option<u32>> + use<'a>> {
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    Some(line.split(':').skip(2).map(|field| field.parse().ok()))
}

#[cfg(not(target_feature = "crt-static"))]
mod from_services {
    use nix::unistd::{self, Gid};

    pub(super) fn user(name: &str) -> Option<super::User> {
        let user = unistd::User::from_name(name).ok().flatten()?;
        Some(super::User { uid: user.uid, gid: user.gid })
    }

    pub(super) fn group(name: &str) -> Option<Gid> {
        unistd::Group::from_name(name).ok().flatten().map(|group| group.gid)
    }
}

#[cfg(target_feature = "crt-static")]
mod from_services {
    pub(super) fn user(_: &str) -> Option<super::User> {
        None
    }

    pub(super) fn group(_: &str) -> Option<nix::unistd::Gid> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nhacluster:x:104:108::/var/lib/pacemaker:/usr/sbin/nologin\n\
        broken:x:many:1::/:\nshort:x\n";

    #[test]
    fn users_and_groups_are_read_from_their_files() {
        let user = |uid, gid| Some(User { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) });
        assert_eq!(user_in(PASSWD, "root"), user(0, 0));
        assert_eq!(user_in(PASSWD, "hacluster"), user(104, 108));
        for name in ["hacluste", "broken", "short", "", "x"] {
            assert_eq!(user_in(PASSWD, name), None, "{name}");
        }
        assert_eq!(group_in("haclient:x:112:\n", "haclient"), Some(Gid::from_raw(112)));
        assert_eq!(group_in("haclient:x:112:\n", "client"), None);
    }
}

//! Who we are, from a file that only its owner may read: so that neither the cluster's configuration nor a command line
//! holds a secret (fence-contract, sections 6 and 11).

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Values, stdin};
use crate::core::option::Opt;
use crate::core::standard::{CREDENTIALS_FILE, USERNAME};
use crate::core::usage::Usage;

/// More than any file of this kind has.
const LIMIT: u64 = 64 * 1024;

/// Adds what `credentials_file` says, where that is given, to the options that are not: `username`, and those which are
/// secrets, as `name=value` lines.
///
/// # Errors
/// The file cannot be read, others may read it, or it sets what is not about who we are.
pub fn fill(table: &[Opt], values: &mut Values) -> Result<(), Usage> {
    let Some(path) = values.text(&CREDENTIALS_FILE).map(Path::new) else { return Ok(()) };
    let wrong = |reason: String| Usage::File { option: CREDENTIALS_FILE.key, path: path.to_owned(), reason };
    let unreadable = |error: std::io::Error| wrong(error.to_string());
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    if mode & 0o077 != 0 {
        return Err(wrong(format!("others than its owner may use it (mode {:o}): chmod 600", mode & 0o777)));
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(LIMIT).read_to_string(&mut text).map_err(unreadable)?;
    let found = stdin::parse(table, &text)?;
    if let Some(warning) = found.warnings.first() {
        return Err(wrong(warning.clone()));
    }
    let option = |name: &str| table.iter().find(|opt| opt.key == name || opt.old == Some(name));
    let mut ours = Vec::new();
    for (name, text, _) in found.lines() {
        match option(name).filter(|opt| opt.secret || opt.key == USERNAME.key) {
            None => {
                return Err(wrong(format!("{name} does not belong there: it says nothing of who we are")));
            }
            Some(opt) if values.is_given(opt) => {}
            Some(opt) => ours.push((*opt, name, text.clone())),
        }
    }
    for (opt, name, text) in ours {
        values.set(&opt, name, text.reveal())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::core::standard::{ALWAYS, LOGIN, PASSWORD};
    use crate::testing::tls::TempFile;

    fn read(name: &str, text: &str, mode: u32, more: &str) -> Result<Values, Usage> {
        let table = [ALWAYS, LOGIN].concat();
        let file = TempFile::new(name, text);
        std::fs::set_permissions(&file.0, std::fs::Permissions::from_mode(mode)).unwrap();
        let lines = format!("credentials_file={}\n{more}", file.0.display());
        let mut values = stdin::parse(&table, &lines).unwrap();
        fill(&table, &mut values).map(|()| values)
    }

    #[test]
    fn a_file_gives_name_and_password_and_what_is_given_elsewhere_wins() {
        let text = "# the fencing account\nlogin=fence\npassword=s3cret # 1\n";
        let values = read("credentials", text, 0o600, "").unwrap();
        assert_eq!(values.text(&USERNAME), Some("fence"));
        assert_eq!(values.text(&PASSWORD), Some("s3cret # 1"));
        let values = read("credentials", text, 0o400, "username=admin").unwrap();
        assert_eq!(values.text(&USERNAME), Some("admin"));
    }

    #[test]
    fn a_file_that_others_may_read_or_that_sets_more_is_refused_without_its_contents() {
        for (text, mode, words) in [
            ("password=s3cret\n", 0o640, "chmod 600"),
            ("password=s3cret\naction=off\n", 0o600, "action does not belong there"),
            ("passwort=s3cret\n", 0o600, "unknown option 'passwort'"),
        ] {
            let refused = read("credentials-bad", text, mode, "").err().unwrap().to_string();
            assert!(refused.contains(words) && !refused.contains("s3cret"), "{refused}");
        }
        let mut values = Values::default();
        values.set(&CREDENTIALS_FILE, "credentials_file", "/nonexistent").unwrap();
        assert!(fill(&[CREDENTIALS_FILE], &mut values).is_err());
    }
}

//! CIB secrets: parameter values that the cluster configuration only refers to, kept in files of this node.
//!
//! A value is read in the thread that starts the child, goes into the child's environment and nowhere else: not into
//! the echo of the parameters, not into a log, not into any `Debug`. Observed with Pacemaker 2.1.5.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use md5::{Digest as _, Md5};
use thiserror::Error;

/// The value that stands for a secret.
pub(crate) const REFERENCE: &str = "lrm://";

/// Where the tool `cibsecret` keeps them, as `RESOURCE/PARAMETER`, with a digest beside each.
const FOLDER: &str = "/var/lib/pacemaker/lrm/secrets";

/// The secrets that a program needs.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Which.
    pub references: Vec<Reference>,
    /// Start without those that cannot be read: a resource must be able to stop.
    pub optional: bool,
}

/// One variable with a secret value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    variable: String,
    file: PathBuf,
}

/// Why a secret cannot be had. Says the file, never what is in it.
#[derive(Debug, Error)]
pub(crate) enum SecretError {
    /// Its digest is of another text.
    #[error("the secret in {0} does not match its .sign file")]
    Changed(PathBuf),
    /// A name that leads elsewhere, or a text that no environment can carry.
    #[error("{0} cannot be a secret's file")]
    Malformed(PathBuf),
    /// The file or its digest cannot be read.
    #[error("cannot read the secret in {file}: {cause}")]
    Read {
        /// Secret or digest.
        file: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl Reference {
    /// The secret of a resource's parameter, for the variable of that name.
    #[must_use]
    pub fn new(rsc_id: &str, parameter: &str, variable: String) -> Self {
        Self { variable, file: Path::new(FOLDER).join(rsc_id).join(parameter) }
    }

    fn value(&self) -> Result<OsString, SecretError> {
        // `join` lets an absolute name take the folder's place.
        let plain = self.file.strip_prefix(FOLDER).is_ok_and(|inside| {
            inside.components().count() == 2
                && inside.components().all(|part| matches!(part, Component::Normal(_)))
        });
        if !plain {
            return Err(SecretError::Malformed(self.file.clone()));
        }
        verified(&self.file)
    }
}

impl Secrets {
    /// The variables with their values, to be handed to a child at once. Blocks.
    pub(crate) fn read(&self) -> Result<Vec<(&str, OsString)>, SecretError> {
        let mut values = Vec::new();
        for reference in &self.references {
            match reference.value() {
                Ok(value) => values.push((reference.variable.as_str(), value)),
                Err(error) if self.optional => tracing::info!("{error}; stopping the resource without it"),
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    }
}

/// The text of a file without white space at its end, if its digest is the one in the `.sign` file beside it.
fn verified(file: &Path) -> Result<OsString, SecretError> {
    let secret = trimmed(file)?;
    let mut sign = file.as_os_str().to_owned();
    sign.push(".sign");
    let expected = trimmed(Path::new(&sign))?;
    let digest: String = Md5::digest(&secret).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest.as_bytes() != expected {
        return Err(SecretError::Changed(file.to_owned()));
    }
    if secret.contains(&0) {
        return Err(SecretError::Malformed(file.to_owned()));
    }
    Ok(OsString::from_vec(secret))
}

fn trimmed(file: &Path) -> Result<Vec<u8>, SecretError> {
    let text = std::fs::read(file).map_err(|cause| SecretError::Read { file: file.to_owned(), cause })?;
    Ok(text.trim_ascii_end().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("picket-secret-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_secret_is_trimmed_and_must_match_its_digest() {
        let folder = folder("digest");
        let file = folder.join("passwd");
        std::fs::write(&file, " open sesame \n\n").unwrap();
        assert!(matches!(verified(&file), Err(SecretError::Read { .. })), "no digest");
        std::fs::write(folder.join("passwd.sign"), "9dd4e461268c8034f5c8564e155c67a6\n").unwrap();
        let changed = verified(&file).unwrap_err();
        assert!(matches!(changed, SecretError::Changed(_)));
        assert!(!changed.to_string().contains("sesame") && !format!("{changed:?}").contains("sesame"));
        // printf ' open sesame' | md5sum
        std::fs::write(folder.join("passwd.sign"), "f78df46c646175ea338989cc963005fd\n").unwrap();
        assert_eq!(verified(&file).unwrap(), " open sesame");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        for (rsc_id, parameter) in
            [("..", "x"), ("r", "../../x"), ("r", "/etc/shadow"), ("r/s", "x"), (".", "x")]
        {
            let reference = Reference::new(rsc_id, parameter, String::new());
            assert!(matches!(reference.value(), Err(SecretError::Malformed(_))), "{rsc_id} {parameter}");
        }
        let clone = Reference::new("db:0", "passwd", String::new()).value();
        assert!(matches!(clone, Err(SecretError::Read { .. })));
    }

    #[test]
    fn only_a_stop_starts_without_its_secrets() {
        let references = vec![Reference::new("none", "passwd", "OCF_RESKEY_passwd".to_owned())];
        assert!(Secrets { references: references.clone(), optional: false }.read().is_err());
        assert_eq!(Secrets { references, optional: true }.read().unwrap(), []);
    }
}

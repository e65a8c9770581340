//! GNU-style command lines (fence-contract, 5.2).

use super::Values;
use crate::core::option::Opt;
use crate::core::usage::Usage;

/// Reads the arguments after the program's name.
///
/// # Errors
/// An option is unknown or ambiguous, lacks its value, or does not accept the one it has.
pub fn parse(table: &[Opt], args: &[String]) -> Result<Values, Usage> {
    let mut values = Values::default();
    let mut rest = args.iter();
    let mut operands = Vec::new();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            operands.extend(rest.by_ref().cloned());
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let opt = find(table, name)?;
            let value = match value {
                Some(value) => value,
                None if opt.takes_value() => rest.next().ok_or_else(|| Usage::NoValue(arg.clone()))?,
                None => "",
            };
            values.set(opt, opt.key, value)?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            cluster(table, letters, &mut rest, &mut values)?;
        } else {
            operands.push(arg.clone());
        }
    }
    if !operands.is_empty() {
        values.warnings.push("Parse error: Unused arguments on command line".to_owned());
    }
    Ok(values)
}

/// `-vvz`, `-ovalue`, `-o value`.
fn cluster<'a>(
    table: &[Opt],
    letters: &str,
    rest: &mut impl Iterator<Item = &'a String>,
    values: &mut Values,
) -> Result<(), Usage> {
    for (at, letter) in letters.char_indices() {
        let name = || format!("-{letter}");
        let opt =
            table.iter().find(|opt| opt.short == Some(letter)).ok_or_else(|| Usage::UnknownOption(name()))?;
        if !opt.takes_value() {
            values.set(opt, opt.key, "")?;
            continue;
        }
        let attached = &letters[at + letter.len_utf8()..];
        let value = match attached {
            "" => rest.next().ok_or_else(|| Usage::NoValue(name()))?,
            attached => attached,
        };
        return values.set(opt, opt.key, value);
    }
    Ok(())
}

/// The option of this name, or the only one whose name begins so.
fn find<'t>(table: &'t [Opt], name: &str) -> Result<&'t Opt, Usage> {
    if let Some(opt) = table.iter().find(|opt| opt.long == name || opt.key == name || opt.old == Some(name)) {
        return Ok(opt);
    }
    let begun: Vec<&Opt> = table.iter().filter(|opt| opt.long.starts_with(name)).collect();
    match begun.as_slice() {
        [opt] => Ok(opt),
        [] => Err(Usage::UnknownOption(format!("--{name}"))),
        // "--pass" is as good as "--password", although "--password-script" begins so too.
        several => {
            let shortest = several.iter().min_by_key(|opt| opt.long.len()).expect("there are several");
            if several.iter().all(|opt| opt.long.starts_with(shortest.long)) {
                return Ok(shortest);
            }
            let names: Vec<String> = several.iter().map(|opt| format!("--{}", opt.long)).collect();
            Err(Usage::AmbiguousOption(name.to_owned(), names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::standard::{ACTION, ALWAYS, HTTP, IP, LOGIN, PLUG, PLUGS, SSL, USERNAME, VERBOSE};

    fn read(args: &[&str]) -> Result<Values, Usage> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        parse(&[ALWAYS, LOGIN, HTTP, PLUGS].concat(), &args)
    }

    #[test]
    fn all_forms_of_an_option_mean_the_same() {
        for args in [&["-o", "off"][..], &["-ooff"], &["--action=off"], &["--action", "off"], &["--act=off"]]
        {
            assert_eq!(read(args).unwrap().text(&ACTION), Some("off"), "{args:?}");
        }
        let values = read(&["-vvz", "--ip=h", "extra", "-nvm=1"]).unwrap();
        assert_eq!((values.times(&VERBOSE), values.flag(&SSL)), (2, true));
        assert_eq!((values.text(&IP), values.text(&PLUG)), (Some("h"), Some("vm=1")));
        assert_eq!(values.warnings.len(), 1);
    }

    #[test]
    fn beginnings_must_be_unambiguous() {
        assert_eq!(read(&["--user=x"]).unwrap().text(&USERNAME), Some("x"));
        assert!(matches!(read(&["--power=1"]), Err(Usage::AmbiguousOption(..))));
        assert!(matches!(read(&["--nonsense"]), Err(Usage::UnknownOption(_))));
        assert!(matches!(read(&["-o"]), Err(Usage::NoValue(_))));
        assert!(read(&["--pass=x"]).is_ok());
    }

    #[test]
    fn flags_may_carry_a_word() {
        assert!(!read(&["--ssl=false"]).unwrap().flag(&SSL));
    }
}

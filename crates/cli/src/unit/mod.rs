//! Service units as files: their names, and what the `[Service]` section of one says.
//!
//! Only the unit's own file is read, not the drop-ins of others (systemd.unit(5)).

mod obstacles;

use std::fs;
use std::path::{Path, PathBuf};

/// Where the service manager looks for units of the system, the first that wins.
const SYSTEM: [&str; 4] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
];
/// The same for units of users, behind the user's own folder.
const USER: [&str; 4] = [
    "etc/systemd/user",
    "run/systemd/user",
    "usr/local/lib/systemd/user",
    "usr/lib/systemd/user",
];
/// What else a unit's name can end in: none of these runs a program as a service does.
const OTHER_KINDS: [&str; 10] = [
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// The assignments of a unit's `[Service]` section.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    assignments: Vec<(String, String)>,
}

/// The full name of a service unit, as systemctl(1) completes it.
///
/// # Errors
/// Why it is none.
pub(crate) fn name(typed: &str) -> Result<String, &'static str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if !typed.chars().all(is_part) || typed.starts_with(['.', '@']) || typed.is_empty() {
        return Err("not the name of a unit");
    }
    let name = match typed.rsplit_once('.') {
        Some((_, "service")) => typed.to_owned(),
        Some((_, kind)) if OTHER_KINDS.contains(&kind) => {
            return Err("no service, and only services run programs");
        }
        _ => format!("{typed}.service"),
    };
    if name.len() < 256 {
        Ok(name)
    } else {
        Err("too long for a unit")
    }
}

/// Where a unit's file can be, below `root`; `own` is the folder of the user's own units.
pub(crate) fn files(root: &Path, own: Option<&Path>, name: &str) -> Vec<PathBuf> {
    let folders = if own.is_some() { USER } else { SYSTEM };
    let folders = folders.iter().map(|folder| root.join(folder));
    let folders: Vec<PathBuf> = own.map(PathBuf::from).into_iter().chain(folders).collect();
    // An instance without a file of its own has its template's.
    let template = name
        .split_once('@')
        .map(|(prefix, _)| format!("{prefix}@.service"));
    let template = template.filter(|template| template != name);
    let names = [Some(name.to_owned()), template];
    let of_name = |name: String| folders.iter().map(move |folder| folder.join(&name));
    names.into_iter().flatten().flat_map(of_name).collect()
}

impl Service {
    /// Reads the first of the files that is there.
    ///
    /// # Errors
    /// The one that is there and cannot be read.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Option<(&Path, Self)>, String> {
        let Some(file) = files.iter().find(|file| fs::symlink_metadata(file).is_ok()) else {
            return Ok(None);
        };
        match fs::read_to_string(file) {
            Ok(text) => Ok(Some((file, Self::parse(&text)))),
            Err(why) => Err(format!("{}: {why}", file.display())),
        }
    }

    fn parse(text: &str) -> Self {
        let mut service = Self::default();
        let mut is_service = false;
        let mut joined = String::new();
        for line in text.lines().map(str::trim) {
            // A comment does not end a line that goes on.
            if line.starts_with(['#', ';']) || (line.is_empty() && joined.is_empty()) {
                continue;
            }
            if let Some(part) = line.strip_suffix('\\') {
                joined.push_str(part);
                joined.push(' ');
                continue;
            }
            joined.push_str(line);
            let line = std::mem::take(&mut joined);
            if line.starts_with('[') {
                is_service = line == "[Service]";
            } else if let Some((key, value)) = line.split_once('=').filter(|_| is_service) {
                let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
                service.assignments.push((key, value));
            }
        }
        service
    }

    /// The values of a setting that stand: an empty one takes back those before it.
    fn values(&self, key: &str) -> Vec<&str> {
        let values = self.assignments.iter().filter(|(name, _)| name == key);
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        let from = values.iter().rposition(|value| value.is_empty());
        values[from.map_or(0, |last| last + 1)..].to_vec()
    }

    /// The words of a setting that is a list.
    fn list(&self, key: &str) -> Vec<String> {
        self.values(key).into_iter().flat_map(words).collect()
    }

    fn is_set(&self, key: &str) -> bool {
        let value = self.values(key).last().copied();
        value.is_some_and(|value| !["no", "false", "off", "0"].contains(&value))
    }

    /// The commands that the service is, each a program and its arguments, without the prefixes of
    /// systemd.service(5).
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let command = |value: &str| {
            let line = value.trim_start_matches(['@', '-', ':', '+', '!', '|']);
            let mut command = words(line);
            let prefixes = &value[..value.len() - line.len()];
            // Behind `@` the second word is the name that the program is told.
            if prefixes.contains('@') && command.len() > 1 {
                command.remove(1);
            }
            command
        };
        let commands = self.values("ExecStart").into_iter().map(command);
        commands.filter(|command| !command.is_empty()).collect()
    }

    /// The value of a variable of `Environment=`, with its specifiers as they are written.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let words = self.list("Environment");
        let mut values = words.iter().rev().filter_map(|word| word.split_once('='));
        values
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    }
}

/// The words of a value: white space separates them, quotes hold them together, and a backslash
/// takes the next character as it is.
fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            _ if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            c if c.is_whitespace() && quote.is_none() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_systemctl_does() {
        for (typed, expected) in [
            ("cron", Ok("cron.service")),
            ("cron.service", Ok("cron.service")),
            ("dhcp.wan0", Ok("dhcp.wan0.service")),
            ("getty@", Ok("getty@.service")),
            ("getty@tty1", Ok("getty@tty1.service")),
            ("dev-disk\\x2d1", Ok("dev-disk\\x2d1.service")),
            (
                "cron.timer",
                Err("no service, and only services run programs"),
            ),
            ("", Err("not the name of a unit")),
            ("..", Err("not the name of a unit")),
            ("../cron", Err("not the name of a unit")),
            ("/etc/x.service", Err("not the name of a unit")),
            ("@tty1", Err("not the name of a unit")),
            ("two words", Err("not the name of a unit")),
        ] {
            assert_eq!(name(typed), expected.map(str::to_owned), "{typed}");
        }
        assert!(name(&"x".repeat(247)).is_ok());
        assert_eq!(name(&"x".repeat(248)), Err("too long for a unit"));
    }

    #[test]
    fn a_section_is_read_as_the_manager_reads_it() {
        let text = "[Unit]\nExecStart=/no\n[Service]\nExecStart=/old\nExecStart=\n\
            ExecStart=-@/usr/bin/a \"other name\" \\\n# not the end\n  'b c' d\\ e\n\
            ; ExecStart=/no\nExecStart = !/usr/bin/f\n\
            Environment=A=1 \"B=2 3\"\nEnvironment=A=4\n[Install]\nExecStart=/no\n";
        let service = Service::parse(text);
        let commands: [&[&str]; 2] = [&["/usr/bin/a", "b c", "d e"], &["/usr/bin/f"]];
        assert_eq!(service.commands(), commands);
        assert_eq!(service.variable("A").as_deref(), Some("4"));
        assert_eq!(service.variable("B").as_deref(), Some("2 3"));
        assert_eq!(service.variable("C"), None);
    }
}

//! Settings of a service that would keep libmif.so from its work. Only what is certain is told: what
//! depends on more than the unit's file and the paths is not.

use std::fs;
use std::io;
use std::path::Path;

use super::Service;

/// What `ProtectHome=` hides.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
/// What `PrivateTmp=` replaces.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];
/// What decides whether there is a policy, and which.
const VARIABLES: [&str; 6] = [
    "LD_PRELOAD",
    "MIF_POLICY",
    "MIF_APP",
    "MIF_INTERFACE",
    "MIF_SOURCE",
    "MIF_DNS",
];

impl Service {
    /// What would keep mif from working in this service, which needs `paths` (the library and the
    /// policy) and sets the variables `ours`; `root` is where the service's files are.
    pub(crate) fn obstacles(&self, root: &Path, paths: &[&Path], ours: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let families = self.list("RestrictAddressFamilies");
        let is_denied = families.first().is_some_and(|first| first.starts_with('~'));
        let names_netlink = families
            .iter()
            .any(|word| word.trim_start_matches('~') == "AF_NETLINK");
        if !families.is_empty() && is_denied == names_netlink {
            found.push(
                "RestrictAddressFamilies= keeps it from AF_NETLINK, by which libmif.so asks the \
                 kernel about its networks, so all that needs one will be refused; mend it with \
                 RestrictAddressFamilies=AF_NETLINK in a drop-in"
                    .to_owned(),
            );
        }
        if self.is_set("PrivateNetwork") {
            found.push("PrivateNetwork= leaves it no network but loopback".to_owned());
        }
        for path in paths {
            let hiding = self.hiding(path);
            found.extend(hiding.map(|key| format!("{key}= hides {} from it", path.display())));
        }
        found.extend(self.rivals(root, ours));
        found
    }

    /// What changes the variables `ours`, or adds to them.
    fn rivals(&self, root: &Path, ours: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for file in self.list("EnvironmentFile") {
            let file = file.trim_start_matches('-');
            // A file that is not there yet, or has a specifier in its name, tells nothing.
            let text = match fs::read_to_string(root.join(file.trim_start_matches('/'))) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => {
                    let message = format!("{file} cannot be read ({why}), and what it sets wins");
                    found.push(message);
                    continue;
                }
                text => text.unwrap_or_default(),
            };
            let names = names(text.lines().map(str::trim));
            found.extend(names.map(|name| format!("{file} sets {name}, which wins")));
        }
        for name in self.list("UnsetEnvironment") {
            if ours.contains(&name.as_str()) {
                found.push(format!("UnsetEnvironment= takes {name} away"));
            }
        }
        let words = self.list("Environment");
        let others = names(words.iter().map(String::as_str)).filter(|name| !ours.contains(name));
        found.extend(others.map(|name| format!("the unit's own {name} holds, too")));
        found
    }

    /// The setting that keeps the service from a file, if there is one.
    fn hiding(&self, path: &Path) -> Option<&'static str> {
        let is_below = |folder: &str| path.starts_with(folder);
        let protects_home =
            self.is_set("ProtectHome") && self.values("ProtectHome").last() != Some(&"read-only");
        if protects_home && HOMES.into_iter().any(is_below) {
            return Some("ProtectHome");
        }
        if self.is_set("PrivateTmp") && TEMPORARY.into_iter().any(is_below) {
            return Some("PrivateTmp");
        }
        for key in ["InaccessiblePaths", "TemporaryFileSystem"] {
            // -FOLDER, +FOLDER, and FOLDER:OPTIONS.
            let list = self.list(key);
            let folders = list.iter().map(|word| word.trim_start_matches(['-', '+']));
            let mut folders = folders.filter_map(|word| word.split(':').next());
            if folders.any(is_below) {
                return Some(key);
            }
        }
        if is_below("/root") {
            let user = self.values("User").last().copied();
            if !["root", "0"].contains(&user.unwrap_or("root")) {
                return Some("User");
            }
            if self.is_set("DynamicUser") {
                return Some("DynamicUser");
            }
        }
        ["RootDirectory", "RootImage"]
            .into_iter()
            .find(|key| !self.values(key).is_empty())
    }
}

/// Those of mif's variables that are assigned.
fn names<'a>(assignments: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let names = assignments.filter_map(|assignment| assignment.split_once('='));
    let names = names.map(|(name, _)| name);
    names.filter(|name| VARIABLES.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles_are_told_and_nothing_else() {
        let [library, root] = ["/usr/lib/mif/libmif.so", "/root/one.toml"].map(Path::new);
        let ours = ["LD_PRELOAD", "MIF_INTERFACE"];
        for (setting, expected) in [
            ("NoNewPrivileges=yes", None),
            (
                "RestrictAddressFamilies=AF_UNIX\nRestrictAddressFamilies=AF_INET AF_NETLINK",
                None,
            ),
            ("RestrictAddressFamilies=~AF_PACKET", None),
            (
                "RestrictAddressFamilies=AF_INET\nRestrictAddressFamilies=",
                None,
            ),
            (
                "RestrictAddressFamilies=AF_INET AF_INET6",
                Some("RestrictAddressFamilies="),
            ),
            (
                "RestrictAddressFamilies=~AF_NETLINK",
                Some("RestrictAddressFamilies="),
            ),
            ("PrivateNetwork=yes", Some("PrivateNetwork=")),
            ("ProtectHome=read-only", None),
            ("ProtectHome=no", None),
            (
                "ProtectHome=tmpfs",
                Some("ProtectHome= hides /root/one.toml"),
            ),
            (
                "InaccessiblePaths=-/usr/lib /srv",
                Some("InaccessiblePaths= hides /usr/lib/mif/"),
            ),
            ("InaccessiblePaths=/usr/libexec", None),
            (
                "TemporaryFileSystem=/root:ro",
                Some("TemporaryFileSystem= hides /root/one.toml"),
            ),
            ("PrivateTmp=yes", None),
            ("User=root", None),
            ("User=nobody", Some("User= hides /root/one.toml")),
            ("DynamicUser=yes", Some("DynamicUser= hides /root/one.toml")),
            (
                "UnsetEnvironment=LANG LD_PRELOAD",
                Some("UnsetEnvironment= takes LD_PRELOAD away"),
            ),
            ("Environment=MIF_INTERFACE=x MIF_LOG=debug", None),
            (
                "Environment=MIF_DNS=::1",
                Some("the unit's own MIF_DNS holds, too"),
            ),
        ] {
            let service = Service::parse(&format!("[Service]\n{setting}\n"));
            let found = service.obstacles(Path::new("/"), &[library, root], &ours);
            assert_eq!(
                found.len(),
                usize::from(expected.is_some()),
                "{setting}: {found:?}"
            );
            assert!(
                found
                    .iter()
                    .zip(expected)
                    .all(|(text, start)| text.starts_with(start))
            );
        }
    }
}

//! `mif enable` and `mif disable` on the folder of another system, whose service manager is not
//! needed for it.

use std::fs;

use crate::{Prefix, Ran};

const DROP_IN: &str = "root/etc/systemd/system/demo.service.d/50-mif.conf";
const COUNTS: &str = "PREFIX/root/etc/systemd/system/demo.service.d/50-mif.conf; it counts after\n\
    systemctl daemon-reload && systemctl restart 'demo.service'\n";
const HEAD: &str = "# Written by `mif enable`; `mif disable` removes it.\n[Service]\n";

impl Prefix {
    /// A system with mif and a unit that starts /usr/bin/demo.
    fn image(name: &str, settings: &str) -> Self {
        let prefix = Self::new(name);
        prefix.library("root/opt/mif/libmif.so");
        fs::create_dir_all(prefix.at("root/usr/bin")).unwrap();
        prefix.compile("root/usr/bin/demo", "int main(void) { return 0; }\n", &[]);
        let unit = format!("[Service]\nExecStart=/usr/bin/demo --serve\n{settings}");
        prefix.write("root/usr/lib/systemd/system/demo.service", &unit);
        prefix
    }

    fn enable(&self, arguments: &[&str]) -> Ran {
        let root = self.at("root").display().to_string();
        let common = ["enable", "--root", &root, "--library", "/opt/mif/libmif.so"];
        self.mif(&[&common, arguments].concat())
    }

    fn disable(&self, arguments: &[&str]) -> Ran {
        let root = self.at("root").display().to_string();
        self.mif(&[&["disable", "--root", &root], arguments].concat())
    }

    /// The drop-in without its head.
    fn lines(&self, path: &str) -> String {
        let text = fs::read_to_string(self.at(path)).unwrap();
        let lines = text.strip_prefix(HEAD).map(str::to_owned);
        lines.unwrap_or_else(|| panic!("another head: {text}"))
    }
}

fn wrote() -> Ran {
    Ran::new(0, &format!("wrote {COUNTS}"), "")
}

#[test]
fn the_drop_in_has_what_mif_run_would_export() {
    let prefix = Prefix::image("enable", "");
    prefix.write(
        "root/etc/mif/pvds.toml",
        "[pvd.\"a 100%\\\"\\\\\"]\ninterface = \"lo\"\n",
    );
    prefix.write("root/etc/mif/apps/named.toml", "use = \"lo\"\n");
    prefix.write("root/srv/one.toml", "use = \"lo\"\n");
    let preload = "Environment=\"LD_PRELOAD=/opt/mif/libmif.so\"\n";
    for (options, expected) in [
        (
            &["-i", "wan1", "-i", "wan0", "-d", "10.2.0.1", "-s", "::1"][..],
            "Environment=\"MIF_INTERFACE=wan1,wan0\"\nEnvironment=\"MIF_SOURCE=::1\"\n\
             Environment=\"MIF_DNS=10.2.0.1\"\n",
        ),
        (
            &["-i", "a 100%\"\\"],
            "Environment=\"MIF_INTERFACE=a 100%%\\\"\\\\\"\n",
        ),
        (
            &["-p", "/srv/one.toml"],
            "Environment=\"MIF_POLICY=/srv/one.toml\"\n",
        ),
        (
            &["-a", "named"],
            "Environment=\"MIF_POLICY=/etc/mif/apps/named.toml\"\n",
        ),
    ] {
        assert_eq!(prefix.enable(&[options, &["demo"]].concat()), wrote());
        assert_eq!(prefix.lines(DROP_IN), format!("{preload}{expected}"));
    }
    // Without options the policy is the program's own, and there is none yet.
    let searched = "mif: no policy for `demo`; nothing was written. Looked for\n  \
        PREFIX/root/etc/mif/apps/demo.toml\n  PREFIX/root/etc/mif/apps/default.toml\n\
        Name the network: mif enable -i INTERFACE demo.\n";
    let before = prefix.lines(DROP_IN);
    assert_eq!(prefix.enable(&["demo"]), Ran::new(78, "", searched));
    assert_eq!(prefix.lines(DROP_IN), before);
    prefix.write("root/etc/mif/apps/demo.toml", "use = \"lo\"\n");
    assert_eq!(prefix.enable(&["demo.service"]), wrote());
    let file = "Environment=\"MIF_POLICY=/etc/mif/apps/demo.toml\"\n";
    assert_eq!(prefix.lines(DROP_IN), format!("{preload}{file}"));

    prefix.write("root/etc/mif/apps/demo.toml", "use = 1\n");
    let ran = prefix.enable(&["demo"]);
    assert_eq!((ran.status, &*ran.stdout), (Some(78), ""), "{ran:?}");
    assert!(ran.stderr.contains("apps/demo.toml:1:7"), "{ran:?}");
}

#[test]
fn a_preload_of_the_unit_stays() {
    for (own, expected) in [
        ("/a.so:/%i.so", "/opt/mif/libmif.so:/a.so:/%i.so"),
        ("", "/opt/mif/libmif.so"),
        ("/opt/mif/libmif.so:/a.so", "/opt/mif/libmif.so:/a.so"),
    ] {
        let settings = format!("Environment=LANG=C 'LD_PRELOAD={own}'\n");
        let prefix = Prefix::image("enable-preload", &settings);
        assert_eq!(prefix.enable(&["-ilo", "demo"]), wrote());
        let preload = format!("Environment=\"LD_PRELOAD={expected}\"\n");
        assert!(prefix.lines(DROP_IN).starts_with(&preload), "{own}");
    }
}

#[test]
fn obstacles_in_the_unit_are_warned_of() {
    let settings = "EnvironmentFile=-/etc/default/demo\nRestrictAddressFamilies=AF_INET\n";
    let prefix = Prefix::image("enable-obstacles", settings);
    prefix.write(
        "root/etc/default/demo",
        "# LD_PRELOAD=\nLANG=C\nMIF_DNS=::1\n",
    );
    let warnings = "mif: warning: RestrictAddressFamilies= keeps it from AF_NETLINK, by which \
        libmif.so asks the kernel about its networks, so all that needs one will be refused; mend \
        it with RestrictAddressFamilies=AF_NETLINK in a drop-in\n\
        mif: warning: /etc/default/demo sets MIF_DNS, which wins\n";
    let expected = Ran::new(0, &format!("wrote {COUNTS}"), warnings);
    assert_eq!(prefix.enable(&["-ilo", "demo"]), expected);
}

#[test]
fn units_that_mif_cannot_serve_are_refused() {
    let prefix = Prefix::image("enable-refused", "");
    prefix.compile(
        "root/usr/bin/static",
        "int main(void) { return 0; }\n",
        &["-static"],
    );
    let unit = |name: &str, text: &str| {
        prefix.write(&format!("root/etc/systemd/system/{name}.service"), text)
    };
    unit(
        "static",
        "[Service]\nExecStartPre=/none\nExecStart=-/usr/bin/demo\nExecStart=static\n",
    );
    unit("gone", "[Service]\nExecStart=/usr/bin/gone\n");
    unit("none", "[Service]\nExecStop=/usr/bin/demo\n");
    for (name, status, message) in [
        (
            "static",
            126,
            "cannot reach PREFIX/root/usr/bin/static: statically linked, so no preload is loaded; \
             nothing was written. A supervisor reaches it: mif-run --reach=supervise.",
        ),
        (
            "gone",
            127,
            "PREFIX/root/usr/bin/gone: no such file or directory",
        ),
        (
            "none",
            1,
            "PREFIX/root/etc/systemd/system/none.service starts no program (ExecStart=)\n\
             nothing was written; --force writes it all the same",
        ),
        (
            "unknown",
            1,
            "there is no unknown.service. Looked for\n  \
             PREFIX/root/etc/systemd/system/unknown.service\n  \
             PREFIX/root/run/systemd/system/unknown.service\n  \
             PREFIX/root/usr/local/lib/systemd/system/unknown.service\n  \
             PREFIX/root/usr/lib/systemd/system/unknown.service\n\
             nothing was written; --force writes it all the same",
        ),
        ("../demo", 2, "`../demo` is not the name of a unit"),
        (
            "demo.timer",
            2,
            "`demo.timer` is no service, and only services run programs",
        ),
    ] {
        let expected = Ran::new(status, "", &format!("mif: {message}\n"));
        assert_eq!(prefix.enable(&["-ilo", name]), expected, "{name}");
        let folder = format!("root/etc/systemd/system/{name}.service.d");
        assert!(!prefix.at(&folder).exists(), "{name}");
    }
    let ran = prefix.enable(&["-i", "lo\n[Service]", "demo"]);
    assert_ne!(ran.status, Some(0), "{ran:?}");
    let ran = prefix.enable(&["-ilo", "--force", "unknown"]);
    assert_eq!((ran.status, &*ran.stderr), (Some(0), ""));
}

#[test]
fn templates_instances_and_units_of_users_have_drop_ins_of_their_own() {
    let prefix = Prefix::image("enable-places", "");
    prefix.write(
        "root/usr/lib/systemd/system/demo@.service",
        "[Service]\nExecStart=/usr/bin/%i\n",
    );
    let warning = "mif: warning: /usr/bin/%i depends on the instance, so nothing tells whether mif \
        reaches it\n";
    for (typed, name, restarted) in [
        ("demo@", "demo@.service", "demo@*.service"),
        ("demo@one", "demo@one.service", "demo@one.service"),
    ] {
        let file = format!("etc/systemd/system/{name}.d/50-mif.conf");
        let stdout = format!(
            "wrote PREFIX/root/{file}; it counts after\n\
             systemctl daemon-reload && systemctl restart '{restarted}'\n"
        );
        assert_eq!(
            prefix.enable(&["-ilo", typed]),
            Ran::new(0, &stdout, warning)
        );
        assert!(prefix.at("root").join(file).exists());
    }

    let home = format!("root{}", prefix.at("home").display());
    let unit = "[Service]\nExecStart=/usr/bin/demo\n";
    prefix.write(&format!("{home}/systemd/user/mine.service"), unit);
    prefix.write(&format!("{home}/mif/apps/demo.toml"), "use = \"lo\"\n");
    let ran = prefix.enable(&["--user", "mine"]);
    assert_eq!((ran.status, &*ran.stderr), (Some(0), ""));
    let then = "\nsystemctl --user daemon-reload && systemctl --user restart 'mine.service'\n";
    assert!(ran.stdout.ends_with(then), "{ran:?}");
    let policy = prefix.at("home/mif/apps/demo.toml");
    let file = format!("{home}/systemd/user/mine.service.d/50-mif.conf");
    let line = format!("Environment=\"MIF_POLICY={}\"\n", policy.display());
    assert!(prefix.lines(&file).ends_with(&line));
    assert_eq!(prefix.disable(&["--user", "mine"]).status, Some(0));
    assert!(!prefix.at(&file).exists());
}

#[test]
fn disabling_removes_what_enabling_wrote_and_nothing_else() {
    let prefix = Prefix::image("disable", "");
    let folder = prefix.at(DROP_IN).parent().unwrap().to_owned();
    let none = "mif: demo.service is not enabled: there is no \
        PREFIX/root/etc/systemd/system/demo.service.d/50-mif.conf\n";
    assert_eq!(prefix.disable(&["demo"]), Ran::new(1, "", none));

    assert_eq!(prefix.enable(&["-ilo", "demo"]), wrote());
    let removed = Ran::new(0, &format!("removed {COUNTS}"), "");
    assert_eq!(prefix.disable(&["demo"]), removed);
    assert!(!folder.exists());

    let other = prefix.write(&DROP_IN.replace("50-mif", "override"), "[Service]\n");
    assert_eq!(prefix.enable(&["-ilo", "demo"]), wrote());
    assert_eq!(prefix.disable(&["demo"]), removed);
    assert!(other.exists() && !prefix.at(DROP_IN).exists());

    // A file of that name may be anyone's.
    prefix.write(DROP_IN, "[Service]\n");
    let left = "mif: PREFIX/root/etc/systemd/system/demo.service.d/50-mif.conf: not written by \
        `mif enable`, so it is left as it is\n";
    assert_eq!(prefix.disable(&["demo"]), Ran::new(1, "", left));
    assert_eq!(prefix.enable(&["-ilo", "demo"]), Ran::new(1, "", left));
    assert_eq!(
        fs::read_to_string(prefix.at(DROP_IN)).unwrap(),
        "[Service]\n"
    );
}

//! Which file is a program's policy, in folders made for each test.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use mif_host::config::{Environment, LoadError, Loaded, load};
use mif_policy::Policy;

/// A home and a host's folder that go with the test.
struct Folders {
    root: PathBuf,
    environment: Environment,
}

impl Folders {
    fn new(test: &str) -> Self {
        let root = std::env::temp_dir().join(format!("mif-config-{}-{test}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let environment = Environment {
            home: Some(root.join("home")),
            system: root.join("etc/mif"),
            ..Environment::default()
        };
        Self { root, environment }
    }

    /// A file below the root; a policy that uses the interface `word`, or any other text.
    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn user(&self, name: &str) -> PathBuf {
        self.write(
            &format!("home/.config/mif/apps/{name}.toml"),
            "use = 'user'",
        )
    }

    fn system(&self, name: &str) -> PathBuf {
        self.write(&format!("etc/mif/apps/{name}.toml"), "use = 'system'")
    }

    /// The file that is the policy of `program`, below the root.
    fn file(&self, program: &str) -> Option<PathBuf> {
        match load(&self.environment, program).unwrap() {
            Loaded::Policy { file, .. } => file,
            Loaded::NoPolicy { .. } => None,
        }
    }

    fn policy(&self, program: &str) -> (Policy, Option<PathBuf>) {
        match load(&self.environment, program).unwrap() {
            Loaded::Policy { policy, file } => (policy, file),
            Loaded::NoPolicy { searched } => panic!("no policy: {searched:?}"),
        }
    }

    /// What is said, with the root left out.
    fn error(&self, program: &str) -> String {
        let error = load(&self.environment, program).unwrap_err().to_string();
        error.replace(self.root.to_str().unwrap(), "")
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn the_programs_own_file_comes_first_and_the_users_before_the_hosts() {
    let folders = Folders::new("order");
    let Loaded::NoPolicy { searched } = load(&folders.environment, "curl").unwrap() else {
        panic!("a policy from nowhere");
    };
    let searched = searched
        .iter()
        .map(|path| path.strip_prefix(&folders.root).unwrap());
    let expected = [
        "home/.config/mif/apps/curl.toml",
        "etc/mif/apps/curl.toml",
        "home/.config/mif/apps/default.toml",
        "etc/mif/apps/default.toml",
    ];
    assert!(searched.eq(expected.map(Path::new)));
    // Each file that is added wins over those before it.
    for (add, name) in [
        (Folders::system as fn(&Folders, &str) -> PathBuf, "default"),
        (Folders::user, "default"),
        (Folders::system, "curl"),
        (Folders::user, "curl"),
    ] {
        let path = add(&folders, name);
        assert_eq!(folders.file("curl"), Some(path));
    }
    assert_eq!(folders.file("wget"), Some(folders.user("default")));
}

#[test]
fn a_program_whose_name_is_no_files_has_the_default() {
    let folders = Folders::new("names");
    folders.write("home/.config/mif/apps.toml", "use = 'never'");
    let default = folders.user("default");
    for program in ["", "../apps", "/usr/bin/curl", &"x".repeat(300)] {
        assert_eq!(folders.file(program), Some(default.clone()), "{program}");
    }
}

#[test]
fn a_policy_by_name_or_by_file() {
    let mut folders = Folders::new("named");
    let curl = folders.user("curl");
    let work = folders.system("work");
    let own = folders.write("own.toml", "use = 'own'");
    folders.environment.app = Some("work".into());
    assert_eq!(folders.file("curl"), Some(work));
    folders.environment.policy = Some(own.clone().into());
    assert_eq!(folders.file("curl"), Some(own));
    folders.environment.app = None;
    folders.environment.policy = None;
    assert_eq!(folders.file("curl"), Some(curl));
}

#[test]
fn what_is_named_must_be_there() {
    let mut folders = Folders::new("missing");
    folders.user("default");
    folders.environment.app = Some("work".into());
    assert_eq!(
        folders.error("curl"),
        "no policy for `work` (-a / MIF_APP); searched\n  \
         /home/.config/mif/apps/work.toml\n  /etc/mif/apps/work.toml"
    );
    folders.environment.app = Some("../default".into());
    assert_eq!(
        folders.error("curl"),
        "`../default` (-a / MIF_APP) is no application's name"
    );
    folders.environment.policy = Some(folders.root.join("gone.toml").into());
    let said = "cannot read the policy /gone.toml: No such file or directory (os error 2)";
    assert_eq!(folders.error("curl"), said);
}

#[test]
fn a_file_that_cannot_be_read_is_not_skipped() {
    let folders = Folders::new("unreadable");
    folders.system("curl");
    fs::create_dir_all(folders.root.join("home/.config/mif/apps/curl.toml")).unwrap();
    let said = "cannot use the policy /home/.config/mif/apps/curl.toml: it is not a regular file";
    assert!(folders.error("curl").starts_with(said));
    folders.write("home/.config/mif/apps/wget.toml", "");
    fs::write(
        folders.root.join("home/.config/mif/apps/wget.toml"),
        [0xff, 0xfe],
    )
    .unwrap();
    assert!(folders.error("wget").contains("UTF-8"));
    symlink(
        "nowhere",
        folders.root.join("home/.config/mif/apps/ssh.toml"),
    )
    .unwrap();
    assert!(folders.error("ssh").contains("No such file"));
}

#[test]
fn a_link_is_an_alias() {
    let folders = Folders::new("alias");
    let firefox = folders.user("firefox");
    let alias = firefox.with_file_name("firefox-esr.toml");
    symlink("firefox.toml", &alias).unwrap();
    assert_eq!(folders.file("firefox-esr"), Some(alias));
}

#[test]
fn options_are_a_policy_of_their_own_unless_a_file_is_named() {
    let mut folders = Folders::new("options");
    let curl = folders.user("curl");
    folders.write("etc/mif/pvds.toml", "pvd.lte.interface = 'wwan0'");
    folders.environment.interface = Some("lte, wan0".into());
    folders.environment.source = Some("10.2.0.9".into());
    folders.environment.dns = Some("10.2.0.1,10.2.0.2:5353".into());
    let (policy, file) = folders.policy("curl");
    assert_eq!(file, None);
    let names: Vec<_> = policy
        .pvds
        .iter()
        .map(|pvd| (&*pvd.name, pvd.sources.len()))
        .collect();
    assert_eq!(names, [("lte", 1), ("wan0", 1)]);
    assert_eq!(policy.dns.servers.len(), 2);
    folders.environment.app = Some("curl".into());
    let (policy, file) = folders.policy("ssh");
    assert_eq!(file, Some(curl));
    assert_eq!(
        policy
            .place(policy.rule(policy.last_rule()).place)
            .to_string(),
        "-i"
    );
    folders.environment.interface = Some("wan0,".into());
    assert!(folders.error("ssh").starts_with("-i / MIF_INTERFACE: "));
}

#[test]
fn each_option_alone_is_a_policy() {
    for nth in 0..3 {
        let mut folders = Folders::new(&format!("option-{nth}"));
        folders.user("curl");
        let environment = &mut folders.environment;
        let option = [
            &mut environment.interface,
            &mut environment.source,
            &mut environment.dns,
        ];
        *option.into_iter().nth(nth).unwrap() = Some("10.2.0.1".into());
        assert_eq!(folders.policy("curl").1, None, "option {nth}");
    }
}

#[test]
fn both_files_of_domains_are_read_and_the_users_names_win() {
    let mut folders = Folders::new("pvds");
    folders.write("etc/mif/apps/curl.toml", "use = ['a', 'b']");
    folders.write(
        "etc/mif/pvds.toml",
        "pvd.a.interface = 'etc-a'\npvd.b.interface = 'etc-b'",
    );
    folders.write("home/.config/mif/pvds.toml", "pvd.a.interface = 'home-a'");
    let interfaces = |folders: &Folders| {
        let pvds = folders.policy("curl").0.pvds;
        pvds.iter()
            .map(|pvd| format!("{:?}", pvd.interface))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        interfaces(&folders),
        [r#"Named("home-a")"#, r#"Named("etc-b")"#]
    );
    // Another place for the user's folder, and none at all.
    folders.environment.config_home = Some(folders.root.join("xdg"));
    assert_eq!(
        interfaces(&folders),
        [r#"Named("etc-a")"#, r#"Named("etc-b")"#]
    );
    folders.write("xdg/mif/pvds.toml", "pvd.b.interface = 'xdg-b'");
    assert_eq!(
        interfaces(&folders),
        [r#"Named("etc-a")"#, r#"Named("xdg-b")"#]
    );
    folders.environment.config_home = None;
    folders.environment.home = None;
    assert_eq!(
        interfaces(&folders),
        [r#"Named("etc-a")"#, r#"Named("etc-b")"#]
    );
}

#[test]
fn faults_name_the_file_they_are_in() {
    let folders = Folders::new("faults");
    folders.write("etc/mif/pvds.toml", "pvd.a.interfase = 'eth0'");
    folders.write("etc/mif/apps/curl.toml", "local = 1");
    let Err(LoadError::Faults(faults)) = load(&folders.environment, "curl") else {
        panic!("no faults");
    };
    let sources: Vec<_> = faults
        .0
        .iter()
        .map(|fault| Path::new(fault.source()))
        .collect();
    let pvds = folders.root.join("etc/mif/pvds.toml");
    let curl = folders.root.join("etc/mif/apps/curl.toml");
    assert_eq!(sources, [&*pvds, &*pvds, &*curl]);
    // Without a policy nobody's domains are read.
    assert!(matches!(
        load(&folders.environment, "wget"),
        Ok(Loaded::NoPolicy { .. })
    ));
}

#[test]
fn a_policy_that_others_may_write_is_a_fault_and_so_is_their_folder() {
    let mut folders = Folders::new("writable");
    let own = folders.write("own/own.toml", "use = 'own'");
    let curl = folders.user("curl");
    let pvds = folders.write("etc/mif/pvds.toml", "");
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let uid = rustix::process::geteuid().as_raw();
    for (path, named) in [(&own, true), (&curl, false), (&pvds, false)] {
        folders.environment.policy = named.then(|| own.clone().into());
        let shown = path.strip_prefix(&folders.root).unwrap().display();
        for mode in [0o664, 0o646, 0o622] {
            set(path, mode);
            let expected = format!(
                "cannot use the policy /{shown}: others may write to it (owner uid {uid}, mode \
                 {mode:04o}); mend it: chmod go-w '/{shown}'"
            );
            assert_eq!(folders.error("curl"), expected);
        }
        set(path, 0o400);
        let folder = path.parent().unwrap();
        let shown_folder = folder.strip_prefix(&folders.root).unwrap().display();
        for mode in [0o775, 0o757] {
            set(folder, mode);
            let expected = format!(
                "cannot use the policy /{shown}: in its folder, others may write to it (owner uid \
                 {uid}, mode {mode:04o}); mend it: chmod go-w '/{shown_folder}'"
            );
            assert_eq!(folders.error("curl"), expected);
        }
        // Whoever may put a file into such a folder cannot take one of others away: /tmp.
        set(folder, 0o1777);
        assert!(folders.file("curl").is_some());
        set(folder, 0o755);
    }
}

#[test]
fn what_can_be_read_once_only_is_no_policy_and_nobody_waits_for_it() {
    let mut folders = Folders::new("fifo");
    let fifo = folders.root.join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    for path in [&fifo, Path::new("/dev/null")] {
        folders.environment.policy = Some(path.into());
        let said = folders.error("curl");
        assert!(said.contains("it is not a regular file"), "{said}");
    }
}

#[test]
fn the_environment_of_a_process_with_gained_privileges_is_the_hosts_folder() {
    let environment = Environment::of_the_host();
    assert_eq!(environment.folders(), [Path::new("/etc/mif")]);
    assert!(environment.policy.is_none() && environment.app.is_none());
}

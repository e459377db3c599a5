//! A drop-in that `mif enable` wrote does what `mif-run` does: the program of the unit, started with
//! exactly the environment that the drop-in tells the service manager, has the network it names.

mod support;

use std::fs;

use mif_lab::{Lab, Output};
use support::{WAN1, WHO, nothing_leaves, only_by_wan1};

const DROP_IN: &str = "config/systemd/user/fetch.service.d/50-mif.conf";

/// Runs the tool on the user's unit, whose file is in a folder that the user may write to.
fn mif(lab: &Lab, words: &[&str]) -> Output {
    lab.mif_run();
    let mif = lab.dir().join("bin/mif");
    let home = lab.home().join("config");
    let command = lab.command(mif).env("XDG_CONFIG_HOME", home);
    command.args(words).args(["--user", "fetch"]).run()
}

/// What the service manager would do with the unit and its drop-in.
fn start(lab: &Lab) -> Output {
    let drop_in = fs::read_to_string(lab.home().join(DROP_IN)).unwrap();
    let lines = drop_in
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="));
    let assignments = lines.map(|line| line.trim_matches('"').split_once('=').unwrap());
    let command = lab.command("curl").args(["-sS", &format!("http://{WHO}/")]);
    let command = assignments.fold(command, |command, (name, value)| {
        assert!(!value.contains(['\\', '%']), "{value}");
        command.env(name, value)
    });
    command.run()
}

#[test]
fn a_service_has_the_network_of_its_drop_in() {
    let lab = Lab::new();
    let unit = format!("[Service]\nExecStart=curl -sS http://{WHO}/\n");
    for (file, text) in [
        ("systemd/user/fetch.service", unit.as_str()),
        ("mif/apps/curl.toml", "use = \"wan1\"\n"),
    ] {
        let path = lab.home().join("config").join(file);
        lab.run(&["mkdir", "-p", path.parent().unwrap().to_str().unwrap()])
            .ok();
        let tee = lab.command("tee").args([path]);
        tee.stdin(text).run().ok();
    }
    for options in [&["-i", "wan1"][..], &[]] {
        let out = mif(&lab, &[&["enable"], options].concat());
        assert_eq!(out.stderr, "", "{out}");
        assert!(out.ok().starts_with("wrote "), "{out}");
        assert_eq!(start(&lab).ok(), WAN1);
    }
    assert_eq!(lab.peers(), [WAN1, WAN1]);
    only_by_wan1(&lab);

    lab.link_down("wan1");
    nothing_leaves(&lab, || {
        let out = start(&lab);
        assert!(out.fails().contains("Failed to connect"), "{out}");
    });

    mif(&lab, &["disable"]).ok();
    assert!(!lab.home().join(DROP_IN).parent().unwrap().exists());
}

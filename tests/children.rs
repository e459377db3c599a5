//! Programs that a program starts are under its policy, whatever environment they are given
//! (`children`).

mod support;

use mif_lab::{Lab, Output, eventually};
use support::starts::{all, start};
use support::{BY_WAN1, WAN1, WAN1_6, WHO, WHO6, only_by_wan1};

/// What `env` finds as its environment when it is started so, as lines in order.
fn found(lab: &Lab, how: &str, environment: &str, options: &[&str]) -> Vec<String> {
    let out = start(lab, how, environment, &["/usr/bin/env"]);
    lines(&out.mif(options).run())
}

fn lines(out: &Output) -> Vec<String> {
    let mut lines: Vec<_> = out.ok().lines().map(str::to_owned).collect();
    // What a shell adds, and what it leaves.
    lines.retain(|line| !line.starts_with("PWD=") && !line.starts_with("_="));
    lines.retain(|line| line != "MIF_APP=");
    lines.sort();
    lines
}

#[test]
fn each_function_takes_the_policy_along() {
    let lab = Lab::new();
    let connect = lab.probe("connect");
    let words = [
        connect.to_str().unwrap(),
        WHO,
        "7001",
        WHO6,
        "7001",
        WHO,
        "7001",
        WHO6,
        "7001",
    ];
    let expected = [WAN1, WAN1_6, WAN1, WAN1_6].join("\n");
    for how in all() {
        for environment in ["", "null"] {
            let out = start(&lab, how, environment, &words).mif(&BY_WAN1).run();
            // The kernel takes null for an empty environment, this function of libc's does not.
            let refused = how.starts_with("fexecve") && environment == "null";
            let expected = if refused { "EINVAL" } else { &expected };
            assert_eq!(out.ok(), expected, "{how} with {environment:?}");
        }
    }
    only_by_wan1(&lab);
}

#[test]
fn without_a_policy_nothing_changes() {
    let lab = Lab::new();
    for how in all() {
        for environment in ["", "LD_PRELOAD=,B=2"] {
            let words = ["/usr/bin/env"];
            let native = lines(&start(&lab, how, environment, &words).run());
            let ours = lines(&start(&lab, how, environment, &words).preload().run());
            assert_eq!(ours, native, "{how} with {environment:?}");
        }
    }
}

#[test]
fn what_was_there_is_put_back_and_nothing_else() {
    let lab = Lab::new();
    let library = lab.library().display().to_string();
    let preload = format!("LD_PRELOAD={library}");
    let whole = [preload.as_str(), "MIF_DNS=10.2.0.1", "MIF_INTERFACE=wan1"];
    for how in all() {
        assert_eq!(found(&lab, how, "", &BY_WAN1), whole, "{how}");
    }
    for how in ["execve", "popen"] {
        // What is empty has been taken out.
        let out = found(&lab, how, "A=1,LD_PRELOAD=,MIF_INTERFACE=", &BY_WAN1);
        assert_eq!(out[0], "A=1", "{how}");
        assert_eq!(out[1..], whole, "{how}");

        // Other libraries stay, and come behind ours.
        let other = "libutil.so.1:/usr/lib/none.so";
        let out = found(&lab, how, &format!("LD_PRELOAD={other}"), &BY_WAN1);
        assert_eq!(out[0], format!("{preload}:{other}"), "{how}");
        assert_eq!(out[1..], whole[1..], "{how}");

        // Somebody chose anew, if only in part.
        for chosen in ["MIF_DNS=10.2.0.1", "MIF_POLICY=/dev/null"] {
            let out = found(&lab, how, chosen, &BY_WAN1);
            assert_eq!(out, [preload.as_str(), chosen], "{how}");
        }
        let given = format!("LD_PRELOAD=libutil.so.1 {library},MIF_APP=");
        let out = found(&lab, how, &given, &BY_WAN1);
        assert_eq!(
            out[0],
            format!("LD_PRELOAD=libutil.so.1 {library}"),
            "{how}"
        );
        assert_eq!(out[1..], whole[1..], "{how}");
    }
    // How it is carried out goes with it.
    let out = found(&lab, "execve", "MIF_LOG=off", &["-i", "wan1", "-v"]);
    assert_eq!(out, [&preload, "MIF_INTERFACE=wan1", "MIF_LOG=off"]);
    let out = start(&lab, "execve", "", &["/usr/bin/env"]);
    let log = lab.home().join("log").display().to_string();
    let out = out.env("MIF_LOG_FILE", &log).env("MIF_ON_ERROR", "refuse");
    let out = lines(&out.mif(&["-i", "wan1", "-v"]).run());
    let expected = [
        &preload,
        "MIF_INTERFACE=wan1",
        "MIF_LOG=decisions",
        &format!("MIF_LOG_FILE={log}"),
        "MIF_ON_ERROR=refuse",
    ];
    assert_eq!(out, expected);
}

#[test]
fn environments_of_any_size() {
    let lab = Lab::new();
    let script = "import os, sys
many = {'V%d' % n: 'x' for n in range(int(sys.argv[1]))}
try:
    os.execve('/usr/bin/env', ['env'], many)
except OSError as why:
    print(os.strerror(why.errno))";
    for count in [0, 53, 54, 55, 501, 502, 503, 504, 4086, 4087, 4088, 20_000] {
        let words = ["-c", script, &count.to_string()];
        let out = lab.command("python3").args(words).mif(&BY_WAN1).run();
        let lines: Vec<_> = out.ok().lines().collect();
        let others = lines.iter().filter(|line| line.starts_with('V')).count();
        assert_eq!((others, lines.len()), (count, count + 3), "{count}");
    }
    let words = ["-c", script, "32800"];
    let out = lab.command("python3").args(words).mif(&BY_WAN1).run();
    assert_eq!(out.ok(), "Argument list too long");
    let long = format!("LD_PRELOAD={}", "x".repeat(4090));
    let out = start(&lab, "execve", &long, &["/usr/bin/env"])
        .mif(&BY_WAN1)
        .run();
    assert_eq!(out.ok(), "E2BIG");
}

#[test]
fn programs_that_empty_the_environment() {
    let lab = Lab::new();
    let curl = "curl -sS http://203.0.113.10/";
    let shell = format!("env -i {curl}; exec env - sh -c '{curl}'");
    let python = "import subprocess, sys
sys.stdout.write(subprocess.run(sys.argv[1:], env={}, check=True, text=True, stdout=-1).stdout)";
    let perl = "%ENV = (); exec { $ARGV[0] } @ARGV";
    let node = "const [program, ...words] = process.argv.slice(1);
process.stdout.write(require('child_process').execFileSync(program, words, {env: {}}))";
    let words: Vec<_> = curl.split(' ').collect();
    for (program, times) in [
        (vec!["sh", "-c", &shell], 2),
        (vec!["bash", "-c", &shell], 2),
        (vec!["bash", "-c", &format!("exec -c {curl}")], 1),
        ([&["python3", "-c", python], &words[..]].concat(), 1),
        ([&["perl", "-e", perl], &words[..]].concat(), 1),
        ([&["node", "-e", node], &words[..]].concat(), 1),
        ([&["setpriv", "--reset-env"], &words[..]].concat(), 1),
        (
            vec!["git", "-c", &format!("alias.x=!env -i {curl}"), "x"],
            1,
        ),
    ] {
        let out = lab.mif(&BY_WAN1, &program);
        assert_eq!(out.ok().matches(WAN1).count(), times, "{out}");
    }
    only_by_wan1(&lab);
}

#[test]
fn java() {
    let lab = Lab::new();
    let program = "public class Start { public static void main(String[] words) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(words).inheritIO();
        builder.environment().clear();
        System.exit(builder.start().waitFor());
    } }";
    let source = lab.write("home/Start.java", program);
    let words = [
        "java",
        source.to_str().unwrap(),
        "curl",
        "-sS",
        "http://203.0.113.10/",
    ];
    assert_eq!(lab.mif(&BY_WAN1, &words).ok(), WAN1);
    only_by_wan1(&lab);
}

#[test]
fn an_ssh_proxy_command() {
    let lab = Lab::new();
    let proxy = "ProxyCommand=env -i nc 203.0.113.10 7001";
    let words = [
        "ssh",
        "-o",
        proxy,
        "-o",
        "StrictHostKeyChecking=no",
        "user@nowhere.test",
    ];
    // The far end is no ssh server: that it was asked is enough.
    let ssh = lab
        .command(words[0])
        .args(&words[1..])
        .mif(&BY_WAN1)
        .spawn();
    eventually("the far end is asked", || !lab.arrivals().is_empty());
    drop(ssh);
    only_by_wan1(&lab);
}

#[test]
fn a_mif_run_inside_another_chooses_anew() {
    let lab = Lab::new();
    let mif_run = lab.mif_run();
    let inner = [
        mif_run.to_str().unwrap(),
        "-i",
        "vpn0",
        "curl",
        "-sS",
        "http://203.0.113.10/",
    ];
    let out = lab.mif(&BY_WAN1, &inner);
    assert_eq!(out.ok(), "10.3.0.2");
    for environment in ["", "MIF_INTERFACE="] {
        let path = format!("PATH=/usr/bin:/bin,{environment}");
        let out = start(&lab, "execve", &path, &inner).mif(&BY_WAN1).run();
        assert_eq!(out.ok(), "10.3.0.2", "{environment}");
    }
    // The inner one's children are the inner one's.
    let scrubbed = [&inner[..3], &["env", "-i"], &inner[3..]].concat();
    let out = lab.mif(&BY_WAN1, &scrubbed);
    assert_eq!(out.ok(), "10.3.0.2");
    // What the tool that mif-run asks is told is not told to the program.
    let out = lab.mif(&BY_WAN1, &[inner[0], "-i", "vpn0", "env"]);
    assert!(!out.ok().contains("MIF_CHILDREN"), "{out}");
    assert_eq!([lab.packets("ra"), lab.packets("rb")], [0, 0]);
}

#[test]
fn the_key_and_the_variable_decide() {
    let lab = Lab::new();
    let policy = |word: &str| {
        let text = format!("use = \"wan1\"\nchildren = \"{word}\"\n");
        lab.write(&format!("{word}.toml"), &text)
            .display()
            .to_string()
    };
    let library = lab.library().display().to_string();
    let preload = format!("LD_PRELOAD={library}");
    for how in ["execve", "execvpe", "posix_spawn"] {
        let [follow, inherit, drop] = ["follow", "inherit", "drop"].map(policy);
        let found = |file: &str, environment: &str| found(&lab, how, environment, &["-p", file]);
        let chosen = format!("MIF_POLICY={follow}");
        assert_eq!(found(&follow, "A=1"), ["A=1", &preload, &chosen], "{how}");
        assert_eq!(
            found(&follow, "MIF_CHILDREN=inherit"),
            ["MIF_CHILDREN=inherit"]
        );
        assert_eq!(found(&follow, "MIF_CHILDREN=drop,A=1"), ["A=1"]);

        assert_eq!(found(&inherit, "A=1"), ["A=1"], "{how}");
        let chosen = format!("MIF_POLICY={inherit}");
        let out = found(&inherit, "MIF_CHILDREN=follow");
        assert_eq!(out, [&preload, "MIF_CHILDREN=follow", &chosen], "{how}");

        let given = format!("A=1,LD_PRELOAD=libutil.so.1:{library}:libm.so.6,MIF_DNS=,MIF_LOG=off");
        let out = found(&drop, &given);
        assert_eq!(out, ["A=1", "LD_PRELOAD=libutil.so.1:libm.so.6"], "{how}");
        assert_eq!(
            found(&drop, &format!("{preload},MIF_POLICY={drop}")),
            [""; 0],
            "{how}"
        );
    }
    let out = lab.mif(
        &["-p", &policy("drop")],
        &["sh", "-c", "curl -sS http://203.0.113.10/"],
    );
    assert_eq!(out.ok(), "10.1.0.2");
}

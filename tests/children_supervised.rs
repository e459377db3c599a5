//! Programs that no preload reaches, started by programs that it does reach: each is supervised, as if nobody
//! stood in between, and by the policy's network alone.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mif_lab::{Build, Lab};
use support::starts::{all, start};
use support::{BY_WAN1, WAN1, WHO, nothing_leaves, only_by_wan1};

const BY_NOTHING: [&str; 4] = ["-i", "wan9", "-d", "10.2.0.1"];
const BUSYBOX: &str = "/usr/bin/busybox";

fn probe(lab: &Lab, name: &str, build: Build) -> String {
    lab.probe_as(name, build).display().to_string()
}

#[test]
fn each_function_has_a_static_program_supervised() {
    let lab = Lab::new();
    let connect = probe(&lab, "connect", Build::Static);
    let words = [
        &*connect, WHO, "7001", WHO, "7001", WHO, "7001", WHO, "7001",
    ];
    for how in all() {
        for environment in ["-", ""] {
            let out = start(&lab, how, environment, &words).mif(&BY_WAN1).run();
            assert_eq!(out.ok(), [WAN1; 4].join("\n"), "{how} {environment:?}");
            assert_eq!(out.stderr, "", "{how}");
        }
    }
    only_by_wan1(&lab);
    nothing_leaves(&lab, || {
        for how in all() {
            let out = start(&lab, how, "", &words).mif(&BY_NOTHING).run();
            assert_eq!(out.ok(), ["ENETUNREACH"; 4].join("\n"), "{how}");
        }
    });
}

/// A script in which every second program is one that no preload reaches.
#[test]
fn mixed_children_of_all_sorts_of_parents() {
    let lab = Lab::new();
    let fetch = format!("curl -sS http://{WHO}/");
    let tcp = |build| format!("{} {WHO} 7001", probe(&lab, "look_up", build));
    let go = format!("{} send {WHO}:7001", probe(&lab, "flows", Build::Go));
    let kinds = [Build::Static, Build::Musl, Build::MuslStatic].map(tcp);
    let wget = format!("{BUSYBOX} wget -qO- http://{WHO}/");
    let lines = [&[fetch, wget, go], &kinds[..]].concat();
    let script = lines.join("\n");
    let all_at_once = format!("{}\nwait\n", lines.join(" &\n"));
    let names = lab.write("home/lines", &script).display().to_string();
    let makefile = format!(".SILENT:\nall:\n\t{}\n", lines.join("\n\t"));
    lab.write("home/Makefile", &makefile);
    let python = "import subprocess, sys\n\
        for line in open(sys.argv[1]): print(subprocess.check_output(line.split(), text=True), end='')";
    let by_env = lines.iter().map(|line| format!("env -i {line}\n"));
    let by_env: String = by_env.collect();
    let perl = "open(my $lines, '<', $ARGV[0]); while (<$lines>) { system(split) }";
    let parents: [&[&str]; 9] = [
        &["bash", "-c", &script],
        &["dash", "-c", &script],
        &["bash", "-c", &all_at_once],
        &["dash", "-c", &by_env],
        &["make", "all"],
        &["xargs", "-a", &names, "-L1", "env"],
        &["python3", "-c", python, &names],
        &["perl", "-e", perl, &names],
        &["setsid", "-w", "nice", "dash", &names],
    ];
    for parent in parents {
        let before = lab.arrivals().len();
        let out = lab.mif(&BY_WAN1, parent);
        // Go says it twice, of its two flows, and the far end has heard of each.
        assert_eq!(out.ok().matches(WAN1).count(), lines.len() + 1, "{out}");
        assert_eq!(lab.arrivals().len() - before, lines.len() + 1, "{out}");
    }
    only_by_wan1(&lab);
    nothing_leaves(&lab, || {
        for parent in parents {
            let out = lab.mif(&BY_NOTHING, parent);
            assert!(!out.stdout.contains(WAN1), "{out}");
            let said = format!("{}{}", out.stdout, out.stderr);
            // curl does not name the error. make and this Python end with the first that fails.
            let ends = ["make", "python3"].contains(&parent[0]);
            let expected = if ends { 0 } else { lines.len() - 1 };
            let refused = said.matches("unreachable").count();
            assert_eq!(refused, expected, "{out}");
        }
    });
}

#[test]
fn it_is_called_as_its_parent_called_it() {
    let lab = Lab::new();
    let script = lab.write("bin/by-busybox", "#!/usr/bin/busybox sh\necho \"$0 $*\"\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.display().to_string();
    let as_natively = |words: &[&str]| {
        let native = lab.run(words);
        let ours = lab.mif(&BY_WAN1, words);
        assert_eq!(
            (ours.ok(), &ours.stderr),
            (native.ok(), &native.stderr),
            "{words:?}"
        );
        native.ok().to_owned()
    };
    // The name that it is called by, which need not be its file's.
    let line = format!("exec -a echo {BUSYBOX} said so");
    assert_eq!(as_natively(&["bash", "-c", &line]), "said so");
    // A path that holds in this working folder alone, by a name as well as by `PATH`.
    let folder = lab.dir().join("bin").display().to_string();
    let line = format!("cd {folder}; ./by-busybox a 'b  c' ''; PATH=:/usr/bin; by-busybox d");
    let said = as_natively(&["sh", "-c", &line]);
    assert_eq!(said, "./by-busybox a b  c \nby-busybox d");
    for line in [
        "import os, sys; os.chdir('/usr/bin'); os.execv('busybox', ['echo', 'here'])",
        "import os; os.execv('/usr/bin/busybox', ['sh', '-c', 'echo $#', 'x'] + ['word'] * 9000)",
        "import os; os.execve(os.open('/usr/bin/busybox', os.O_RDONLY), ['echo', 'by number'], os.environ)",
        "import os; os.execve('/usr/bin/busybox', ['env'], {'A': '1', 'LD_PRELOAD': 'libutil.so.1'})",
    ] {
        let native = lab.run(&["python3", "-c", line]);
        let ours = lab.mif(&BY_WAN1, &["python3", "-c", line]);
        let said = ours.ok().lines().filter(|line| !line.starts_with("MIF_"));
        assert_eq!(said.collect::<Vec<_>>().join("\n"), native.ok(), "{line}");
        assert_eq!(ours.stderr, "");
    }
    as_natively(&[&script, "typed"]);
    // What the parent took out of its environment is there for the programs that it starts in turn.
    let shell = format!("exec env -i {BUSYBOX} sh -c 'curl -sS http://{WHO}/'");
    assert_eq!(lab.mif(&BY_WAN1, &["sh", "-c", &shell]).ok(), WAN1);
    only_by_wan1(&lab);
}

#[test]
fn its_parent_sees_it_live_and_end() {
    let lab = Lab::new();
    let text = format!(
        "import os, signal, subprocess, sys, time\n\
         sh = lambda words, **more: subprocess.Popen(['{BUSYBOX}', 'sh', '-c', words], **more)\n\
         print(sh('exit 7').wait(), sh('kill -TERM $$').wait(), sh('kill -KILL $$').wait())\n\
         one = sh('read word; echo $word; exec sleep 1000', stdin=-1, stdout=-1, text=True)\n\
         print(one.stdin.write('hello\\n') and one.stdin.flush() or one.stdout.readline(), end='')\n\
         one.terminate(); print(one.wait())\n\
         one = sh('trap \"echo asked; exit 3\" USR1; echo ready; while :; do :; done', stdout=-1, text=True)\n\
         one.stdout.readline(); one.send_signal(signal.SIGUSR1)\n\
         print(one.stdout.readline().strip(), one.wait())\n\
         one = sh('sleep 1000 & echo; wait', stdout=-1, start_new_session=True, text=True)\n\
         one.stdout.readline(); os.killpg(one.pid, signal.SIGKILL); one.wait(); one.stdout.read(); print('gone', flush=True)\n\
         signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
         os.execv('{BUSYBOX}', ['sh', '-c', 'exit 9'])\n"
    );
    let out = lab.mif(&BY_WAN1, &["python3", "-c", &text]);
    let said = "7 -15 -9\nhello\n-15\nasked 3\ngone";
    assert_eq!((out.code, out.stdout.trim_end()), (Some(9), said), "{out}");
}

#[test]
fn what_cannot_be_supervised_is_refused_and_says_why() {
    let lab = Lab::new();
    let connect = probe(&lab, "connect", Build::Static);
    let words = [&*connect, WHO, "7001"];
    let from_memory = format!(
        "import os\n\
         fd = os.memfd_create('x'); os.write(fd, open('{connect}', 'rb').read())\n\
         os.execve(fd, {words:?}, os.environ)\n"
    );
    let tool = lab.dir().join("bin/mif");
    let away = lab.dir().join("bin/mif-away");
    let of_nobody = lab.write("broken.toml", "use = 7\n").display().to_string();
    nothing_leaves(&lab, || {
        let out = lab.mif(&BY_WAN1, &["python3", "-c", &from_memory]);
        assert!(out.fails().contains("its file has no path"), "{out}");

        let by = |variables: &[(&str, &str)]| {
            let mut command = start(&lab, "execve", "-", &words).preload();
            for variable in variables {
                command = command.env(variable.0, variable.1);
            }
            command.run()
        };
        fs::rename(&tool, &away).unwrap();
        let out = by(&[("MIF_INTERFACE", "wan1")]);
        fs::rename(&away, &tool).unwrap();
        assert_eq!(out.ok(), "EACCES");
        assert!(out.stderr.contains("the tool mif, which would"), "{out}");

        let out = by(&[("MIF_INTERFACE", "wan1"), ("MIF_REACH", "preload")]);
        assert_eq!(out.ok(), "EACCES");
        let told = "nothing was started. A supervisor reaches it: mif-run --reach=supervise.\n";
        assert!(out.stderr.ends_with(told), "{out}");

        // The child is told another policy, which has a fault.
        let policy = format!("MIF_POLICY={of_nobody}");
        let out = start(&lab, "execve", &policy, &words).mif(&BY_WAN1).run();
        assert_eq!(out.code, Some(78), "{out}");

        // The kernel asks one supervisor only, and that one has another policy.
        let mif_run = lab.mif_run().display().to_string();
        let shell = format!("{mif_run} -i wan1 sh -c '{}; true'", words.join(" "));
        let outer = ["--reach=supervise", "-i", "wan9", "-d", "10.2.0.1"];
        let out = lab.mif(&outer, &["sh", "-c", &shell]);
        assert!(out.stderr.contains("there can be one only"), "{out}");
    });
    let out = start(&lab, "execve", "-", &words)
        .mif(&["-v", "-i", "wan1"])
        .run();
    assert_eq!(out.ok(), WAN1);
    let told = ": statically linked, so no preload is loaded; it is supervised\n";
    assert!(out.stderr.contains(told), "{out}");
}

/// Under a bare `LD_PRELOAD` each program has the policy of its own name.
#[test]
fn a_child_has_the_policy_that_is_its_own() {
    let lab = Lab::new();
    let connect = probe(&lab, "connect", Build::Static);
    let words = [&*connect, WHO, "7001"];
    lab.write("config/mif/apps/start.toml", "use = \"wan1\"\n");
    let run = |how| {
        let command = start(&lab, how, "-", &words).preload();
        command.run().ok().to_owned()
    };
    assert_eq!([run("execve"), run("posix_spawnp")], ["10.1.0.2"; 2]);
    let own = connect.rsplit('/').next().unwrap();
    lab.write(&format!("config/mif/apps/{own}.toml"), "use = \"vpn0\"\n");
    assert_eq!([run("execve"), run("posix_spawnp")], ["10.3.0.2"; 2]);
}

#[test]
fn children_decides_here_too() {
    let lab = Lab::new();
    let connect = probe(&lab, "connect", Build::Static);
    let words = [&*connect, WHO, "7001"];
    let run = |options: &[&str], environment| {
        let out = start(&lab, "execve", environment, &words)
            .mif(options)
            .run();
        out.ok().to_owned()
    };
    let policy = |text: &str| lab.write("policy.toml", text).display().to_string();
    // It has a preference, and is supervised for it.
    let list = ["-i", "wan1", "-i", "system"];
    assert_eq!(run(&list, ""), WAN1);
    let inherit = policy("use = \"wan1\"\nchildren = \"inherit\"\n");
    let inherit = ["-p", &inherit];
    assert_eq!([run(&inherit, "-"), run(&inherit, "")], [WAN1, "10.1.0.2"]);
    assert_eq!(run(&inherit, "MIF_CHILDREN=follow"), WAN1);
    assert_eq!(run(&BY_WAN1, "MIF_CHILDREN=drop"), "10.1.0.2");
    // The words of the tree that it is in hold for a mif-run in it.
    let mif_run = lab.mif_run().display().to_string();
    let inner = [&*mif_run, "-i", "wan1", &connect, WHO, "7001"];
    let out = lab.mif(&["--reach=preload", "-i", "wan1"], &inner);
    assert!(out.fails().contains("mif-run --reach=supervise"), "{out}");
    let inner = [
        &*mif_run,
        "--reach=auto",
        "-i",
        "wan1",
        &connect,
        WHO,
        "7001",
    ];
    let out = lab.mif(&["--reach=preload", "-i", "wan1"], &inner);
    assert_eq!(out.ok(), WAN1);
}

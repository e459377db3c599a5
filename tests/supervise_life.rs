//! A supervised program's life as its caller sees it: status, signals, terminal, daemons, and calls
//! that wait.

mod support;

use mif_lab::{Build, Lab, Running, eventually};
use rustix::process::{Pid, Signal};
use support::{WAN1, WHO, only_by_wan1};

const BY_WAN1: [&str; 3] = ["--reach=supervise", "-i", "wan1"];
/// Nobody has this address, and nobody says so.
const SILENT: &str = "203.0.113.99";

fn signal(front: &Running, signal: Signal) {
    let front = Pid::from_raw(front.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(front, signal).unwrap();
}

fn python(lab: &Lab, text: &str) -> mif_lab::Output {
    lab.mif(&BY_WAN1, &["python3", "-c", text])
}

#[test]
fn it_ends_as_the_program_ends() {
    let lab = Lab::new();
    let sh = |text| lab.mif(&BY_WAN1, &["sh", "-c", text]);
    assert_eq!(sh("exit 0").code, Some(0));
    assert_eq!(sh("exit 7").code, Some(7));
    assert_eq!(sh("kill -TERM $$").signal, Some(15));
    assert_eq!(sh("kill -KILL $$").signal, Some(9));
    let out = lab.mif(&BY_WAN1, &["sh", "-c", "cat; echo said >&2"]);
    assert_eq!(
        (out.stdout.as_str(), out.stderr.lines().last()),
        ("", Some("said"))
    );
}

#[test]
fn signals_reach_the_program() {
    let lab = Lab::new();
    let text = "import os, signal, sys, time\n\
        def handle(number, frame): os.write(1, signal.Signals(number).name.encode()); sys.exit(5)\n\
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP): signal.signal(number, handle)\n\
        print('ready', flush=True)\nwhile True: time.sleep(0.01)\n";
    for (signal, name) in [
        (Signal::TERM, "SIGTERM"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::HUP, "SIGHUP"),
    ] {
        let program = lab
            .command("python3")
            .args(["-c", text])
            .mif(&BY_WAN1)
            .spawn();
        program.wait_for_line("ready");
        self::signal(&program, signal);
        let out = program.wait();
        assert_eq!(
            (out.code, out.stdout.trim()),
            (Some(5), format!("ready\n{name}").as_str()),
            "{out}"
        );
    }
}

#[test]
fn a_program_does_not_outlive_who_was_started() {
    let lab = Lab::new();
    let words = ["-c", "echo $$; exec busybox sleep 1000"];
    let front = lab.command("sh").args(words).mif(&BY_WAN1).spawn();
    front.wait_for_line("");
    let program = front.seen().0;
    let lives = || {
        lab.as_root_in("host", &["sh", "-c", "pgrep -x busybox || :"])
            .contains(program.trim())
    };
    assert!(lives());
    signal(&front, Signal::KILL);
    eventually("the program has ended", || !lives());
}

#[test]
fn a_daemon_is_watched_when_the_program_has_ended() {
    let lab = Lab::new();
    let text = format!(
        "import os, socket, time\n\
         parent = os.getpid()\n\
         if os.fork() == 0:\n    \
             os.setsid()\n    \
             while os.getppid() == parent: time.sleep(0.01)\n    \
             socket.create_connection(('{WHO}', 7001)).recv(9)\n    \
             os._exit(0)\n"
    );
    python(&lab, &text).ok();
    eventually("the daemon has connected", || lab.peers() == [WAN1]);
    only_by_wan1(&lab);
}

/// Under a shell with a terminal: ^Z stops the job once and for the shell, ^C reaches the program
/// once.
#[test]
fn the_terminal_is_the_programs() {
    let lab = Lab::new();
    let program = "import signal, sys, time\n\
        count = 0\n\
        def handle(number, frame):\n    global count; count += 1\n\
        signal.signal(signal.SIGINT, handle)\n\
        print('ready', flush=True)\n\
        while count == 0: time.sleep(0.01)\n\
        time.sleep(0.1)\nprint('interrupts:', count, flush=True)\n";
    let shell = "import os, pty, signal, sys\n\
         def until(text):\n    \
             global seen\n    \
             while text not in seen: seen += os.read(terminal, 999)\n\
         def job():\n    \
             os.setpgid(0, 0)\n    \
             signal.signal(signal.SIGTTOU, signal.SIG_IGN)\n    \
             os.tcsetpgrp(0, os.getpid())\n    \
             signal.signal(signal.SIGTTOU, signal.SIG_DFL)\n    \
             os.execvp(sys.argv[1], sys.argv[1:])\n\
         child, terminal = pty.fork()\n\
         if child == 0:\n    \
             front = os.fork() or job()\n    \
             _, status = os.waitpid(front, os.WUNTRACED)\n    \
             print('stopped', os.WIFSTOPPED(status), flush=True)\n    \
             os.killpg(front, signal.SIGCONT)\n    \
             print('again', flush=True)\n    \
             print('status', os.waitpid(front, 0)[1], flush=True)\n    \
             os._exit(0)\n\
         seen = b''\n\
         until(b'ready'); os.write(terminal, b'\\x1a')\n\
         until(b'again'); os.write(terminal, b'\\x03')\n\
         until(b'status'); until(b'\\n')\n\
         print(seen.replace(b'\\r', b'').decode())\n";
    let front = lab.mif_run();
    let words = ["-c", shell, front.to_str().unwrap()];
    let out = lab.command("python3").args(words).args(BY_WAN1);
    let out = out.args(["python3", "-c", program]).run();
    let said = out.ok();
    for line in ["stopped True", "interrupts: 1", "status 0"] {
        assert!(said.contains(line), "{out}");
    }
}

#[test]
fn a_signal_interrupts_a_connect_that_waits() {
    let lab = Lab::new();
    let text = format!(
        "import signal, socket\n\
         class Late(Exception): pass\n\
         def handle(number, frame): raise Late\n\
         signal.signal(signal.SIGALRM, handle)\n\
         signal.setitimer(signal.ITIMER_REAL, 0.2)\n\
         try: socket.socket().connect(('{SILENT}', 7001))\n\
         except Late: print('late')\n\
         print(socket.create_connection(('{WHO}', 7001)).recv(99).decode().split()[0])\n"
    );
    assert_eq!(python(&lab, &text).ok(), format!("late\n{WAN1}"));
}

/// The kernel begins an interrupted call anew after a handler that says so, which natively goes on
/// with the same connection.
#[test]
fn a_handled_signal_does_not_end_a_connect() {
    let lab = Lab::new();
    let text = format!(
        "import signal, socket\n\
         count = 0\n\
         def handle(number, frame):\n    global count; count += 1\n\
         signal.signal(signal.SIGALRM, handle)\n\
         signal.siginterrupt(signal.SIGALRM, False)\n\
         signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)\n\
         import struct\n\
         made = socket.socket()\n\
         made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 500000))\n\
         one = socket.socket(); one.connect(('{WHO}', 7001)); print(one.recv(99).decode().split()[0])\n\
         signal.setitimer(signal.ITIMER_REAL, 0)\n\
         try: made.connect(('{SILENT}', 7001))\n\
         except BlockingIOError as error: print(error.errno)\n"
    );
    // EINPROGRESS, as connect(2) says of SO_SNDTIMEO.
    assert_eq!(python(&lab, &text).ok(), format!("{WAN1}\n115"));
}

#[test]
fn a_thousand_that_wait_hold_up_nobody() {
    let lab = Lab::new();
    let text = format!(
        "import os, signal, socket, threading\n\
         def wait():\n    \
             try: socket.socket().connect(('{SILENT}', 7001))\n    \
             except OSError: pass\n\
         def crowd():\n    \
             child = os.fork()\n    \
             if child: return child\n    \
             for _ in range(250): threading.Thread(target=wait, daemon=True).start()\n    \
             os.write(said, b'x')\n    \
             signal.pause()\n\
         heard, said = os.pipe()\n\
         crowds = [crowd() for _ in range(4)]\n\
         for _ in crowds: os.read(heard, 1)\n\
         for _ in range(20): print(socket.create_connection(('{WHO}', 7001)).recv(99).decode().split()[0], flush=True)\n\
         for child in crowds: os.kill(child, signal.SIGKILL)\n"
    );
    assert_eq!(python(&lab, &text).ok(), [WAN1; 20].join("\n"));
    only_by_wan1(&lab);
}

/// Datagrams of a thread that is interrupted all the time arrive, and hardly any of them twice: only
/// where the signal comes between the answer and its arrival, of which the kernel tells nobody.
#[test]
fn an_interrupted_call_is_carried_out_once() {
    let lab = Lab::new();
    let sender = lab.probe_as("interrupted_sends", Build::Static);
    let out = lab
        .command(sender)
        .args([WHO, "7001", "300"])
        .mif(&BY_WAN1)
        .run();
    let [sent, answered] = out.ok().split(' ').collect::<Vec<_>>()[..] else {
        panic!("{out}")
    };
    assert_eq!(sent, "300");
    // Without the memory of what came of interrupted calls there are some forty more.
    let answered: u32 = answered.parse().unwrap();
    assert!((300..315).contains(&answered), "{out}");
}

//! Ways round the hooks inside a dynamic program: calls that are made by `syscall`, and objects that
//! bind past every preload.

mod support;

use mif_lab::{Lab, Output};
use support::{WAN1, WHO, nothing_leaves, only_by_wan1};

#[test]
fn what_is_done_by_syscall_obeys_the_policy() {
    let lab = Lab::new();
    let program = lab.probe("by_syscall");
    let words = [program.to_str().unwrap(), WHO];
    let native = lab.run(&words);
    let at_home = native.ok().to_owned();
    assert!(at_home.starts_with("connect 0 10.1.0.2 "), "{native}");
    assert!(at_home.ends_with("far above -1 ENOSYS\nmapped"), "{native}");
    assert_eq!(lab.preload(&words).ok(), at_home);
    assert_eq!(lab.mif(&["-i", "system"], &words).ok(), at_home);

    let lab = Lab::new();
    let program = lab.probe("by_syscall");
    let words = [program.to_str().unwrap(), WHO];
    let by_wan1 = at_home.replace("10.1.0.2", WAN1);
    let by_wan1 = by_wan1.replace("reachable on all", "reachable on wan1");
    assert_eq!(lab.mif(&["-i", "wan1"], &words).ok(), by_wan1);
    only_by_wan1(&lab);

    nothing_leaves(&lab, || {
        let refused = lab.mif(&["-i", "none"], &words);
        let sends = ["connect", "sendto", "sendmsg", "sendmmsg"];
        for call in sends {
            assert!(
                refused.ok().contains(&format!("{call} -1 ENETUNREACH\n")),
                "{refused}"
            );
        }
    });
}

/// PHP opens its extensions with `RTLD_DEEPBIND`.
#[test]
fn an_extension_of_php_is_on_the_policys_network() {
    let lab = Lab::new();
    let curl = "$curl = curl_init('http://203.0.113.10/'); curl_exec($curl);";
    assert_eq!(lab.run(&["php", "-r", curl]).ok(), "10.1.0.2");
    let lab = Lab::new();
    assert_eq!(lab.mif(&["-i", "wan1"], &["php", "-r", curl]).ok(), WAN1);
    only_by_wan1(&lab);
}

/// `outer.so` has a RUNPATH, `inner.so` lies only there, and both are opened with `RTLD_DEEPBIND`.
const OBJECTS: &str = "
    mkdir sub
    echo 'char *said(void) { return \"inner\"; }' >inner.c
    gcc -shared -fPIC -o sub/inner.so inner.c
    cat >outer.c <<'END'
    #include <dlfcn.h>
    char *opened(void) {
        void *inner = dlopen(\"inner.so\", RTLD_NOW | RTLD_DEEPBIND);
        char *(*said)(void) = inner ? dlsym(inner, \"said\") : 0;
        return said ? said() : dlerror();
    }
END
    gcc -shared -fPIC -Wl,--enable-new-dtags -Wl,-rpath,'$ORIGIN/sub' -o outer.so outer.c -ldl
    cat >main.c <<'END'
    #include <dlfcn.h>
    #include <stdio.h>
    int main(void) {
        void *outer = dlopen(\"./outer.so\", RTLD_NOW | RTLD_DEEPBIND);
        char *(*opened)(void) = outer ? dlsym(outer, \"opened\") : 0;
        puts(opened ? opened() : dlerror());
        puts(dlopen(\"inner.so\", RTLD_NOW) ? \"opened by the program, too\" : dlerror());
        puts(dlopen(0, RTLD_LAZY) == dlopen(0, RTLD_NOW) ? \"itself\" : \"another\");
        puts(dlopen(\"nowhere.so\", RTLD_NOW) ? \"found\" : dlerror());
    }
END
    gcc -o main main.c -ldl
    chmod -R a+rX .";

#[test]
fn objects_are_looked_for_where_their_opener_says() {
    let lab = Lab::new();
    let folder = lab.home();
    let made = std::process::Command::new("sh")
        .args(["-euc", OBJECTS])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let run = |out: Output| out.ok().to_owned();
    let native = run(lab.run(&["./main"]));
    assert!(native.starts_with("inner\n"), "{native}");
    assert_eq!(run(lab.preload(&["./main"])), native);
    assert_eq!(run(lab.mif(&["-i", "wan1"], &["./main"])), native);
}

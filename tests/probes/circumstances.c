/* Makes sockets, brings about a CIRCUMSTANCE, and then connects and sends a datagram to ADDRESS PORT
   and looks who.test up: circumstances CIRCUMSTANCE at-once|later ADDRESS PORT
   With `later`, what was known of the host is more than a second old by then. Says for each call what
   it came to; the connection and the datagram, which peer the far end saw. */
#include "tcp.h"
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Answers system call `number` with `action`, if its first argument is `first` or that is below 0. */
static int filter(int number, int first, unsigned action, int by_prctl)
{
    unsigned char go_on = first < 0 ? 1 : 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)first, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    if (go_on)
        code[2] = code[4];
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    if (by_prctl)
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int limit(__rlimit_resource_t resource, rlim_t to)
{
    struct rlimit both = {to, to};
    return setrlimit(resource, &both);
}

/* In a user namespace there is no such user, and all that can be given up is the capabilities. */
static int become_nobody(void)
{
    if (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0)
        return 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {};
    return errno == EINVAL ? (int)syscall(SYS_capset, &header, none) : -1;
}

static int bring_about(const char *what)
{
    unsigned refused = SECCOMP_RET_ERRNO | EPERM;
    if (strcmp(what, "nothing") == 0)
        return 0;
    if (strcmp(what, "no-descriptors") == 0)
        return limit(RLIMIT_NOFILE, 0);
    if (strcmp(what, "no-processes") == 0)
        return limit(RLIMIT_NPROC, 0);
    if (strcmp(what, "no-files") == 0)
        return limit(RLIMIT_FSIZE, 0);
    if (strcmp(what, "no-new-privileges") == 0)
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (strcmp(what, "not-dumpable") == 0)
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (strcmp(what, "chroot") == 0)
        return chroot("/run/empty") || chdir("/");
    if (strcmp(what, "nobody") == 0)
        return become_nobody();
    if (strcmp(what, "alone") == 0)
        return unshare(CLONE_NEWNET);
    if (strcmp(what, "no-netlink") == 0)
        return filter(SYS_socket, AF_NETLINK, SECCOMP_RET_ERRNO | EAFNOSUPPORT, 1);
    if (strcmp(what, "killing-prctl") == 0)
        return filter(SYS_socket, AF_NETLINK, SECCOMP_RET_KILL_PROCESS, 1);
    if (strcmp(what, "killing-seccomp") == 0)
        return filter(SYS_socket, AF_NETLINK, SECCOMP_RET_KILL_PROCESS, 0);
    if (strcmp(what, "no-getsockopt") == 0)
        return filter(SYS_getsockopt, -1, refused, 1);
    if (strcmp(what, "no-setsockopt") == 0)
        return filter(SYS_setsockopt, -1, refused, 1);
    return -1;
}

int main(int count, char **words)
{
    (void)count;
    char said[64], said2[64];
    struct destination to = destination(words[3], words[4]);
    if (strcmp(words[2], "later") == 0)
        try_connect(words[3], words[4], said);
    int tcp = stream_for(&to, 0), udp = socket(to.address.ss_family, SOCK_DGRAM, 0);
    struct timeval patience = {2, 0};
    setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (bring_about(words[1]) != 0) {
        perror(words[1]);
        return 2;
    }
    if (strcmp(words[2], "later") == 0)
        usleep(1200 * 1000);
    if (connect_to(tcp, &to) < 0)
        strcpy(said, strerrorname_np(errno));
    else
        read_peer(tcp, said);
    if (sendto(udp, "?", 1, 0, (struct sockaddr *)&to.address, to.length) < 0)
        strcpy(said2, strerrorname_np(errno));
    else
        read_peer(udp, said2);
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    int code = getaddrinfo("who.test", "80", &hints, &list);
    if (code == EAI_SYSTEM)
        printf("%s %s %s\n", said, said2, strerrorname_np(errno));
    else
        printf("%s %s %s\n", said, said2, code == 0 ? "found" : gai_strerror(code));
    finish(tcp);
}

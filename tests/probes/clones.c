/* A child made by MODE connects to ADDRESS PORT and sends a datagram there; the parent does the same
   afterwards. Each says which peer the far end saw. MODE is a way to make a child that shares more
   with its parent than after fork, or less than usual. */
#include "tcp.h"
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char **arguments;

static void ask_by_datagram(char said[64])
{
    struct destination to = destination(arguments[2], arguments[3]);
    int fd = socket(to.address.ss_family, SOCK_DGRAM, 0);
    struct timeval limit = {5, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (sendto(fd, "?", 1, 0, (struct sockaddr *)&to.address, to.length) < 0)
        strcpy(said, strerrorname_np(errno));
    else
        read_peer(fd, said);
    close(fd);
}

static int ask(void *who)
{
    char tcp[64], udp[64];
    try_connect(arguments[2], arguments[3], tcp);
    ask_by_datagram(udp);
    dprintf(1, "%s: %s %s\n", (char *)who, tcp, udp);
    return 0;
}

static _Alignas(16) char stack[64 * 1024];

static pid_t child(const char *mode)
{
    if (strcmp(mode, "clone") == 0)
        return clone(ask, stack + sizeof stack, SIGCHLD, "child");
    /* As posix_spawn makes its children: the parent's memory and thread-local storage. */
    if (strcmp(mode, "clone-vm") == 0)
        return clone(ask, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, "child");
    /* As threads are made, but with the parent's thread-local storage: it waits meanwhile. */
    if (strcmp(mode, "clone-files") == 0)
        return clone(ask, stack + sizeof stack,
                     CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD,
                     "child");
    /* Past libc, which does not know of the child. */
    pid_t pid = -1;
    if (strcmp(mode, "raw") == 0)
        pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    else if (strcmp(mode, "vfork") == 0)
        pid = vfork();
    else
        pid = fork();
    if (pid == 0) {
        if (strcmp(mode, "daemon") == 0 && daemon(1, 1) != 0)
            _exit(8);
        ask("child");
        _exit(0);
    }
    return pid;
}

int main(int count, char **words)
{
    (void)count;
    arguments = words;
    /* The daemon's end is the end of the pipe. */
    int ends[2], status = 9;
    char byte;
    if (pipe(ends) != 0)
        return 7;
    pid_t pid = child(words[1]);
    close(ends[1]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return 6;
    if (read(ends[0], &byte, 1) != 0)
        return 5;
    return ask("parent");
}

/* Flows that are begun by libc's syscall(2): by_syscall ADDRESS
 *
 * A stream to port 7001, datagrams there by each call that sends, and a listener. Says what each
 * returned, or its errno, and what the far end said to it. By calls without a hook, what syscall
 * itself makes of arguments and results. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static void say(const char *call, int fd, long returned)
{
    char answer[100] = "";
    printf("%s %ld ", call, returned);
    if (returned < 0) {
        puts(strerrorname_np(errno));
        return;
    }
    ssize_t got = fd < 0 ? 0 : recv(fd, answer, sizeof answer - 1, 0);
    puts(got < 0 ? strerrorname_np(errno) : answer);
}

static int open_one(int type)
{
    struct timeval patience = {.tv_sec = 3};
    int fd = socket(AF_INET, type, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7001)};
    struct sockaddr_in any = {.sin_family = AF_INET};
    if (argc != 2 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        return 2;
    struct iovec data = {.iov_base = "x", .iov_len = 1};
    struct mmsghdr message = {.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof to,
                                          .msg_iov = &data, .msg_iovlen = 1}};

    int fd = open_one(SOCK_STREAM);
    long returned = syscall(SYS_connect, fd, &to, sizeof to);
    if (returned == 0)
        shutdown(fd, SHUT_WR);
    say("connect", fd, returned);
    fd = open_one(SOCK_DGRAM);
    say("sendto", fd, syscall(SYS_sendto, fd, "x", 1, 0, &to, sizeof to));
    say("sendmsg", fd, syscall(SYS_sendmsg, fd, &message.msg_hdr, 0));
    say("sendmmsg", fd, syscall(SYS_sendmmsg, fd, &message, 1, 0));

    int listener = socket(AF_INET, SOCK_STREAM, 0);
    say("bind", -1, syscall(SYS_bind, listener, &any, sizeof any));
    say("listen", -1, syscall(SYS_listen, listener, 1));
    char device[16] = "";
    socklen_t size = sizeof device;
    getsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, device, &size);
    printf("reachable on %s\n", *device ? device : "all");

    int on = 1;
    say("setsockopt", -1, syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on));
    say("getsockname", -1, syscall(SYS_getsockname, -1, &any, &size));
    say("nothing", -1, syscall(-1L));
    say("far above", -1, syscall(0x7fffffffL));
    char *page = (char *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    strcpy(page, "mapped");
    puts(page);
    return 0;
}

/* One call, N times, so that callgrind and strace can count what one more costs.
 *
 *   calls KIND N     KIND: connect-tcp connect-udp connect-unix connect-local sendto sendmsg
 *                          send sendmmsg bind getaddrinfo-numeric open-other open-etc fopen-other
 *                          ioctl getifaddrs execve execve-bare
 *   calls memory 0         prints the kilobytes of private memory that the process has written to
 *
 * The nanoseconds that the N calls took go to standard output.
 * Destinations are in 198.51.100.0/24 (TEST-NET-2), which benches/cost routes to a veth pair of a
 * network namespace that it made itself; nobody answers, and every socket is non-blocking. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in to(const char *address, int port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &sin.sin_addr);
    return sin;
}

static long long nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int private_memory(void)
{
    char line[128];
    long kilobytes;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file)
        return 1;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Private_Dirty: %ld", &kilobytes) == 1)
            printf("%ld\n", kilobytes);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *kind = argv[1];
    int n = atoi(argv[2]);
    if (!strcmp(kind, "memory"))
        return private_memory();
    struct sockaddr_in far = to("198.51.100.1", 9), near = to("127.0.0.1", 9), any = to("0.0.0.0", 0);
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    struct iovec data = {.iov_base = "x", .iov_len = 1};
    struct msghdr message = {.msg_name = &far, .msg_namelen = sizeof far, .msg_iov = &data, .msg_iovlen = 1};
    struct mmsghdr messages[4] = {{message, 0}, {message, 0}, {message, 0}, {message, 0}};
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    int connected = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (!strcmp(kind, "send"))
        connect(connected, (struct sockaddr *)&far, sizeof far);

    long long start = nanoseconds();
    for (int i = 0; i < n; i++) {
        int fd = -1;
        if (!strcmp(kind, "connect-tcp") || !strcmp(kind, "connect-local") || !strcmp(kind, "bind"))
            fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        else if (!strcmp(kind, "connect-udp"))
            fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        else if (!strcmp(kind, "connect-unix"))
            fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

        if (!strcmp(kind, "connect-tcp") || !strcmp(kind, "connect-udp"))
            connect(fd, (struct sockaddr *)&far, sizeof far);
        else if (!strcmp(kind, "connect-local"))
            connect(fd, (struct sockaddr *)&near, sizeof near);
        else if (!strcmp(kind, "connect-unix"))
            connect(fd, (struct sockaddr *)&local, sizeof local);
        else if (!strcmp(kind, "bind"))
            bind(fd, (struct sockaddr *)&any, sizeof any);
        else if (!strcmp(kind, "sendto"))
            sendto(udp, "x", 1, 0, (struct sockaddr *)&far, sizeof far);
        else if (!strcmp(kind, "send"))
            send(connected, "x", 1, 0);
        else if (!strcmp(kind, "sendmsg"))
            sendmsg(udp, &message, 0);
        else if (!strcmp(kind, "sendmmsg"))
            sendmmsg(udp, messages, 4, 0);
        else if (!strcmp(kind, "getaddrinfo-numeric")) {
            struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found;
            if (getaddrinfo("192.0.2.1", "80", &hints, &found) == 0)
                freeaddrinfo(found);
        } else if (!strcmp(kind, "open-other"))
            fd = open("/usr/lib/none", O_RDONLY);
        else if (!strcmp(kind, "open-etc"))
            fd = open("/etc/passwd", O_RDONLY);
        else if (!strcmp(kind, "fopen-other")) {
            if (fopen("/usr/lib/none", "r"))
                return 2;
        } else if (!strcmp(kind, "ioctl")) {
            int unread;
            ioctl(udp, FIONREAD, &unread);
        } else if (!strcmp(kind, "getifaddrs")) {
            struct ifaddrs *found;
            if (getifaddrs(&found) == 0)
                freeifaddrs(found);
        } else if (!strcmp(kind, "execve") || !strcmp(kind, "execve-bare")) {
            char *words[] = {"none", NULL}, *nothing[] = {NULL};
            execve("/usr/bin/none", words, kind[6] ? nothing : environ);
        } else
            return 2;
        if (fd >= 0)
            close(fd);
    }
    printf("%lld\n", nanoseconds() - start);
    return 0;
}

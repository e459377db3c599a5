/* What the probes for odd calls share: descriptors of every kind, and a line for each call with the
   result, errno (77 where the call left it alone), and where the socket is bound afterwards. The
   number of the descriptor tells that nothing was left open before it. */
#ifndef ODD_H
#define ODD_H

#include "tcp.h"
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/un.h>

enum { UNTOUCHED = 77, KINDS = 12 };

static const char *const kinds[KINDS] = {"tcp4", "tcp6", "udp4",    "udp6", "ping4",  "unix",
                                         "unixd", "netlink", "pair", "file", "closed", "minus"};

/* Flows far away take the address of their network, which is none of the result. */
static int is_far;

/* A fresh descriptor of this kind, which waits for nobody. */
static inline int make(int kind)
{
    int pair[2];
    switch (kind) {
    case 0: return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    case 1: return socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    case 2: return socket(AF_INET, SOCK_DGRAM, 0);
    case 3: return socket(AF_INET6, SOCK_DGRAM, 0);
    case 4: return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    case 5: return socket(AF_UNIX, SOCK_STREAM, 0);
    case 6: return socket(AF_UNIX, SOCK_DGRAM, 0);
    case 7: return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    case 8:
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        close(pair[1]);
        return pair[0];
    case 9: return open("/dev/null", O_RDWR);
    case 10: return 999;
    default: return -1;
    }
}

static inline const char *error_name(int error)
{
    const char *known = strerrorname_np(error);
    return error == UNTOUCHED ? "untouched" : known ? known : "?";
}

/* Says what came of a call on a descriptor, and closes it. */
static inline void say(const char *call, int kind, const char *what, long returned, int fd)
{
    int error = errno;
    struct sockaddr_storage name = {};
    socklen_t length = sizeof name;
    int device = 0;
    socklen_t size = sizeof device;
    char text[INET6_ADDRSTRLEN] = "-";
    if (!is_far && getsockname(fd, (struct sockaddr *)&name, &length) == 0) {
        if (name.ss_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)&name)->sin_addr, text, sizeof text);
        else if (name.ss_family == AF_INET6)
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&name)->sin6_addr, text, sizeof text);
        getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, &size);
    }
    printf("%s %s %d %s: %ld %s, at %s on %d\n", call, kinds[kind], fd, what, returned,
           error_name(error), text, device);
    if (fd > 2)
        close(fd);
}

#define TRY(call, kind, what, expression)                                                          \
    do {                                                                                           \
        int fd = make(kind);                                                                       \
        errno = UNTOUCHED;                                                                         \
        long returned = (long)(expression);                                                        \
        say(call, kind, what, returned, fd);                                                       \
    } while (0)

#endif

/* Goes to port 7001 of each ADDRESS of standard input in every way that chooses a network, and says
   for each way, in one line, which peer the far end saw: the name of errno where the call failed,
   EAGAIN where nobody answered. All datagrams with a destination go from one socket of a family. No
   datagram socket is connected for IPv6: mif puts it on a device, and asks about each from then on.
   A line of "look NAME" looks a name up. */
#include "tcp.h"
#include <netdb.h>

static int datagram_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM, 0);
    struct timeval limit = {0, 500000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void tell(const char *way, int fd, long returned)
{
    char peer[64];
    if (returned < 0)
        strcpy(peer, strerrorname_np(errno));
    else
        read_peer(fd, peer);
    printf("%s %s ", way, peer);
}

int main(void)
{
    int v4 = datagram_socket(AF_INET), v6 = datagram_socket(AF_INET6);
    char ip[64], said[64];
    while (scanf("%63s", ip) == 1) {
        struct addrinfo *found;
        if (!strcmp(ip, "look") && scanf("%63s", ip) == 1) {
            printf("looked up: %d\n", getaddrinfo(ip, NULL, NULL, &found));
            fflush(stdout);
            continue;
        }
        struct destination to = destination(ip, "7001");
        struct sockaddr *name = (struct sockaddr *)&to.address;
        int fd = strchr(ip, ':') ? v6 : v4;
        struct iovec data = {"?", 1};
        struct msghdr message = {.msg_name = name, .msg_namelen = to.length, .msg_iov = &data, .msg_iovlen = 1};
        struct mmsghdr several = {.msg_hdr = message};
        try_connect(ip, "7001", said);
        printf("stream %s ", said);
        tell("sendto", fd, sendto(fd, "?", 1, 0, name, to.length));
        tell("sendmsg", fd, sendmsg(fd, &message, 0));
        tell("sendmmsg", fd, sendmmsg(fd, &several, 1, 0));
        if (fd == v4) {
            int connected = datagram_socket(AF_INET);
            long done = connect_to(connected, &to);
            tell("datagram", connected, done < 0 ? done : send(connected, "?", 1, 0));
            close(connected);
        }
        puts("");
        fflush(stdout);
    }
}

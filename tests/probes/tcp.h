/* What the TCP probes share: numeric destinations, and what came of a connection in one line. */
#ifndef TCP_H
#define TCP_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct destination {
    struct sockaddr_storage address;
    socklen_t length;
};

/* ADDRESS and PORT; a scope id is not read. */
static inline struct destination destination(const char *ip, const char *port)
{
    struct destination to = {};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&to.address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to.address;
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((unsigned short)atoi(port));
        to.length = sizeof *v4;
    } else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((unsigned short)atoi(port));
        to.length = sizeof *v6;
    } else {
        fprintf(stderr, "%s is no address\n", ip);
        exit(2);
    }
    return to;
}

/* A stream for the destination. No call on it takes longer than two seconds. */
static inline int stream_for(const struct destination *to, int flags)
{
    int fd = socket(to->address.ss_family, SOCK_STREAM | flags, 0);
    struct timeval limit = {2, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static inline int connect_to(int fd, const struct destination *to)
{
    return connect(fd, (const struct sockaddr *)&to->address, to->length);
}

/* The name of errno where a call failed, else "0". */
static inline const char *outcome(long returned)
{
    return returned < 0 ? strerrorname_np(errno) : "0";
}

/* The first word of what the far end says on a connection: the peer that it saw. */
static inline void read_peer(int fd, char peer[64])
{
    ssize_t length = read(fd, peer, 63);
    if (length < 0)
        strcpy(peer, strerrorname_np(errno));
    else
        peer[length] = 0;
    peer[strcspn(peer, " \n")] = 0;
}

/* Ends a connection from this side and waits for the other. Where the socket is gone before the
   other side ends, the kernel itself answers for it, for IPv6 not by the socket's device. */
static inline void finish(int fd)
{
    char rest[256];
    shutdown(fd, SHUT_WR);
    while (read(fd, rest, sizeof rest) > 0)
        ;
    close(fd);
}

/* Connects a socket of its own and says what came of it: the peer that the far end saw, or the
   name of errno. */
static inline void try_connect(const char *ip, const char *port, char said[64])
{
    struct destination to = destination(ip, port);
    int fd = stream_for(&to, 0);
    if (connect_to(fd, &to) < 0)
        strcpy(said, strerrorname_np(errno));
    else
        read_peer(fd, said);
    finish(fd);
}

#endif

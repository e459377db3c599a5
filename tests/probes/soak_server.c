/* The far end of a soak: soak_server PORT PEER4 PEER6 ADDRESS...
   Ends every connection at once, and answers every datagram with itself, from the address that was
   asked. At the end of standard input it says how many of each came from the two peers, and how many
   from anywhere else. */
#include "tcp.h"
#include <pthread.h>
#include <stdatomic.h>

enum { ACCEPTING = 4 };

static struct destination peer4, peer6;
static const char *port;
static atomic_long connections, datagrams, foreign;

static void count(const struct sockaddr_storage *from, atomic_long *kind)
{
    const struct sockaddr_in6 *mapped = (const void *)from;
    const struct sockaddr_in *v4 = (const void *)from;
    int ours;
    if (from->ss_family == AF_INET)
        ours = v4->sin_addr.s_addr == ((struct sockaddr_in *)&peer4.address)->sin_addr.s_addr;
    else if (IN6_IS_ADDR_V4MAPPED(&mapped->sin6_addr))
        ours = memcmp(&mapped->sin6_addr.s6_addr[12],
                      &((struct sockaddr_in *)&peer4.address)->sin_addr, 4) == 0;
    else
        ours = memcmp(&mapped->sin6_addr, &((struct sockaddr_in6 *)&peer6.address)->sin6_addr,
                      16) == 0;
    atomic_fetch_add(ours ? kind : &foreign, 1);
}

static int bound(int type, const char *address)
{
    struct destination at = destination(address, port);
    int fd = socket(at.address.ss_family, type, 0), on = 1, room = 8 << 20;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&at.address, at.length) != 0) {
        perror(address);
        exit(2);
    }
    return fd;
}

static void *accepting(void *fd)
{
    for (;;) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        int one = accept((int)(size_t)fd, (struct sockaddr *)&from, &length);
        if (one < 0)
            continue;
        count(&from, &connections);
        close(one);
    }
    return NULL;
}

static void *answering(void *fd)
{
    for (;;) {
        char bytes[64];
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom((int)(size_t)fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from,
                               &length);
        if (got < 0)
            continue;
        count(&from, &datagrams);
        sendto((int)(size_t)fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, length);
    }
    return NULL;
}

int main(int count, char **words)
{
    pthread_t thread;
    port = words[1];
    peer4 = destination(words[2], "0");
    peer6 = destination(words[3], "0");
    for (size_t n = 0; n < ACCEPTING; n++) {
        int fd = bound(SOCK_STREAM, "::");
        listen(fd, 4096);
        pthread_create(&thread, NULL, accepting, (void *)(size_t)fd);
    }
    for (int n = 4; n < count; n++)
        pthread_create(&thread, NULL, answering, (void *)(size_t)bound(SOCK_DGRAM, words[n]));
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    printf("%ld connections, %ld datagrams, %ld of others\n", connections, datagrams, foreign);
}

